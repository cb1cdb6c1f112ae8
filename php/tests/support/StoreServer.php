<?php

namespace Clank\Tests;

/** A server that keeps sessions, in a folder and on a socket of its own. It ends with the test. */
final class StoreServer
{
    const PATIENCE = 60;

    public $folder;
    public $socket;
    private $process;

    private function __construct(string $socket)
    {
        $this->folder = new Folder();
        // A database doesn't run as root: its own user has to get here.
        chmod($this->folder->path, 0755);
        $this->socket = $this->folder->path.'/'.$socket;
    }

    public static function mariadb(): self
    {
        $server = new self('mysqld.sock');
        $data = $server->folder->path.'/data';
        $user = '--user='.posix_getpwuid(posix_geteuid())['name'];
        self::run(['mariadb-install-db', '--no-defaults', $user, '--datadir='.$data, '--skip-test-db',
            '--auth-root-authentication-method=normal']);
        $server->start(['mariadbd', '--no-defaults', $user, '--datadir='.$data, '--socket='.$server->socket,
            '--skip-networking', '--innodb-flush-log-at-trx-commit=0', '--pid-file='.$data.'/pid']);
        $server->pdo('mysql:unix_socket='.$server->socket, 'root')->exec('CREATE DATABASE clank');

        return $server;
    }

    public static function postgres(): self
    {
        $server = new self('.s.PGSQL.5432');
        $data = $server->folder->path.'/data';
        mkdir($data, 0700);
        $as = [];
        if (posix_geteuid() === 0) {
            array_map(static function ($path) { chown($path, 'postgres'); }, [$data, $server->folder->path]);
            $as = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'];
        }
        $programs = glob('/usr/lib/postgresql/*/bin');
        $bin = $programs ? end($programs).'/' : '';
        self::run(array_merge($as, [$bin.'initdb', '--auth=trust', '--username=clank', '--no-sync', '-D', $data]));
        $server->start(array_merge($as, [$bin.'postgres', '-D', $data, '-k', $server->folder->path, '-F',
            '-c', 'listen_addresses=']));
        $server->pdo('pgsql:host='.$server->folder->path.';dbname=postgres', 'clank');

        return $server;
    }

    public static function redis(): self
    {
        $server = new self('redis.sock');
        $server->start(['redis-server', '--port', '0', '--unixsocket', $server->socket, '--save', '',
            '--dir', $server->folder->path]);

        return $server;
    }

    public static function memcached(): self
    {
        $server = new self('memcached.sock');
        $server->start(['memcached', '-s', $server->socket, '-u', posix_getpwuid(posix_geteuid())['name']]);

        return $server;
    }

    public function __destruct()
    {
        if (is_resource($this->process)) {
            proc_terminate($this->process, SIGKILL);
            proc_close($this->process);
        }
    }

    /** A connection, as soon as the database takes one. */
    public function pdo(string $dsn, string $user): \PDO
    {
        return $this->until(static function () use ($dsn, $user) {
            return new \PDO($dsn, $user, '', [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
        });
    }

    private function start(array $command): void
    {
        $log = ['file', $this->folder->path.'/log', 'w'];
        $this->process = proc_open($command, [['file', '/dev/null', 'r'], $log, $log], $pipes, $this->folder->path);
        $this->until(function () {
            $stream = @stream_socket_client('unix://'.$this->socket, $code, $message);
            if ($stream === false) {
                throw new \RuntimeException($message);
            }
            fclose($stream);
        });
    }

    /** What comes of an attempt that succeeds at last. */
    private function until(callable $attempt)
    {
        $end = microtime(true) + self::PATIENCE;
        while (true) {
            try {
                return $attempt();
            } catch (\RuntimeException $e) {
                $lives = is_resource($this->process) && proc_get_status($this->process)['running'];
                if (!$lives || microtime(true) > $end) {
                    $log = (string) file_get_contents($this->folder->path.'/log');
                    throw new Failure('A server does not start: '.$e->getMessage()."\n".substr($log, -2000));
                }
                usleep(10000);
            }
        }
    }

    private static function run(array $command): void
    {
        $pipes = [];
        $process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes, '/');
        $said = $process ? stream_get_contents($pipes[1]) : '';
        if (!$process || proc_close($process) !== 0) {
            throw new Failure($command[0].' fails: '.substr($said, -2000));
        }
    }
}
