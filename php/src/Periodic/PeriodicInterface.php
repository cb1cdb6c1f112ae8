<?php

namespace JDare\ClankBundle\Periodic;

/** What a periodic service implements. */
interface PeriodicInterface
{
    public function tick();
}
