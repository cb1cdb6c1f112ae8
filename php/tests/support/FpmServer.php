<?php

namespace Clank\Tests;

/** PHP-FPM with opcache, asked without a web server: each request boots the kernel, as a webhook's receiver does. */
final class FpmServer
{
    private $folder;
    private $socket;
    private $process;
    private $script;

    public function __construct(string $script, int $children)
    {
        $this->folder = new Folder();
        $this->script = $script;
        $this->socket = $this->folder->path.'/fpm.sock';
        $config = $this->folder->write('fpm.conf', <<<INI
[global]
error_log = {$this->folder->path}/log
daemonize = no
[www]
listen = {$this->socket}
pm = static
pm.max_children = $children
php_admin_value[opcache.enable] = 1
php_admin_value[opcache.validate_timestamps] = 0
INI
        );
        $programs = array_merge(glob('/usr/sbin/php-fpm*'), glob('/usr/local/sbin/php-fpm*'));
        if (!$programs) {
            throw new Failure('php-fpm is not there; Debian has it as php-fpm');
        }
        $log = ['file', $this->folder->path.'/out', 'w'];
        $this->process = proc_open([end($programs), '-R', '-F', '-y', $config], [1 => $log, 2 => $log], $pipes);
        for ($end = microtime(true) + 20; !file_exists($this->socket);) {
            if (microtime(true) > $end) {
                throw new Failure('php-fpm does not start: '.file_get_contents($this->folder->path.'/out'));
            }
            usleep(10000);
        }
    }

    public function __destruct()
    {
        proc_terminate($this->process);
        proc_close($this->process);
    }

    /** Begins a request. @return resource where its answer can be read to the end */
    public function begin(string $body)
    {
        $stream = stream_socket_client('unix://'.$this->socket);
        $parameters = '';
        $all = ['SCRIPT_FILENAME' => $this->script, 'REQUEST_METHOD' => 'POST', 'REQUEST_URI' => '/events',
            'CONTENT_TYPE' => 'application/json', 'CONTENT_LENGTH' => (string) strlen($body),
            'SERVER_PROTOCOL' => 'HTTP/1.1', 'GATEWAY_INTERFACE' => 'CGI/1.1'];
        foreach ($all as $name => $value) {
            $parameters .= pack('NN', strlen($name) | 0x80000000, strlen($value) | 0x80000000).$name.$value;
        }
        $record = static function (int $type, string $content) {
            return pack('CCnnCC', 1, $type, 1, strlen($content), 0, 0).$content;
        };
        fwrite($stream, $record(1, pack('nCx5', 1, 0)).$record(4, $parameters).$record(4, '').$record(5, $body).$record(5, ''));

        return $stream;
    }

    /** Seconds of processor time of all its processes. */
    public function cpu(): float
    {
        $ticks = 0;
        $parent = proc_get_status($this->process)['pid'];
        foreach (glob('/proc/[0-9]*/stat') as $file) {
            $fields = explode(' ', substr(strrchr((string) @file_get_contents($file), ')'), 2));
            if (basename(dirname($file)) == $parent || (int) ($fields[1] ?? 0) === $parent) {
                $ticks += $fields[11] + $fields[12];
            }
        }

        return $ticks / 100;
    }
}
