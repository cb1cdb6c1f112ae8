<?php

namespace JDare\ClankBundle\Session;

use SessionHandlerInterface;
use Symfony\Component\HttpFoundation\Session\Storage\Handler\PdoSessionHandler;

/** A handler of the application's or of Symfony's: a database, Redis, Memcached. */
final class HandlerStore extends Store
{
    private $handler;

    public function __construct(SessionHandlerInterface $handler)
    {
        $this->handler = self::withoutLocks($handler);
    }

    public function read(string $id): string
    {
        // In strict mode, Symfony's handlers make no row for an id that they don't know.
        $strict = ini_set('session.use_strict_mode', '1');
        try {
            $this->handler->open((string) ini_get('session.save_path'), session_name());

            return (string) $this->handler->read($id);
        } finally {
            $this->handler->close();
            ini_set('session.use_strict_mode', (string) $strict);
        }
    }

    /** A page that is being made keeps its row locked; this process serves every client and can't wait for one. */
    private static function withoutLocks(SessionHandlerInterface $handler): SessionHandlerInterface
    {
        if (!$handler instanceof PdoSessionHandler || !property_exists(PdoSessionHandler::class, 'lockMode')) {
            return $handler;
        }
        $unlocked = clone $handler;
        $mode = new \ReflectionProperty(PdoSessionHandler::class, 'lockMode');
        $mode->setAccessible(true);
        $mode->setValue($unlocked, PdoSessionHandler::LOCK_NONE);

        return $unlocked;
    }
}
