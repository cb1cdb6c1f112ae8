<?php

namespace Ratchet\Wamp;

use Ratchet\AbstractConnectionDecorator;

/** The shape of Ratchet's class of the same name: a connection that speaks WAMP v1. */
class WampConnection extends AbstractConnectionDecorator
{
    public function callResult($id, $data = [])
    {
        return $this->send(json_encode([3, $id, $data]));
    }

    public function callError($id, $errorUri, $desc = '', $details = null)
    {
        $message = [4, $id, (string) $errorUri, $desc];
        if ($details !== null) {
            $message[] = $details;
        }

        return $this->send(json_encode($message));
    }

    public function event($topic, $msg)
    {
        return $this->send(json_encode([8, (string) $topic, $msg]));
    }

    public function prefix($curie, $uri)
    {
        return $this->send(json_encode([1, $curie, (string) $uri]));
    }

    public function getUri($uri)
    {
        return $uri;
    }

    public function send($data)
    {
        $this->getConnection()->send($data);

        return $this;
    }

    public function close($opt = null)
    {
        $this->getConnection()->close($opt);
    }
}
