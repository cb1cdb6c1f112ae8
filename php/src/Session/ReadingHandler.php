<?php

namespace JDare\ClankBundle\Session;

use SessionHandlerInterface;

/** Lets PHP read a session, keeps what was read, and lets nothing be written. */
final class ReadingHandler implements SessionHandlerInterface
{
    private $handler;
    private $data = '';

    /** @param SessionHandlerInterface|null $handler without one, what is read is what was given by hold() */
    public function __construct(?SessionHandlerInterface $handler = null)
    {
        $this->handler = $handler;
    }

    public function hold(string $data): void
    {
        $this->data = $data;
    }

    public function takeData(): string
    {
        $data = $this->data;
        $this->data = '';

        return $data;
    }

    #[\ReturnTypeWillChange]
    public function open($path, $name)
    {
        return $this->handler === null ? true : $this->handler->open($path, $name);
    }

    #[\ReturnTypeWillChange]
    public function close()
    {
        return $this->handler === null ? true : $this->handler->close();
    }

    /** With a handler PHP gets nothing to decode: that is done apart, from what was kept. */
    #[\ReturnTypeWillChange]
    public function read($id)
    {
        if ($this->handler === null) {
            return $this->data;
        }
        $this->data = (string) $this->handler->read($id);

        return '';
    }

    #[\ReturnTypeWillChange]
    public function write($id, $data)
    {
        return true;
    }

    #[\ReturnTypeWillChange]
    public function destroy($id)
    {
        return true;
    }

    #[\ReturnTypeWillChange]
    public function gc($lifetime)
    {
        return 0;
    }
}
