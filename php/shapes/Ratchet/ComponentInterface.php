<?php

namespace Ratchet;

/** The shape of Ratchet's interface of the same name: what hears of connections. */
interface ComponentInterface
{
    public function onOpen(ConnectionInterface $conn);

    public function onClose(ConnectionInterface $conn);

    public function onError(ConnectionInterface $conn, \Exception $e);
}
