<?php

namespace Clank\Tests;

/** As the bundle's documentation has it, in short. */
const CHAT = <<<'PHP'
namespace Acme\HelloBundle\Topic;

use JDare\ClankBundle\Topic\TopicInterface;
use Ratchet\ConnectionInterface as Conn;

class ChatTopic implements TopicInterface
{
    public function onSubscribe(Conn $conn, $topic)
    {
        $topic->broadcast($conn->resourceId.' has joined '.$topic->getId());
    }

    public function onUnSubscribe(Conn $conn, $topic)
    {
        $topic->broadcast($conn->resourceId.' has left '.$topic->getId().', '.count($topic).' stay');
    }

    public function onPublish(Conn $conn, $topic, $event, array $exclude, array $eligible)
    {
        $topic->broadcast(['sender' => $conn->resourceId, 'event' => $event], $exclude, $eligible);
    }
}
PHP;

/** Does what it is told by the event that is published. */
const PUPPET = <<<'PHP'
namespace Acme\HelloBundle\Topic;

use Ratchet\ConnectionInterface as Conn;
use Ratchet\Wamp\Topic;

class PuppetTopic implements \JDare\ClankBundle\Topic\TopicInterface
{
    private $kept;
    private $members;
    private $dispatcher;

    public function __construct()
    {
        $this->members = new \SplObjectStorage();
    }

    public function onSubscribe(Conn $conn, $topic)
    {
        $this->members->attach($conn);
        $conn->User = (object) ['name' => 'user '.$conn->resourceId];
        if ($topic->getId() === 'puppet/private') {
            $topic->remove($conn);
        }
    }

    public function onUnSubscribe(Conn $conn, $topic)
    {
        throw new \RuntimeException('no leaving');
    }

    public function onPublish(Conn $conn, $topic, $event, array $exclude, array $eligible)
    {
        if (!is_array($event)) {
            echo json_encode([$event, func_num_args(), $exclude, $eligible]), "\n";

            return;
        }
        $this->{$event[0]}($conn, $topic, $event[1] ?? null);
    }

    private function names($conn, Topic $topic)
    {
        $names = [];
        foreach ($topic as $member) {
            $names[] = $member->User->name;
            $topic->remove($member)->add($member);
        }
        echo implode(', ', $names), ' of ', count($topic), '; ', $topic, "\n";
    }

    private function identity($conn, Topic $topic)
    {
        foreach ($topic as $member) {
            echo json_encode([$this->members->contains($member), $topic->has($member)]);
        }
        foreach ($conn->WAMP->subscriptions as $subscribed) {
            echo $subscribed === $topic ? ' same' : ' other';
        }
        echo "\n";
    }

    private function whisper($conn, Topic $topic, $session)
    {
        $topic->broadcast('psst', [], [$session]);
    }

    private function others($conn, Topic $topic)
    {
        $topic->broadcast('hey', [$conn->WAMP->sessionId, 'nobody']);
    }

    private function each($conn, Topic $topic)
    {
        foreach ($topic->getIterator() as $member) {
            $member->event($topic, ['to' => $member->resourceId]);
        }
    }

    private function raw($conn)
    {
        $conn->send('[8,"raw",1]');
        $conn->prefix('ex', 'http://example.org/');
        $conn->close();
        $conn->close(4000);
    }

    private function keep($conn, Topic $topic)
    {
        echo $this->kept === $topic ? 'same' : 'new', "\n";
        $this->kept = $topic;
    }

    private function garbage($conn, Topic $topic)
    {
        $topic->broadcast("caf\xe9");
    }

    private function foreign($conn, Topic $topic)
    {
        $wrapped = new class($conn) implements Conn {
            public $resourceId;

            public function __construct($conn)
            {
                $this->resourceId = $conn->resourceId;
            }

            public function send($data)
            {
            }

            public function close()
            {
            }
        };
        echo json_encode($topic->has($wrapped)), "\n";
    }
}
PHP;

function topicProject(): Project
{
    return (new Project())->withClass(CHAT)->withClass(PUPPET)
        ->withServices('<service id="acme.chat" class="Acme\HelloBundle\Topic\ChatTopic" />')
        ->withServices('<service id="acme.puppet" class="Acme\HelloBundle\Topic\PuppetTopic" public="false" />')
        ->withConfig(<<<'YAML'
clank:
    topic:
        - { name: "acme/channel", service: "acme.chat" }
        - { name: puppet, service: "@acme.puppet" }
YAML
        );
}

