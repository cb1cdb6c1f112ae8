<?php

namespace JDare\ClankBundle\Worker;

/** Something without which the worker can't go on; not a matter of the application's. */
final class WorkerFailure extends \RuntimeException
{
}
