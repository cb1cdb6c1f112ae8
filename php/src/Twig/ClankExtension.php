<?php

namespace JDare\ClankBundle\Twig;

use Twig\Extension\AbstractExtension;
use Twig\TwigFunction;

/** `{{ clank_client() }}`: what a page needs to connect. */
class ClankExtension extends AbstractExtension
{
    const WILDCARDS = ['', '*', '0.0.0.0', '::', '[::]'];

    private $client;
    private $host;
    private $port;
    private $requests;

    public function __construct(array $client, $host, $port, $requests = null)
    {
        $this->client = $client;
        $this->host = (string) $host;
        $this->port = (int) $port;
        $this->requests = $requests;
    }

    public function getName()
    {
        return 'clank';
    }

    public function getFunctions(): array
    {
        return [new TwigFunction('clank_client', [$this, 'clientOutput'], ['is_safe' => ['html']])];
    }

    /** The script, and the server's address in `_CLANK_URI`. */
    public function clientOutput(): string
    {
        $uri = $this->client['uri'] ?? 'ws://'.$this->reachableHost().':'.$this->port;
        $script = $this->client['script'] ?? self::scriptOf($uri);
        $hidden = JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_APOS | JSON_UNESCAPED_SLASHES;

        return sprintf(
            '<script type="text/javascript" src="%s"></script>'."\n".
            '<script type="text/javascript">var _CLANK_URI = %s;</script>',
            htmlspecialchars($script, ENT_QUOTES, 'UTF-8'),
            json_encode($uri, $hidden)
        );
    }

    /** A server that listens everywhere is reached where the page came from. */
    private function reachableHost(): string
    {
        if (!in_array($this->host, self::WILDCARDS, true)) {
            return strpos($this->host, ':') !== false ? '['.trim($this->host, '[]').']' : $this->host;
        }
        $request = $this->requests === null ? null : $this->requests->getCurrentRequest();

        return $request === null ? 'localhost' : $request->getHost();
    }

    private static function scriptOf(string $uri): string
    {
        $parts = parse_url($uri) ?: [];
        $scheme = ($parts['scheme'] ?? 'ws') === 'wss' ? 'https' : 'http';
        $port = isset($parts['port']) ? ':'.$parts['port'] : '';

        return $scheme.'://'.($parts['host'] ?? 'localhost').$port.'/clank.js';
    }
}
