<?php

namespace JDare\ClankBundle\Worker;

/** Symfony's dispatcher, whose arguments changed places in 4.3. */
final class Events
{
    const LAUNCHED = 'clank.server.launched';
    const CONNECTED = 'clank.client.connected';
    const DISCONNECTED = 'clank.client.disconnected';
    const ERROR = 'clank.client.error';
    const ALL = [self::LAUNCHED, self::CONNECTED, self::DISCONNECTED, self::ERROR];

    private $dispatcher;
    private $nameFirst;

    public function __construct($dispatcher)
    {
        $this->dispatcher = $dispatcher;
        $parameters = (new \ReflectionMethod($dispatcher, 'dispatch'))->getParameters();
        $this->nameFirst = $parameters[0]->getName() === 'eventName';
    }

    public function dispatch(string $name, $event): void
    {
        if ($this->nameFirst) {
            $this->dispatcher->dispatch($name, $event);
        } else {
            $this->dispatcher->dispatch($event, $name);
        }
    }

    /** Those of the four that somebody listens for. */
    public function heard(): array
    {
        return array_values(array_filter(self::ALL, [$this->dispatcher, 'hasListeners']));
    }
}
