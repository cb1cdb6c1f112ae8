<?php

namespace JDare\ClankBundle\Mirror;

/**
 * The topics that have members, and those that the application still holds: a topic is the same object as long as
 * anybody could tell.
 */
final class Topics
{
    private $home;
    private $held = [];
    private $known = [];

    public function __construct(Home $home)
    {
        $this->home = $home;
    }

    public function find(string $uri): Topic
    {
        $topic = isset($this->known[$uri]) ? $this->known[$uri]->get() : null;
        if ($topic === null) {
            $topic = new Topic($this->home, $uri);
            $this->known[$uri] = \WeakReference::create($topic);
        }

        return $topic;
    }

    public function hold(Topic $topic): void
    {
        $this->held[$topic->getId()] = $topic;
    }

    public function release(Topic $topic): void
    {
        unset($this->held[$topic->getId()]);
    }

    /** Nobody has the topic any more. */
    public function forget(string $uri): void
    {
        unset($this->known[$uri]);
    }

    public function leaveAll(Connection $connection): void
    {
        foreach ($connection->subscriptions() as $topic) {
            $topic->leave($connection);
        }
    }

    public function count(): int
    {
        return count($this->known);
    }
}
