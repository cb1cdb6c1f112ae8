<?php

namespace Ratchet;

/** The shape of Ratchet's interface of the same name. */
interface MessageInterface
{
    public function onMessage(ConnectionInterface $from, $msg);
}
