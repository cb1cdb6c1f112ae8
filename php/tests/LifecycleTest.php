<?php

namespace Clank\Tests;

const LISTENER = <<<'PHP'
namespace Acme\HelloBundle;

class Listener
{
    public function launched($event)
    {
        echo 'launched ', $event->getAddress(), ' ', $event->getGeneration(), "\n";
    }

    public function connected($event)
    {
        $conn = $event->getConnection();
        $conn->name = $conn->name ?? 'client '.$conn->resourceId;
        echo $conn->name, ' connected', $event->isRehydrated() ? ' before' : '', "\n";
        $this->misbehave($conn->resourceId);
    }

    public function disconnected($event)
    {
        $conn = $event->getConnection();
        $topics = [];
        foreach ($conn->WAMP->subscriptions as $topic) {
            $topics[] = $topic->getId();
        }
        echo $conn->name ?? '?', ' left ', implode(',', $topics), ' ', $event->getCause(), ' ', $event->getCode(), "\n";
        $conn->send('too late')->event('topic', 1);
        $conn->close();
        $this->misbehave($conn->resourceId);
    }

    public function failed($event)
    {
        $e = $event->getException();
        $name = $event->getConnection()->name ?? '?';
        echo $name, ': ', get_class($e), ' ', $e->getMessage(), ' ', $event->getType(), "\n";
        if ($e->getMessage() === 'twice') {
            throw new \LogicException('in the error listener');
        }
    }

    private function misbehave($id)
    {
        switch ($id) {
            case 500:
                throw new \DomainException('five hundred', 5);
            case 501:
                missing_function();
            case 502:
                echo 'about to ';
                exit('exit');
            case 503:
                $all = [];
                while (true) {
                    $all[] = str_repeat('x', 100000);
                }
            case 504:
                eval('class Redeclared {} class Redeclared {}');
            case 505:
                throw new \RuntimeException("caf\xe9");
        }
    }
}
PHP;

function lifecycleProject(): Project
{
    return (new Project())->withClass(LISTENER)->withServices(<<<'XML'
<service id="listener" class="Acme\HelloBundle\Listener">
    <tag name="kernel.event_listener" event="clank.server.launched" method="launched" />
    <tag name="kernel.event_listener" event="clank.client.connected" method="connected" />
    <tag name="kernel.event_listener" event="clank.client.disconnected" method="disconnected" />
    <tag name="kernel.event_listener" event="clank.client.error" method="failed" />
</service>
XML
    );
}

function gone(int $id, string $event): array
{
    return [
        'connection' => WorkerProcess::connection($id),
        'event' => $event,
        'cause' => 'node_lost',
        'code' => null,
        'reason' => '',
    ];
}

