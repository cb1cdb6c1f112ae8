<?php

namespace JDare\ClankBundle\Event;

use Symfony\Component\EventDispatcher\EventDispatcherInterface;
use Symfony\Component\EventDispatcher\EventSubscriberInterface;
use Symfony\Contracts\EventDispatcher\Event;

/**
 * Takes `dispatch($name, $event)`, as before Symfony 4.3, as well as `dispatch($event, $name)`. Parameters have no
 * types, so that it fits Symfonys before and after they had.
 */
final class LegacyDispatcher implements EventDispatcherInterface
{
    private $inner;

    public function __construct(EventDispatcherInterface $inner)
    {
        $this->inner = $inner;
    }

    public function dispatch($event, $eventName = null): object
    {
        if (is_string($event)) {
            return $this->inner->dispatch($eventName ?? new Event(), $event);
        }

        return $this->inner->dispatch($event, $eventName);
    }

    public function addListener($eventName, $listener, $priority = 0): void
    {
        $this->inner->addListener($eventName, $listener, $priority);
    }

    public function addSubscriber(EventSubscriberInterface $subscriber): void
    {
        $this->inner->addSubscriber($subscriber);
    }

    public function removeListener($eventName, $listener): void
    {
        $this->inner->removeListener($eventName, $listener);
    }

    public function removeSubscriber(EventSubscriberInterface $subscriber): void
    {
        $this->inner->removeSubscriber($subscriber);
    }

    public function getListeners($eventName = null): array
    {
        return $this->inner->getListeners($eventName);
    }

    public function getListenerPriority($eventName, $listener): ?int
    {
        return $this->inner->getListenerPriority($eventName, $listener);
    }

    public function hasListeners($eventName = null): bool
    {
        return $this->inner->hasListeners($eventName);
    }

    public function __call($method, array $arguments)
    {
        return $this->inner->$method(...$arguments);
    }
}
