<?php

namespace JDare\ClankBundle\Worker;

/** Timers in the order of their times. */
final class TimerQueue
{
    private $queue;

    /** Timers that are not cancelled, each with the number of its entry in the queue. */
    private $active;
    private $entries = 0;

    public function __construct()
    {
        $this->queue = new \SplPriorityQueue();
        $this->active = new \SplObjectStorage();
    }

    public function add(Timer $timer): Timer
    {
        $this->schedule($timer, microtime(true) + $timer->getInterval());

        return $timer;
    }

    public function cancel($timer): void
    {
        $this->active->detach($timer);
    }

    public function has($timer): bool
    {
        return $this->active->contains($timer);
    }

    /** The timers whose time has come, one by one, so that one may still cancel another. */
    public function due(): \Generator
    {
        $now = microtime(true);
        while (!$this->queue->isEmpty() && $this->queue->top()[0] <= $now) {
            list(, $timer, $entry) = $this->queue->extract();
            if (!$this->isCurrent($timer, $entry)) {
                continue;
            }
            if ($timer->isPeriodic()) {
                $this->schedule($timer, $now + $timer->getInterval());
            } else {
                $this->active->detach($timer);
            }
            yield $timer;
        }
    }

    /** @return float|null seconds until the next one */
    public function wait(): ?float
    {
        while (!$this->queue->isEmpty()) {
            list($at, $timer, $entry) = $this->queue->top();
            if ($this->isCurrent($timer, $entry)) {
                return max(0.0, $at - microtime(true));
            }
            $this->queue->extract();
        }

        return null;
    }

    private function schedule(Timer $timer, float $at): void
    {
        $this->active[$timer] = ++$this->entries;
        $this->queue->insert([$at, $timer, $this->entries], [-$at, -$this->entries]);
    }

    private function isCurrent(Timer $timer, int $entry): bool
    {
        return $this->active->contains($timer) && $this->active[$timer] === $entry;
    }
}
