<?php

namespace JDare\ClankBundle\Worker;

use Ratchet\ConnectionInterface;
use Ratchet\Wamp\WampServerInterface;

/** A Ratchet application that runs as it is: `clank: { wamp_server: its service }`. */
final class Hosted
{
    private $server;

    public function __construct(WampServerInterface $server)
    {
        $this->server = $server;
    }

    public static function of(Application $application): ?self
    {
        $id = $application->config['wamp_server'];
        if ($id === null) {
            return null;
        }
        $server = $application->service($id);
        if (!$server instanceof WampServerInterface) {
            throw new \RuntimeException(sprintf(
                'clank.wamp_server names %s, whose class %s is no Ratchet\Wamp\WampServerInterface.',
                $application->named($id),
                get_class($server)
            ));
        }

        return new self($server);
    }

    public function server(): WampServerInterface
    {
        return $this->server;
    }

    public function opened(ConnectionInterface $connection): void
    {
        $this->server->onOpen($connection);
    }

    public function closed(ConnectionInterface $connection): void
    {
        $this->server->onClose($connection);
    }

    /** Its onError() takes an \Exception; an \Error comes within one. */
    public function failed(ConnectionInterface $connection, \Throwable $e): void
    {
        $isException = $e instanceof \Exception;
        $this->server->onError($connection, $isException ? $e : new \ErrorException(
            $e->getMessage(),
            (int) $e->getCode(),
            E_ERROR,
            $e->getFile(),
            $e->getLine(),
            $e
        ));
    }
}
