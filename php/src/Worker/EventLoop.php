<?php

namespace JDare\ClankBundle\Worker;

/**
 * The event loop of the worker, by stream_select(), with the methods of `React\EventLoop\LoopInterface`. A turn is:
 * what is due by futureTick(), by timers, then streams. What one of the application's callbacks throws is printed; the
 * loop goes on.
 */
class EventLoop
{
    const SHORTEST_INTERVAL = 0.000001;

    private $readStreams = [];
    private $readListeners = [];
    private $writeStreams = [];
    private $writeListeners = [];
    private $timers;
    private $ticks;
    private $signals;
    private $running = false;
    private $afterCallbacks;
    private $report;

    /**
     * @param callable $afterCallbacks is called when callbacks have run, before the loop waits
     * @param callable $report         takes the \Throwable of a callback
     */
    public function __construct(callable $afterCallbacks, callable $report)
    {
        $this->afterCallbacks = $afterCallbacks;
        $this->report = $report;
        $this->timers = new TimerQueue();
        $this->ticks = new \SplQueue();
        $this->signals = new Signals();
    }

    /** The loop that fits what the application has. */
    public static function create(callable $afterCallbacks, callable $report): self
    {
        if (!interface_exists('React\EventLoop\LoopInterface') || !interface_exists('React\EventLoop\TimerInterface')) {
            return new self($afterCallbacks, $report);
        }
        $loop = new ReactEventLoop($afterCallbacks, $report);
        if (class_exists('React\EventLoop\Loop')) {
            \React\EventLoop\Loop::set($loop);
        }

        return $loop;
    }

    public function addReadStream($stream, $listener)
    {
        $this->readStreams[(int) $stream] = $stream;
        $this->readListeners[(int) $stream] = $listener;
    }

    public function addWriteStream($stream, $listener)
    {
        $this->writeStreams[(int) $stream] = $stream;
        $this->writeListeners[(int) $stream] = $listener;
    }

    public function removeReadStream($stream)
    {
        unset($this->readStreams[(int) $stream], $this->readListeners[(int) $stream]);
    }

    public function removeWriteStream($stream)
    {
        unset($this->writeStreams[(int) $stream], $this->writeListeners[(int) $stream]);
    }

    public function removeStream($stream)
    {
        $this->removeReadStream($stream);
        $this->removeWriteStream($stream);
    }

    public function addTimer($interval, $callback)
    {
        return $this->timers->add($this->timer($interval, $callback, false));
    }

    public function addPeriodicTimer($interval, $callback)
    {
        return $this->timers->add($this->timer($interval, $callback, true));
    }

    public function cancelTimer($timer)
    {
        $this->timers->cancel($timer);
    }

    public function isTimerActive($timer)
    {
        return $this->timers->has($timer);
    }

    public function futureTick($listener)
    {
        $this->ticks->enqueue($listener);
    }

    public function nextTick($listener)
    {
        $this->futureTick($listener);
    }

    public function addSignal($signal, $listener)
    {
        $this->signals->add($signal, $listener);
    }

    public function removeSignal($signal, $listener)
    {
        $this->signals->remove($signal, $listener);
    }

    public function run()
    {
        $this->running = true;
        while ($this->running) {
            $this->turn();
        }
    }

    public function stop()
    {
        $this->running = false;
    }

    protected function timer($interval, callable $callback, bool $periodic): Timer
    {
        return new Timer($interval, $callback, $periodic);
    }

    private function turn(): void
    {
        // Ticks that ticks ask for wait for the next turn.
        for ($left = $this->ticks->count(); $left > 0; $left--) {
            $this->call($this->ticks->dequeue(), $this);
        }
        foreach ($this->timers->due() as $timer) {
            $this->call($timer->getCallback(), $timer);
        }
        ($this->afterCallbacks)();
        if ($this->running) {
            $this->awaitStreams();
        }
    }

    private function awaitStreams(): void
    {
        $readable = $this->readStreams;
        $writable = $this->writeStreams;
        $except = null;
        $wait = $this->ticks->isEmpty() ? $this->timers->wait() : 0;
        $seconds = $wait === null ? null : (int) $wait;
        $microseconds = $wait === null ? 0 : (int) ceil(($wait - $seconds) * 1000000);
        // A signal interrupts the wait, which PHP warns of.
        $ready = @stream_select($readable, $writable, $except, $seconds, $microseconds);
        $this->signals->dispatch();
        if ($ready === false) {
            return;
        }
        foreach ($readable as $stream) {
            $this->callIfThere($this->readListeners[(int) $stream] ?? null, $stream);
        }
        foreach ($writable as $stream) {
            $this->callIfThere($this->writeListeners[(int) $stream] ?? null, $stream);
        }
    }

    private function callIfThere(?callable $listener, $stream): void
    {
        if ($listener !== null) {
            $this->call($listener, $stream);
        }
    }

    private function call(callable $callback, $argument): void
    {
        try {
            $callback($argument, $this);
        } catch (WorkerFailure $failure) {
            throw $failure;
        } catch (\Throwable $e) {
            ($this->report)($e);
        }
    }
}
