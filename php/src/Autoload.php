<?php

namespace JDare\ClankBundle;

/**
 * Two autoloaders: the bundle's classes, and, asked last of all, names that old applications use and that
 * neither the application nor its Symfony brings.
 */
final class Autoload
{
    const PREFIX = 'JDare\\ClankBundle\\';

    /** Old name => the name that has its meaning today. */
    const ALIASES = [
        'Symfony\Component\EventDispatcher\Event' => 'Symfony\Contracts\EventDispatcher\Event',
        'Symfony\Contracts\EventDispatcher\Event' => 'Symfony\Component\EventDispatcher\Event',
        'Symfony\Component\DependencyInjection\Loader\XmlFileLoader' => 'JDare\ClankBundle\Xml\ServiceFileLoader',
    ];

    private static $registered = false;
    private static $resolving = [];

    public static function register(): void
    {
        if (!self::$registered) {
            self::$registered = true;
            spl_autoload_register([self::class, 'loadBundle']);
            spl_autoload_register([self::class, 'loadShape']);
        }
    }

    /** Puts the bundle before an older copy in the application's `vendor`, and the shapes behind everything. */
    public static function goFirst(): void
    {
        spl_autoload_unregister([self::class, 'loadBundle']);
        spl_autoload_unregister([self::class, 'loadShape']);
        spl_autoload_register([self::class, 'loadBundle'], true, true);
        spl_autoload_register([self::class, 'loadShape']);
        self::$registered = true;
    }

    public static function loadBundle($class): void
    {
        if (strncmp($class, self::PREFIX, strlen(self::PREFIX)) === 0) {
            self::includeIfThere(__DIR__.'/'.self::path(substr($class, strlen(self::PREFIX))));
        }
    }

    public static function loadShape($class): void
    {
        if (isset(self::$resolving[$class]) || self::isElsewhere($class)) {
            return;
        }
        if (isset(self::ALIASES[$class])) {
            self::alias($class, self::ALIASES[$class]);
        } elseif (strncmp($class, 'Ratchet\\', 8) === 0 || strncmp($class, 'Symfony\\', 8) === 0) {
            self::includeIfThere(dirname(__DIR__).'/shapes/'.self::path($class));
        }
    }

    /** Whether an autoloader that was registered later than this one has the class after all. */
    private static function isElsewhere(string $class): bool
    {
        $isOld = strncmp($class, 'Ratchet\\', 8) === 0 || strncmp($class, 'Symfony\\', 8) === 0;
        self::$resolving[$class] = true;
        foreach ($isOld ? spl_autoload_functions() : [] as $autoloader) {
            $autoloader($class);
            if (class_exists($class, false) || interface_exists($class, false) || trait_exists($class, false)) {
                break;
            }
        }
        unset(self::$resolving[$class]);

        return class_exists($class, false) || interface_exists($class, false) || trait_exists($class, false);
    }

    /** Each of two names may stand for the other, so a name that is being looked for is not looked for again. */
    private static function alias(string $name, string $target): void
    {
        if (isset(self::$resolving[$target])) {
            return;
        }
        self::$resolving[$name] = true;
        if (class_exists($target)) {
            class_alias($target, $name);
        }
        unset(self::$resolving[$name]);
    }

    private static function path(string $class): string
    {
        return str_replace('\\', '/', $class).'.php';
    }

    private static function includeIfThere(string $file): void
    {
        if (is_file($file)) {
            require_once $file;
        }
    }
}
