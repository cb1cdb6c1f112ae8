<?php

/*
 * Loads the Symfony that is tested with: Debian's, or a checkout of symfony/symfony whose folder src/Symfony
 * CLANK_SYMFONY names. The applications of the tests load it by this file too.
 */

(static function (): void {
    $debian = '/usr/share/php';
    $checkout = getenv('CLANK_SYMFONY');
    if (!$checkout) {
        $parts = ['Bundle/FrameworkBundle', 'Bundle/TwigBundle', 'Component/Console', 'Component/Dotenv',
            'Component/HttpFoundation', 'Component/Security/Core'];
        foreach ($parts as $part) {
            require_once $debian.'/Symfony/'.$part.'/autoload.php';
        }
        require_once $debian.'/Twig/autoload.php';

        return;
    }

    // Symfony asks Composer which of its parts are there: all of them, each by itself.
    if (!class_exists('Composer\InstalledVersions')) {
        eval('namespace Composer; class InstalledVersions {
            static function isInstalled($name, $dev = true) { return $name !== "symfony/symfony"; }
            static function getVersion($name) { return "7"; }
            static function getRootPackage() { return ["name" => "tests"]; }
        }');
    }
    spl_autoload_register(static function ($class) use ($checkout) {
        // The interfaces of PSR may lie beside it, as Psr/Cache, where Debian's are too old for it.
        $file = dirname($checkout).'/'.str_replace('\\', '/', $class).'.php';
        if (preg_match('~^(Symfony|Psr)\\\\~', $class) && is_file($file)) {
            require_once $file;
        }
    });
    foreach (['Cache', 'Container', 'EventDispatcher', 'Log'] as $part) {
        if (!is_dir(dirname($checkout).'/Psr/'.$part)) {
            require_once $debian.'/Psr/'.$part.'/autoload.php';
        }
    }
    foreach (['Contracts/Deprecation/function.php', 'Component/String/Resources/functions.php'] as $functions) {
        if (is_file($checkout.'/'.$functions)) {
            require_once $checkout.'/'.$functions;
        }
    }
    require_once $debian.'/Twig/autoload.php';
})();
