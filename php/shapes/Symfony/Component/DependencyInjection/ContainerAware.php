<?php

namespace Symfony\Component\DependencyInjection;

/** The shape of a class that Symfony 3 no longer has. */
abstract class ContainerAware implements ContainerAwareInterface
{
    use ContainerAwareTrait;
}
