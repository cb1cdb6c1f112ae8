<?php

namespace JDare\ClankBundle\Mirror;

use JDare\ClankBundle\Worker\Commands;
use JDare\ClankBundle\Worker\EventLoop;

/** What all mirrored connections and topics share. */
final class Home
{
    public $commands;
    public $loop;

    /** @var \JDare\ClankBundle\Session\Sessions|null */
    public $sessions;

    /** @var Connections */
    public $connections;

    /** @var Topics */
    public $topics;

    public function __construct(Commands $commands, EventLoop $loop, $sessions = null)
    {
        $this->commands = $commands;
        $this->loop = $loop;
        $this->sessions = $sessions;
        $this->connections = new Connections($this);
        $this->topics = new Topics($this);
    }
}
