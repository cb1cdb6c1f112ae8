<?php

namespace Clank\Tests;

/** The page on events, whose class and whose XML run as they stand there. */
function page(string $language, string $file = 'ClankEvents.md'): string
{
    $text = file_get_contents(__DIR__.'/fixtures/'.$file);
    preg_match('~^```'.$language.'\n(.*?)^```~ms', $text, $match);

    return $match[1];
}

function pageProject(): Project
{
    return (new Project())->withClass(page('php'))->withServices(page('xml'));
}

return [
    'a client that connects and disconnects is printed by the page\'s listener' => static function () {
        $worker = pageProject()->worker();
        same(1, $worker->hello['version']);
        same(
            ['clank.client.connected', 'clank.client.disconnected', 'clank.client.error'],
            $worker->hello['listeners']
        );
        same([], $worker->open(42)->commands);
        same("42 connected\n", $worker->output());
        $worker->close(42);
        same("42 connected\n42 disconnected\n", $worker->output());
    },
    'an error is printed by the page\'s listener' => static function () {
        $worker = pageProject()->worker();
        $worker->open(7);
        $worker->ask('error', ['id' => 7, 'of' => null, 'kind' => 'socket', 'message' => 'reset by peer']);
        same("7 connected\nconnection error occurred: reset by peer\n", $worker->output());
        same('', $worker->errors());
    },
];
