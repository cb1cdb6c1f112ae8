<?php

namespace JDare\ClankBundle\Worker;

/** For applications that bring React. */
final class ReactTimer extends Timer implements \React\EventLoop\TimerInterface
{
}
