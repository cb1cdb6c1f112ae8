<?php

namespace Acme\HelloBundle\Topic;

use JDare\ClankBundle\Topic\TopicInterface;
use Ratchet\ConnectionInterface as Conn;

class AcmeTopic implements TopicInterface
{
    public function onSubscribe(Conn $conn, $topic)
    {
        $topic->broadcast($conn->resourceId.' has joined '.$topic->getId());
    }

    public function onUnSubscribe(Conn $conn, $topic)
    {
        $topic->broadcast($conn->resourceId.' has left '.$topic->getId());
    }

    public function onPublish(Conn $conn, $topic, $event, array $exclude, array $eligible)
    {
        if ($event === 'fail') {
            throw new \RuntimeException('the handler was asked to fail');
        }
        $conn->published = ($conn->published ?? 0) + 1;
        $topic->broadcast([
            'sender' => $conn->resourceId,
            'number' => $conn->published,
            'members' => count($topic),
            'event' => $event,
        ], $exclude, $eligible);
    }
}
