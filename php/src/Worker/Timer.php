<?php

namespace JDare\ClankBundle\Worker;

/** A timer of the event loop, with the methods of `React\EventLoop\Timer\TimerInterface`. */
class Timer
{
    private $interval;
    private $callback;
    private $periodic;

    public function __construct($interval, callable $callback, bool $periodic)
    {
        $this->interval = max((float) $interval, EventLoop::SHORTEST_INTERVAL);
        $this->callback = $callback;
        $this->periodic = $periodic;
    }

    public function getInterval()
    {
        return $this->interval;
    }

    public function getCallback()
    {
        return $this->callback;
    }

    public function isPeriodic()
    {
        return $this->periodic;
    }
}
