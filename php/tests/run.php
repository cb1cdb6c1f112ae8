<?php

/*
 * Runs the tests of the bundle and its worker: php php/tests/run.php [PART OF A NAME]
 * What it needs of Debian is in php/debian-packages.txt.
 */

namespace Clank\Tests;

foreach (glob(__DIR__.'/support/*.php') as $file) {
    require_once $file;
}

$wanted = $argv[1] ?? '';
$files = [];
foreach (glob(__DIR__.'/*Test.php') as $file) {
    $files[basename($file, 'Test.php')] = require $file;
}

$passed = 0;
$failed = [];
foreach ($files as $file => $tests) {
    foreach ($tests as $name => $test) {
        $name = $file.': '.$name;
        if ($wanted !== '' && stripos($name, $wanted) === false) {
            continue;
        }
        try {
            $test();
            ++$passed;
            echo 'ok      ', $name, PHP_EOL;
        } catch (\Throwable $e) {
            $failed[] = $name;
            echo 'FAILED  ', $name, PHP_EOL, '        ', get_class($e), ': ', $e->getMessage(), PHP_EOL;
            echo '        ', $e->getFile(), ':', $e->getLine(), PHP_EOL;
        }
        // A closure that failed is kept by its exception's trace, and with it the worker.
        unset($e, $test);
        gc_collect_cycles();
        Folder::removeAll();
    }
}

echo PHP_EOL, $passed, ' passed, ', count($failed), ' failed', PHP_EOL;
exit($failed || !$passed ? 1 : 0);
