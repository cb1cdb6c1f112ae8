<?php

/**
 * Finds the classes of the bundle and, for whoever lacks them, the shapes of Ratchet and of old Symfonys.
 * Composer loads this file too: the shapes are no PSR-4 folder, so that an application's own Ratchet goes first.
 */

// A server runs the worker from a copy of its own, beside which the application may have this one.
if (!class_exists('JDare\ClankBundle\Autoload', false)) {
    require_once __DIR__.'/src/Autoload.php';
}

JDare\ClankBundle\Autoload::register();
