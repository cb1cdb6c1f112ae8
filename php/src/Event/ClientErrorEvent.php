<?php

namespace JDare\ClankBundle\Event;

/** Something failed on a connection (`clank.client.error`). */
class ClientErrorEvent extends ClientEvent
{
    protected $e;

    /** An `\Error` as well as an `\Exception`. */
    public function setException(\Throwable $e)
    {
        $this->e = $e;
    }

    /** @return \Throwable */
    public function getException()
    {
        return $this->e;
    }
}
