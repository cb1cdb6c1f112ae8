<?php

namespace Clank\Tests;

use JDare\ClankBundle\Xml\ServiceFileLoader;
use Symfony\Component\Config\FileLocator;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Loader\XmlFileLoader;

require_once dirname(__DIR__).'/autoload.php';

const ENVELOPE = '<?xml version="1.0" ?>
<container xmlns="http://symfony.com/schema/dic/services" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://symfony.com/schema/dic/services http://symfony.com/schema/dic/services/services-1.0.xsd">
%s
</container>';

const INNER = '<argument key="inner" type="service"><service class="ArrayObject"><argument type="collection" /></service></argument>';

const EVERYTHING = <<<'XML'
    <parameters>
        <parameter key="number">5</parameter>
        <parameter key="float">1.5</parameter>
        <parameter key="yes">true</parameter>
        <parameter key="nothing">null</parameter>
        <parameter key="text" type="string">5</parameter>
        <parameter key="zip">01234</parameter>
        <parameter key="octal">-017</parameter>
        <parameter key="no_octal">0189</parameter>
        <parameter key="hex">0xFF</parameter>
        <parameter key="exponent">1e3</parameter>
        <parameter key="huge">99999999999999999999</parameter>
        <parameter key="version">1.2.3</parameter>
        <parameter key="constant" type="constant">PHP_INT_SIZE</parameter>
        <parameter key="list" type="collection">
            <parameter>a</parameter>
            <parameter key="deep" type="collection"><parameter key="er">b</parameter></parameter>
        </parameter>
    </parameters>
    <services>
        <defaults public="false" autowire="false" autoconfigure="false" />
        <service id="plain" class="ArrayObject" />
        <service id="private" class="ArrayObject" public="false" lazy="false" shared="false" />
        <service id="arguments" class="ArrayObject" public="true">
            <argument type="collection">
                <argument key="plain" type="service" id="plain" />
                <argument key="absent" type="service" id="absent" on-invalid="null" />
                <argument key="text">%text% and %number%</argument>
                %s
                <argument key="many" type="tagged_iterator" tag="acme.tag" />
            </argument>
            <argument>0</argument>
            <property name="first">1</property>
            <call method="append"><argument>%list%</argument></call>
            <call method="append"><argument type="service" id="private" /></call>
            <tag name="acme.tag" priority="5" some-thing="x" />
        </service>
        <service id="child" parent="arguments" public="true"><argument key="index_0" type="collection" /></service>
        <service id="alias" alias="plain" public="true" />
        <service id="made" class="ArrayObject"><factory class="Acme\Factory" method="make" /><argument>1</argument></service>
        <service id="made_by" class="ArrayObject"><factory service="plain" method="make" /></service>
        <service id="configured" class="ArrayObject"><configurator function="strlen" /></service>
        <service id="decorating" class="ArrayObject" decorates="plain" decoration-priority="3" />
        <service id="of_file" class="ArrayObject"><file>%kernel.project_dir%/x.php</file></service>
        <service id="synthetic" synthetic="true" />
        <service id="abstract" class="ArrayObject" abstract="true" />
    </services>
XML;

function ours(ContainerBuilder $container, string $folder): ServiceFileLoader
{
    return new ServiceFileLoader($container, new FileLocator($folder));
}

/** What a container holds, as text that can be compared. */
function shape(ContainerBuilder $container): string
{
    $definitions = $container->getDefinitions();
    ksort($definitions);
    unset($definitions['service_container']);
    $text = print_r([$container->getParameterBag()->all(), $definitions, $container->getAliases()], true);

    // Readers remember which setters they have called, which is of no consequence.
    return preg_replace('~\[changes.*?\)\n~s', '', $text);
}

function complaint(string $xml): string
{
    $folder = new Folder();
    $folder->write('services.xml', $xml);
    try {
        ours(new ContainerBuilder(), $folder->path)->load('services.xml');
    } catch (\Throwable $e) {
        return str_replace($folder->path, '', $e->getMessage());
    }

    return 'nothing';
}

