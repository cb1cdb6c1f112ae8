<?php

namespace Clank\Tests;

function booted(string $path, array $options = []): WorkerProcess
{
    return new WorkerProcess($path, $options);
}

function refusal(string $path): array
{
    return booted($path, ['expect' => 'refused'])->hello;
}

return [
    'a PHP file returns a kernel, or a closure that makes one' => static function () {
        $project = pageProject();
        $folder = $project->path();
        $files = [
            'return new App\Kernel("prod", false);',
            'return static function ($environment, $debug) { return new App\Kernel($environment, $debug); };',
            'return static function (array $context) { return new App\Kernel($context["APP_ENV"], $context["APP_DEBUG"]); };',
        ];
        foreach ($files as $at => $text) {
            $file = $project->folder->write("app$at.php", "<?php require __DIR__.'/autoload.php'; $text");
            $worker = booted($file);
            $worker->open(1);
            same("1 connected\n", $worker->output());
        }
    },
    'a project of old has its kernel in app' => static function () {
        $project = pageProject();
        $folder = $project->path();
        $kernel = str_replace(['namespace App;', 'class Kernel'], ['', 'class AppKernel'], Project::KERNEL);
        $project->folder->write('app/AppKernel.php', $kernel);
        unlink($folder.'/src/Kernel.php');
        $worker = booted($folder);
        $worker->open(1);
        same("1 connected\n", $worker->output());
    },
    'environment and debug come from the command line, else from .env' => static function () {
        $project = lifecycleProject()->withConfig("services:\n    probe: { class: ArrayObject, public: true }");
        $folder = $project->path();
        $project->folder->write('.env', "APP_ENV=fromfile\n");
        booted($folder, ['arguments' => []]);
        booted($folder, ['arguments' => ['--env=said', '--no-debug']]);
        booted($folder, ['arguments' => [], 'environment' => ['APP_ENV' => 'outside']]);
        $environments = array_diff(scandir($folder.'/var/cache'), ['.', '..']);
        sort($environments);
        same(['fromfile', 'outside', 'said'], $environments);
    },
    'in development the worker tells which files ask for a new one' => static function () {
        $project = pageProject();
        $worker = booted($project->path(), ['arguments' => ['--env=dev']]);
        $files = $worker->frame();
        same('watch', $files['op']);
        $text = implode("\n", $files['files']);
        foreach (['src/Kernel.php', 'config/config.yml', 'config/bundles.php', 'src/Acme/HelloBundle/Resources/config/services.xml'] as $file) {
            contains($project->folder->path.'/'.$file, $text);
        }
        lacks('/var/cache/', $text);
    },
    'a file that is read later is told of later, once' => static function () {
        $project = pageProject();
        $project->folder->write('later.php', '<?php // Read by a listener.');
        $project->withServices('<service id="later" class="Acme\HelloBundle\Later">
            <tag name="kernel.event_listener" event="clank.client.connected" method="connected" />
        </service>')->withClass(<<<'PHP'
namespace Acme\HelloBundle;

class Later
{
    public function connected()
    {
        require_once dirname(__DIR__, 3).'/later.php';
    }
}
PHP
        );
        $worker = booted($project->path(), ['arguments' => ['--env=dev']]);
        same('watch', $worker->frame()['op']);
        contains($project->folder->path.'/later.php', implode("\n", $worker->open(1)->commands[0]['files']));
        same([], $worker->open(2)->commands);
    },
    'what is no application is refused in words' => static function () {
        $folder = new Folder();
        contains('There is no application at "/nowhere/at/all"', refusal('/nowhere/at/all')['message']);
        contains('has neither src/Kernel.php nor app/AppKernel.php, and none of vendor/autoload.php',
            refusal($folder->path)['message']);
        $file = $folder->write('odd.php', '<?php return new ArrayObject();');
        contains('returns an object of ArrayObject, where it should return a kernel', refusal($file)['message']);
        $file = $folder->write('throws.php', '<?php throw new DomainException("broken");');
        $refusal = refusal($file);
        $told = [$refusal['class'], $refusal['message'], $refusal['file'], $refusal['line']];
        same(['DomainException', 'broken', $file, 1], $told);
    },
    'a start that ends in a syntax error, a fatal error or exit() is refused' => static function () {
        $folder = new Folder();
        $refusal = refusal($folder->write('syntax.php', "<?php\n\nthis is not PHP;"));
        same(['ParseError', 3], [$refusal['class'], $refusal['line']]);
        contains('Cannot declare class', refusal($folder->write('fatal.php', '<?php if (true) { class A {} } class A {}'))['message']);
        contains('ended PHP by exit()', refusal($folder->write('exit.php', '<?php exit("bye");'))['message']);
    },
    'an application without the bundle is told how to register it' => static function () {
        $project = new Project();
        $folder = $project->path();
        $project->folder->write('config/bundles.php', '<?php return [];');
        $project->folder->write('config/config.yml', "framework: { secret: x, http_method_override: false }");
        contains('config/bundles.php', refusal($folder)['message']);
    },
    'an older copy of the bundle in the application is not the one that runs' => static function () {
        $project = pageProject();
        $folder = $project->path();
        $project->folder->write('old/JDareClankBundle.php', '<?php namespace JDare\ClankBundle; die("old");');
        $autoload = $project->folder->path.'/autoload.php';
        file_put_contents($autoload, <<<'PHP'

spl_autoload_register(static function ($class) {
    if ($class === 'JDare\ClankBundle\JDareClankBundle') {
        require __DIR__.'/old/JDareClankBundle.php';
    }
}, true, true);
PHP
        , FILE_APPEND);
        $worker = booted($folder);
        $worker->open(1);
        same("1 connected\n", $worker->output());
    },
    'the application\'s own Ratchet is the one that is used' => static function () {
        $project = topicProject();
        $project->folder->write('src/Ratchet/ConnectionInterface.php', '<?php namespace Ratchet;
            interface ConnectionInterface { const OWN = true; function send($data); function close(); }');
        $worker = $project->worker();
        members($worker, 'acme/channel', 1);
        same([broadcast('acme/channel', ['sender' => 1, 'event' => 1])], publish($worker, 1, 'acme/channel', 1)->commands);
    },
    'without its socket the worker says how it is started' => static function () {
        $worker = dirname(__DIR__).'/bin/worker.php';
        exec(PHP_BINARY.' '.escapeshellarg($worker).' 2>&1', $lines, $status);
        same(64, $status);
        contains('Usage: php worker.php --app=PATH', $lines[0]);
    },
];
