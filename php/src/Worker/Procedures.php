<?php

namespace JDare\ClankBundle\Worker;

use JDare\ClankBundle\Mirror\Connection;
use JDare\ClankBundle\Mirror\Home;
use JDare\ClankBundle\Mirror\Topic;
use JDare\ClankBundle\Nearest;

/** Calls: `sample/add_func` is the method addFunc() of the service that is configured as `sample`. */
final class Procedures
{
    const NOT_FOUND = 'Unable to find that command';
    const FAILED = 'RPC Failed';

    /** What Symfony and PHP call on a service, whether or not the configuration says so. */
    const NEVER = ['setcontainer', 'getcontainer'];

    private $home;
    private $application;
    private $hosted;

    /** Names as configured => service ids. */
    private $services = [];

    /** Procedures that were looked for in vain, each of which is told of once. */
    private $missed = [];

    public function __construct(Home $home, Application $application, ?Hosted $hosted)
    {
        $this->home = $home;
        $this->application = $application;
        $this->hosted = $hosted;
        foreach ($application->config['rpc'] as $entry) {
            $this->services += [$entry['name'] => $entry['service']];
        }
    }

    public function names(): array
    {
        return array_map('strval', array_keys($this->services));
    }

    public function call(array $request): void
    {
        $connection = $this->home->connections->find($request['id']);
        if ($connection === null) {
            return;
        }
        $seq = $request['seq'];
        $uri = $request['procedure'];
        $params = is_array($request['params'] ?? []) ? $request['params'] ?? [] : [$request['params']];
        $this->home->commands->openCall($seq, $connection->resourceId);
        try {
            $this->carryOut($connection, $seq, $uri, $params);
        } catch (\Throwable $e) {
            $this->fail($seq, $uri, $e->getMessage(), ['code' => $e->getCode()] + self::details($uri, $params));
        }
    }

    private function carryOut(Connection $connection, int $seq, string $uri, array $params): void
    {
        $parts = explode('/', $uri);
        $service = $this->services[$parts[0]] ?? null;
        if ($service === null && $this->hosted !== null) {
            $this->hosted->server()->onCall($connection, (string) $seq, $this->home->topics->find($uri), $params);
        } elseif (count($parts) < 2) {
            $this->fail($seq, $uri, 'Incorrectly formatted Topic name', ['topic_name' => $uri]);
        } elseif ($service === null) {
            $this->miss($seq, $uri, $params, 'no service is configured under that name', array_keys($this->services));
        } else {
            $this->callMethod($connection, $seq, $uri, $params, $service, self::camelCase($parts[1]));
        }
    }

    private function callMethod(
        Connection $connection,
        int $seq,
        string $uri,
        array $params,
        string $service,
        string $method
    ): void {
        $object = $this->application->service($service);
        $methods = $this->procedures($object, $service);
        if (!in_array(strtolower($method), array_map('strtolower', $methods), true)) {
            $named = $this->application->named($service);
            $why = sprintf('%s of %s has no method %s()', get_class($object), $named, $method);
            $this->miss($seq, $uri, $params, $why, $methods);

            return;
        }
        $this->answer($seq, $uri, $params, $object->$method($connection, $params));
    }

    private function answer(int $seq, string $uri, array $params, $result): void
    {
        if ($result === null || $result === false) {
            $this->fail($seq, $uri, self::FAILED, self::details($uri, $params));
        } elseif (!$result && $this->application->config['legacy_falsy_results']) {
            $this->fail($seq, $uri, self::NOT_FOUND, self::details($uri, $params));
        } else {
            $this->home->commands->result($seq, is_array($result) ? $result : [$result]);
        }
    }

    private function fail(int $seq, string $uri, string $description, array $details): void
    {
        $this->home->commands->callError($seq, $uri, $description, $details);
    }

    private function miss(int $seq, string $uri, array $params, string $why, array $choices): void
    {
        $this->fail($seq, $uri, self::NOT_FOUND, self::details($uri, $params));
        // The names come from clients: what is kept of them is bounded.
        if (isset($this->missed[$uri]) || count($this->missed) > 100) {
            return;
        }
        $this->missed[$uri] = true;
        $parts = explode('/', $uri);
        $nearest = Nearest::of(isset($this->services[$parts[0]]) ? self::camelCase($parts[1]) : $parts[0], $choices);
        $hint = $nearest === null ? '' : sprintf(' Did you mean "%s"?', $nearest);
        Output::say(sprintf('A client called %s: %s.%s', json_encode($uri, JSON_UNESCAPED_SLASHES), $why, $hint));
    }

    /** The methods of a service that clients may call. */
    private function procedures($object, string $service): array
    {
        $procedures = [];
        $setters = array_merge(self::NEVER, $this->application->setters($service));
        foreach ((new \ReflectionClass($object))->getMethods(\ReflectionMethod::IS_PUBLIC) as $method) {
            $name = $method->getName();
            if (!$method->isStatic() && strncmp($name, '__', 2) !== 0 && !in_array(strtolower($name), $setters, true)) {
                $procedures[] = $name;
            }
        }

        return $procedures;
    }

    private static function details(string $uri, array $params): array
    {
        return ['rpc' => $uri, 'params' => $params];
    }

    private static function camelCase(string $name): string
    {
        return preg_replace_callback('/_([a-z])/', static function ($match) {
            return strtoupper($match[1]);
        }, $name);
    }
}
