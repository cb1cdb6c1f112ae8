<?php

namespace Ratchet\Wamp;

use Ratchet\ConnectionInterface;

/** The shape of Ratchet's class of the same name: a topic and its members. */
class Topic implements \IteratorAggregate, \Countable
{
    private $id;
    private $members;

    public function __construct($topicId)
    {
        $this->id = $topicId;
        $this->members = new \SplObjectStorage();
    }

    public function getId()
    {
        return $this->id;
    }

    public function __toString()
    {
        return (string) $this->getId();
    }

    public function broadcast($msg, array $exclude = [], array $eligible = [])
    {
        foreach ($this->members as $member) {
            $session = $member->WAMP->sessionId;
            if (!in_array($session, $exclude, true) && (!$eligible || in_array($session, $eligible, true))) {
                $member->event($this->id, $msg);
            }
        }

        return $this;
    }

    public function has(ConnectionInterface $conn)
    {
        return $this->members->contains($conn);
    }

    public function add(ConnectionInterface $conn)
    {
        $this->members->attach($conn);

        return $this;
    }

    public function remove(ConnectionInterface $conn)
    {
        $this->members->detach($conn);

        return $this;
    }

    #[\ReturnTypeWillChange]
    public function getIterator()
    {
        return $this->members;
    }

    #[\ReturnTypeWillChange]
    public function count()
    {
        return $this->members->count();
    }
}
