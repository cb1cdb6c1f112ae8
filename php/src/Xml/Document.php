<?php

namespace JDare\ClankBundle\Xml;

use DOMDocument;
use DOMElement;
use JDare\ClankBundle\Nearest;
use Symfony\Component\DependencyInjection\Exception\InvalidArgumentException;

/** An XML file, and where in it something is wrong. */
final class Document
{
    private $document;
    private $file;

    private function __construct(DOMDocument $document, string $file)
    {
        $this->document = $document;
        $this->file = $file;
    }

    public static function read(string $file): self
    {
        $before = libxml_use_internal_errors(true);
        libxml_clear_errors();
        try {
            $document = new DOMDocument();
            // No entities, and nothing from the network.
            if (!$document->loadXML((string) file_get_contents($file), LIBXML_NONET | LIBXML_COMPACT)) {
                $error = libxml_get_last_error();
                throw new InvalidArgumentException(sprintf(
                    '%s:%d: %s',
                    $file,
                    $error ? $error->line : 1,
                    $error ? trim($error->message) : 'the file is empty'
                ));
            }
            if ($document->doctype !== null) {
                throw new InvalidArgumentException(sprintf('%s:1: a document type is not allowed', $file));
            }

            return new self($document, $file);
        } finally {
            libxml_clear_errors();
            libxml_use_internal_errors($before);
        }
    }

    public function file(): string
    {
        return $this->file;
    }

    public function root(): DOMElement
    {
        return $this->document->documentElement;
    }

    /**
     * @param string[]|null $names those that may be there; null for any
     *
     * @return DOMElement[]
     */
    public function children(DOMElement $element, ?array $names = null): array
    {
        $children = [];
        foreach ($element->childNodes as $child) {
            if (!$child instanceof DOMElement) {
                continue;
            }
            if ($names !== null && !in_array($child->localName, $names, true)) {
                throw $this->unknown($child, $names);
            }
            $children[] = $child;
        }

        return $children;
    }

    public function attribute(DOMElement $element, string $name): string
    {
        if (!$element->hasAttribute($name)) {
            throw $this->error($element, sprintf('<%s> needs the attribute "%s"', $element->localName, $name));
        }

        return $element->getAttribute($name);
    }

    public function flag(DOMElement $element, string $name): bool
    {
        $value = strtolower($element->getAttribute($name));
        if (!in_array($value, ['true', 'false', '1', '0'], true)) {
            throw $this->error($element, sprintf('%s="%s" is neither "true" nor "false"', $name, $value));
        }

        return $value === 'true' || $value === '1';
    }

    public function unknown(DOMElement $element, array $choices): InvalidArgumentException
    {
        $nearest = Nearest::of($element->localName, $choices);
        $choices = $nearest === null ? 'There may be '.implode(', ', $choices) : 'Did you mean <'.$nearest.'>?';

        return $this->error($element, sprintf('<%s> is not known here. %s', $element->localName, $choices));
    }

    public function error(DOMElement $element, string $message): InvalidArgumentException
    {
        return new InvalidArgumentException(sprintf('%s:%d: %s', $this->file, $element->getLineNo(), $message));
    }
}
