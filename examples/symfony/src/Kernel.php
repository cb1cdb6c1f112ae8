<?php

namespace App;

use Symfony\Component\Config\Loader\LoaderInterface;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;

class Kernel extends BaseKernel
{
    public function registerBundles(): iterable
    {
        foreach (require $this->getProjectDir().'/config/bundles.php' as $class => $environments) {
            yield new $class();
        }
    }

    public function registerContainerConfiguration(LoaderInterface $loader): void
    {
        $loader->load($this->getProjectDir().'/config/config.yml');
    }

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    /** Nothing is written into the example's own folder. */
    public function getCacheDir(): string
    {
        return $this->scratch().'/cache/'.$this->environment;
    }

    public function getLogDir(): string
    {
        return $this->scratch().'/log';
    }

    private function scratch(): string
    {
        return getenv('EXAMPLE_DIR') ?: sys_get_temp_dir().'/clank-example-'.posix_geteuid();
    }
}
