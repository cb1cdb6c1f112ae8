<?php

namespace Symfony\Component\DependencyInjection;

/** The shape of a trait that Symfony 7 no longer has. */
trait ContainerAwareTrait
{
    protected $container;

    public function setContainer(?ContainerInterface $container = null)
    {
        $this->container = $container;
    }
}
