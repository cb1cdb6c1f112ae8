<?php

namespace JDare\ClankBundle\Worker;

/** The socket to the server: frames of four bytes of length and a JSON object, either way. */
final class Link
{
    const MAX_FRAME = 16 * 1024 * 1024;
    const READ_BYTES = 256 * 1024;
    const ENCODING = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;

    private $socket;
    private $inbound = '';
    private $outbound = '';

    /** How much of $inbound was taken. */
    private $read = 0;

    public function __construct($socket)
    {
        stream_set_blocking($socket, true);
        stream_set_chunk_size($socket, self::READ_BYTES);
        stream_set_read_buffer($socket, 0);
        $this->socket = $socket;
    }

    public static function connect(string $path): self
    {
        $socket = @stream_socket_client('unix://'.$path, $code, $reason, 10);
        if ($socket === false) {
            throw new WorkerFailure(sprintf('No server answers at %s (CLANK_WORKER_SOCKET): %s', $path, $reason));
        }

        return new self($socket);
    }

    /** @return resource */
    public function socket()
    {
        return $this->socket;
    }

    /** Reads what has arrived. @return bool false at the end of file */
    public function receive(): bool
    {
        $bytes = fread($this->socket, self::READ_BYTES);
        if ($bytes === false || $bytes === '') {
            return !feof($this->socket);
        }
        $this->inbound = $this->inbound === '' ? $bytes : $this->inbound.$bytes;

        return true;
    }

    /** The next request that has arrived whole. */
    public function next(): ?array
    {
        $left = strlen($this->inbound) - $this->read;
        $length = $left < 4 ? 0 : unpack('N', $this->inbound, $this->read)[1];
        if ($length > self::MAX_FRAME) {
            throw new WorkerFailure('The server sent a frame of '.$length.' bytes, more than 16 MiB.');
        }
        if ($left < 4 || $left - 4 < $length) {
            $this->inbound = $left === 0 ? '' : substr($this->inbound, $this->read);
            $this->read = 0;

            return null;
        }
        $request = json_decode(substr($this->inbound, $this->read + 4, $length), true);
        if (!is_array($request)) {
            throw new WorkerFailure('The server sent a frame that is no JSON object.');
        }
        $this->read += 4 + $length;

        return $request;
    }

    /** Takes a frame, which leaves with the next flush. Throws what can't be JSON back at whoever made it. */
    public function add(array $frame): void
    {
        $json = json_encode($frame, self::ENCODING);
        if ($json === false) {
            throw new \InvalidArgumentException(sprintf(
                'What was to be sent (%s) can\'t be written as JSON: %s',
                $frame['op'],
                json_last_error_msg()
            ));
        }
        if (strlen($json) > self::MAX_FRAME) {
            throw new \InvalidArgumentException(sprintf(
                'What was to be sent (%s) has %d bytes; 16 MiB is the most.',
                $frame['op'],
                strlen($json)
            ));
        }
        $this->outbound .= pack('N', strlen($json)).$json;
    }

    /** Takes a frame that must arrive, with a mark in place of text that is not UTF-8. */
    public function addWhateverItHolds(array $frame): void
    {
        $lenient = JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR;
        $json = (string) json_encode($frame, self::ENCODING | $lenient);
        $this->outbound .= pack('N', strlen($json)).$json;
    }

    /** Writes what was taken. @return bool false if the server is gone */
    public function flush(): bool
    {
        while ($this->outbound !== '') {
            $written = @fwrite($this->socket, $this->outbound);
            if ($written === false || $written === 0) {
                $this->outbound = '';

                return false;
            }
            $this->outbound = $written === strlen($this->outbound) ? '' : substr($this->outbound, $written);
        }

        return true;
    }
}
