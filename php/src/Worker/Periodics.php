<?php

namespace JDare\ClankBundle\Worker;

use JDare\ClankBundle\Nearest;

/** Services whose tick() is called every so often; the server keeps the clock. */
final class Periodics
{
    private $application;

    /** Service ids => milliseconds. */
    private $intervals = [];

    public function __construct(Application $application)
    {
        $this->application = $application;
        foreach ($application->config['periodic'] as $entry) {
            $this->intervals[ltrim($entry['service'], '@')] = (int) $entry['time'];
        }
        foreach (array_keys($this->intervals) as $id) {
            $this->check($id);
        }
    }

    public function announced(): array
    {
        $announced = [];
        foreach ($this->intervals as $id => $time) {
            $announced[] = ['name' => $id, 'interval_ms' => $time];
        }

        return $announced;
    }

    public function tick(array $request): void
    {
        if (!isset($this->intervals[$request['name']])) {
            throw new \RuntimeException(sprintf('No periodic service is named "%s".', $request['name']));
        }
        $this->application->service($request['name'])->tick();
    }

    private function check(string $id): void
    {
        $service = $this->application->service($id);
        if (is_callable([$service, 'tick'])) {
            return;
        }
        $nearest = Nearest::of('tick', get_class_methods($service));
        throw new \RuntimeException(sprintf(
            'clank.periodic names %s, whose class %s has no method tick(), as '.
            'JDare\ClankBundle\Periodic\PeriodicInterface asks for.%s',
            $this->application->named($id),
            get_class($service),
            $nearest === null ? '' : sprintf(' Did you mean its %s()?', $nearest)
        ));
    }
}
