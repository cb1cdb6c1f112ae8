<?php

namespace JDare\ClankBundle\DependencyInjection;

use Symfony\Component\Config\Definition\Builder\TreeBuilder;
use Symfony\Component\Config\Definition\ConfigurationInterface;

/** What may stand under `clank:` in the application's configuration. */
final class Configuration implements ConfigurationInterface
{
    const SESSION_SERIALIZERS = ['auto', 'php', 'php_serialize', 'php_binary', 'igbinary'];

    public function getConfigTreeBuilder(): TreeBuilder
    {
        $tree = new TreeBuilder('clank');
        $root = method_exists($tree, 'getRootNode') ? $tree->getRootNode() : $tree->root('clank');
        $children = $root->children();

        $this->server($children);
        $this->named($children, 'rpc', 'a service whose methods are procedures');
        $this->named($children, 'topic', 'a service that handles a topic');
        $this->periodic($children);
        $this->sessions($children);
        $this->services($children);
        $this->switches($children);

        return $tree;
    }

    private function server($children): void
    {
        $children
            ->arrayNode('web_socket_server')
                ->info('Where clients connect. Without it the server\'s own configuration says so.')
                ->children()
                    ->scalarNode('port')->defaultValue(8080)->end()
                    ->scalarNode('host')->defaultValue('127.0.0.1')->end()
                ->end()
            ->end()
            ->arrayNode('client')
                ->info('What clank_client() tells the browser, where it differs from web_socket_server.')
                ->addDefaultsIfNotSet()
                ->children()
                    ->scalarNode('uri')->defaultNull()->info('wss://example.org/ws')->end()
                    ->scalarNode('script')->defaultNull()->info('https://example.org/clank.js')->end()
                ->end()
            ->end();
    }

    private function named($children, string $key, string $info): void
    {
        $children
            ->arrayNode($key)
                ->info($info)
                ->prototype('array')
                    ->children()
                        ->scalarNode('name')->isRequired()->cannotBeEmpty()->end()
                        ->scalarNode('service')->isRequired()->cannotBeEmpty()->end()
                    ->end()
                ->end()
            ->end();
    }

    private function periodic($children): void
    {
        $children
            ->arrayNode('periodic')
                ->info('services whose tick() is called every `time` milliseconds')
                ->prototype('array')
                    ->children()
                        ->scalarNode('service')->isRequired()->cannotBeEmpty()->end()
                        ->scalarNode('time')->isRequired()
                            ->validate()
                                ->ifTrue(static function ($time) {
                                    return !is_numeric($time) || $time < 1;
                                })
                                ->thenInvalid('%s is no number of milliseconds; 5000 is every five seconds')
                            ->end()
                        ->end()
                    ->end()
                ->end()
            ->end();
    }

    private function sessions($children): void
    {
        $children
            ->scalarNode('session_handler')->defaultNull()
                ->info('the service that is framework.session.handler_id, which fills $conn->Session')
            ->end()
            ->scalarNode('session_name')->defaultNull()
                ->info('the name of the session cookie, where it is not that of framework.session')
            ->end()
            ->scalarNode('session_firewall')->defaultNull()
                ->info('the firewall whose user is the connection\'s; the first one found if not said')
            ->end()
            ->enumNode('session_serializer')->values(self::SESSION_SERIALIZERS)->defaultValue('auto')->end();
    }

    private function services($children): void
    {
        $children
            ->scalarNode('wamp_server')->defaultNull()
                ->info('a service that is a Ratchet\Wamp\WampServerInterface, which gets everything')
            ->end()
            ->arrayNode('service_files')
                ->info('service XML files to be read, for a Symfony or a bundle that doesn\'t')
                ->prototype('scalar')->end()
            ->end()
            ->arrayNode('public_services')
                ->info('ids, * matches anything, that the application gets from the container by itself')
                ->prototype('scalar')->end()
            ->end();
    }

    private function switches($children): void
    {
        $children
            ->booleanNode('unsubscribe_on_close')->defaultTrue()
                ->info('onUnSubscribe is called for a connection that ends; the old bundle did not')
            ->end()
            ->booleanNode('legacy_falsy_results')->defaultFalse()
                ->info('a procedure that returns 0, "" or [] fails, as in the old bundle')
            ->end()
            ->booleanNode('legacy_dispatch')->defaultFalse()
                ->info('lets the application call dispatch($name, $event), as before Symfony 4.3')
            ->end()
            ->booleanNode('snapshot')->defaultTrue()
                ->info('what is a scalar on a connection outlives a restart of PHP')
            ->end();
    }
}
