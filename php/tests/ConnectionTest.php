<?php

namespace Clank\Tests;

const LOOKER = <<<'PHP'
namespace Acme\HelloBundle;

class Looker
{
    private $seen = [];

    public function connected($event)
    {
        $conn = $event->getConnection();
        $this->seen[$conn->resourceId] = $conn;
        $request = $conn->httpRequest;
        $old = $conn->WebSocket->request;
        echo json_encode([
            'ratchet' => $conn instanceof \Ratchet\ConnectionInterface && $conn instanceof \Ratchet\Wamp\WampConnection,
            'address' => $conn->remoteAddress,
            'session' => $conn->WAMP->sessionId,
            'topics' => count($conn->WAMP->subscriptions),
            'method' => $request->getMethod(),
            'path' => $request->getUri()->getPath(),
            'query' => $request->getUri()->getQuery(),
            'uri' => (string) $request->getUri(),
            'port' => $request->getUri()->getPort(),
            'line' => $request->getHeaderLine('x-many'),
            'many' => $request->getHeader('X-MANY'),
            'none' => $request->getHeader('nothing'),
            'target' => $request->getRequestTarget(),
            'cookie' => $old->getCookie('a'),
            'nocookie' => $old->getCookie('z'),
            'room' => $old->getUrl(true)->getQuery()->get('room'),
            'array' => $old->getQuery()['room'],
            'url' => $old->getUrl(),
            'agent' => (string) $old->getHeader('User-Agent'),
            'isset' => [isset($conn->WAMP), isset($conn->Session), isset($conn->mine)],
        ], JSON_UNESCAPED_SLASHES), "\n";
        $conn->mine = ['deep' => ['est' => new \ArrayObject([1])]];
        $conn->mine['deep']['more'] = 2;
        $conn->self = $conn;
        $conn->getUri('x');
        $conn->facts = 'not ours';
    }

    public function disconnected($event)
    {
        $conn = $event->getConnection();
        echo json_encode([
            $this->seen[$conn->resourceId] === $conn,
            $conn->self === $conn,
            $conn->mine['deep']['more'],
            $conn->mine['deep']['est'][0],
            $conn->facts,
            $conn->remoteAddress,
        ]), "\n";
        unset($conn->mine);
        echo json_encode([isset($conn->mine), @$conn->mine, $conn->nothing]), "\n";
    }
}
PHP;

return [
    'a connection shows its handshake as Ratchet 0.4 and 0.2 did' => static function () {
        $worker = (new Project())->withClass(LOOKER)->withServices('<service id="looker" class="Acme\HelloBundle\Looker">
            <tag name="kernel.event_listener" event="clank.client.connected" method="connected" />
            <tag name="kernel.event_listener" event="clank.client.disconnected" method="disconnected" />
        </service>')->worker();
        $headers = [['Host', 'example.org:81'], ['X-Many', '1'], ['x-many', '2'], ['User-Agent', 'ua'],
            ['Cookie', 'a=b%20c; d=e']];
        same([], $worker->open(4, ['headers' => $headers])->done['errors'] ?? []);
        $worker->close(4);
        $lines = explode("\n", $worker->output());
        same([
            'ratchet' => true,
            'address' => '127.0.0.1',
            'session' => 'session-4',
            'topics' => 0,
            'method' => 'GET',
            'path' => '/chat',
            'query' => 'room=1',
            'uri' => 'ws://example.org:81/chat?room=1',
            'port' => 81,
            'line' => '1, 2',
            'many' => ['1', '2'],
            'none' => [],
            'target' => '/chat?room=1',
            'cookie' => 'b c',
            'nocookie' => null,
            'room' => '1',
            'array' => '1',
            'url' => 'ws://example.org:81/chat?room=1',
            'agent' => 'ua',
            'isset' => [true, false, false],
        ], json_decode($lines[0], true));
        same('[true,true,2,1,"not ours","127.0.0.1"]', $lines[1]);
        same('[false,null,null]', $lines[2]);
        contains('Nothing has set $nothing on this connection, asked for in ', $worker->errors());
        contains('Looker.php:55', $worker->errors());
        same(1, substr_count($worker->errors(), "\n"));
    },
];
