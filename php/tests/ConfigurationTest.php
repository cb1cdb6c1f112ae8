<?php

namespace Clank\Tests;

function refused(Project $project): string
{
    return $project->worker(['expect' => 'refused'])->hello['message'];
}

return [
    'a service that is missing is named with its place and the nearest' => static function () {
        $message = refused((new Project())->withClass(SERVICE)
            ->withServices('<service id="acme_hello.rpc_service" class="Acme\HelloBundle\RPC\AcmeService" />')
            ->withConfig("clank:\n    rpc:\n        - { name: sample, service: acme_hello.rpc_servise }"));
        contains('clank.rpc names the service "acme_hello.rpc_servise" (', $message);
        contains('/config/config.yml:6), which is not there. Did you mean "acme_hello.rpc_service"?', $message);
    },
    'a key that is unknown is named with the nearest' => static function () {
        $message = refused((new Project())->withConfig("clank:\n    topics: []"));
        contains('Unrecognized option "topics" under "clank"', $message);
        contains('topic', $message);
    },
    'an interval that is no number is refused' => static function () {
        $message = refused((new Project())->withConfig("clank:\n    periodic: [{ service: x, time: often }]"));
        contains('"often" is no number of milliseconds', $message);
    },
    'the configuration of the documentation is read' => static function () {
        $project = (new Project())->withClass(CHAT)->withClass(SERVICE)->withClass(PERIODIC)->withServices(<<<'XML'
<service id="acme_hello.topic_sample_service" class="Acme\HelloBundle\Topic\ChatTopic" />
<service id="acme_hello.rpc_sample_service" class="Acme\HelloBundle\RPC\AcmeService" />
<service id="acme_hello.periodic_sample_service" class="Acme\HelloBundle\Clock" />
XML
        )->withConfig(<<<'YAML'
parameters:
    clank_host: 127.0.0.1
    clank_port: 8080
clank:
    web_socket_server:
        port: "%clank_port%"        #The port the socket server will listen on
        host: "%clank_host%"   #(optional) The host ip to bind to
    rpc:
        -
            name: "sample"
            service: "acme_hello.rpc_sample_service"
    topic:
        -
            name: "acme/channel"
            service: "acme_hello.topic_sample_service"
    periodic:
        -
            service: "acme_hello.periodic_sample_service"
            time: 5000
YAML
        );
        $hello = $project->worker()->hello;
        same([['host' => '127.0.0.1', 'port' => 8080], ['acme'], ['sample'], 5000], [
            $hello['listen'],
            $hello['topics'],
            $hello['rpcs'],
            $hello['periodics'][0]['interval_ms'],
        ]);
    },
    'old ids and parameters are there' => static function () {
        $probe = <<<'PHP'
namespace Acme\HelloBundle;

class Probe
{
    private $container;

    public function __construct($container)
    {
        $this->container = $container;
    }

    public function launched($event)
    {
        $server = $this->container->get('JDare_clank.web_socket_server');
        echo json_encode([
            $server === $this->container->get('jdare_clank.web_socket_server'),
            $server->getLoop() === $event->getEventLoop(),
            $server->getAddress(),
            $server->getName(),
            $this->container->getParameter('jdare_clank.web_socket_server.port'),
            $this->container->getParameter('jdare_clank.topic_services'),
            $this->container->get('JDare_clank.entry_point') instanceof \JDare\ClankBundle\Server\EntryPoint,
        ]), "\n";
    }
}
PHP;
        $worker = (new Project())->withClass($probe)->withServices('<service id="probe" class="Acme\HelloBundle\Probe">
            <argument type="service" id="service_container" />
            <tag name="kernel.event_listener" event="clank.server.launched" method="launched" />
        </service>')->withConfig("clank:\n    web_socket_server: { port: '81', host: ~ }")->worker();
        $worker->ask('begin', ['generation' => 1, 'address' => 'ws://x', 'previous' => null]);
        same('[true,true,"*:81","Clank WebSocket Server",81,[],true]'."\n", $worker->output());
    },
    'old code gets services from the container, dispatches with the name first, and extends ContainerAware' =>
    static function () {
        $old = <<<'PHP'
namespace Acme\HelloBundle\RPC;

use Symfony\Component\DependencyInjection\ContainerAware;
use Symfony\Component\EventDispatcher\Event;

class OldService extends ContainerAware
{
    public function go($conn, $params)
    {
        $event = new Event();
        $this->container->get('event_dispatcher')->dispatch('acme.happened', $event);

        return [get_class($this->container->get('acme_hello.private')), $event->isPropagationStopped()];
    }

    public function happened(Event $event)
    {
        $event->stopPropagation();
    }
}
PHP;
        $worker = (new Project())->withClass($old)->withServices('
            <service id="acme_hello.private" class="ArrayObject" public="false" />
            <service id="acme_hello.old" class="Acme\HelloBundle\RPC\OldService">
                <call method="setContainer"><argument type="service" id="service_container" /></call>
                <tag name="kernel.event_listener" event="acme.happened" method="happened" />
            </service>')->withConfig(<<<'YAML'
clank:
    rpc: [{ name: old, service: acme_hello.old }]
    public_services: ['acme_hello.*']
    legacy_dispatch: true
YAML
            )->worker();
        $worker->open(1);
        same(['ArrayObject', true], call($worker, 'old/go')['value'] ?? null);
        same('Unable to find that command', call($worker, 'old/set_container')['description']);
    },
    'service files are read without a bundle that reads them' => static function () {
        $project = (new Project())->withConfig("clank:\n    service_files: ['%kernel.project_dir%/page.xml']");
        $project->withClass(page('php'))->folder->write('page.xml', page('xml'));
        $worker = $project->worker();
        $worker->open(42);
        same("42 connected\n", $worker->output());
    },
];
