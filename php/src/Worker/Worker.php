<?php

namespace JDare\ClankBundle\Worker;

use JDare\ClankBundle\Mirror\Home;
use JDare\ClankBundle\Session\Sessions;
use Symfony\Component\HttpKernel\Kernel;

/** Carries out what the server asks for, one request after the other. */
final class Worker
{
    const VERSION = 1;

    private $link;
    private $application;
    private $commands;
    private $loop;
    private $home;
    private $hosted;
    private $events;
    private $failures;
    private $lifecycle;
    private $topics;
    private $procedures;
    private $periodics;
    private $watched;

    public function __construct(Link $link, Application $application)
    {
        $this->link = $link;
        $this->application = $application;
        $this->commands = new Commands($link);
        $this->loop = EventLoop::create([$link, 'flush'], static function (\Throwable $e) {
            Output::report($e, 'In a callback of the event loop');
        });
        $this->home = new Home($this->commands, $this->loop, Sessions::configured($application));
        $this->hosted = Hosted::of($application);
        $this->events = new Events($application->service('event_dispatcher'));
        $this->failures = new Failures();
        $this->lifecycle = new Lifecycle($this->home, $this->events, $this->failures, $this->hosted);
        $this->topics = new TopicRequests($this->home, $application, $this->hosted);
        $this->procedures = new Procedures($this->home, $application, $this->hosted);
        $this->periodics = new Periodics($application);
        $this->watched = $application->kernel->isDebug() ? new WatchedFiles($application) : null;
        $application->optional('jdare_clank.web_socket_server')->setLoop($this->loop);
    }

    /** Runs until the server says `stop`, or is gone. */
    public function run(): void
    {
        $this->link->add($this->hello());
        $this->watch();
        $this->link->flush();
        LastWords::started();
        $this->loop->addReadStream($this->link->socket(), function () {
            $this->read();
        });
        $this->loop->run();
    }

    private function hello(): array
    {
        $config = $this->application->config;

        return [
            'op' => 'hello',
            'version' => self::VERSION,
            'php' => PHP_VERSION,
            'symfony' => Kernel::VERSION,
            'listen' => $config['web_socket_server'] ?? null ? $this->listen($config['web_socket_server']) : null,
            'topics' => $this->topics->names(),
            'rpcs' => $this->procedures->names(),
            'periodics' => $this->periodics->announced(),
            'listeners' => $this->hosted === null ? $this->events->heard() : Events::ALL,
            'all_topics' => $this->hosted !== null,
            'all_calls' => $this->hosted !== null,
            'connecting' => $this->home->sessions !== null,
            'snapshot' => $config['snapshot'],
        ];
    }

    private function listen(array $server): array
    {
        return ['host' => (string) $server['host'], 'port' => (int) $server['port']];
    }

    private function read(): void
    {
        if (!$this->link->receive()) {
            $this->end();
        }
        while (!LastWords::areSaid() && ($request = $this->link->next()) !== null) {
            $this->carryOut($request);
        }
    }

    private function carryOut(array $request): void
    {
        LastWords::during($request);
        $done = ['op' => 'done', 'seq' => $request['seq'] ?? 0];
        try {
            $done += $this->dispatch($request);
        } catch (WorkerFailure $failure) {
            throw $failure;
        } catch (\Throwable $e) {
            $done += $this->failed($request, $e);
        }
        // The application may have ended the buffer.
        Output::open();
        $this->watch();
        if ($done['seq'] !== 0) {
            $this->link->addWhateverItHolds($done);
        }
        if (!$this->link->flush() || $request['op'] === 'stop') {
            $this->end();
        }
        LastWords::during(null);
    }

    /** @return array what `done` says besides */
    private function dispatch(array $request): array
    {
        switch ($request['op']) {
            case 'open':
                $this->lifecycle->open($request);
                break;
            case 'close':
                $this->lifecycle->close($request);
                break;
            case 'subscribe':
                $this->topics->subscribe($request);
                break;
            case 'unsubscribe':
                $this->topics->unsubscribe($request);
                break;
            case 'publish':
                $this->topics->publish($request);
                break;
            case 'call':
                $this->procedures->call($request);
                break;
            case 'connecting':
                return ['identity' => $this->lifecycle->connecting($request)];
            case 'error':
                $this->lifecycle->error($request);
                break;
            case 'gone':
                $this->lifecycle->gone($request);
                break;
            case 'tick':
                $this->periodics->tick($request);
                break;
            case 'restore':
                $this->lifecycle->restore($request);
                break;
            case 'begin':
                $this->lifecycle->begin($request);
                break;
            case 'stop':
                return $this->stop();
            default:
                throw new WorkerFailure(sprintf(
                    'The server asks for "%s", which this bundle does not know: are both of one release?',
                    $request['op']
                ));
        }

        return [];
    }

    /** The server makes a record of the exception and asks for its event by `error`, whose own exceptions end here. */
    private function failed(array $request, \Throwable $e): array
    {
        if ($request['op'] === 'error') {
            Output::report($e, 'In a listener for '.Events::ERROR);

            return [];
        }
        if (($request['seq'] ?? 0) === 0) {
            Output::report($e, 'In '.$request['op']);

            return [];
        }
        $this->failures->keep($request['seq'], $e, $this->lifecycle->connectionOf($request));

        return ['errors' => [Failures::describe($e)]];
    }

    private function stop(): array
    {
        if (!$this->application->config['snapshot']) {
            return [];
        }
        $properties = [];
        foreach ($this->home->connections->all() as $id => $connection) {
            $scalars = $connection->scalars();
            if ($scalars) {
                $properties[$id] = $scalars;
            }
        }

        return ['properties' => (object) $properties];
    }

    private function watch(): void
    {
        $files = $this->watched === null ? [] : $this->watched->since();
        if ($files) {
            $this->link->add(['op' => 'watch', 'files' => $files]);
        }
    }

    private function end(): void
    {
        LastWords::needNone();
        $this->loop->stop();
    }
}
