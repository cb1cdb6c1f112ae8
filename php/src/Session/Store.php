<?php

namespace JDare\ClankBundle\Session;

use SessionHandlerInterface;

/** Reads sessions where the application keeps them, without their locks, and so that reading makes none. */
abstract class Store
{
    public static function of(SessionHandlerInterface $handler, int $lifetime): self
    {
        $native = $handler instanceof \SessionHandler
            || (method_exists($handler, 'isWrapper') && $handler->isWrapper());
        if (!$native) {
            return new HandlerStore($handler);
        }

        return ini_get('session.save_handler') === 'files'
            ? new FileStore((string) ini_get('session.save_path'), $lifetime)
            : new NativeStore($handler);
    }

    /** @return string what was stored, as it was stored; empty if nothing is */
    abstract public function read(string $id): string;
}
