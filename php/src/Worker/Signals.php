<?php

namespace JDare\ClankBundle\Worker;

use BadMethodCallException;

/** Listeners of signals, where PHP has pcntl. */
final class Signals
{
    private $listeners = [];

    public function add($signal, callable $listener): void
    {
        if (!function_exists('pcntl_signal')) {
            throw new BadMethodCallException('Signals need PHP\'s extension pcntl.');
        }
        $this->listeners[$signal][] = $listener;
        pcntl_signal($signal, [$this, 'call']);
    }

    public function remove($signal, $listener): void
    {
        $at = array_search($listener, $this->listeners[$signal] ?? [], true);
        if ($at !== false) {
            unset($this->listeners[$signal][$at]);
        }
        if (empty($this->listeners[$signal])) {
            pcntl_signal($signal, SIG_DFL);
        }
    }

    public function dispatch(): void
    {
        if ($this->listeners) {
            pcntl_signal_dispatch();
        }
    }

    public function call($signal): void
    {
        foreach ($this->listeners[$signal] ?? [] as $listener) {
            $listener($signal);
        }
    }
}
