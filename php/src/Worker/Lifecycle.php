<?php

namespace JDare\ClankBundle\Worker;

use JDare\ClankBundle\Event\ClientErrorEvent;
use JDare\ClankBundle\Event\ClientEvent;
use JDare\ClankBundle\Event\ServerEvent;
use JDare\ClankBundle\Mirror\Connection;
use JDare\ClankBundle\Mirror\Home;

/** The server's launch, and connections that open, fail and close. */
final class Lifecycle
{
    private $home;
    private $events;
    private $failures;
    private $hosted;

    /** The one that the last request was about: a closed connection is in no table when its failure is told. */
    private $last;

    public function __construct(Home $home, Events $events, Failures $failures, ?Hosted $hosted)
    {
        $this->home = $home;
        $this->events = $events;
        $this->failures = $failures;
        $this->hosted = $hosted;
    }

    public function restore(array $request): void
    {
        $connection = $this->home->connections->open($request['connection']);
        foreach ($request['topics'] ?? [] as $uri) {
            $this->home->topics->find($uri)->join($connection);
        }
    }

    public function begin(array $request): void
    {
        $this->events->dispatch(Events::LAUNCHED, new ServerEvent($this->home->loop, $request));
    }

    /** @return string|null the user of the connection's session */
    public function connecting(array $request): ?string
    {
        return $this->home->sessions === null ? null : $this->home->sessions->user($request['connection']);
    }

    public function open(array $request): void
    {
        $connection = $this->home->connections->open($request['connection']);
        $this->opened($connection, $request);
    }

    public function close(array $request): void
    {
        $connection = $this->home->connections->find($request['id']);
        if ($connection === null) {
            return;
        }
        $connection->closing();
        try {
            $this->closed($connection, $request);
        } finally {
            $this->home->connections->forget($connection);
        }
    }

    public function gone(array $request): void
    {
        $connection = $this->home->connections->detached($request['connection']);
        if (($request['event'] ?? 'close') === 'open') {
            $this->opened($connection, $request);
        } else {
            $this->closed($connection, $request);
        }
    }

    /** With the exception itself where it was thrown here. */
    public function error(array $request): void
    {
        list($e, $connection) = $this->failures->take($request['of'] ?? null) ?? [null, null];
        $connection = $this->home->connections->find($request['id']) ?? $connection
            ?? $this->home->connections->detached(['id' => $request['id']]);
        $e = $e ?? new \RuntimeException($request['message'] ?? '');

        $event = new ClientErrorEvent($connection, ClientEvent::$error, $request);
        $event->setException($e);
        $this->ofBoth(Events::ERROR, $event, static function (Hosted $hosted) use ($connection, $e) {
            $hosted->failed($connection, $e);
        });
    }

    /** The connection that a request is, or was, about. */
    public function connectionOf(array $request): ?Connection
    {
        $id = $request['id'] ?? $request['connection']['id'] ?? null;
        if ($this->last !== null && $this->last->resourceId === $id) {
            return $this->last;
        }

        return $id === null ? null : $this->home->connections->find($id);
    }

    private function opened(Connection $connection, array $request): void
    {
        $this->last = $connection;
        $event = new ClientEvent($connection, ClientEvent::$connected, $request);
        $this->ofBoth(Events::CONNECTED, $event, static function (Hosted $hosted) use ($connection) {
            $hosted->opened($connection);
        });
    }

    private function closed(Connection $connection, array $request): void
    {
        $this->last = $connection;
        $event = new ClientEvent($connection, ClientEvent::$disconnected, $request);
        $this->ofBoth(Events::DISCONNECTED, $event, static function (Hosted $hosted) use ($connection) {
            $hosted->closed($connection);
        });
    }

    /** A hosted application hears of it even if a listener throws. */
    private function ofBoth(string $name, ClientEvent $event, callable $ofHosted): void
    {
        try {
            $this->events->dispatch($name, $event);
        } finally {
            if ($this->hosted !== null) {
                $ofHosted($this->hosted);
            }
        }
    }
}
