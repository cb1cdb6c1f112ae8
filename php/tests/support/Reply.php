<?php

namespace Clank\Tests;

/** What came of a request. */
final class Reply
{
    public $seq;
    public $commands;
    public $done;

    public function __construct(int $seq, array $commands, array $done)
    {
        $this->seq = $seq;
        $this->commands = $commands;
        $this->done = $done;
    }
}
