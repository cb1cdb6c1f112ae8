<?php

namespace JDare\ClankBundle\Worker;

/** What the application tells the server to do. */
final class Commands
{
    private $link;

    /** Calls that wait for their answer: `seq` => the caller's resource id. */
    private $calls = [];

    public function __construct(Link $link)
    {
        $this->link = $link;
    }

    public function broadcast(string $topic, $event, array $exclude, ?array $eligible): void
    {
        $command = ['op' => 'broadcast', 'topic' => $topic, 'event' => $event];
        $this->link->add($command + ['exclude' => $exclude, 'eligible' => $eligible]);
    }

    public function event(int $id, string $topic, $event): void
    {
        $this->link->add(['op' => 'event', 'id' => $id, 'topic' => $topic, 'event' => $event]);
    }

    public function send(int $id, string $text): void
    {
        $this->link->add(['op' => 'send', 'id' => $id, 'text' => $text]);
    }

    public function addMember(string $topic, int $id): void
    {
        $this->link->add(['op' => 'add', 'topic' => $topic, 'id' => $id]);
    }

    public function removeMember(string $topic, int $id): void
    {
        $this->link->add(['op' => 'remove', 'topic' => $topic, 'id' => $id]);
    }

    public function closeClient(int $id, ?int $code): void
    {
        $this->link->add(['op' => 'close_client', 'id' => $id, 'code' => $code]);
    }

    public function openCall(int $seq, int $id): void
    {
        $this->calls[$seq] = $id;
    }

    /** A call has one answer: the second one goes nowhere. */
    public function result($call, $value): void
    {
        if (isset($this->calls[$call])) {
            $this->link->add(['op' => 'result', 'call' => (int) $call, 'value' => $value]);
            unset($this->calls[$call]);
        }
    }

    public function callError($call, string $uri, string $description, $details): void
    {
        if (isset($this->calls[$call])) {
            $command = ['op' => 'call_error', 'call' => (int) $call, 'uri' => $uri];
            $this->link->addWhateverItHolds($command + ['description' => $description, 'details' => $details]);
            unset($this->calls[$call]);
        }
    }

    /** Nobody waits for the answers any more. */
    public function dropCallsOf(int $id): void
    {
        if ($this->calls) {
            $this->calls = array_diff($this->calls, [$id]);
        }
    }
}
