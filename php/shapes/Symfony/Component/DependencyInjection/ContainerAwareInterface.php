<?php

namespace Symfony\Component\DependencyInjection;

/** The shape of an interface that Symfony 7 no longer has. */
interface ContainerAwareInterface
{
    public function setContainer(?ContainerInterface $container = null);
}
