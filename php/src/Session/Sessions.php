<?php

namespace JDare\ClankBundle\Session;

use JDare\ClankBundle\Worker\Application;

/** The sessions of the application's web pages, which connections share by their cookie. Nothing is ever written. */
final class Sessions
{
    public static function configured(Application $application): ?self
    {
        return null;
    }
}
