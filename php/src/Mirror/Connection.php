<?php

namespace JDare\ClankBundle\Mirror;

use JDare\ClankBundle\Http\HandshakeRequest;
use JDare\ClankBundle\Http\LegacyRequest;
use Ratchet\Wamp\WampConnection;

/**
 * A connection of the server, as application code sees it: the same object for as long as the connection lives, with
 * whatever the application hangs on it. What an application rarely asks for is made when it first does.
 *
 * @property \stdClass $WAMP sessionId, prefixes, subscriptions
 * @property \Symfony\Component\HttpFoundation\Session\SessionInterface $Session where `session_handler` is configured
 * @property HandshakeRequest $httpRequest
 * @property \stdClass $WebSocket request
 * @property PeriodicTimers $PeriodicTimer
 */
#[\AllowDynamicProperties]
final class Connection extends WampConnection
{
    const OPEN = 0;
    const CLOSING = 1;
    const DETACHED = 2;

    const MADE_ON_DEMAND = ['WAMP' => true, 'httpRequest' => true, 'WebSocket' => true, 'PeriodicTimer' => true];
    const OWN = ['resourceId' => true, 'remoteAddress' => true, 'clankHome' => true, 'clankFacts' => true,
        'clankState' => true, 'wrappedConn' => true];

    public $resourceId;
    public $remoteAddress;

    // Named so that no application's own property meets them.
    private $clankHome;
    private $clankFacts;
    private $clankState;

    public function __construct(Home $home, array $facts, bool $detached = false)
    {
        $this->resourceId = $facts['id'];
        $this->remoteAddress = $facts['address'] ?? '';
        $this->clankHome = $home;
        $this->clankFacts = $facts;
        $this->clankState = $detached ? self::DETACHED : self::OPEN;
        foreach ($facts['properties'] ?? [] as $name => $value) {
            $this->$name = $value;
        }
    }

    public function callResult($id, $data = [])
    {
        if ($this->clankState === self::OPEN) {
            $this->clankHome->commands->result($id, $data);
        }

        return $this;
    }

    public function callError($id, $errorUri, $desc = '', $details = null)
    {
        if ($this->clankState === self::OPEN) {
            $this->clankHome->commands->callError($id, (string) $errorUri, (string) $desc, $details);
        }

        return $this;
    }

    public function event($topic, $msg)
    {
        if ($this->clankState === self::OPEN) {
            $this->clankHome->commands->event($this->resourceId, (string) $topic, $msg);
        }

        return $this;
    }

    public function prefix($curie, $uri)
    {
        $this->WAMP->prefixes[$curie] = (string) $uri;

        return $this->send(json_encode([1, $curie, (string) $uri]));
    }

    public function getUri($uri)
    {
        return $this->WAMP->prefixes[$uri] ?? $uri;
    }

    public function send($data)
    {
        if ($this->clankState === self::OPEN) {
            $this->clankHome->commands->send($this->resourceId, (string) $data);
        }

        return $this;
    }

    public function close($opt = null)
    {
        if ($this->clankState === self::OPEN) {
            $this->clankHome->commands->closeClient($this->resourceId, is_int($opt) ? $opt : null);
        }
    }

    public function __get($name)
    {
        if (isset(self::MADE_ON_DEMAND[$name]) || ($name === 'Session' && $this->clankHome->sessions !== null)) {
            return $this->$name = $this->make($name);
        }
        $asked = debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS, 1)[0] + ['file' => '?', 'line' => 0];
        $message = 'Nothing has set $'.$name.' on this connection, asked for in %s:%d';
        trigger_error(sprintf($message, $asked['file'], $asked['line']), E_USER_NOTICE);

        return null;
    }

    public function __set($name, $value)
    {
        $this->$name = $value;
    }

    public function __isset($name)
    {
        return isset(self::MADE_ON_DEMAND[$name]) || ($name === 'Session' && $this->clankHome->sessions !== null);
    }

    public function __unset($name)
    {
    }

    /** The id that this connection's WAMP session has. @internal */
    public function sessionId(): string
    {
        return $this->clankFacts['session'] ?? '';
    }

    /** Topics that this connection has joined. @internal */
    public function subscriptions(): array
    {
        return property_exists($this, 'WAMP') ? iterator_to_array($this->WAMP->subscriptions, false) : [];
    }

    /** The socket is closed: nothing is sent any more. @internal */
    public function closing(): void
    {
        $this->clankState = self::CLOSING;
    }

    /** The server has forgotten the connection; what was hung on it can be read. @internal */
    public function detach(): void
    {
        $this->clankState = self::DETACHED;
        if (property_exists($this, 'PeriodicTimer')) {
            $this->PeriodicTimer->cancelAll();
        }
    }

    /** @internal */
    public function isDetached(): bool
    {
        return $this->clankState === self::DETACHED;
    }

    /** What the application hung on the connection and another process can take over. @internal */
    public function scalars(): array
    {
        return array_filter(array_diff_key(get_object_vars($this), self::OWN), 'is_scalar');
    }

    protected function getConnection()
    {
        return $this;
    }

    private function make(string $name)
    {
        switch ($name) {
            case 'WAMP':
                return (object) [
                    'sessionId' => $this->sessionId(),
                    'prefixes' => [],
                    'subscriptions' => new \SplObjectStorage(),
                ];
            case 'Session':
                return $this->clankHome->sessions->of($this->clankFacts);
            case 'httpRequest':
                return new HandshakeRequest($this->clankFacts);
            case 'WebSocket':
                return (object) ['request' => new LegacyRequest($this->clankFacts), 'established' => true];
            default:
                return new PeriodicTimers($this->clankHome->loop, $this);
        }
    }
}
