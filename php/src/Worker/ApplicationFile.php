<?php

namespace JDare\ClankBundle\Worker;

use JDare\ClankBundle\Autoload;
use RuntimeException;
use Symfony\Component\HttpKernel\KernelInterface;

/** Finds the application's kernel: in a Symfony project's folder, or in a PHP file that returns it. */
final class ApplicationFile
{
    const AUTOLOADERS = ['vendor/autoload.php', 'app/autoload.php', 'autoload.php'];

    private $path;
    private $environment;
    private $debug;

    public function __construct(string $path, ?string $environment, ?bool $debug)
    {
        $this->path = $path;
        $this->environment = $environment;
        $this->debug = $debug;
    }

    public function kernel(): KernelInterface
    {
        $path = realpath($this->path);
        if ($path === false) {
            throw new RuntimeException(sprintf(
                'There is no application at "%s": no such file or folder.',
                $this->path
            ));
        }
        chdir(is_dir($path) ? $path : dirname($path));

        return is_dir($path) ? $this->ofProject($path) : $this->ofFile($path);
    }

    private function ofProject(string $folder): KernelInterface
    {
        $autoloader = self::firstOf($folder, self::AUTOLOADERS);
        if ($autoloader !== null) {
            require_once $autoloader;
        }
        Autoload::goFirst();
        $this->settle($folder);

        foreach (['src/Kernel.php' => 'App\Kernel', 'app/AppKernel.php' => 'AppKernel'] as $file => $class) {
            if (is_file($folder.'/'.$file)) {
                return $this->make($folder.'/'.$file, $class);
            }
        }
        throw new RuntimeException(sprintf(
            '%s is no Symfony project: it has neither src/Kernel.php nor app/AppKernel.php%s. '.
            'The application may also be a PHP file that returns its kernel.',
            $folder,
            $autoloader === null ? ', and none of '.implode(', ', self::AUTOLOADERS) : ''
        ));
    }

    private function make(string $file, string $class): KernelInterface
    {
        if (!class_exists($class)) {
            require_once $file;
        }
        if (!class_exists($class, false)) {
            throw new RuntimeException(sprintf('%s has no class %s.', $file, $class));
        }

        return self::checked(new $class($this->environment, $this->debug), $file);
    }

    private function ofFile(string $file): KernelInterface
    {
        $made = (static function () use ($file) {
            return require $file;
        })();
        Autoload::goFirst();
        $this->settle(dirname($file));
        if ($made instanceof \Closure) {
            $made = $this->call($made);
        }

        return self::checked($made, $file);
    }

    /** Like Symfony's front controllers, a closure takes the context, or else environment and debug. */
    private function call(\Closure $closure)
    {
        $parameters = (new \ReflectionFunction($closure))->getParameters();
        $type = $parameters ? $parameters[0]->getType() : null;
        if ($type instanceof \ReflectionNamedType && $type->getName() === 'array') {
            return $closure(['APP_ENV' => $this->environment, 'APP_DEBUG' => $this->debug] + $_SERVER);
        }

        return $closure($this->environment, $this->debug);
    }

    private static function checked($kernel, string $file): KernelInterface
    {
        if ($kernel instanceof KernelInterface) {
            return $kernel;
        }
        throw new RuntimeException(sprintf(
            '%s returns %s, where it should return a kernel (Symfony\Component\HttpKernel\KernelInterface) '.
            'or a closure that makes one.',
            $file,
            is_object($kernel) ? 'an object of '.get_class($kernel) : gettype($kernel)
        ));
    }

    /** Environment and debug as the command line says, else the environment's variables and `.env`. */
    private function settle(string $folder): void
    {
        foreach (['APP_ENV' => $this->environment, 'APP_DEBUG' => $this->debug] as $name => $value) {
            if ($value !== null) {
                $_SERVER[$name] = $_ENV[$name] = is_bool($value) ? (string) (int) $value : $value;
            }
        }
        $dotenv = 'Symfony\Component\Dotenv\Dotenv';
        if (is_file($folder.'/.env') && class_exists($dotenv) && method_exists($dotenv, 'loadEnv')) {
            (new $dotenv())->loadEnv($folder.'/.env');
        }
        $this->environment = $_SERVER['APP_ENV'] ?? (getenv('APP_ENV') ?: 'dev');
        $debug = $_SERVER['APP_DEBUG'] ?? $this->environment !== 'prod';
        $this->debug = filter_var($debug, FILTER_VALIDATE_BOOLEAN);
    }

    private static function firstOf(string $folder, array $files): ?string
    {
        foreach ($files as $file) {
            if (is_file($folder.'/'.$file)) {
                return $folder.'/'.$file;
            }
        }

        return null;
    }
}
