<?php

namespace Acme\HelloBundle\Periodic;

use JDare\ClankBundle\Periodic\PeriodicInterface;

class AcmePeriodic implements PeriodicInterface
{
    public function tick()
    {
        echo 'a second has passed', PHP_EOL;
    }
}
