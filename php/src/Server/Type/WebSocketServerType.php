<?php

namespace JDare\ClankBundle\Server\Type;

use LogicException;

/** The WebSocket server, as application code sees it from within the worker. */
class WebSocketServerType implements ServerTypeInterface
{
    private $host;
    private $port;
    private $loop;

    public function __construct($host, $port)
    {
        $this->host = $host;
        $this->port = $port;
    }

    public function launch()
    {
        throw new LogicException('The server is a program of its own: start it by the command clank:server.');
    }

    /** @return \JDare\ClankBundle\Worker\EventLoop|null null in a process that is not the worker */
    public function getLoop()
    {
        return $this->loop;
    }

    public function setLoop($loop): void
    {
        $this->loop = $loop;
    }

    public function getAddress()
    {
        return ($this->host ?: '*').':'.$this->port;
    }

    public function getName()
    {
        return 'Clank WebSocket Server';
    }
}
