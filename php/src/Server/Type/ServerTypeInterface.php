<?php

namespace JDare\ClankBundle\Server\Type;

interface ServerTypeInterface
{
    public function launch();

    public function getAddress();

    public function getName();
}
