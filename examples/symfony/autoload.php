<?php

// Debian's packages of Symfony; with Composer this is vendor/autoload.php.
require_once '/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php';
require_once __DIR__.'/../../php/autoload.php';

spl_autoload_register(static function ($class) {
    $file = __DIR__.'/src/'.strtr(preg_replace('~^App\\\\~', '', $class), '\\', '/').'.php';
    if (is_file($file)) {
        require_once $file;
    }
});
