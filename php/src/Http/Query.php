<?php

namespace JDare\ClankBundle\Http;

/** The parameters of an address, with the methods of Guzzle 3's collection; an array to look into as well. */
final class Query extends \ArrayObject
{
    private $text;

    public function __construct(string $text)
    {
        $this->text = $text;
        parse_str($text, $parameters);
        parent::__construct($parameters);
    }

    public function get($name)
    {
        return $this->hasKey($name) ? $this[$name] : null;
    }

    public function hasKey($name)
    {
        return isset($this[$name]);
    }

    public function toArray()
    {
        return $this->getArrayCopy();
    }

    public function getAll()
    {
        return $this->getArrayCopy();
    }

    public function __toString()
    {
        return $this->text;
    }
}
