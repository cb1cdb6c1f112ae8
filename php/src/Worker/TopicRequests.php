<?php

namespace JDare\ClankBundle\Worker;

use JDare\ClankBundle\Mirror\Home;
use JDare\ClankBundle\Mirror\Topic;

/** Members come to topics, publish, and leave. */
final class TopicRequests
{
    private $home;
    private $application;
    private $hosted;

    /** Names as configured => service ids. */
    private $handlers = [];

    public function __construct(Home $home, Application $application, ?Hosted $hosted)
    {
        $this->home = $home;
        $this->application = $application;
        $this->hosted = $hosted;
        foreach ($application->config['topic'] as $entry) {
            // As in the old bundle, the first of two with one name is the one.
            $this->handlers += [$entry['name'] => $entry['service']];
        }
    }

    /** What the server has to know to send on only what somebody here handles. */
    public function names(): array
    {
        $segments = [];
        foreach (array_keys($this->handlers) as $name) {
            $segments[explode('/', (string) $name)[0]] = true;
        }

        return array_map('strval', array_keys($segments));
    }

    public function subscribe(array $request): void
    {
        $connection = $this->home->connections->find($request['id']);
        if ($connection === null) {
            return;
        }
        $topic = $this->home->topics->find($request['topic']);
        $topic->join($connection);
        $handler = $this->handler($topic);
        if ($handler !== null) {
            $handler->onSubscribe($connection, $topic);
        }
    }

    /** The member has left before its handler hears of it: what that broadcasts is for those who stay. */
    public function unsubscribe(array $request): void
    {
        $closing = $request['closing'] ?? false;
        $connection = $this->home->connections->find($request['id']);
        if ($connection === null || ($closing && !$this->application->config['unsubscribe_on_close'])) {
            return;
        }
        $topic = $this->home->topics->find($request['topic']);
        $topic->leave($connection, $closing);
        $handler = $this->handler($topic);
        if ($handler !== null) {
            $handler->onUnSubscribe($connection, $topic);
        }
    }

    public function publish(array $request): void
    {
        $connection = $this->home->connections->find($request['id']);
        if ($connection === null) {
            return;
        }
        $topic = $this->home->topics->find($request['topic']);
        $exclude = $this->home->connections->sessions($request['exclude'] ?? []);
        $eligible = $this->home->connections->sessions($request['eligible'] ?? []);
        $handler = $this->handler($topic);
        if ($handler !== null) {
            $handler->onPublish($connection, $topic, $request['event'] ?? null, $exclude, $eligible);
        } else {
            $this->home->commands->broadcast(
                $request['topic'],
                $request['event'] ?? null,
                $request['exclude'] ?? [],
                $request['eligible'] ?? null
            );
        }
    }

    /** By the whole name, else by the first segment of its path. */
    private function handler(Topic $topic)
    {
        $uri = $topic->getId();
        $service = $this->handlers[$uri] ?? $this->handlers[explode('/', $uri, 2)[0]] ?? null;
        if ($service !== null) {
            return $this->application->service($service);
        }

        return $this->hosted === null ? null : $this->hosted->server();
    }
}
