<?php

namespace Ratchet;

/** The shape of Ratchet's interface of the same name, for applications that don't bring Ratchet. */
interface ConnectionInterface
{
    public function send($data);

    public function close();
}
