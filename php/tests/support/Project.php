<?php

namespace Clank\Tests;

/** A Symfony project in a temporary folder, with one bundle whose services.xml is read as such bundles do. */
final class Project
{
    public $folder;
    private $services = '';
    private $config = [];
    private $bundles = [];

    public function __construct()
    {
        $this->folder = new Folder();
        $this->folder->write('autoload.php', $this->autoloader());
        $this->folder->write('src/Acme/HelloBundle/AcmeHelloBundle.php', self::BUNDLE);
        $this->folder->write('src/Acme/HelloBundle/DependencyInjection/AcmeHelloExtension.php', self::EXTENSION);
        $this->folder->write('src/Kernel.php', self::KERNEL);
    }

    /** A class of the application's, as a whole PHP file. */
    public function withClass(string $source): self
    {
        preg_match('~namespace ([\w\\\\]+);~', $source, $namespace);
        preg_match('~^(?:final |abstract )?(?:class|interface) (\w+)~m', $source, $class);
        $file = 'src/'.str_replace('\\', '/', $namespace[1]).'/'.$class[1].'.php';
        $this->folder->write($file, strpos($source, '<?php') === 0 ? $source : "<?php\n".$source);

        return $this;
    }

    /** What stands within <services>. */
    public function withServices(string $xml): self
    {
        $this->services .= $xml."\n";

        return $this;
    }

    /** YAML that stands at the top level of config.yml. */
    public function withConfig(string $yaml): self
    {
        $this->config[] = $yaml;

        return $this;
    }

    public function withBundle(string $class): self
    {
        $this->bundles[] = $class;

        return $this;
    }

    public function path(): string
    {
        $this->folder->write('src/Acme/HelloBundle/Resources/config/services.xml', $this->servicesFile());
        $framework = "framework:\n    secret: nothing\n    http_method_override: false\n";
        $own = implode("\n", $this->config);
        $this->folder->write('config/config.yml', (strpos($own, "framework:") === false ? $framework : '').$own."\n");
        $bundles = array_merge(['JDare\ClankBundle\JDareClankBundle', 'Acme\HelloBundle\AcmeHelloBundle'], $this->bundles);
        $this->folder->write('config/bundles.php', '<?php return '.var_export($bundles, true).';');

        return $this->folder->path;
    }

    public function worker(array $options = []): WorkerProcess
    {
        return new WorkerProcess($this->path(), $options);
    }

    private function servicesFile(): string
    {
        return <<<XML
<?xml version="1.0" ?>
<container xmlns="http://symfony.com/schema/dic/services"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://symfony.com/schema/dic/services http://symfony.com/schema/dic/services/services-1.0.xsd">
    <services>
{$this->services}
    </services>
</container>

XML;
    }

    private function autoloader(): string
    {
        $symfony = __DIR__.'/symfony.php';
        $clank = dirname(__DIR__, 2).'/autoload.php';

        return <<<PHP
<?php
require_once '$symfony';
require_once '$clank';
spl_autoload_register(static function (\$class) {
    \$name = strncmp(\$class, 'App\\\\', 4) === 0 ? substr(\$class, 4) : \$class;
    \$file = __DIR__.'/src/'.str_replace('\\\\', '/', \$name).'.php';
    if (is_file(\$file)) {
        require_once \$file;
    }
});
PHP;
    }

    const KERNEL = <<<'PHP'
<?php
namespace App;

use Symfony\Component\Config\Loader\LoaderInterface;

class Kernel extends \Symfony\Component\HttpKernel\Kernel
{
    public function registerBundles(): iterable
    {
        yield new \Symfony\Bundle\FrameworkBundle\FrameworkBundle();
        foreach (require dirname(__DIR__).'/config/bundles.php' as $class) {
            yield new $class();
        }
    }

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    public function registerContainerConfiguration(LoaderInterface $loader): void
    {
        $loader->load(dirname(__DIR__).'/config/config.yml');
    }
}
PHP;

    const BUNDLE = <<<'PHP'
<?php
namespace Acme\HelloBundle;

class AcmeHelloBundle extends \Symfony\Component\HttpKernel\Bundle\Bundle
{
}
PHP;

    const EXTENSION = <<<'PHP'
<?php
namespace Acme\HelloBundle\DependencyInjection;

use Symfony\Component\Config\FileLocator;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Loader\XmlFileLoader;
use Symfony\Component\HttpKernel\DependencyInjection\Extension;

class AcmeHelloExtension extends Extension
{
    public function load(array $configs, ContainerBuilder $container)
    {
        $loader = new XmlFileLoader($container, new FileLocator(__DIR__.'/../Resources/config'));
        $loader->load('services.xml');
    }
}
PHP;
}
