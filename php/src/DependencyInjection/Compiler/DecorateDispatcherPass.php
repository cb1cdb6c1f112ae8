<?php

namespace JDare\ClankBundle\DependencyInjection\Compiler;

use JDare\ClankBundle\DependencyInjection\ClankExtension;
use JDare\ClankBundle\Event\LegacyDispatcher;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Definition;
use Symfony\Component\DependencyInjection\Reference;

/** With `legacy_dispatch`, puts a dispatcher that takes the arguments in either order before Symfony's. */
final class DecorateDispatcherPass implements CompilerPassInterface
{
    const ID = 'clank.legacy_dispatcher';

    public function process(ContainerBuilder $container): void
    {
        if (!$container->hasParameter(ClankExtension::PARAMETER)) {
            return;
        }
        if ($container->getParameter(ClankExtension::PARAMETER)['legacy_dispatch']) {
            $decorator = new Definition(LegacyDispatcher::class, [new Reference(self::ID.'.inner')]);
            $container->setDefinition(self::ID, $decorator->setDecoratedService('event_dispatcher'));
        }
    }
}
