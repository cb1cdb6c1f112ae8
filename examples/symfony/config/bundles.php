<?php

return [
    Symfony\Bundle\FrameworkBundle\FrameworkBundle::class => ['all' => true],
    JDare\ClankBundle\JDareClankBundle::class => ['all' => true],
    Acme\HelloBundle\AcmeHelloBundle::class => ['all' => true],
];
