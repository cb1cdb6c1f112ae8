<?php

namespace JDare\ClankBundle\Worker;

use JDare\ClankBundle\DependencyInjection\ClankExtension;
use JDare\ClankBundle\DependencyInjection\Compiler\ReachServicesPass;
use Symfony\Component\HttpKernel\KernelInterface;

/** The booted application: its configuration, and the services that the configuration names. */
final class Application
{
    /** What stands under `clank:`. */
    public $config;
    public $kernel;

    private $container;
    private $services;

    public function __construct(KernelInterface $kernel)
    {
        $kernel->boot();
        $this->kernel = $kernel;
        $this->container = $kernel->getContainer();
        if (!$this->container->hasParameter(ClankExtension::PARAMETER)) {
            throw new \RuntimeException(sprintf(
                'The bundle is not registered in %s. Add JDare\ClankBundle\JDareClankBundle::class => '.
                '[\'all\' => true] to config/bundles.php, or new JDare\ClankBundle\JDareClankBundle() to '.
                'AppKernel::registerBundles().',
                get_class($kernel)
            ));
        }
        $this->config = $this->container->getParameter(ClankExtension::PARAMETER);
        $this->services = $this->container->get(ReachServicesPass::LOCATOR);
    }

    public function service(string $id)
    {
        return $this->services->get(ltrim($id, '@'));
    }

    /** A service of the application's, or null. */
    public function optional(string $id)
    {
        return $this->container->has($id) ? $this->container->get($id) : null;
    }

    public function parameter(string $name, $default = null)
    {
        return $this->container->hasParameter($name) ? $this->container->getParameter($name) : $default;
    }

    /** Where the configuration names a service, as `file:line`, in brackets after its id. */
    public function named(string $id): string
    {
        $line = $this->parameter(ReachServicesPass::LINES, [])[$id] ?? null;

        return '"'.$id.'"'.($line === null ? '' : ' ('.$line.')');
    }

    /** Methods that the container calls on a service, in lower case. */
    public function setters(string $id): array
    {
        return $this->parameter(ReachServicesPass::SETTERS, [])[$id] ?? [];
    }

    public function folder(): string
    {
        return $this->parameter('kernel.project_dir') ?? dirname((string) $this->parameter('kernel.root_dir', '.'));
    }
}