function members(WorkerProcess $worker, string $topic, int ...$ids): void
{
    foreach ($ids as $id) {
        $worker->open($id);
        $worker->ask('subscribe', ['id' => $id, 'topic' => $topic]);
    }
}

function publish(WorkerProcess $worker, int $id, string $topic, $event, array $more = []): Reply
{
    return $worker->ask('publish', $more + compact('id', 'topic', 'event') + ['exclude' => [], 'eligible' => null]);
}

function broadcast(string $topic, $event, array $exclude = [], ?array $eligible = null): array
{
    return ['op' => 'broadcast'] + compact('topic', 'event', 'exclude', 'eligible');
}

return [
    'hello names the first segments of the configured topics' => static function () {
        same(['acme', 'puppet'], topicProject()->worker()->hello['topics']);
    },
    'a handler broadcasts when members come, publish and leave' => static function () {
        $worker = topicProject()->worker();
        $worker->open(1);
        $worker->open(2);
        $joined = $worker->ask('subscribe', ['id' => 1, 'topic' => 'acme/channel']);
        same([broadcast('acme/channel', '1 has joined acme/channel')], $joined->commands);
        $worker->ask('subscribe', ['id' => 2, 'topic' => 'acme/channel']);
        $published = publish($worker, 1, 'acme/channel', ['msg' => 'hi']);
        same([broadcast('acme/channel', ['sender' => 1, 'event' => ['msg' => 'hi']])], $published->commands);
        $left = $worker->ask('unsubscribe', ['id' => 1, 'topic' => 'acme/channel', 'closing' => false]);
        same([broadcast('acme/channel', '1 has left acme/channel, 1 stay')], $left->commands);
    },
    'who a publication excludes and chooses goes through the handler as session ids' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'acme/channel', 1, 2, 3);
        $reply = publish($worker, 1, 'acme/channel', 'x', ['exclude' => [1], 'eligible' => [2, 3, 99]]);
        same([broadcast('acme/channel', ['sender' => 1, 'event' => 'x'], [1], [2, 3])], $reply->commands);
        publish($worker, 1, 'puppet', 'x', ['exclude' => [1], 'eligible' => [2]]);
        same('["x",5,["session-1"],["session-2"]]'."\n", $worker->output());
    },
    'a falsy event reaches onPublish with all five arguments' => static function () {
        $worker = topicProject()->worker();
        $worker->open(1);
        foreach ([0, '', false, null] as $event) {
            publish($worker, 1, 'puppet', $event);
        }
        same("[0,5,[],[]]\n[\"\",5,[],[]]\n[false,5,[],[]]\n[null,5,[],[]]\n", $worker->output());
    },
    'a topic without a handler is broadcast to whom the publisher wants' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'acme/other', 1, 2);
        same([broadcast('acme/other', 0, [1], [1, 2])], publish($worker, 1, 'acme/other', 0, [
            'exclude' => [1],
            'eligible' => [1, 2],
        ])->commands);
    },
    'a handler walks the members and reads the objects that hang on them' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'puppet', 1, 2);
        $reply = publish($worker, 1, 'puppet', ['names']);
        same("user 1, user 2 of 2; puppet\n", $worker->output());
        same(['remove', 'add', 'remove', 'add'], array_column($reply->commands, 'op'));
        same('', $worker->errors());
    },
    'connections and topics are the same objects each time' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'puppet/room', 1, 2);
        publish($worker, 1, 'puppet/room', ['identity']);
        same("[true,true][true,true] same\n", $worker->output());
    },
    'a topic that the application keeps is the same when members come again' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'puppet', 1);
        publish($worker, 1, 'puppet', ['keep']);
        $worker->close(1);
        members($worker, 'puppet', 2);
        publish($worker, 2, 'puppet', ['keep']);
        same("new\nsame\n", $worker->output());
    },
    'a broadcast to chosen sessions, or to others, names connections' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'puppet', 1, 2);
        same([broadcast('puppet', 'psst', [], [2])], publish($worker, 1, 'puppet', ['whisper', 'session-2'])->commands);
        same([broadcast('puppet', 'psst', [], [])], publish($worker, 1, 'puppet', ['whisper', 'gone'])->commands);
        same([broadcast('puppet', 'hey', [1], null)], publish($worker, 1, 'puppet', ['others'])->commands);
    },
    'events for single members' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'puppet', 1, 2);
        same([
            ['op' => 'event', 'id' => 1, 'topic' => 'puppet', 'event' => ['to' => 1]],
            ['op' => 'event', 'id' => 2, 'topic' => 'puppet', 'event' => ['to' => 2]],
        ], publish($worker, 2, 'puppet', ['each'])->commands);
    },
    'raw messages, prefixes and closing' => static function () {
        $worker = topicProject()->worker();
        $worker->open(1);
        same([
            ['op' => 'send', 'id' => 1, 'text' => '[8,"raw",1]'],
            ['op' => 'send', 'id' => 1, 'text' => '[1,"ex","http:\/\/example.org\/"]'],
            ['op' => 'close_client', 'id' => 1, 'code' => null],
            ['op' => 'close_client', 'id' => 1, 'code' => 4000],
        ], publish($worker, 1, 'puppet', ['raw'])->commands);
    },
    'a handler turns a member away' => static function () {
        $worker = topicProject()->worker();
        $worker->open(1);
        $reply = $worker->ask('subscribe', ['id' => 1, 'topic' => 'puppet/private']);
        same([['op' => 'remove', 'topic' => 'puppet/private', 'id' => 1]], $reply->commands);
        publish($worker, 1, 'puppet/private', ['names']);
        same(" of 0; puppet/private\n", $worker->output());
    },
    'a handler asks for a connection that it has wrapped' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'puppet', 1);
        publish($worker, 1, 'puppet', ['foreign']);
        same("true\n", $worker->output());
    },
    'what can\'t be JSON is an error of the handler that sent it' => static function () {
        $worker = topicProject()->worker();
        $worker->open(1);
        $reply = publish($worker, 1, 'puppet', ['garbage']);
        same([], $reply->commands);
        contains('Malformed UTF-8', $reply->done['errors'][0]['message']);
    },
    'an exception of a handler is told in done' => static function () {
        $worker = topicProject()->worker();
        members($worker, 'puppet', 1);
        $reply = $worker->ask('unsubscribe', ['id' => 1, 'topic' => 'puppet', 'closing' => false]);
        same('no leaving', $reply->done['errors'][0]['message']);
        publish($worker, 1, 'puppet', ['names']);
        same(" of 0; puppet\n", $worker->output());
    },
    'a connection that ends has its topics until it is told of' => static function () {
        $worker = lifecycleProject()->withClass(CHAT)
            ->withServices('<service id="acme.chat" class="Acme\HelloBundle\Topic\ChatTopic" />')
            ->withConfig("clank:\n    topic: [{ name: chat, service: acme.chat }]")->worker();
        members($worker, 'chat', 1, 2);
        $reply = $worker->ask('unsubscribe', ['id' => 1, 'topic' => 'chat', 'closing' => true]);
        same([broadcast('chat', '1 has left chat, 1 stay')], $reply->commands);
        $worker->close(1);
        contains("client 1 left chat client_closed", $worker->output());
    },
    'with unsubscribe_on_close off, a connection that ends leaves no topic of its own' => static function () {
        $worker = lifecycleProject()->withClass(CHAT)
            ->withServices('<service id="acme.chat" class="Acme\HelloBundle\Topic\ChatTopic" />')
            ->withConfig("clank:\n    topic: [{ name: chat, service: acme.chat }]\n    unsubscribe_on_close: false")
            ->worker();
        members($worker, 'chat', 1, 2);
        $reply = $worker->ask('unsubscribe', ['id' => 1, 'topic' => 'chat', 'closing' => true]);
        same([], $reply->commands);
        $worker->close(1);
        $left = $worker->ask('unsubscribe', ['id' => 2, 'topic' => 'chat', 'closing' => false]);
        same([broadcast('chat', '2 has left chat, 0 stay')], $left->commands);
    },
    'requests about connections that are not there do nothing' => static function () {
        $worker = topicProject()->worker();
        foreach (['subscribe', 'unsubscribe', 'publish'] as $op) {
            $reply = $worker->ask($op, ['id' => 9, 'topic' => 'acme/channel', 'event' => 1, 'closing' => false]);
            same([[], ['op' => 'done', 'seq' => $reply->seq]], [$reply->commands, $reply->done]);
        }
    },
];
