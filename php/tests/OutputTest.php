<?php

namespace Clank\Tests;

const PRINTER = <<<'PHP'
namespace Acme\HelloBundle;

class Printer
{
    public function connected($event)
    {
        switch ($event->getConnection()->resourceId) {
            case 1:
                echo 'no line end';
                break;
            case 2:
                trigger_error('old', E_USER_DEPRECATED);
                trigger_error('look', E_USER_NOTICE);
                trigger_error('mind', E_USER_WARNING);
                @trigger_error('hidden', E_USER_WARNING);
                echo $undefined;
                break;
            case 3:
                while (ob_get_level()) {
                    ob_end_clean();
                }
                break;
            case 4:
                ob_start();
                print 'inner';
                printf(' %d', 4);
                ob_end_flush();
                break;
            case 5:
                ob_start();
                echo "kept back\n";
                exit(3);
            case 6:
                echo json_encode([headers_sent(), ob_get_level(), error_reporting()]), "\n";
                break;
            case 7:
                echo str_repeat("0123456789\n", 20000);
        }
    }
}
PHP;

function printerWorker(): WorkerProcess
{
    return (new Project())->withClass(PRINTER)->withServices('<service id="printer" class="Acme\HelloBundle\Printer">
        <tag name="kernel.event_listener" event="clank.client.connected" method="connected" />
    </service>')->worker();
}

return [
    'what is echoed is out before done' => static function () {
        $worker = printerWorker();
        $worker->open(1);
        same('no line end', $worker->output());
        $worker->open(4);
        same('no line endinner 4', $worker->output());
        $worker->open(7);
        same(11 * 20000 + 18, strlen($worker->output()));
    },
    'complaints of PHP go to standard error, and a deprecation once' => static function () {
        $worker = printerWorker();
        $worker->open(2);
        $worker->open(2);
        same('', $worker->output());
        $errors = $worker->errors();
        same(1, substr_count($errors, 'PHP Deprecated: old in '));
        foreach (['PHP Notice: look in ', 'PHP Warning: mind in ', 'PHP Warning: Undefined variable'] as $line) {
            same(2, substr_count($errors, $line));
        }
        lacks('hidden', $errors);
    },
    'an application that ends the output buffer does not end it for good' => static function () {
        $worker = printerWorker();
        $worker->open(3);
        $worker->open(1);
        $worker->open(6);
        same("no line end[false,1,32767]\n", $worker->output());
    },
    'what an application keeps in a buffer is printed before it exits' => static function () {
        $worker = printerWorker();
        $worker->send('open', ['connection' => WorkerProcess::connection(5), 'rehydrated' => false]);
        same('died', $worker->frame()['op']);
        same(3, $worker->status());
        same("kept back\n", $worker->output());
    },
];
