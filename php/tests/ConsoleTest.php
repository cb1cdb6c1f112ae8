<?php

namespace Clank\Tests;

use JDare\ClankBundle\Twig\ClankExtension;

require_once dirname(__DIR__).'/autoload.php';

function console(Project $project, array $environment, string ...$arguments): array
{
    $project->folder->write('console.php', <<<'PHP'
<?php
require __DIR__.'/autoload.php';
$kernel = new App\Kernel('prod', false);
exit((new Symfony\Bundle\FrameworkBundle\Console\Application($kernel))->run());
PHP
    );
    $project->path();
    $command = array_merge([PHP_BINARY, $project->folder->path.'/console.php'], $arguments);
    $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes, null, $environment + ['CLANK_SYMFONY' => (string) getenv('CLANK_SYMFONY')]);
    $output = stream_get_contents($pipes[1]).stream_get_contents($pipes[2]);

    return [proc_close($process), $output];
}

function twig(array $client, string $host, int $port): string
{
    return (new ClankExtension($client + ['uri' => null, 'script' => null], $host, $port))->clientOutput();
}

return [
    'clank:server starts the program with the application' => static function () {
        $project = new Project();
        $program = $project->folder->write('fake clank', "#!/bin/sh\nprintf '%s|' \"\$@\"\nexit 7\n");
        chmod($program, 0700);
        list($status, $output) = console($project, ['CLANK_BIN' => $program], 'clank:server', '--', '--journal', 'x y');
        same(7, $status);
        contains('server|--symfony|'.$project->folder->path.'|--env|prod|--no-debug|--journal|x y|', $output);
    },
    'clank:server without the program says what to do' => static function () {
        list($status, $output) = console(new Project(), ['PATH' => '/nowhere', 'COLUMNS' => '200'], 'clank:server');
        same(1, $status);
        contains('The program "clank" is not there. Install clank, or set CLANK_BIN to its path.', $output);
    },
    'a template has the script and the address' => static function () {
        $project = (new Project())->withBundle('Symfony\Bundle\TwigBundle\TwigBundle')->withConfig(<<<'YAML'
clank:
    web_socket_server: { host: example.org, port: 81 }
services:
    probe:
        class: Acme\HelloBundle\Probe
        arguments: ['@twig']
        tags: [{ name: kernel.event_listener, event: clank.server.launched, method: launched }]
YAML
        )->withClass(<<<'PHP'
namespace Acme\HelloBundle;

class Probe
{
    private $twig;

    public function __construct($twig)
    {
        $this->twig = $twig;
    }

    public function launched()
    {
        echo $this->twig->createTemplate('{{ clank_client() }}')->render([]);
    }
}
PHP
        );
        $worker = $project->worker();
        $worker->ask('begin', ['generation' => 1, 'address' => 'ws://x', 'previous' => null]);
        same(
            '<script type="text/javascript" src="http://example.org:81/clank.js"></script>'."\n".
            '<script type="text/javascript">var _CLANK_URI = "ws://example.org:81";</script>',
            $worker->output()
        );
    },
    'the address that browsers see may be another than the server\'s' => static function () {
        contains('src="https://example.org/clank.js"', twig(['uri' => 'wss://example.org/ws'], '127.0.0.1', 8080));
        contains('"wss://example.org/ws"', twig(['uri' => 'wss://example.org/ws'], '127.0.0.1', 8080));
        contains('src="/js/clank.js"', twig(['script' => '/js/clank.js'], '127.0.0.1', 8080));
        contains('"ws://localhost:8080"', twig([], '0.0.0.0', 8080));
        contains('"ws://[::1]:8080"', twig([], '::1', 8080));
        lacks('</script><b>', twig(['uri' => 'ws://x/</script><b>'], '', 1));
    },
];
