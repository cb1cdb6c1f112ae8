<?php

namespace Clank\Tests;

/*
 * Sessions in the servers that applications keep them in: a page writes one by Symfony's own classes, in a process of
 * its own, and a client with its cookie connects.
 */

const HANDLERS = 'Symfony\Component\HttpFoundation\Session\Storage\Handler';

const PAGE = <<<'PHP'
require_once '/usr/share/php/Symfony/Component/HttpFoundation/autoload.php';
require_once __DIR__.'/autoload.php';
list(, $id, $serializer, $login) = $argv;
$handler = require __DIR__.'/handler.php';
$storage = new Symfony\Component\HttpFoundation\Session\Storage\NativeSessionStorage([
    'use_cookies' => 0, 'use_strict_mode' => 0, 'serialize_handler' => $serializer, 'cache_limiter' => '',
], $handler);
$session = new Symfony\Component\HttpFoundation\Session\Session($storage);
$session->setId($id);
$session->start();
$session->set('colour', 'red');
$session->getFlashBag()->add('notice', 'written by a page');
if ($login !== '') {
    $user = new Acme\HelloBundle\User($login);
    $token = new Symfony\Component\Security\Core\Authentication\Token\UsernamePasswordToken($user, 'main', []);
    $session->set('_security_main', serialize($token));
}
$session->save();
PHP;

/** How an application reaches a store: as services of its own, and the same for a page. */
final class StoreKind
{
    public $services;
    public $handler;
    public $expire;
    public $count;

    private function __construct(string $services, string $handler, callable $expire, callable $count)
    {
        $this->services = $services;
        $this->handler = $handler;
        $this->expire = $expire;
        $this->count = $count;
    }

    public static function database(StoreServer $server, string $dsn, string $user): self
    {
        $pdo = $server->pdo($dsn, $user);
        $class = HANDLERS.'\PdoSessionHandler';
        (new $class($pdo))->createTable();
        $services = "<service id='sessions' class='$class'><argument>$dsn</argument>
            <argument type='collection'><argument key='db_username'>$user</argument></argument></service>";

        return new self(
            $services,
            "return new $class(new PDO('$dsn', '$user', '', [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]));",
            static function (string $id) use ($pdo) {
                $pdo->exec("UPDATE sessions SET sess_lifetime = 1700000000 WHERE sess_id = '$id'");
            },
            static function () use ($pdo) {
                return (int) $pdo->query('SELECT count(*) FROM sessions')->fetchColumn();
            }
        );
    }

    public static function redis(StoreServer $server): self
    {
        $redis = new \Redis();
        $redis->connect($server->socket);
        $class = HANDLERS.'\RedisSessionHandler';
        $services = "<service id='redis' class='Redis'>
                <call method='connect'><argument>{$server->socket}</argument></call></service>
            <service id='sessions' class='$class'><argument type='service' id='redis' /></service>";

        return new self(
            $services,
            "\$redis = new Redis(); \$redis->connect('{$server->socket}'); return new $class(\$redis);",
            static function (string $id) use ($redis) {
                $redis->expireAt('sf_s'.$id, 1700000000);
            },
            static function () use ($redis) {
                return $redis->dbSize();
            }
        );
    }

    public static function memcached(StoreServer $server): self
    {
        $memcached = new \Memcached();
        $memcached->addServer($server->socket, 0);
        $class = HANDLERS.'\MemcachedSessionHandler';
        $services = "<service id='memcached' class='Memcached'>
                <call method='addServer'><argument>{$server->socket}</argument><argument>0</argument></call></service>
            <service id='sessions' class='$class'><argument type='service' id='memcached' />
                <argument type='collection'><argument key='expiretime'>3600</argument></argument></service>";

        return new self(
            $services,
            "\$m = new Memcached(); \$m->addServer('{$server->socket}', 0);
                return new $class(\$m, ['expiretime' => 3600]);",
            static function (string $id) use ($memcached) {
                $memcached->touch('sf2s'.$id, -1);
            },
            static function () use ($memcached) {
                return current($memcached->getStats())['total_items'];
            }
        );
    }
}

function pageWrites(Project $project, string $id, string $serializer, string $login): void
{
    $command = [PHP_BINARY, $project->folder->path.'/page.php', $id, $serializer, $login];
    $process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes);
    same('', stream_get_contents($pipes[1]));
    same(0, proc_close($process));
}

$stores = [
    'MariaDB' => static function () {
        $server = StoreServer::mariadb();

        return [$server, StoreKind::database($server, 'mysql:unix_socket='.$server->socket.';dbname=clank', 'root')];
    },
    'PostgreSQL' => static function () {
        $server = StoreServer::postgres();

        return [$server, StoreKind::database($server, 'pgsql:host='.$server->folder->path.';dbname=postgres', 'clank')];
    },
    'Redis' => static function () {
        $server = StoreServer::redis();

        return [$server, StoreKind::redis($server)];
    },
    'Memcached' => static function () {
        $server = StoreServer::memcached();

        return [$server, StoreKind::memcached($server)];
    },
];

$tests = [];
foreach ($stores as $name => $start) {
    $tests["what a page wrote into $name is read, in either format, and nothing is written"] = static function () use ($start) {
        list($server, $kind) = $start();
        foreach (['php', 'php_serialize'] as $serializer) {
            $project = sessionProject($kind->services, 'sessions', "    session_serializer: $serializer");
            $project->folder->write('handler.php', '<?php '.$kind->handler);
            $project->folder->write('page.php', '<?php '.PAGE);
            $worker = $project->worker();
            $end = str_replace('_', '-', $serializer);
            list($visitor, $member, $late) = ["visitor-$end", "member-$end", "late-$end"];
            pageWrites($project, $visitor, $serializer, '');
            pageWrites($project, $member, $serializer, 'alice');
            pageWrites($project, $late, $serializer, 'bob');
            ($kind->expire)($late);
            $stored = ($kind->count)();

            same(['red', null], [seen($worker, cookie($visitor))['colour'], identity($worker, cookie($visitor))]);
            same(['red', 'alice'], [seen($worker, cookie($member))['colour'], identity($worker, cookie($member))]);
            foreach ([$late, $member.'0', "x' OR '1'='1", ''] as $id) {
                same(['none', null], [seen($worker, cookie($id))['colour'], identity($worker, cookie($id))]);
            }
            same($stored, ($kind->count)());
            same('', $worker->errors());
        }
    };
}

$databases = ['MariaDB' => $stores['MariaDB'], 'PostgreSQL' => $stores['PostgreSQL']];
foreach ($databases as $name => $start) {
    $tests["a row of $name that a page holds locked is read without waiting"] = static function () use ($start) {
        list($server, $kind) = $start();
        $project = sessionProject($kind->services, 'sessions');
        $project->folder->write('handler.php', '<?php '.$kind->handler);
        $project->folder->write('page.php', '<?php '.PAGE);
        pageWrites($project, ID, 'php', '');
        $page = (static function () use ($kind) { return eval($kind->handler); })();
        $page->open('', '');
        contains('red', $page->read(ID));
        $worker = $project->worker();
        same('red', seen($worker, cookie(ID))['colour']);
        // A page can write it meanwhile: the worker has left no lock.
        $page->write(ID, encoded(attributes('green'), 'php'));
        $page->close();
        same('green', seen($worker, cookie(ID))['colour']);
    };
}

return $tests;
