<?php

namespace Clank\Tests;

/** A worker, and the server's part of the conversation with it. */
final class WorkerProcess
{
    const PATIENCE = 20;

    public $hello;
    private $process;
    private $socket;
    private $folder;
    private $seq = 0;
    private $inbound = '';
    private $status;

    public function __construct(string $application, array $options = [])
    {
        $this->folder = new Folder();
        $path = $this->folder->path.'/worker.sock';
        $listener = stream_socket_server('unix://'.$path);
        $command = array_merge(
            [PHP_BINARY],
            $options['php'] ?? [],
            [dirname(__DIR__, 2).'/bin/worker.php', '--app='.$application],
            $options['arguments'] ?? ['--env=prod', '--no-debug']
        );
        $environment = ['CLANK_WORKER_SOCKET' => $path, 'CLANK_WORKER_GENERATION' => '1', 'PATH' => getenv('PATH')]
            + ['CLANK_SYMFONY' => (string) getenv('CLANK_SYMFONY')];
        $this->process = proc_open($command, [
            ['file', '/dev/null', 'r'],
            ['file', $this->folder->path.'/stdout', 'w'],
            ['file', $this->folder->path.'/stderr', 'w'],
        ], $pipes, null, $environment + ($options['environment'] ?? []));

        $this->socket = @stream_socket_accept($listener, self::PATIENCE);
        if ($this->socket === false) {
            throw new Failure('The worker does not connect. It says: '.$this->errors());
        }
        stream_set_timeout($this->socket, self::PATIENCE);
        $this->hello = $this->frame();
        if (($options['expect'] ?? 'hello') !== ($this->hello['op'] ?? 'nothing')) {
            throw new Failure('Instead of hello: '.json_encode($this->hello).' '.$this->errors());
        }
    }

    public function __destruct()
    {
        if ($this->socket) {
            $this->hangUp();
        }
        if (is_resource($this->process)) {
            $this->status();
        }
    }

    /** Sends a request without waiting. @return int its number */
    public function send(string $op, array $fields = []): int
    {
        $seq = ++$this->seq;
        $this->write(['op' => $op, 'seq' => $seq] + $fields);

        return $seq;
    }

    public function write(array $request): void
    {
        $json = json_encode($request);
        $this->writeBytes(pack('N', strlen($json)).$json);
    }

    public function writeBytes(string $bytes): void
    {
        fwrite($this->socket, $bytes);
    }

    /** Sends a request and waits for what comes of it. */
    public function ask(string $op, array $fields = []): Reply
    {
        return $this->reply($this->send($op, $fields));
    }

    /** What comes up to and with the `done` of a request. */
    public function reply(int $seq): Reply
    {
        $commands = [];
        while (($frame = $this->frame()) !== null) {
            if ($frame['op'] === 'done' && $frame['seq'] === $seq) {
                return new Reply($seq, $commands, $frame);
            }
            $commands[] = $frame;
        }
        throw new Failure(sprintf('No done for %d, but %s. %s', $seq, json_encode($commands), $this->errors()));
    }

    /** The next frame, or null at the end. */
    public function frame(): ?array
    {
        $head = $this->bytes(4);
        if ($head === null) {
            return null;
        }

        return json_decode($this->bytes(unpack('N', $head)[1]), true);
    }

    public function open(int $id, array $more = []): Reply
    {
        return $this->ask('open', ['connection' => self::connection($id, $more), 'rehydrated' => false]);
    }

    public function close(int $id, array $more = []): Reply
    {
        return $this->ask('close', $more + ['id' => $id, 'cause' => 'client_closed', 'code' => 1000, 'reason' => '']);
    }

    public static function connection(int $id, array $more = []): array
    {
        return $more + [
            'id' => $id,
            'connection_id' => sprintf('01J%023d', $id),
            'session' => 'session-'.$id,
            'address' => '127.0.0.1',
            'port' => 50000 + $id,
            'protocol' => 'wamp',
            'path' => '/chat',
            'query' => 'room=1',
            'headers' => [['host', 'localhost:8080'], ['user-agent', 'test']],
            'identity' => null,
            'at' => 1785000000.25,
            'properties' => [],
        ];
    }

    /** What the application has printed so far. */
    public function output(): string
    {
        return (string) file_get_contents($this->folder->path.'/stdout');
    }

    public function errors(): string
    {
        return (string) file_get_contents($this->folder->path.'/stderr');
    }

    /** Seconds of processor time that the worker has used. */
    public function cpu(): float
    {
        $fields = explode(' ', file_get_contents('/proc/'.proc_get_status($this->process)['pid'].'/stat'));

        return ($fields[13] + $fields[14]) / 100;
    }

    /** Hangs up, as a server that ends. */
    public function hangUp(): void
    {
        // A worker that was started later has the socket too: closing it here would not be the end of it.
        stream_socket_shutdown($this->socket, STREAM_SHUT_RDWR);
        fclose($this->socket);
        $this->socket = null;
    }

    /** Waits for the worker's end. */
    public function status(): int
    {
        return $this->status = $this->status ?? proc_close($this->process);
    }

    private function bytes(int $count): ?string
    {
        while (strlen($this->inbound) < $count) {
            $read = fread($this->socket, 65536);
            if ($read === false || $read === '') {
                if (stream_get_meta_data($this->socket)['timed_out']) {
                    throw new Failure('The worker is silent. '.$this->errors());
                }

                return null;
            }
            $this->inbound .= $read;
        }
        $bytes = substr($this->inbound, 0, $count);
        $this->inbound = substr($this->inbound, $count);

        return $bytes;
    }
}
