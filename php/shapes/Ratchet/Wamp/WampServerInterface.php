<?php

namespace Ratchet\Wamp;

use Ratchet\ComponentInterface;
use Ratchet\ConnectionInterface;

/** The shape of Ratchet's interface of the same name: an application that hears of WAMP messages. */
interface WampServerInterface extends ComponentInterface
{
    public function onCall(ConnectionInterface $conn, $id, $topic, array $params);

    public function onSubscribe(ConnectionInterface $conn, $topic);

    public function onUnSubscribe(ConnectionInterface $conn, $topic);

    public function onPublish(ConnectionInterface $conn, $topic, $event, array $exclude, array $eligible);
}
