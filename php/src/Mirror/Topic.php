<?php

namespace JDare\ClankBundle\Mirror;

use Ratchet\ConnectionInterface;

/** A topic of the server and its members. The server sends what is broadcast; the rest is answered here. */
final class Topic extends \Ratchet\Wamp\Topic
{
    private $clankHome;
    private $uri;
    private $members;

    public function __construct(Home $home, string $uri)
    {
        $this->clankHome = $home;
        $this->uri = $uri;
        $this->members = new \SplObjectStorage();
    }

    public function getId()
    {
        return $this->uri;
    }

    public function __toString()
    {
        return $this->uri;
    }

    /** Both lists are of WAMP session ids; an empty $eligible is everyone. */
    public function broadcast($msg, array $exclude = [], array $eligible = [])
    {
        $connections = $this->clankHome->connections;
        $this->clankHome->commands->broadcast(
            $this->uri,
            $msg,
            $exclude ? $connections->ids($exclude) : [],
            $eligible ? $connections->ids($eligible) : null
        );

        return $this;
    }

    public function has(ConnectionInterface $conn)
    {
        $mirror = $this->mirrorOf($conn);

        return $mirror !== null && $this->members->contains($mirror);
    }

    public function add(ConnectionInterface $conn)
    {
        $mirror = $this->mirrorOf($conn);
        if ($mirror !== null && !$this->members->contains($mirror)) {
            $this->join($mirror);
            $this->clankHome->commands->addMember($this->uri, $mirror->resourceId);
        }

        return $this;
    }

    public function remove(ConnectionInterface $conn)
    {
        $mirror = $this->mirrorOf($conn);
        if ($mirror !== null && $this->members->contains($mirror)) {
            $this->leave($mirror);
            $this->clankHome->commands->removeMember($this->uri, $mirror->resourceId);
        }

        return $this;
    }

    /** The members of now: who walks them may remove some meanwhile. */
    #[\ReturnTypeWillChange]
    public function getIterator()
    {
        $members = clone $this->members;
        $members->rewind();

        return $members;
    }

    #[\ReturnTypeWillChange]
    public function count()
    {
        return $this->members->count();
    }

    /** Takes a member in that the server has already. @internal */
    public function join(Connection $connection): void
    {
        $this->members->attach($connection);
        $connection->WAMP->subscriptions->attach($this);
        $this->clankHome->topics->hold($this);
    }

    /** The reverse. `$closing` leaves the topic among those that the connection has. @internal */
    public function leave(Connection $connection, bool $closing = false): void
    {
        $this->members->detach($connection);
        if (!$closing) {
            $connection->WAMP->subscriptions->detach($this);
        }
        if ($this->members->count() === 0) {
            $this->clankHome->topics->release($this);
        }
    }

    public function __destruct()
    {
        $this->clankHome->topics->forget($this->uri);
    }

    /** An application may have wrapped the connection in one of its own. */
    private function mirrorOf(ConnectionInterface $conn): ?Connection
    {
        if (!$conn instanceof Connection) {
            $conn = $this->clankHome->connections->find((int) ($conn->resourceId ?? 0));
        }

        return $conn === null || $conn->isDetached() ? null : $conn;
    }
}
