<?php

namespace JDare\ClankBundle\Http;

/** `$conn->httpRequest`, as Ratchet 0.4 has it: the getters of a PSR-7 request. */
final class HandshakeRequest
{
    private $headers;
    private $uri;

    public function __construct(array $facts)
    {
        $this->headers = new Headers($facts['headers'] ?? []);
        $this->uri = new Uri($this->headers->line('host'), $facts['path'] ?? '/', $facts['query'] ?? '');
    }

    public function getMethod(): string
    {
        return 'GET';
    }

    public function getUri(): Uri
    {
        return $this->uri;
    }

    public function getRequestTarget(): string
    {
        return $this->uri->getPath().($this->uri->getQuery() === '' ? '' : '?'.$this->uri->getQuery());
    }

    public function getProtocolVersion(): string
    {
        return '1.1';
    }

    public function getHeaders(): array
    {
        return $this->headers->all();
    }

    public function hasHeader($name): bool
    {
        return $this->headers->has($name);
    }

    public function getHeader($name): array
    {
        return $this->headers->values($name);
    }

    public function getHeaderLine($name): string
    {
        return $this->headers->line($name);
    }

    public function getBody(): string
    {
        return '';
    }
}
