<?php

namespace Clank\Tests;

/** The page on events, whose class and whose XML run as they stand there. */
function page(string $language, string $file = 'ClankEvents.md'): string
{
    $text = file_get_contents(dirname(__DIR__).'/fixtures/'.$file);
    preg_match('~^```'.$language.'\n(.*?)^```~ms', $text, $match);

    return $match[1];
}

function pageProject(): Project
{
    return (new Project())->withClass(page('php'))->withServices(page('xml'));
}