return [
    'hello comes first and says what the application wants' => static function () {
        $worker = lifecycleProject()->worker();
        same([
            'op' => 'hello',
            'version' => 1,
            'php' => PHP_VERSION,
            'symfony' => $worker->hello['symfony'],
            'listen' => null,
            'topics' => [],
            'rpcs' => [],
            'periodics' => [],
            'listeners' => ['clank.server.launched', 'clank.client.connected', 'clank.client.disconnected',
                'clank.client.error'],
            'all_topics' => false,
            'all_calls' => false,
            'connecting' => false,
            'snapshot' => true,
        ], $worker->hello);
        same('', $worker->errors());
    },
    'the configured address is in hello' => static function () {
        $project = (new Project())->withConfig("clank:\n    web_socket_server: { port: 9090, host: 0.0.0.0 }");
        same(['host' => '0.0.0.0', 'port' => 9090], $project->worker()->hello['listen']);
        $project = (new Project())->withConfig("clank:\n    web_socket_server:\n        port: '%p%'\nparameters:\n    p: 81");
        same(['host' => '127.0.0.1', 'port' => 81], $project->worker()->hello['listen']);
    },
    'begin dispatches the launch with the server\'s address' => static function () {
        $worker = lifecycleProject()->worker();
        $reply = $worker->ask('begin', ['generation' => 3, 'address' => 'ws://127.0.0.1:8080', 'previous' => null]);
        same(['op' => 'done', 'seq' => 1], $reply->done);
        same("launched ws://127.0.0.1:8080 3\n", $worker->output());
    },
    'a restored connection keeps its topics and properties and calls nobody' => static function () {
        $worker = lifecycleProject()->worker();
        $connection = WorkerProcess::connection(3, ['properties' => ['name' => 'alice']]);
        $worker->write(['op' => 'restore', 'connection' => $connection, 'topics' => ['news', 'chat/1']]);
        $worker->ask('begin', ['generation' => 2, 'address' => 'ws://x', 'previous' => null]);
        same("launched ws://x 2\n", $worker->output());
        $worker->ask('open', ['connection' => $connection, 'rehydrated' => true]);
        $worker->close(3);
        contains("alice connected before\nalice left news,chat/1 client_closed 1000\n", $worker->output());
    },
    'an exception of a listener is told in done, and dispatched when the server says error' => static function () {
        $worker = lifecycleProject()->worker();
        $reply = $worker->open(500);
        $error = $reply->done['errors'][0];
        same(['DomainException', 'five hundred', 5], [$error['class'], $error['message'], $error['code']]);
        contains('Listener.php', $error['file']);
        same("client 500 connected\n", $worker->output());
        $worker->ask('error', ['id' => 500, 'of' => $reply->seq, 'kind' => 'handler', 'message' => 'five hundred']);
        same("client 500 connected\nclient 500: DomainException five hundred 3\n", $worker->output());
    },
    'an \Error of a listener is told as an exception is' => static function () {
        $worker = lifecycleProject()->worker();
        $reply = $worker->open(501);
        same('Error', $reply->done['errors'][0]['class']);
        $worker->ask('error', ['id' => 501, 'of' => $reply->seq, 'kind' => 'handler', 'message' => '']);
        contains('client 501: Error Call to undefined function', $worker->output());
    },
    'an exception of a disconnect listener reaches the error listener with the connection that left' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->open(500);
        $reply = $worker->close(500);
        same('DomainException', $reply->done['errors'][0]['class']);
        $worker->ask('error', ['id' => 500, 'of' => $reply->seq, 'kind' => 'handler', 'message' => '']);
        contains('client 500: DomainException five hundred', $worker->output());
    },
    'an exception whose message is not UTF-8 is told all the same' => static function () {
        $worker = lifecycleProject()->worker();
        same('RuntimeException', $worker->open(505)->done['errors'][0]['class']);
    },
    'an error of an exception that is forgotten has the server\'s message' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->open(1);
        $worker->ask('error', ['id' => 1, 'of' => 77, 'kind' => 'handler', 'message' => 'lost']);
        contains('client 1: RuntimeException lost 3', $worker->output());
    },
    'the last thousand exceptions are kept' => static function () {
        $worker = lifecycleProject()->worker();
        $first = $worker->open(500)->seq;
        $second = $worker->ask('open', ['connection' => WorkerProcess::connection(500), 'rehydrated' => false])->seq;
        for ($i = 0; $i < 999; ++$i) {
            $last = $worker->send('open', ['connection' => WorkerProcess::connection(500), 'rehydrated' => false]);
            $worker->reply($last);
        }
        foreach ([$first => 'RuntimeException gone', $second => 'DomainException', $last => 'DomainException'] as $of => $e) {
            $before = strlen($worker->output());
            $worker->ask('error', ['id' => 500, 'of' => $of, 'kind' => 'handler', 'message' => 'gone']);
            contains('client 500: '.$e, substr($worker->output(), $before));
        }
    },
    'what an error listener throws is printed and goes no further' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->open(1);
        $reply = $worker->ask('error', ['id' => 1, 'of' => null, 'kind' => 'handler', 'message' => 'twice']);
        same(['op' => 'done', 'seq' => 2], $reply->done);
        contains('LogicException: in the error listener', $worker->errors());
    },
    'an error of a connection that was never here has a connection with its number' => static function () {
        $worker = pageProject()->worker();
        $reply = $worker->ask('error', ['id' => 99, 'of' => null, 'kind' => 'socket', 'message' => 'broken']);
        same(['op' => 'done', 'seq' => 1], $reply->done);
        same("connection error occurred: broken\n", $worker->output());
    },
    'a connection that is gone has its events, and nothing is sent to it' => static function () {
        $worker = lifecycleProject()->worker();
        same([], $worker->ask('gone', gone(8, 'open'))->commands);
        same([], $worker->ask('gone', gone(8, 'close'))->commands);
        same("client 8 connected\n? left  node_lost \n", $worker->output());
    },
    'an exception about a connection that is gone reaches the error listener with it' => static function () {
        $worker = lifecycleProject()->worker();
        $reply = $worker->ask('gone', gone(500, 'open'));
        $worker->ask('error', ['id' => 500, 'of' => $reply->seq, 'kind' => 'handler', 'message' => '']);
        contains('client 500: DomainException five hundred', $worker->output());
    },
    'a disconnected connection sends nothing and is forgotten' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->open(5);
        same([], $worker->close(5)->commands);
        same(['op' => 'done', 'seq' => 3], $worker->close(5)->done);
        same("client 5 connected\nclient 5 left  client_closed 1000\n", $worker->output());
    },
    'exit() in a listener is told, after what it printed' => static function () {
        $worker = lifecycleProject()->worker();
        $seq = $worker->send('open', ['connection' => WorkerProcess::connection(502), 'rehydrated' => false]);
        $died = $worker->frame();
        same(['died', $seq, 'exit'], [$died['op'], $died['seq'], $died['reason']]);
        contains('during open 502', $died['message']);
        same(null, $worker->frame());
        same("client 502 connected\nabout to exit", $worker->output());
    },
    'memory that runs out is told with file and line' => static function () {
        $worker = lifecycleProject()->worker(['php' => ['-d', 'memory_limit=32M']]);
        $seq = $worker->send('open', ['connection' => WorkerProcess::connection(503), 'rehydrated' => false]);
        $died = $worker->frame();
        same(['died', $seq, 'fatal'], [$died['op'], $died['seq'], $died['reason']]);
        contains('Allowed memory size', $died['message']);
        contains('Listener.php', $died['file']);
        same("client 503 connected\n", $worker->output());
    },
    'a fatal error of the compiler is told' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->send('open', ['connection' => WorkerProcess::connection(504), 'rehydrated' => false]);
        $died = $worker->frame();
        same(['died', 'fatal'], [$died['op'], $died['reason']]);
        contains('Redeclared', $died['message']);
    },
    'stop hands over what is a scalar on connections, and the worker exits with 0' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->open(1);
        $worker->open(2, ['properties' => ['score' => 7, 'name' => 'bob']]);
        $worker->open(3);
        $worker->close(3);
        $reply = $worker->ask('stop');
        same(['1' => ['name' => 'client 1'], '2' => ['score' => 7, 'name' => 'bob']], $reply->done['properties']);
        same(null, $worker->frame());
        same(0, $worker->status());
    },
    'without snapshot stop hands over nothing' => static function () {
        $worker = lifecycleProject()->withConfig("clank:\n    snapshot: false")->worker();
        same(false, $worker->hello['snapshot']);
        $worker->open(1);
        same(['op' => 'done', 'seq' => 2], $worker->ask('stop')->done);
        same(0, $worker->status());
    },
    'a server that is gone ends the worker' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->open(1);
        $worker->hangUp();
        same(0, $worker->status());
        same('', $worker->errors());
    },
    'requests without a number are not answered' => static function () {
        $worker = lifecycleProject()->worker();
        $worker->write(['op' => 'open', 'seq' => 0, 'connection' => WorkerProcess::connection(1), 'rehydrated' => false]);
        same(1, $worker->close(1)->seq);
        contains('client 1 connected', $worker->output());
    },
    'requests that arrive in pieces and in heaps are carried out in order' => static function () {
        $worker = pageProject()->worker();
        $bytes = '';
        for ($id = 1; $id <= 50; ++$id) {
            $json = json_encode(['op' => 'open', 'seq' => $id, 'connection' => WorkerProcess::connection($id)]);
            $bytes .= pack('N', strlen($json)).$json;
        }
        foreach (str_split($bytes, 701) as $piece) {
            $worker->writeBytes($piece);
        }
        for ($id = 1; $id <= 50; ++$id) {
            same([], $worker->reply($id)->commands);
        }
        same(50, substr_count($worker->output(), 'connected'));
    },
];
