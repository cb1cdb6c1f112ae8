<?php

namespace JDare\ClankBundle\Session;

use SessionHandlerInterface;

/** A handler that an extension of PHP brings (Redis, Memcached), which works within a started session alone. */
final class NativeStore extends Store
{
    private $spy;

    public function __construct(SessionHandlerInterface $handler)
    {
        $this->spy = new ReadingHandler($handler);
    }

    public function read(string $id): string
    {
        session_set_save_handler($this->spy, false);
        session_id($id);
        session_start(Decoder::OPTIONS);
        $_SESSION = [];

        return $this->spy->takeData();
    }
}