return [
    'a service file is read as Symfony reads it' => static function () {
        $folder = new Folder();
        $folder->write('services.xml', sprintf(ENVELOPE, str_replace('%s', '', EVERYTHING)));
        $theirs = new ContainerBuilder();
        same('Symfony\Component\DependencyInjection\Loader\XmlFileLoader', (new \ReflectionClass(XmlFileLoader::class))->getName());
        (new XmlFileLoader($theirs, new FileLocator($folder->path)))->load('services.xml');
        $ours = new ContainerBuilder();
        ours($ours, $folder->path)->load('services.xml');
        foreach (array_keys($theirs->getDefinitions()) as $id) {
            $pair = [];
            foreach ([$theirs, $ours] as $container) {
                $only = new ContainerBuilder();
                $only->setDefinition($id, $container->getDefinition($id));
                $pair[] = shape($only);
            }
            same($pair[0], $pair[1], $id);
        }
        same(shape($theirs), shape($ours));
    },
    'what is read makes services' => static function () {
        $folder = new Folder();
        $folder->write('services.xml', sprintf(ENVELOPE, str_replace(['%kernel.project_dir%', '%s'], ['', INNER], EVERYTHING)));
        $container = new ContainerBuilder();
        ours($container, $folder->path)->load('services.xml');
        foreach (['made', 'made_by', 'configured', 'child', 'of_file', 'decorating', 'synthetic'] as $id) {
            $container->removeDefinition($id);
        }
        $container->compile();
        $object = $container->get('arguments');
        same(['plain', 'absent', 'text', 'inner', 'many'], array_slice(array_keys($object->getArrayCopy()), 0, 5));
        same('5 and 5', $object['text']);
        same(['a', 'deep' => ['er' => 'b']], $object[0]);
    },
    'the page\'s snippet is read in a file, as <services>, and alone' => static function () {
        $forms = [sprintf(ENVELOPE, '<services>'.page('xml').'</services>'), '<services>'.page('xml').'</services>', page('xml')];
        foreach ($forms as $form) {
            $folder = new Folder();
            $folder->write('services.xml', $form);
            $container = new ContainerBuilder();
            ours($container, $folder->path)->load('services.xml');
            $definition = $container->getDefinition('kernel.listener.clank.client_event');
            same('Acme\HelloBundle\EventListener\AcmeClientEventListener', $definition->getClass());
            same([
                ['event' => 'clank.client.connected', 'method' => 'onClientConnect'],
                ['event' => 'clank.client.disconnected', 'method' => 'onClientDisconnect'],
                ['event' => 'clank.client.error', 'method' => 'onClientError'],
            ], $definition->getTag('kernel.event_listener'));
        }
    },
    'imports are followed, from the file that says them' => static function () {
        $folder = new Folder();
        $folder->write('services.xml', sprintf(ENVELOPE, '<imports><import resource="more/one.xml" />
            <import resource="none.xml" ignore-errors="not_found" /></imports>'));
        $folder->write('more/one.xml', sprintf(ENVELOPE, '<imports><import resource="two.xml" /></imports>'));
        $folder->write('more/two.xml', '<service id="two" class="ArrayObject" />');
        $container = new ContainerBuilder();
        ours($container, $folder->path)->load('services.xml');
        same(true, $container->hasDefinition('two'));
    },
    'it stands under the name of Symfony\'s reader where that is gone' => static function () {
        $folder = new Folder();
        $file = $folder->write('without.php', sprintf(<<<'PHP'
<?php
require %s;
$loaders = spl_autoload_functions();
array_map('spl_autoload_unregister', $loaders);
$old = 'Symfony\Component\DependencyInjection\Loader\XmlFileLoader';
spl_autoload_register(static function ($class) use ($loaders, $old) {
    foreach ($class === $old ? [] : $loaders as $loader) {
        $loader($class);
    }
});
require %s;
echo (new ReflectionClass($old))->getName();
PHP
        , var_export(__DIR__.'/support/symfony.php', true), var_export(dirname(__DIR__).'/autoload.php', true)));
        same(ServiceFileLoader::class, shell_exec(PHP_BINARY.' '.escapeshellarg($file)));
    },
    'what is wrong is named with file, line and the nearest' => static function () {
        $snippet = static function (string $service) {
            return sprintf(ENVELOPE, "<services>\n$service\n</services>");
        };
        same('/services.xml:5: <servise> is not known here. Did you mean <service>?', complaint($snippet('<servise id="a" />')));
        same('/services.xml:5: <service> needs the attribute "id"', complaint($snippet('<service class="A" />')));
        same(
            '/services.xml:6: <tags> is not known here. Did you mean <tag>?',
            complaint($snippet("<service id=\"a\" class=\"A\">\n<tags name=\"x\" /></service>"))
        );
        same(
            '/services.xml:5: public="maybe" is neither "true" nor "false"',
            complaint($snippet('<service id="a" class="A" public="maybe" />'))
        );
        contains('type="servic" is not known; there are service, string', complaint(
            $snippet('<service id="a" class="A"><argument type="servic" id="b" /></service>')
        ));
        contains('/services.xml:1: ', complaint('<container'));
        contains('a document type is not allowed', complaint('<!DOCTYPE x [<!ENTITY y SYSTEM "/etc/passwd">]><services>&y;</services>'));
    },
];
