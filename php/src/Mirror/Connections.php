<?php

namespace JDare\ClankBundle\Mirror;

/** The connections that are open on the server. */
final class Connections
{
    private $home;
    private $byId = [];
    private $bySession = [];

    public function __construct(Home $home)
    {
        $this->home = $home;
    }

    /** The mirror of a connection, which is made unless there is one. */
    public function open(array $facts): Connection
    {
        $connection = $this->byId[$facts['id']] ?? null;
        if ($connection === null) {
            $connection = new Connection($this->home, $facts);
            $this->byId[$facts['id']] = $connection;
            if (isset($facts['session'])) {
                $this->bySession[$facts['session']] = $facts['id'];
            }
        }

        return $connection;
    }

    /** A connection that is not open any more. */
    public function detached(array $facts): Connection
    {
        return new Connection($this->home, $facts, true);
    }

    public function find(int $id): ?Connection
    {
        return $this->byId[$id] ?? null;
    }

    public function all(): array
    {
        return $this->byId;
    }

    /** Takes the connection out of its topics and forgets it. */
    public function forget(Connection $connection): void
    {
        $this->home->topics->leaveAll($connection);
        $connection->detach();
        $this->home->commands->dropCallsOf($connection->resourceId);
        unset($this->byId[$connection->resourceId], $this->bySession[$connection->sessionId()]);
    }

    /** Session ids, as application code knows connections, for resource ids; those that aren't here are left out. */
    public function sessions(array $ids): array
    {
        $sessions = [];
        foreach ($ids as $id) {
            if (isset($this->byId[$id])) {
                $sessions[] = $this->byId[$id]->sessionId();
            }
        }

        return $sessions;
    }

    /** The reverse. */
    public function ids(array $sessions): array
    {
        $ids = [];
        foreach ($sessions as $session) {
            if (is_scalar($session) && isset($this->bySession[$session])) {
                $ids[] = $this->bySession[$session];
            }
        }

        return $ids;
    }
}
