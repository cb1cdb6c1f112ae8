<?php

namespace Clank\Tests;

const SERVICE = <<<'PHP'
namespace Acme\HelloBundle\RPC;

use Ratchet\ConnectionInterface as Conn;

class AcmeService
{
    public static function make()
    {
        return new self();
    }

    public function __construct()
    {
    }

    public function setMailer($mailer)
    {
    }

    public function setContainer($container)
    {
    }

    public function addFunc(Conn $conn, $params)
    {
        return ['result' => array_sum($params)];
    }

    public function give(Conn $conn, array $params)
    {
        return $params[0] ?? null;
    }

    public function object()
    {
        return (object) ['a' => 1];
    }

    public function fail()
    {
        throw new \InvalidArgumentException('not like this', 12);
    }

    public function blow()
    {
        return missing_function();
    }

    public function needy(Conn $conn, $params, $third)
    {
    }

    public function garbage()
    {
        return "caf\xe9";
    }

    private function secret()
    {
        return 'secret';
    }
}
PHP;

function procedureProject(string $more = ''): Project
{
    return (new Project())->withClass(SERVICE)
        ->withServices('<service id="acme.rpc" class="Acme\HelloBundle\RPC\AcmeService">
            <call method="setMailer"><argument>no mailer</argument></call>
        </service>')
        ->withConfig("clank:\n    rpc:\n        - { name: sample, service: acme.rpc }\n".$more);
}

function call(WorkerProcess $worker, string $procedure, array $params = []): array
{
    $reply = $worker->ask('call', ['id' => 1, 'procedure' => $procedure, 'params' => $params]);
    same(['op' => 'done', 'seq' => $reply->seq], $reply->done);
    same(1, count($reply->commands));
    same($reply->seq, $reply->commands[0]['call']);

    return $reply->commands[0];
}

function callError(string $uri, string $description, array $details): array
{
    return ['op' => 'call_error', 'call' => 0] + compact('uri', 'description', 'details');
}

function sameAnswer(array $expected, array $answer): void
{
    $answer['call'] = 0;
    same($expected, $answer);
}

return [
    'hello names the configured services' => static function () {
        same(['sample'], procedureProject()->worker()->hello['rpcs']);
    },
    'a procedure is a method, whose name is written with underscores' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        same(['result' => 7], call($worker, 'sample/add_func', [2, 5])['value']);
        same(['result' => 7], call($worker, 'sample/add_func/more/of/it', [2, 5])['value']);
        same(['result' => 7], call($worker, 'sample/addFunc', ['a' => 2, 'b' => 5])['value']);
    },
    'scalars and objects come within an array, arrays as they are' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        foreach ([['x', ['x']], [true, [true]], [[1, 2], [1, 2]], [['a' => 1], ['a' => 1]]] as list($given, $got)) {
            same($got, call($worker, 'sample/give', [$given])['value']);
        }
        same([['a' => 1]], call($worker, 'sample/object')['value']);
    },
    'results that are falsy, but neither false nor null, are results' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        foreach ([[0, [0]], ['', ['']], [[], []], ['0', ['0']]] as list($given, $got)) {
            same($got, call($worker, 'sample/give', [$given])['value']);
        }
    },
    'with legacy_falsy_results they fail, as in the old bundle' => static function () {
        $worker = procedureProject('    legacy_falsy_results: true')->worker();
        $worker->open(1);
        $details = ['rpc' => 'sample/give', 'params' => [0]];
        $error = callError('sample/give', 'Unable to find that command', $details);
        sameAnswer($error, call($worker, 'sample/give', [0]));
    },
    'false and null are one error each' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        foreach ([false, null] as $value) {
            $details = ['rpc' => 'sample/give', 'params' => [$value]];
            $error = callError('sample/give', 'RPC Failed', $details);
            sameAnswer($error, call($worker, 'sample/give', [$value]));
        }
    },
    'an exception is an error with its message and code' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        $details = ['code' => 12, 'rpc' => 'sample/fail', 'params' => [1]];
        sameAnswer(callError('sample/fail', 'not like this', $details), call($worker, 'sample/fail', [1]));
    },
    'an \Error is an error too' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        contains('undefined function', call($worker, 'sample/blow')['description']);
        contains('Too few arguments', call($worker, 'sample/needy')['description']);
        contains('Malformed UTF-8', call($worker, 'sample/garbage')['description']);
    },
    'methods that are no procedures can\'t be found' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        $none = ['nothing', '__construct', 'make', 'secret', 'set_container', 'setcontainer', 'set_mailer', 'SETMAILER', ''];
        foreach ($none as $method) {
            $uri = 'sample/'.$method;
            $details = ['rpc' => $uri, 'params' => []];
            sameAnswer(callError($uri, 'Unable to find that command', $details), call($worker, $uri));
        }
    },
    'what is not found is told to the operator with its place and the nearest name' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        call($worker, 'sample/ad_func');
        call($worker, 'sample/ad_func');
        call($worker, 'simple/add_func');
        $errors = $worker->errors();
        contains('A client called "sample/ad_func": Acme\HelloBundle\RPC\AcmeService of "acme.rpc" (', $errors);
        contains('/config/config.yml:6) has no method adFunc(). Did you mean "addFunc"?', $errors);
        contains('"simple/add_func": no service is configured under that name. Did you mean "sample"?', $errors);
        same(2, substr_count($errors, "\n"));
    },
    'a name without a slash is formatted incorrectly' => static function () {
        $worker = procedureProject()->worker();
        $worker->open(1);
        $error = callError('sample', 'Incorrectly formatted Topic name', ['topic_name' => 'sample']);
        sameAnswer($error, call($worker, 'sample'));
    },
];
