<?php

namespace JDare\ClankBundle\Session;

/** Finds the user in a session, where Symfony's firewalls put their tokens. */
final class Users
{
    const PREFIX = '_security_';

    private $firewall;

    public function __construct(?string $firewall)
    {
        $this->firewall = $firewall;
    }

    public function of(array $attributes): ?string
    {
        foreach ($attributes as $key => $serialized) {
            if (is_string($serialized) && $this->isToken((string) $key)) {
                $name = self::nameIn($serialized);
                if ($name !== null) {
                    return $name;
                }
            }
        }

        return null;
    }

    private function isToken(string $key): bool
    {
        return $this->firewall === null
            ? strncmp($key, self::PREFIX, strlen(self::PREFIX)) === 0
            : $key === self::PREFIX.$this->firewall;
    }

    /** The class of a token or of its user may be gone, or refuse to be made: then nobody is known. */
    private static function nameIn(string $serialized): ?string
    {
        try {
            $token = @unserialize($serialized);
            if (!is_object($token) || $token instanceof \__PHP_Incomplete_Class || self::isAnonymous($token)) {
                return null;
            }
            foreach (['getUserIdentifier', 'getUsername'] as $method) {
                if (method_exists($token, $method)) {
                    $name = (string) $token->$method();

                    return $name === '' ? null : $name;
                }
            }
        } catch (\Throwable $e) {
            return null;
        }

        return null;
    }

    private static function isAnonymous($token): bool
    {
        return strpos(get_class($token), 'AnonymousToken') !== false;
    }
}
