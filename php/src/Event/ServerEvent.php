<?php

namespace JDare\ClankBundle\Event;

use Symfony\Contracts\EventDispatcher\Event;

/** The server is running (`clank.server.launched`). */
class ServerEvent extends Event
{
    private $loop;
    private $facts;

    public function __construct($loop, array $facts = [])
    {
        $this->loop = $loop;
        $this->facts = $facts;
    }

    /** @return \JDare\ClankBundle\Worker\EventLoop with the methods of `React\EventLoop\LoopInterface` */
    public function getEventLoop()
    {
        return $this->loop;
    }

    /** @return string|null where clients connect, `ws://...` */
    public function getAddress()
    {
        return $this->facts['address'] ?? null;
    }

    /** @return int how many PHP processes the server has started so far, this one included */
    public function getGeneration()
    {
        return $this->facts['generation'] ?? 1;
    }

    /** @return array|null what is known of the server's run before */
    public function getPrevious()
    {
        return $this->facts['previous'] ?? null;
    }
}
