<?php

namespace Clank\Tests;

const PERIODIC = <<<'PHP'
namespace Acme\HelloBundle;

class Clock implements \JDare\ClankBundle\Periodic\PeriodicInterface
{
    public function tick()
    {
        static $ticks = 0;
        echo 'tick ', ++$ticks, "\n";
        if ($ticks === 2) {
            throw new \RuntimeException('two');
        }
    }
}
PHP;

const LOOPER = <<<'PHP'
namespace Acme\HelloBundle;

class Looper
{
    private $loop;

    public function launched(\JDare\ClankBundle\Event\ServerEvent $event)
    {
        $this->loop = $loop = $event->getEventLoop();
        $loop->futureTick(function () {
            echo "future\n";
        });
        $ticks = 0;
        $loop->addPeriodicTimer(0.001, function ($timer) use (&$ticks, $loop) {
            echo 'period ', ++$ticks, "\n";
            if ($ticks === 3) {
                $loop->cancelTimer($timer);
                echo json_encode([$timer->isPeriodic(), $timer->getInterval(), $loop->isTimerActive($timer)]), "\n";
            }
        });
        $never = $loop->addTimer(0.001, function () {
            echo "never\n";
        });
        $loop->cancelTimer($never);
        $loop->addTimer(0.002, function () {
            throw new \RuntimeException('in a timer');
        });
        list($here, $there) = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        $loop->addWriteStream($there, function ($stream) use ($loop) {
            fwrite($stream, 'over the wire');
            $loop->removeWriteStream($stream);
        });
        $loop->addReadStream($here, function ($stream) use ($loop) {
            echo fread($stream, 100), "\n";
            $loop->removeReadStream($stream);
        });
    }

    public function connected($event)
    {
        $conn = $event->getConnection();
        if ($conn->resourceId === 9) {
            $this->loop->stop();
        }
        $this->loop->addTimer(0.001, function () use ($conn) {
            $conn->event('late', $conn->resourceId);
        });
        $conn->PeriodicTimer->addPeriodicTimer('beat', 0.001, function () use ($conn) {
            $conn->event('beat', 1);
        });
    }
}
PHP;

function loopProject(): Project
{
    return (new Project())->withClass(LOOPER)->withServices('<service id="looper" class="Acme\HelloBundle\Looper">
        <tag name="kernel.event_listener" event="clank.server.launched" method="launched" />
        <tag name="kernel.event_listener" event="clank.client.connected" method="connected" />
    </service>');
}

/** Frames until one of them is of a kind. */
function framesUntil(WorkerProcess $worker, callable $wanted): array
{
    $frames = [];
    do {
        $frames[] = $frame = $worker->frame();
    } while ($frame !== null && !$wanted($frame));

    return $frames;
}

return [
    'periodic services are announced and run when the server says' => static function () {
        $worker = (new Project())->withClass(PERIODIC)
            ->withServices('<service id="acme.clock" class="Acme\HelloBundle\Clock" />')
            ->withConfig("clank:\n    periodic: [{ service: acme.clock, time: 5000 }]")->worker();
        same([['name' => 'acme.clock', 'interval_ms' => 5000]], $worker->hello['periodics']);
        same(['op' => 'done', 'seq' => 1], $worker->ask('tick', ['name' => 'acme.clock'])->done);
        same('two', $worker->ask('tick', ['name' => 'acme.clock'])->done['errors'][0]['message']);
        same("tick 1\ntick 2\n", $worker->output());
        contains('No periodic service', $worker->ask('tick', ['name' => 'x'])->done['errors'][0]['message']);
    },
    'a service without tick() is refused' => static function () {
        $refused = (new Project())->withServices('<service id="acme.clock" class="ArrayObject" />')
            ->withConfig("clank:\n    periodic: [{ service: acme.clock, time: 5000 }]")
            ->worker(['expect' => 'refused'])->hello;
        contains('clank.periodic names "acme.clock" (', $refused['message']);
        contains('ArrayObject has no method tick()', $refused['message']);
    },
    'the launched event has a loop with timers, ticks and streams' => static function () {
        $worker = loopProject()->worker();
        $worker->ask('begin', ['generation' => 1, 'address' => 'ws://x', 'previous' => null]);
        $worker->open(1);
        // A thing that happens later than all of the loop's own shows that they have happened.
        framesUntil($worker, static function () use ($worker) {
            return strpos($worker->errors(), 'timer') && strpos($worker->output(), 'false]');
        });
        $lines = explode("\n", trim($worker->output()));
        sort($lines);
        same(['[true,0.001,false]', 'future', 'over the wire', 'period 1', 'period 2', 'period 3'], $lines);
        contains('In a callback of the event loop: RuntimeException: in a timer', $worker->errors());
    },
    'timers speak to clients by themselves, and a connection\'s own timers end with it' => static function () {
        $worker = loopProject()->worker();
        $worker->ask('begin', ['generation' => 1, 'address' => 'ws://x', 'previous' => null]);
        $worker->open(1);
        $frames = framesUntil($worker, static function ($frame) {
            return $frame['topic'] === 'late';
        });
        same(['op' => 'event', 'id' => 1, 'topic' => 'late', 'event' => 1], end($frames));
        framesUntil($worker, static function ($frame) {
            return $frame['topic'] === 'beat';
        });
        $worker->close(1);
        $worker->open(2);
        $worker->close(2);
        $last = $worker->ask('tick', ['name' => 'x']);
        same([], $last->commands);
    },
    'an application that stops the loop ends the worker, which is told' => static function () {
        $worker = loopProject()->worker();
        $worker->ask('begin', ['generation' => 1, 'address' => 'ws://x', 'previous' => null]);
        $worker->open(9);
        $frames = framesUntil($worker, static function () {
            return false;
        });
        same('died', $frames[count($frames) - 2]['op']);
        contains('stopped the event loop', $frames[count($frames) - 2]['message']);
    },
];
