<?php

namespace JDare\ClankBundle\Mirror;

use JDare\ClankBundle\Worker\EventLoop;

/** `$conn->PeriodicTimer`: timers that end with their connection. */
final class PeriodicTimers
{
    private $loop;
    private $connection;
    private $timers = [];

    public function __construct(EventLoop $loop, Connection $connection)
    {
        $this->loop = $loop;
        $this->connection = \WeakReference::create($connection);
    }

    /** @param int|float $timeout seconds between two calls of $callback */
    public function addPeriodicTimer($name, $timeout, $callback)
    {
        $this->cancelPeriodicTimer($name);
        $connection = $this->connection->get();
        if ($connection === null || $connection->isDetached()) {
            return null;
        }

        return $this->timers[$name] = $this->loop->addPeriodicTimer($timeout, $callback);
    }

    public function isPeriodicTimerActive($name)
    {
        return isset($this->timers[$name]);
    }

    public function isRegistered($name)
    {
        return isset($this->timers[$name]);
    }

    public function cancelPeriodicTimer($name)
    {
        if (isset($this->timers[$name])) {
            $this->loop->cancelTimer($this->timers[$name]);
            unset($this->timers[$name]);
        }
    }

    public function cancelAll(): void
    {
        foreach (array_keys($this->timers) as $name) {
            $this->cancelPeriodicTimer($name);
        }
    }
}
