<?php

namespace Clank\Tests;

final class Failure extends \Exception
{
}
