<?php

namespace JDare\ClankBundle\Http;

/** The headers of a handshake, whose names know no capitals. */
final class Headers
{
    /** Name in lower case => [the name as it came, values]. */
    private $headers = [];

    /** @param array $pairs [name, value] each */
    public function __construct(array $pairs)
    {
        foreach ($pairs as list($name, $value)) {
            $key = strtolower($name);
            $this->headers[$key][0] = $this->headers[$key][0] ?? $name;
            $this->headers[$key][1][] = (string) $value;
        }
    }

    public function has(string $name): bool
    {
        return isset($this->headers[strtolower($name)]);
    }

    public function values(string $name): array
    {
        return $this->headers[strtolower($name)][1] ?? [];
    }

    public function line(string $name): string
    {
        return implode(', ', $this->values($name));
    }

    /** Name => values. */
    public function all(): array
    {
        $all = [];
        foreach ($this->headers as list($name, $values)) {
            $all[$name] = $values;
        }

        return $all;
    }

    /** Name => value, of the cookies that the client sent. */
    public function cookies(): array
    {
        $cookies = [];
        foreach ($this->values('cookie') as $line) {
            foreach (explode(';', $line) as $pair) {
                $parts = explode('=', trim($pair), 2);
                if (isset($parts[1]) && $parts[0] !== '' && !isset($cookies[$parts[0]])) {
                    $cookies[$parts[0]] = urldecode(trim($parts[1], '"'));
                }
            }
        }

        return $cookies;
    }
}
