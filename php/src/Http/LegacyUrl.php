<?php

namespace JDare\ClankBundle\Http;

/** The address that a client connected to, with the getters of Guzzle 3's URL. */
final class LegacyUrl
{
    private $uri;

    public function __construct(Uri $uri)
    {
        $this->uri = $uri;
    }

    public function getScheme()
    {
        return $this->uri->getScheme();
    }

    public function getHost()
    {
        return $this->uri->getHost();
    }

    public function getPort()
    {
        return $this->uri->getPort();
    }

    public function getPath()
    {
        return $this->uri->getPath();
    }

    /** @return Query */
    public function getQuery($asString = false)
    {
        return $asString ? $this->uri->getQuery() : new Query($this->uri->getQuery());
    }

    public function __toString()
    {
        return (string) $this->uri;
    }
}
