<?php
// WAMP v1 by Ratchet: topics that broadcast, and a procedure `sample/add`: php ratchet.php PORT
// VENDOR names Composer's folder.

require getenv('VENDOR') . '/autoload.php';

use Ratchet\ConnectionInterface;
use Ratchet\Wamp\WampServerInterface;

error_reporting(E_ALL & ~E_DEPRECATED);

final class Bench implements WampServerInterface
{
    public function onPublish(ConnectionInterface $client, $topic, $event, array $exclude, array $eligible)
    {
        $topic->broadcast($event);
    }

    public function onCall(ConnectionInterface $client, $id, $procedure, array $terms)
    {
        if ($procedure->getId() === 'sample/add') {
            $client->callResult($id, [array_sum($terms)]);
        } else {
            $client->callError($id, $procedure, 'no such procedure');
        }
    }

    public function onSubscribe(ConnectionInterface $client, $topic)
    {
    }

    public function onUnSubscribe(ConnectionInterface $client, $topic)
    {
    }

    public function onOpen(ConnectionInterface $client)
    {
    }

    public function onClose(ConnectionInterface $client)
    {
    }

    public function onError(ConnectionInterface $client, Exception $error)
    {
        fwrite(STDERR, $error->getMessage() . "\n");
    }
}

// select() is what PHP has without extensions; it ends at 1,024 descriptors.
$loop = new React\EventLoop\StreamSelectLoop();
$socket = new React\Socket\SocketServer("127.0.0.1:$argv[1]", ['tcp' => ['backlog' => 1024]], $loop);
$wamp = new Ratchet\WebSocket\WsServer(new Ratchet\Wamp\WampServer(new Bench()));
$server = new Ratchet\Server\IoServer(new Ratchet\Http\HttpServer($wamp), $socket, $loop);
$loop->run();
