<?php

namespace JDare\ClankBundle\Server;

use RuntimeException;

/** Starts the server, a program of its own, with this application behind it. */
class EntryPoint
{
    private $application;
    private $environment;
    private $debug;

    public function __construct(string $application, string $environment, bool $debug)
    {
        $this->application = $application;
        $this->environment = $environment;
        $this->debug = $debug;
    }

    /** The program and its arguments. */
    public function commandLine(array $more = []): array
    {
        $program = getenv('CLANK_BIN') ?: 'clank';

        return array_merge([$program, 'server', '--symfony', $this->application], $more);
    }

    /** What the console was called with, as settings of the server. */
    public function environment(): array
    {
        return [
            'CLANK_SYMFONY_ENV' => $this->environment,
            'CLANK_SYMFONY_DEBUG' => $this->debug ? 'true' : 'false',
        ];
    }

    /** Runs the server until it ends. @return int its exit status */
    public function launch(array $more = []): int
    {
        $line = $this->commandLine($more);
        if (!self::isThere($line[0])) {
            throw new RuntimeException(sprintf(
                'The program "%s" is not there. Install clank, or set CLANK_BIN to its path.',
                $line[0]
            ));
        }
        foreach ($this->environment() as $name => $value) {
            putenv($name.'='.$value);
        }
        // Taking this process's place leaves nobody between the server and the signals that are meant for it.
        if (function_exists('pcntl_exec')) {
            pcntl_exec(self::find($line[0]), array_slice($line, 1));
        }
        passthru(implode(' ', array_map('escapeshellarg', $line)), $status);

        return $status;
    }

    private static function isThere(string $program): bool
    {
        return self::find($program) !== null;
    }

    private static function find(string $program): ?string
    {
        if (strpos($program, '/') !== false) {
            return is_executable($program) ? $program : null;
        }
        foreach (explode(PATH_SEPARATOR, (string) getenv('PATH')) as $folder) {
            if (is_executable($folder.'/'.$program)) {
                return $folder.'/'.$program;
            }
        }

        return null;
    }
}
