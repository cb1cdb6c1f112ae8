<?php

namespace JDare\ClankBundle\DependencyInjection\Compiler;

use JDare\ClankBundle\DependencyInjection\ClankExtension;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;

/** Makes the services of `public_services` public: old code takes them from the container by their ids. */
final class PublishServicesPass implements CompilerPassInterface
{
    public function process(ContainerBuilder $container): void
    {
        if (!$container->hasParameter(ClankExtension::PARAMETER)) {
            return;
        }
        foreach ($container->getParameter(ClankExtension::PARAMETER)['public_services'] as $wanted) {
            foreach ($container->getDefinitions() as $id => $definition) {
                if (self::matches($wanted, $id)) {
                    $definition->setPublic(true);
                }
            }
            foreach ($container->getAliases() as $id => $alias) {
                if (self::matches($wanted, $id)) {
                    $alias->setPublic(true);
                }
            }
        }
    }

    private static function matches(string $wanted, string $id): bool
    {
        return (bool) preg_match('~^'.str_replace('\*', '.*', preg_quote($wanted, '~')).'$~', $id);
    }
}
