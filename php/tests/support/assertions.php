<?php

namespace Clank\Tests;

function same($expected, $actual, string $what = ''): void
{
    if ($expected !== $actual) {
        $show = static function ($value) {
            return is_string($value) ? '"'.$value.'"' : json_encode($value, JSON_UNESCAPED_SLASHES);
        };
        throw new Failure(ltrim("$what: expected {$show($expected)}, got {$show($actual)}", ': '));
    }
}

function contains(string $part, string $whole): void
{
    if (strpos($whole, $part) === false) {
        throw new Failure("\"$part\" is not in \"$whole\"");
    }
}

function lacks(string $part, string $whole): void
{
    if (strpos($whole, $part) !== false) {
        throw new Failure("\"$part\" is in \"$whole\"");
    }
}
