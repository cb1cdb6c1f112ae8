<?php

namespace JDare\ClankBundle\Topic;

use JDare\ClankBundle\Server\App\Handler\TopicHandlerInterface;

/** What a topic's service implements. */
interface TopicInterface extends TopicHandlerInterface
{
}
