<?php

namespace Clank\Tests;

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
