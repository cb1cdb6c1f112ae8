<?php

namespace Clank\Tests;

use Symfony\Component\HttpFoundation\Session\Storage\Handler\PdoSessionHandler;
use Symfony\Component\Security\Core\Authentication\Token\UsernamePasswordToken;

const SESSION_LISTENER = <<<'PHP'
namespace Acme\HelloBundle;

class SessionListener
{
    public function connected($event)
    {
        $conn = $event->getConnection();
        $session = $conn->Session;
        $session->set('mine', 1);
        $session->save();
        echo json_encode([
            'id' => $session->getId(),
            'colour' => $session->get('colour', 'none'),
            'all' => array_keys($session->all()),
            'has' => $session->has('colour'),
            'same' => $session === $conn->Session,
            'isset' => isset($conn->Session),
            'started' => session_status() === PHP_SESSION_ACTIVE,
            'left' => $_SESSION ?? [],
        ]), "\n";
    }

    public function disconnected($event)
    {
        echo json_encode(['bye' => $event->getConnection()->Session->get('colour')]), "\n";
    }
}
PHP;

const FAR_USER = <<<'PHP'
namespace Acme\HelloBundle;

class User implements \Symfony\Component\Security\Core\User\UserInterface
{
    private $name;

    public function __construct($name)
    {
        $this->name = $name;
    }

    public function getUserIdentifier(): string
    {
        return $this->name;
    }

    public function getUsername()
    {
        return $this->name;
    }

    public function getRoles(): array
    {
        return [];
    }

    public function getPassword()
    {
    }

    public function getSalt()
    {
    }

    public function eraseCredentials(): void
    {
    }
}
PHP;

const SQLITE = <<<'XML'
<service id="pdo" class="PDO">
    <argument>sqlite:%kernel.project_dir%/sessions.db</argument>
    <call method="setAttribute"><argument type="constant">PDO::ATTR_ERRMODE</argument>
        <argument type="constant">PDO::ERRMODE_EXCEPTION</argument></call>
</service>
<service id="session.handler.pdo" class="Symfony\Component\HttpFoundation\Session\Storage\Handler\PdoSessionHandler">
    <argument type="service" id="pdo" />
</service>
XML;

const FILES = <<<'XML'
<service id="session.files" class="Symfony\Component\HttpFoundation\Session\Storage\Handler\NativeFileSessionHandler">
    <argument>%kernel.project_dir%/sessions</argument>
</service>
XML;

const ID = 'abcdefghijklmnopqrstuvwx12';

