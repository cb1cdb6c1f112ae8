<?php

namespace JDare\ClankBundle\DependencyInjection;

use JDare\ClankBundle\Command\ServerCommand;
use JDare\ClankBundle\Server\EntryPoint;
use JDare\ClankBundle\Server\Type\WebSocketServerType;
use JDare\ClankBundle\Twig\ClankExtension as TwigExtension;
use JDare\ClankBundle\Xml\ServiceFileLoader;
use Symfony\Component\Config\FileLocator;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\ContainerInterface;
use Symfony\Component\DependencyInjection\Definition;
use Symfony\Component\DependencyInjection\Extension\Extension;
use Symfony\Component\DependencyInjection\Reference;

/** Makes parameters and services of what stands under `clank:`. */
final class ClankExtension extends Extension
{
    /** The whole configuration, from which the worker works. */
    const PARAMETER = 'clank.configuration';

    public function load(array $configs, ContainerBuilder $container): void
    {
        $config = $this->processConfiguration(new Configuration(), $configs);
        $config = $container->getParameterBag()->resolveValue($config);

        $container->setParameter(self::PARAMETER, $config);
        $this->oldParameters($config, $container);
        $this->services($config, $container);
        foreach ($config['service_files'] as $file) {
            (new ServiceFileLoader($container, new FileLocator()))->load($file);
        }
    }

    public function getAlias(): string
    {
        return 'clank';
    }

    public function getConfiguration(array $config, ContainerBuilder $container): Configuration
    {
        return new Configuration();
    }

    private function oldParameters(array $config, ContainerBuilder $container): void
    {
        $server = ($config['web_socket_server'] ?? []) + ['port' => 8080, 'host' => '127.0.0.1'];
        $container->setParameter('jdare_clank.web_socket_server.port', (int) $server['port']);
        $container->setParameter('jdare_clank.web_socket_server.host', $server['host']);
        $container->setParameter('jdare_clank.rpc_services', $config['rpc']);
        $container->setParameter('jdare_clank.topic_services', $config['topic']);
        $container->setParameter('jdare_clank.periodic_services', $config['periodic']);
        $container->setParameter('jdare_clank.servers', ['jdare_clank.web_socket_server']);
    }

    private function services(array $config, ContainerBuilder $container): void
    {
        $this->publish($container, 'jdare_clank.web_socket_server', new Definition(WebSocketServerType::class, [
            '%jdare_clank.web_socket_server.host%',
            '%jdare_clank.web_socket_server.port%',
        ]));
        $this->publish($container, 'jdare_clank.entry_point', new Definition(EntryPoint::class, [
            $container->hasParameter('kernel.project_dir') ? '%kernel.project_dir%' : '%kernel.root_dir%/..',
            '%kernel.environment%',
            '%kernel.debug%',
        ]));
        $command = new Definition(ServerCommand::class, [new Reference('jdare_clank.entry_point')]);
        $container->setDefinition('jdare_clank.command.server', $command->addTag('console.command'));

        if (class_exists('Twig\Extension\AbstractExtension')) {
            $ifThere = ContainerInterface::NULL_ON_INVALID_REFERENCE;
            $twig = new Definition(TwigExtension::class, [
                $config['client'],
                '%jdare_clank.web_socket_server.host%',
                '%jdare_clank.web_socket_server.port%',
                new Reference('request_stack', $ifThere),
            ]);
            $container->setDefinition('jdare_clank.twig.clank_extension', $twig->addTag('twig.extension'));
        }
    }

    /** Under the ids that releases of the old bundle had, which differ in their capitals. */
    private function publish(ContainerBuilder $container, string $id, Definition $definition): void
    {
        $container->setDefinition($id, $definition->setPublic(true));
        $old = 'JDare_clank'.substr($id, strlen('jdare_clank'));
        $container->setAlias($old, $id)->setPublic(true);
    }
}
