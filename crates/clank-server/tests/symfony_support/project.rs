//! A Symfony application as they are, made of Debian's Symfony.

use super::Folder;

/// The page on events of the bundle: its class and its service run as they stand there.
pub const PAGE: &str = include_str!("../../../../php/tests/fixtures/ClankEvents.md");

pub const LISTENER: &str = "src/Acme/HelloBundle/EventListener/AcmeClientEventListener.php";

/// The block of one language on the page.
pub fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// The application of the page, with a service for calls, a topic and a tick beside it.
pub fn project(config: &str) -> Folder {
    let app = Folder::new();
    app.write(LISTENER, block("php"));
    app.write("src/Acme/HelloBundle/Resources/config/services.xml", &services());
    app.write("autoload.php", AUTOLOAD);
    app.write("src/Kernel.php", KERNEL);
    app.write("src/Acme/HelloBundle/AcmeHelloBundle.php", BUNDLE);
    app.write("src/Acme/HelloBundle/DependencyInjection/AcmeHelloExtension.php", EXTENSION);
    app.write("src/Acme/HelloBundle/Acme.php", ACME);
    app.write("config/config.yml", &format!("{CONFIG}{config}"));
    app
}

/// A page of the application: it writes a session as Symfony does.
pub const PAGE_OF_A_SESSION: &str = r#"<?php
namespace Acme\HelloBundle;

use Symfony\Component\HttpFoundation\Session;
use Symfony\Component\Security\Core\Authentication\Token\UsernamePasswordToken;
use Symfony\Component\Security\Core\User\InMemoryUser;

require __DIR__.'/autoload.php';
list(, $id, $user) = $argv;
$handler = new Session\Storage\Handler\NativeFileSessionHandler(__DIR__.'/sessions');
$options = ['use_cookies' => 0, 'use_strict_mode' => 0, 'cache_limiter' => ''];
$session = new Session\Session(new Session\Storage\NativeSessionStorage($options, $handler));
$session->setId($id);
$session->set('colour', 'red');
if ($user !== '') {
    $session->set('_security_main', serialize(new UsernamePasswordToken(new InMemoryUser($user, ''), 'main', [])));
}
$session->save();
"#;

/// The settings of its sessions.
pub const SESSIONS: &str = r"
    session_handler: session.files
services:
    session.files:
        class: Symfony\Component\HttpFoundation\Session\Storage\Handler\NativeFileSessionHandler
        arguments: ['%kernel.project_dir%/sessions']
";

fn services() -> String {
    let page = block("xml");
    format!(
        r#"<?xml version="1.0" ?>
<container xmlns="http://symfony.com/schema/dic/services"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://symfony.com/schema/dic/services http://symfony.com/schema/dic/services/services-1.0.xsd">
    <services>
{page}
<service id="acme" class="Acme\HelloBundle\Acme" />
    </services>
</container>
"#
    )
}

const CONFIG: &str = "
framework:
    secret: nothing
    http_method_override: false
clank:
    web_socket_server: { port: 1, host: localhost }
    rpc: [{ name: sample, service: acme }]
    topic: [{ name: acme, service: acme }]
";

const AUTOLOAD: &str = r#"<?php
foreach (['Bundle/FrameworkBundle', 'Component/Dotenv', 'Component/Security/Core'] as $part) {
    require_once '/usr/share/php/Symfony/'.$part.'/autoload.php';
}
spl_autoload_register(static function ($class) {
    $file = __DIR__.'/src/'.str_replace('\\', '/', preg_replace('~^App\\\\~', '', $class)).'.php';
    if (is_file($file)) {
        require_once $file;
    }
});
"#;

const KERNEL: &str = r#"<?php
namespace App;

use Symfony\Component\Config\Loader\LoaderInterface;

class Kernel extends \Symfony\Component\HttpKernel\Kernel
{
    public function registerBundles(): iterable
    {
        yield new \Symfony\Bundle\FrameworkBundle\FrameworkBundle();
        yield new \JDare\ClankBundle\JDareClankBundle();
        yield new \Acme\HelloBundle\AcmeHelloBundle();
    }

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    public function registerContainerConfiguration(LoaderInterface $loader): void
    {
        $loader->load(dirname(__DIR__).'/config/config.yml');
    }
}
"#;

const BUNDLE: &str = r#"<?php
namespace Acme\HelloBundle;

class AcmeHelloBundle extends \Symfony\Component\HttpKernel\Bundle\Bundle
{
}
"#;

const EXTENSION: &str = r#"<?php
namespace Acme\HelloBundle\DependencyInjection;

use Symfony\Component\Config\FileLocator;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Loader\XmlFileLoader;

class AcmeHelloExtension extends \Symfony\Component\HttpKernel\DependencyInjection\Extension
{
    public function load(array $configs, ContainerBuilder $container)
    {
        (new XmlFileLoader($container, new FileLocator(__DIR__.'/../Resources/config')))->load('services.xml');
    }
}
"#;

/// A service, a topic's handler, and a clock.
const ACME: &str = r#"<?php
namespace Acme\HelloBundle;

use JDare\ClankBundle\Periodic\PeriodicInterface;
use JDare\ClankBundle\Topic\TopicInterface;
use Ratchet\ConnectionInterface as Conn;

class Acme implements TopicInterface, PeriodicInterface
{
    private $ticks = 0;

    public function addFunc(Conn $conn, $params)
    {
        return ['result' => array_sum($params)];
    }

    public function whoami(Conn $conn, $params)
    {
        return [$conn->resourceId, $conn->name ?? null, count($conn->WAMP->subscriptions)];
    }

    public function name(Conn $conn, $params)
    {
        $conn->name = $params[0];

        return ['named' => $params[0]];
    }

    public function visitor(Conn $conn, $params)
    {
        return [$conn->Session->get('colour', 'none')];
    }

    public function fail(Conn $conn, $params)
    {
        throw new \RuntimeException('not like this', 12);
    }

    public function blow(Conn $conn, $params)
    {
        return missing_function();
    }

    public function leave(Conn $conn, $params)
    {
        exit(5);
    }

    public function eat(Conn $conn, $params)
    {
        ini_set('memory_limit', '48M');
        for ($all = [];;) {
            $all[] = str_repeat('x', 1 << 20);
        }
    }

    public function loop(Conn $conn, $params)
    {
        for (;;) {
        }
    }

    public function onSubscribe(Conn $conn, $topic)
    {
        $topic->broadcast($conn->resourceId.' has joined '.$topic->getId());
    }

    public function onUnSubscribe(Conn $conn, $topic)
    {
        $topic->broadcast($conn->resourceId.' has left, '.count($topic).' stay');
    }

    public function onPublish(Conn $conn, $topic, $event, array $exclude, array $eligible)
    {
        if ($event === 'throw') {
            throw new \LogicException('no such event');
        }
        if ($event === 'blow') {
            missing_function();
        }
        $topic->broadcast(['from' => $conn->resourceId, 'event' => $event], $exclude, $eligible);
    }

    public function tick()
    {
        echo 'tick ', ++$this->ticks, PHP_EOL;
    }
}
"#;
