<?php

namespace JDare\ClankBundle\Event;

use Ratchet\ConnectionInterface;
use Symfony\Contracts\EventDispatcher\Event;

/** A client has connected (`clank.client.connected`) or disconnected (`clank.client.disconnected`). */
class ClientEvent extends Event
{
    public static $connected = 1;
    public static $disconnected = 2;
    public static $error = 3;

    protected $conn;
    protected $type;
    private $facts;

    public function __construct(ConnectionInterface $conn, $type, array $facts = [])
    {
        $this->conn = $conn;
        $this->type = $type;
        $this->facts = $facts;
    }

    /** @return ConnectionInterface */
    public function getConnection()
    {
        return $this->conn;
    }

    /** @return int one of the three numbers above */
    public function getType()
    {
        return $this->type;
    }

    /** @return string|null why the connection ended, for instance `client_closed` or `node_lost` */
    public function getCause()
    {
        return $this->facts['cause'] ?? null;
    }

    /** @return int|null the WebSocket close code */
    public function getCode()
    {
        return $this->facts['code'] ?? null;
    }

    /** @return string the reason that came with the close code */
    public function getReason()
    {
        return $this->facts['reason'] ?? '';
    }

    /** @return bool whether the connection was open already when this PHP process started */
    public function isRehydrated()
    {
        return $this->facts['rehydrated'] ?? false;
    }
}