function sessionProject(string $services, string $handler, string $more = ''): Project
{
    return (new Project())->withClass(SESSION_LISTENER)->withClass(FAR_USER)->withServices($services)
        ->withServices('<service id="session_listener" class="Acme\HelloBundle\SessionListener">
            <tag name="kernel.event_listener" event="clank.client.connected" method="connected" />
            <tag name="kernel.event_listener" event="clank.client.disconnected" method="disconnected" />
        </service>')
        ->withConfig("clank:\n    session_handler: $handler\n$more");
}

function attributes(string $colour): array
{
    return ['_sf2_attributes' => ['colour' => $colour], '_symfony_flashes' => [], '_sf2_meta' => [
        'u' => 1, 'c' => 1, 'l' => 0,
    ]];
}

/** A session as PHP stores it. */
function encoded(array $session, string $serializer): string
{
    $text = '';
    foreach ($session as $key => $value) {
        $text .= $serializer === 'php' ? $key.'|'.serialize($value) : chr(strlen($key)).$key.serialize($value);
    }

    return $serializer === 'php_serialize' ? serialize($session) : $text;
}

function database(Project $project): PdoSessionHandler
{
    $pdo = new \PDO('sqlite:'.$project->folder->path.'/sessions.db');
    $pdo->setAttribute(\PDO::ATTR_ERRMODE, \PDO::ERRMODE_EXCEPTION);
    $handler = new PdoSessionHandler($pdo, ['lock_mode' => PdoSessionHandler::LOCK_NONE]);
    $there = $pdo->query("SELECT count(*) FROM sqlite_master WHERE name = 'sessions'")->fetchColumn();
    if (!$there) {
        $handler->createTable();
    }

    return $handler;
}

function stored(Project $project, string $id, string $data, string $where): void
{
    if ($where === 'file') {
        $project->folder->write('sessions/sess_'.$id, $data);

        return;
    }
    $handler = database($project);
    $handler->open('', '');
    $handler->read($id);
    $handler->write($id, $data);
    $handler->close();
}

function cookie(string $id, string $name = 'PHPSESSID'): array
{
    return ['headers' => [['host', 'localhost'], ['Cookie', 'other=1; '.$name.'='.$id.'; last="x y"']]];
}

function seen(WorkerProcess $worker, array $more): array
{
    $before = strlen($worker->output());
    $reply = $worker->open(1, $more);
    same(['op' => 'done', 'seq' => $reply->seq], $reply->done);
    $line = substr($worker->output(), $before);
    $worker->close(1);

    return json_decode($line, true);
}

function filesOf(Project $project): array
{
    return array_values(array_diff(scandir($project->folder->path.'/sessions'), ['.', '..']));
}

function rowsOf(Project $project): array
{
    $pdo = new \PDO('sqlite:'.$project->folder->path.'/sessions.db');

    return $pdo->query('SELECT * FROM sessions')->fetchAll(\PDO::FETCH_ASSOC);
}

function token(string $name = 'alice', ?string $class = null): string
{
    if (!class_exists('Acme\HelloBundle\User', false)) {
        eval(FAR_USER);
    }
    $user = new \Acme\HelloBundle\User($name);
    // Before Symfony 5.4 the password stood second.
    $old = !method_exists(UsernamePasswordToken::class, 'getUserIdentifier');
    $token = serialize($old ? new UsernamePasswordToken($user, '', 'main') : new UsernamePasswordToken($user, 'main', []));

    return $class === null ? $token : str_replace('"Acme\HelloBundle\User"', '"'.$class.'"', $token);
}

function identity(WorkerProcess $worker, array $more): ?string
{
    $done = $worker->ask('connecting', ['connection' => WorkerProcess::connection(1, $more)])->done;
    same(['op', 'seq', 'identity'], array_keys($done));

    return $done['identity'];
}

$tests = [];
foreach (['php', 'php_serialize', 'php_binary'] as $serializer) {
    $tests["files in the format $serializer are read and left as they are"] = static function () use ($serializer) {
        $project = sessionProject(FILES, 'session.files');
        $data = encoded(attributes('red'), $serializer);
        stored($project, ID, $data, 'file');
        $seen = seen($project->worker(), cookie(ID));
        same([ID, 'red', ['colour', 'mine'], true, true, true, false, []], array_values($seen));
        same($data, file_get_contents($project->folder->path.'/sessions/sess_'.ID));
    };
    $tests["SQLite rows in the format $serializer are read and left as they are"] = static function () use ($serializer) {
        $project = sessionProject(SQLITE, 'session.handler.pdo');
        stored($project, ID, encoded(attributes('blue'), $serializer), 'row');
        $before = rowsOf($project);
        $worker = $project->worker();
        same(true, $worker->hello['connecting']);
        $seen = seen($worker, cookie(ID));
        same([ID, 'blue', ['colour', 'mine'], true, true, true, false, []], array_values($seen));
        same($before, rowsOf($project));
        same('', $worker->errors());
    };
}

return $tests + [
    'absent, malformed and forged cookies are empty sessions, and make none' => static function () {
        $forms = [[FILES, 'session.files', 'file'], [SQLITE, 'session.handler.pdo', 'row']];
        foreach ($forms as list($services, $handler, $where)) {
            $project = sessionProject($services, $handler);
            stored($project, ID, encoded(attributes('red'), 'php'), $where);
            $worker = $project->worker();
            $cookies = ['', '../../../etc/passwd', '%2e%2e/sess', str_repeat('x', 300), ID.'0', 'a b', "a'b", "nul\0"];
            foreach ($cookies as $id) {
                same(['colour' => 'none', 'all' => ['mine'], 'has' => false], array_slice(seen($worker, cookie($id)), 1, 3));
            }
            same('none', seen($worker, ['headers' => []])['colour']);
            same(1, count($where === 'file' ? filesOf($project) : rowsOf($project)));
            same('', $worker->errors());
        }
    },
    'an expired row and an expired file are empty sessions' => static function () {
        $project = sessionProject(SQLITE, 'session.handler.pdo');
        stored($project, ID, encoded(attributes('red'), 'php'), 'row');
        (new \PDO('sqlite:'.$project->folder->path.'/sessions.db'))->exec('UPDATE sessions SET sess_lifetime = 1700000000');
        same('none', seen($project->worker(), cookie(ID))['colour']);

        $project = sessionProject(FILES, 'session.files');
        stored($project, ID, encoded(attributes('red'), 'php'), 'file');
        touch($project->folder->path.'/sessions/sess_'.ID, time() - 100000);
        same('none', seen($project->worker(), cookie(ID))['colour']);
    },
    'a session that a page holds locked is read without waiting' => static function () {
        $project = sessionProject(FILES, 'session.files');
        stored($project, ID, encoded(attributes('red'), 'php'), 'file');
        $file = fopen($project->folder->path.'/sessions/sess_'.ID, 'r');
        flock($file, LOCK_EX);
        same('red', seen($project->worker(), cookie(ID))['colour']);

        $project = sessionProject(SQLITE, 'session.handler.pdo');
        stored($project, ID, encoded(attributes('red'), 'php'), 'row');
        $pdo = new \PDO('sqlite:'.$project->folder->path.'/sessions.db');
        $pdo->exec('BEGIN IMMEDIATE TRANSACTION');
        same('red', seen($project->worker(), cookie(ID))['colour']);
        $pdo->exec('ROLLBACK');
    },
    'a session is read when it is first used, and again for another connection' => static function () {
        $project = sessionProject(FILES, 'session.files');
        stored($project, ID, encoded(attributes('red'), 'php'), 'file');
        $worker = $project->worker();
        $worker->open(1, cookie(ID));
        stored($project, ID, encoded(attributes('green'), 'php'), 'file');
        $worker->open(2, cookie(ID));
        $worker->close(1);
        $worker->close(2);
        $colours = array_map(static function ($line) {
            $line = json_decode($line, true);

            return $line['colour'] ?? $line['bye'];
        }, explode("\n", trim($worker->output())));
        same(['red', 'green', 'red', 'green'], $colours);
    },
    'what was echoed before does not keep a session from being read' => static function () {
        $project = sessionProject(FILES, 'session.files');
        stored($project, ID, encoded(attributes('red'), 'php'), 'file');
        $worker = $project->worker();
        same(['red', 'red', 'red'], [
            seen($worker, cookie(ID))['colour'],
            seen($worker, cookie(ID))['colour'],
            seen($worker, cookie(ID))['colour'],
        ]);
    },
    'data that is no session is an error of the listener that asked' => static function () {
        $project = sessionProject(SQLITE, 'session.handler.pdo', "    session_serializer: php_serialize");
        stored($project, ID, 'rubbish', 'row');
        $worker = $project->worker();
        contains('can\'t be decoded', $worker->open(1, cookie(ID))->done['errors'][0]['message']);
        same(null, identity($worker, cookie(ID)));
        same(1, count(rowsOf($project)));
    },
    'the cookie\'s name comes from the framework\'s configuration or ours' => static function () {
        $framework = "framework:\n    secret: x\n    http_method_override: false\n    session: { name: acme }\n";
        $project = sessionProject(FILES, 'session.files')->withConfig($framework);
        stored($project, ID, encoded(attributes('red'), 'php'), 'file');
        $worker = $project->worker();
        same('red', seen($worker, cookie(ID, 'acme'))['colour']);
        same('none', seen($worker, cookie(ID))['colour']);

        $project = sessionProject(FILES, 'session.files', '    session_name: own');
        stored($project, ID, encoded(attributes('red'), 'php'), 'file');
        same('red', seen($project->worker(), cookie(ID, 'own'))['colour']);
    },
    'Symfony\'s own file handler is read as files too' => static function () {
        $framework = "framework:\n    secret: x\n    http_method_override: false\n".
            "    session: { handler_id: session.handler.native_file, save_path: '%kernel.project_dir%/sessions' }\n";
        $project = sessionProject('', 'session.handler.native_file')->withConfig($framework);
        stored($project, ID, encoded(attributes('red'), 'php'), 'file');
        $worker = $project->worker();
        same('red', seen($worker, cookie(ID))['colour']);
        same('none', seen($worker, cookie('unknown'))['colour']);
        same(['sess_'.ID], filesOf($project));
    },
    'the user of the session is the connection\'s identity' => static function () {
        $project = sessionProject(SQLITE, 'session.handler.pdo');
        $session = attributes('red');
        $session['_sf2_attributes'] += ['_security.last_username' => 'x', '_security_main' => token()];
        stored($project, ID, encoded($session, 'php'), 'row');
        $worker = $project->worker();
        same('alice', identity($worker, cookie(ID)));
        same(null, identity($worker, cookie('unknown')));
        same(null, identity($worker, []));
        same('', $worker->output());
    },
    'the configured firewall\'s user is the one' => static function () {
        $project = sessionProject(SQLITE, 'session.handler.pdo', '    session_firewall: admin');
        $session = ['_sf2_attributes' => ['_security_main' => token('alice'), '_security_admin' => token('root')]];
        stored($project, ID, encoded($session, 'php_serialize'), 'row');
        same('root', identity($project->worker(), cookie(ID)));
    },
    'a user whose class is gone, or a token that is broken, is nobody' => static function () {
        $project = sessionProject(SQLITE, 'session.handler.pdo');
        foreach ([token('alice', 'Acme\HelloBundle\Abcd'), 'O:8:"Gone\It":0:{}', 'rubbish', 'b:0;'] as $at => $token) {
            $session = ['_sf2_attributes' => ['_security_main' => $token, 'colour' => 'red']];
            stored($project, ID.$at, encoded($session, 'php'), 'row');
        }
        $worker = $project->worker();
        for ($at = 0; $at < 4; ++$at) {
            same(null, identity($worker, cookie(ID.$at)));
            same('red', seen($worker, cookie(ID.$at))['colour']);
        }
    },
    'a database that is down leaves the user unknown, and the connection open' => static function () {
        $project = sessionProject(SQLITE, 'session.handler.pdo');
        $worker = $project->worker();
        same(null, identity($worker, cookie(ID)));
        contains('The session of connection 1 can\'t be read: PDOException', $worker->errors());
        contains('no such table', $worker->open(1, cookie(ID))->done['errors'][0]['message']);
    },
    'a service that is no session handler is refused' => static function () {
        $project = sessionProject('<service id="odd" class="ArrayObject" />', 'odd');
        $refused = $project->worker(['expect' => 'refused'])->hello;
        contains('clank.session_handler names "odd" (', $refused['message']);
        contains('config.yml:', $refused['message']);
        contains('ArrayObject is no \SessionHandlerInterface', $refused['message']);
    },
];
