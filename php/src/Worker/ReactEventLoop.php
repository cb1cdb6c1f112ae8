<?php

namespace JDare\ClankBundle\Worker;

/** For applications that bring React. */
final class ReactEventLoop extends EventLoop implements \React\EventLoop\LoopInterface
{
    protected function timer($interval, callable $callback, bool $periodic): Timer
    {
        return new ReactTimer($interval, $callback, $periodic);
    }
}
