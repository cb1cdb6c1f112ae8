<?php

namespace JDare\ClankBundle;

use JDare\ClankBundle\DependencyInjection\ClankExtension;
use JDare\ClankBundle\DependencyInjection\Compiler\DecorateDispatcherPass;
use JDare\ClankBundle\DependencyInjection\Compiler\PublishServicesPass;
use JDare\ClankBundle\DependencyInjection\Compiler\ReachServicesPass;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Extension\ExtensionInterface;
use Symfony\Component\HttpKernel\Bundle\Bundle;

require_once __DIR__.'/../autoload.php';

/** WebSockets for a Symfony application: topics, procedures, periodic services and lifecycle events. */
class JDareClankBundle extends Bundle
{
    public function build(ContainerBuilder $container): void
    {
        $container->addCompilerPass(new PublishServicesPass());
        $container->addCompilerPass(new ReachServicesPass());
        $container->addCompilerPass(new DecorateDispatcherPass());
    }

    /** The key is `clank`, which is not the one that Symfony would make of the bundle's name. */
    public function getContainerExtension(): ?ExtensionInterface
    {
        return new ClankExtension();
    }

    public function getPath(): string
    {
        return __DIR__;
    }
}
