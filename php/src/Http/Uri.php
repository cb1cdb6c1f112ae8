<?php

namespace JDare\ClankBundle\Http;

/** The address that a client connected to, with the getters of PSR-7's URI. */
final class Uri
{
    private $authority;
    private $path;
    private $query;

    public function __construct(string $authority, string $path, string $query)
    {
        $this->authority = $authority;
        $this->path = $path === '' ? '/' : $path;
        $this->query = $query;
    }

    public function getScheme(): string
    {
        return 'ws';
    }

    public function getAuthority(): string
    {
        return $this->authority;
    }

    public function getUserInfo(): string
    {
        return '';
    }

    public function getHost(): string
    {
        return (string) preg_replace('~:\d+$~', '', $this->authority);
    }

    public function getPort(): ?int
    {
        return preg_match('~:(\d+)$~', $this->authority, $match) ? (int) $match[1] : null;
    }

    public function getPath(): string
    {
        return $this->path;
    }

    public function getQuery(): string
    {
        return $this->query;
    }

    public function getFragment(): string
    {
        return '';
    }

    public function __toString(): string
    {
        return 'ws://'.$this->authority.$this->path.($this->query === '' ? '' : '?'.$this->query);
    }
}
