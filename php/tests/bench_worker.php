<?php

/*
 * How many events a second a worker carries out: php php/tests/bench_worker.php [EVENTS]
 * Connections open and close by turns, 64 requests in flight, with the page's listener, which prints a line for each.
 * Beside it, in the same run, php-fpm, as a webhook would call it: each event boots the kernel, and prints the line at once.
 * That needs Debian's php-fpm.
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
$worker = null;

$project = pageProject();
$path = $project->path();
$receiver = $project->folder->write('webhook.php', <<<'PHP'
<?php
require __DIR__.'/autoload.php';
$event = json_decode(file_get_contents('php://input'), true);
$kernel = new App\Kernel('prod', false);
$kernel->boot();
$kernel->getContainer()->get('event_dispatcher');
echo $event['id'], ' connected', PHP_EOL;
PHP
);
$fpm = new FpmServer($receiver, 2);
$body = json_encode(WorkerProcess::connection(1, ['headers' => HEADERS]));
$call = static function ($stream) {
    $answer = stream_get_contents($stream);
    fclose($stream);
    contains('1 connected', $answer);
};
// The first ones fill the caches.
array_map($call, array_map(static function () use ($fpm, $body) { return $fpm->begin($body); }, range(1, 8)));
$webhooks = max(1000, intdiv($events, 100));
list($cpu, $started, $open) = [$fpm->cpu(), microtime(true), []];
for ($i = 0; $i < $webhooks; ++$i) {
    $open[] = $fpm->begin($body);
    if (count($open) === 8) {
        $call(array_shift($open));
    }
}
array_map($call, $open);
$took = microtime(true) - $started;
$fpmCpu = $fpm->cpu() - $cpu;
printf(
    "%d webhooks to php-fpm in %.2f s: %d a second; its own time %.2f s: %d a second of it\n",
    $webhooks,
    $took,
    $webhooks / $took,
    $fpmCpu,
    $webhooks / max($fpmCpu, 0.01)
);
$ratio = ($events / max($used, 0.01)) / ($webhooks / max($fpmCpu, 0.01));
printf("events for the same processor time: %.0f times as many; to be at least 20, and 20000 a second\n", $ratio);
$fpm = null;
Folder::removeAll();
exit($ratio >= 20 && $events / $used >= 20000 ? 0 : 1);
