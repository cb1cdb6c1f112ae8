<?php

namespace JDare\ClankBundle\DependencyInjection\Compiler;

use JDare\ClankBundle\DependencyInjection\ClankExtension;
use JDare\ClankBundle\DependencyInjection\ConfigurationLine;
use JDare\ClankBundle\Nearest;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Definition;
use Symfony\Component\DependencyInjection\Exception\InvalidArgumentException;
use Symfony\Component\DependencyInjection\Reference;
use Symfony\Component\DependencyInjection\ServiceLocator;

/** Lets the worker reach the services that the configuration names, private ones too. */
final class ReachServicesPass implements CompilerPassInterface
{
    /** The public locator, whose keys are service ids. */
    const LOCATOR = 'clank.services';

    /** Service id => where in the application's files it is named. */
    const LINES = 'clank.configuration_lines';

    /** Service id => methods that the container itself calls, which are no procedures. */
    const SETTERS = 'clank.setters';

    public function process(ContainerBuilder $container): void
    {
        if (!$container->hasParameter(ClankExtension::PARAMETER)) {
            return;
        }
        $lines = [];
        $setters = [];
        $references = ['event_dispatcher' => new Reference('event_dispatcher')];
        foreach (self::named($container->getParameter(ClankExtension::PARAMETER)) as $id => $key) {
            $lines[$id] = ConfigurationLine::of($container, $id);
            if (!$container->has($id)) {
                throw new InvalidArgumentException(self::missing($container, $id, $key, $lines[$id]));
            }
            foreach ($container->findDefinition($id)->getMethodCalls() as $call) {
                $setters[$id][] = strtolower($call[0]);
            }
            $references[$id] = new Reference($id);
        }

        $locator = new Definition(ServiceLocator::class, [$references]);
        $container->setDefinition(self::LOCATOR, $locator->addTag('container.service_locator')->setPublic(true));
        $container->setParameter(self::LINES, $lines);
        $container->setParameter(self::SETTERS, $setters);
    }

    /** Service id => the key of the configuration that names it. */
    private static function named(array $config): array
    {
        $ids = [];
        foreach (['rpc', 'topic', 'periodic'] as $key) {
            foreach ($config[$key] as $entry) {
                $ids[ltrim($entry['service'], '@')] = $key;
            }
        }
        foreach (['session_handler', 'wamp_server'] as $key) {
            if ($config[$key] !== null) {
                $ids[ltrim($config[$key], '@')] = $key;
            }
        }

        return $ids;
    }

    private static function missing(ContainerBuilder $container, string $id, string $key, ?string $line): string
    {
        $nearest = Nearest::of($id, $container->getServiceIds());

        return sprintf(
            'clank.%s names the service "%s"%s, which is not there.%s',
            $key,
            $id,
            $line === null ? '' : ' ('.$line.')',
            $nearest === null ? '' : sprintf(' Did you mean "%s"?', $nearest)
        );
    }
}
