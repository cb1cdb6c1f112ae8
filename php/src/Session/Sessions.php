<?php

namespace JDare\ClankBundle\Session;

use JDare\ClankBundle\Http\Headers;
use JDare\ClankBundle\Worker\Application;
use JDare\ClankBundle\Worker\Output;
use Symfony\Component\HttpFoundation\Session\Session;

/** The sessions of the application's web pages, which connections share by their cookie. Nothing is ever written. */
final class Sessions
{
    /** What PHP makes as a session id, in any of its settings. */
    const ID = '~^[A-Za-z0-9,-]{1,256}$~D';

    private $store;
    private $decoder;
    private $users;
    private $cookie;

    public function __construct(Store $store, Decoder $decoder, Users $users, string $cookie)
    {
        $this->store = $store;
        $this->decoder = $decoder;
        $this->users = $users;
        $this->cookie = $cookie;
    }

    public static function configured(Application $application): ?self
    {
        $config = $application->config;
        if ($config['session_handler'] === null) {
            return null;
        }
        $handler = $application->service($config['session_handler']);
        if (!$handler instanceof \SessionHandlerInterface) {
            throw new \RuntimeException(sprintf(
                'clank.session_handler names %s, whose class %s is no \SessionHandlerInterface.',
                $application->named($config['session_handler']),
                get_class($handler)
            ));
        }
        $options = $application->parameter('session.storage.options', []);

        return new self(
            Store::of($handler, (int) ($options['gc_maxlifetime'] ?? ini_get('session.gc_maxlifetime'))),
            new Decoder($config['session_serializer']),
            new Users($config['session_firewall']),
            $config['session_name'] ?? $options['name'] ?? session_name()
        );
    }

    /** The session of a connection, which is read when it is first used. */
    public function of(array $facts): Session
    {
        $id = $this->id($facts);

        return new Session(new ReadOnlyStorage($this->cookie, $id ?? '', function () use ($id) {
            return $id === null ? [] : $this->read($id);
        }));
    }

    /** The name of the user of a connection's session. What can't be read has none. */
    public function user(array $facts): ?string
    {
        $id = $this->id($facts);
        try {
            return $id === null ? null : $this->users->of($this->read($id)[ReadOnlyStorage::ATTRIBUTES] ?? []);
        } catch (\Throwable $e) {
            Output::report($e, 'The session of connection '.$facts['id'].' can\'t be read');

            return null;
        }
    }

    /** What the client calls its session; it may call it anything. */
    private function id(array $facts): ?string
    {
        $id = (new Headers($facts['headers'] ?? []))->cookies()[$this->cookie] ?? '';

        return preg_match(self::ID, $id) ? $id : null;
    }

    private function read(string $id): array
    {
        $data = $this->store->read($id);

        return $data === '' ? [] : $this->decoder->decode($data);
    }
}
