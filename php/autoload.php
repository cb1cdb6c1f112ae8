<?php

/**
 * Finds the classes of the bundle and, for whoever lacks them, the shapes of Ratchet and of old Symfonys.
 * Composer loads this file too: the shapes are no PSR-4 folder, so that an application's own Ratchet goes first.
 */

require_once __DIR__.'/src/Autoload.php';

JDare\ClankBundle\Autoload::register();
