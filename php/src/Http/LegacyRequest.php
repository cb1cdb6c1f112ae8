<?php

namespace JDare\ClankBundle\Http;

/** `$conn->WebSocket->request`, as Ratchet 0.2 and 0.3 have it: the getters of Guzzle 3's request. */
final class LegacyRequest
{
    private $headers;
    private $url;

    public function __construct(array $facts)
    {
        $this->headers = new Headers($facts['headers'] ?? []);
        $this->url = new LegacyUrl(new Uri(
            $this->headers->line('host'),
            $facts['path'] ?? '/',
            $facts['query'] ?? ''
        ));
    }

    public function getMethod()
    {
        return 'GET';
    }

    /** @return LegacyUrl|string */
    public function getUrl($asObject = false)
    {
        return $asObject ? $this->url : (string) $this->url;
    }

    public function getQuery($asString = false)
    {
        return $asString ? (string) $this->url->getQuery() : $this->url->getQuery();
    }

    public function getPath()
    {
        return $this->url->getPath();
    }

    public function getHost()
    {
        return $this->url->getHost();
    }

    public function getCookie($name)
    {
        return $this->headers->cookies()[$name] ?? null;
    }

    public function getCookies()
    {
        return $this->headers->cookies();
    }

    public function hasHeader($name)
    {
        return $this->headers->has($name);
    }

    public function getHeader($name, $string = false)
    {
        return $this->headers->has($name) ? $this->headers->line($name) : null;
    }

    public function getHeaders()
    {
        return $this->headers->all();
    }
}
