<?php

/*
 * How many events a second a worker carries out: php php/tests/bench_worker.php [EVENTS]
 * Connections open and close by turns, 64 requests in flight, with the page's listener, which prints a line for each.
 */

namespace Clank\Tests;

foreach (glob(__DIR__.'/support/*.php') as $file) {
    require_once $file;
}

const IN_FLIGHT = 64;
const HEADERS = [
    ['host', 'localhost:8080'], ['connection', 'Upgrade'], ['upgrade', 'websocket'], ['origin', 'http://localhost'],
    ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0'],
    ['sec-websocket-version', '13'], ['sec-websocket-protocol', 'wamp'], ['cookie', 'PHPSESSID=abcdefghijklmnopqrstuvwxyz'],
];

$events = (int) ($argv[1] ?? 100000);
$worker = pageProject()->worker();
$cpu = $worker->cpu();
$started = microtime(true);
$expected = 1;
for ($i = 0; $i < $events; ++$i) {
    $id = intdiv($i, 2) + 1;
    if ($i % 2 === 0) {
        $worker->send('open', ['connection' => WorkerProcess::connection($id, ['headers' => HEADERS]), 'rehydrated' => false]);
    } else {
        $worker->send('close', ['id' => $id, 'cause' => 'client_closed', 'code' => 1000, 'reason' => '']);
    }
    if ($i >= IN_FLIGHT) {
        $worker->reply($expected++);
    }
}
while ($expected <= $events) {
    $worker->reply($expected++);
}
$seconds = microtime(true) - $started;
$used = $worker->cpu() - $cpu;
printf(
    "%d events in %.2f s: %d a second; the worker's own time %.2f s: %d a second of it\n",
    $events,
    $seconds,
    $events / $seconds,
    $used,
    $events / max($used, 0.01)
);
same($events, substr_count($worker->output(), "\n"));
Folder::removeAll();
