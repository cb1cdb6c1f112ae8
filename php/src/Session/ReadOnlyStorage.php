<?php

namespace JDare\ClankBundle\Session;

use Symfony\Component\HttpFoundation\Session\Storage\MockArraySessionStorage;

/** A session's data in memory, read when the session is first used; what the application changes stays here. */
final class ReadOnlyStorage extends MockArraySessionStorage
{
    /** Under which key Symfony keeps the attributes. */
    const ATTRIBUTES = '_sf2_attributes';

    private $read;

    /** @param callable $read gives the whole session as an array */
    public function __construct(string $name, string $id, callable $read)
    {
        parent::__construct($name);
        $this->id = $id;
        $this->read = $read;
    }

    public function start(): bool
    {
        if (!$this->started) {
            $this->data = ($this->read)();
            $this->loadSession();
        }

        return true;
    }

    public function regenerate($destroy = false, $lifetime = null): bool
    {
        return true;
    }

    public function save(): void
    {
    }
}
