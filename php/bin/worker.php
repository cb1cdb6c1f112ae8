<?php

/*
 * The worker: runs an application behind the server, which starts it.
 *
 *     php worker.php --app=PATH [--env=ENVIRONMENT] [--no-debug]
 */

use JDare\ClankBundle\Worker\Application;
use JDare\ClankBundle\Worker\ApplicationFile;
use JDare\ClankBundle\Worker\LastWords;
use JDare\ClankBundle\Worker\Link;
use JDare\ClankBundle\Worker\Output;
use JDare\ClankBundle\Worker\Worker;

require __DIR__.'/../autoload.php';

(static function (): void {
    error_reporting(E_ALL);
    set_time_limit(0);
    Output::capture();

    $options = getopt('', ['app:', 'env:', 'no-debug']);
    $socket = getenv('CLANK_WORKER_SOCKET');
    if (!is_string($options['app'] ?? null) || !$socket) {
        Output::say('Usage: php worker.php --app=PATH [--env=ENVIRONMENT] [--no-debug], with CLANK_WORKER_SOCKET set.');
        Output::say('The server starts this program: see `clank server --symfony`.');
        exit(64);
    }
    // Ctrl-C in a terminal reaches every process; it is for the server to say when this one ends.
    if (function_exists('pcntl_signal')) {
        pcntl_signal(SIGINT, SIG_IGN);
    }

    LastWords::prepare($socket);
    try {
        $debug = isset($options['no-debug']) ? false : null;
        $file = new ApplicationFile($options['app'], $options['env'] ?? null, $debug);
        $application = new Application($file->kernel());
        Output::listen();
        LastWords::through($link = Link::connect($socket));
        $worker = new Worker($link, $application);
    } catch (\Throwable $e) {
        LastWords::refuse($e);
        exit(1);
    }
    $worker->run();
})();
