<?php

namespace Clank\Tests;

/** An application written for Ratchet, which knows nothing of the bundle. */
const RATCHET_APP = <<<'PHP'
namespace Acme\HelloBundle;

use Ratchet\ConnectionInterface;
use Ratchet\Wamp\WampServerInterface;

class RatchetApp implements WampServerInterface
{
    private $late = [];

    public function onOpen(ConnectionInterface $conn)
    {
        echo "open {$conn->resourceId}\n";
        if ($conn->resourceId === 500) {
            throw new \TypeError('no');
        }
    }

    public function onClose(ConnectionInterface $conn)
    {
        echo "close {$conn->resourceId}\n";
    }

    public function onError(ConnectionInterface $conn, \Exception $e)
    {
        echo get_class($e), ' ', $e->getMessage(), "\n";
        $conn->close();
    }

    public function onSubscribe(ConnectionInterface $conn, $topic)
    {
        echo "subscribe $topic ", count($topic), "\n";
        $conn->event($topic, 'welcome');
    }

    public function onUnSubscribe(ConnectionInterface $conn, $topic)
    {
        echo "unsubscribe $topic\n";
    }

    public function onPublish(ConnectionInterface $conn, $topic, $event, array $exclude, array $eligible)
    {
        $topic->broadcast($event);
    }

    public function onCall(ConnectionInterface $conn, $id, $topic, array $params)
    {
        switch ($topic->getId()) {
            case 'later':
                $this->late[] = [$conn, $id];
                break;
            case 'now':
                foreach ($this->late as list($waiting, $call)) {
                    $waiting->callResult($call, ['waited' => true]);
                }
                $conn->callResult($id, $params);
                $conn->callResult($id, 'again');
                break;
            case 'no':
                $conn->callError($id, $topic, 'refused', ['why' => 'because']);
                break;
            default:
                throw new \RuntimeException('never heard of it');
        }
    }
}
PHP;

function hostedProject(): Project
{
    return (new Project())->withClass(RATCHET_APP)
        ->withServices('<service id="acme.app" class="Acme\HelloBundle\RatchetApp" />')
        ->withConfig("clank:\n    wamp_server: acme.app");
}

return [
    'a Ratchet application gets everything' => static function () {
        $worker = hostedProject()->worker();
        same([true, true], [$worker->hello['all_topics'], $worker->hello['all_calls']]);
        contains('clank.client.connected', implode(' ', $worker->hello['listeners']));
        $worker->open(1);
        $reply = $worker->ask('subscribe', ['id' => 1, 'topic' => 'http://example.org/a']);
        same([['op' => 'event', 'id' => 1, 'topic' => 'http://example.org/a', 'event' => 'welcome']], $reply->commands);
        same([broadcast('http://example.org/a', [1])], publish($worker, 1, 'http://example.org/a', [1])->commands);
        $worker->ask('unsubscribe', ['id' => 1, 'topic' => 'http://example.org/a', 'closing' => false]);
        $worker->close(1);
        same(
            "open 1\nsubscribe http://example.org/a 1\nunsubscribe http://example.org/a\nclose 1\n",
            $worker->output()
        );
    },
    'calls are answered at once, later, or by an error, and once' => static function () {
        $worker = hostedProject()->worker();
        $worker->open(1);
        $later = $worker->ask('call', ['id' => 1, 'procedure' => 'later', 'params' => []]);
        same([], $later->commands);
        $now = $worker->ask('call', ['id' => 1, 'procedure' => 'now', 'params' => ['a' => 1]]);
        same([
            ['op' => 'result', 'call' => $later->seq, 'value' => ['waited' => true]],
            ['op' => 'result', 'call' => $now->seq, 'value' => ['a' => 1]],
        ], $now->commands);
        same(['op' => 'call_error', 'call' => $now->seq + 1, 'uri' => 'no', 'description' => 'refused',
            'details' => ['why' => 'because']], call($worker, 'no'));
        same('never heard of it', call($worker, 'other')['description']);
    },
    'a call whose caller has left is not answered' => static function () {
        $worker = hostedProject()->worker();
        $worker->open(1);
        $worker->open(2);
        $worker->ask('call', ['id' => 2, 'procedure' => 'later', 'params' => []]);
        $worker->close(2);
        $now = $worker->ask('call', ['id' => 1, 'procedure' => 'now', 'params' => []]);
        same(1, count($now->commands));
    },
    'its errors come to onError, an \Error within an exception' => static function () {
        $worker = hostedProject()->worker();
        $failed = $worker->open(500);
        same('TypeError', $failed->done['errors'][0]['class']);
        $reply = $worker->ask('error', ['id' => 500, 'of' => $failed->seq, 'kind' => 'handler', 'message' => 'no']);
        same([['op' => 'close_client', 'id' => 500, 'code' => null]], $reply->commands);
        same("open 500\nErrorException no\n", $worker->output());
    },
];
