<?php

namespace JDare\ClankBundle\Xml;

use DOMElement;
use Symfony\Component\DependencyInjection\Argument\IteratorArgument;
use Symfony\Component\DependencyInjection\Argument\ServiceClosureArgument;
use Symfony\Component\DependencyInjection\Argument\TaggedIteratorArgument;
use Symfony\Component\DependencyInjection\ContainerInterface;
use Symfony\Component\DependencyInjection\Reference;

/** Reads arguments, properties and parameters. */
final class ValueReader
{
    const TYPES = ['service', 'string', 'constant', 'collection', 'iterator', 'service_closure', 'tagged_iterator',
        'tagged', 'binary', 'expression'];

    private $document;
    private $services;

    /** @param DefinitionReader|null $services reads a service that stands within an argument */
    public function __construct(Document $document, ?DefinitionReader $services = null)
    {
        $this->document = $document;
        $this->services = $services;
    }

    /** The values of an element's children of one name, by their keys where they have any. */
    public function collection(DOMElement $element, string $name): array
    {
        $values = [];
        foreach ($element->childNodes as $child) {
            if (!$child instanceof DOMElement || $child->localName !== $name) {
                continue;
            }
            $value = $this->value($child, $name);
            $key = $this->key($child);
            if ($key === null) {
                $values[] = $value;
            } else {
                $values[$key] = $value;
            }
        }

        return $values;
    }

    /** @return string|int|null */
    private function key(DOMElement $element)
    {
        if ($element->hasAttribute('index')) {
            return 'index_'.$element->getAttribute('index');
        }
        foreach (['key', 'name', 'id'] as $attribute) {
            // An id beside type="service" is that of the service.
            if ($element->hasAttribute($attribute) && !($attribute === 'id' && $element->hasAttribute('type'))) {
                $key = $element->getAttribute($attribute);

                return ctype_digit($key) ? (int) $key : $key;
            }
        }

        return null;
    }

    private function value(DOMElement $element, string $name)
    {
        $text = $element->getAttribute('trim') === 'true' ? trim($element->nodeValue) : $element->nodeValue;
        switch ($element->getAttribute('type')) {
            case '':
                return self::typed($text);
            case 'string':
                return $text;
            case 'constant':
                return constant(trim($text));
            case 'binary':
                return base64_decode($text, true);
            case 'collection':
                return $this->collection($element, $name);
            case 'service':
                return $this->service($element);
            case 'iterator':
                return new IteratorArgument($this->collection($element, $name));
            case 'service_closure':
                return new ServiceClosureArgument($this->service($element));
            case 'tagged':
            case 'tagged_iterator':
                return new TaggedIteratorArgument(
                    $this->document->attribute($element, 'tag'),
                    $element->getAttribute('index-by') ?: null
                );
            case 'expression':
                $class = 'Symfony\Component\ExpressionLanguage\Expression';

                return new $class($text);
            default:
                throw $this->document->error($element, sprintf(
                    'type="%s" is not known; there are %s',
                    $element->getAttribute('type'),
                    implode(', ', self::TYPES)
                ));
        }
    }

    private function service(DOMElement $element)
    {
        foreach ($element->childNodes as $child) {
            if ($child instanceof DOMElement && $child->localName === 'service' && $this->services !== null) {
                return $this->services->read($child);
            }
        }
        $behaviours = [
            '' => ContainerInterface::EXCEPTION_ON_INVALID_REFERENCE,
            'exception' => ContainerInterface::EXCEPTION_ON_INVALID_REFERENCE,
            'null' => ContainerInterface::NULL_ON_INVALID_REFERENCE,
            'ignore' => ContainerInterface::IGNORE_ON_INVALID_REFERENCE,
        ];
        $onInvalid = $element->getAttribute('on-invalid');
        if (!isset($behaviours[$onInvalid])) {
            throw $this->document->error($element, sprintf(
                'on-invalid="%s" is not known; there are exception, null and ignore',
                $onInvalid
            ));
        }

        return new Reference($this->document->attribute($element, 'id'), $behaviours[$onInvalid]);
    }

    /** What stands in XML as text is a number, a boolean or null where it looks like one. */
    public static function typed(string $text)
    {
        $words = ['null' => null, 'true' => true, 'false' => false];
        if (array_key_exists(strtolower($text), $words)) {
            return $words[strtolower($text)];
        }
        if (preg_match('~^-?\d+$~', $text)) {
            $isOctal = (bool) preg_match('~^-?0[0-7]+$~', $text);
            $number = intval($text, $isOctal ? 8 : 10);

            return $isOctal || (string) $number === $text ? $number : $text;
        }
        if (preg_match('~^0([xb])([\da-f]+)$~i', $text, $match)) {
            return strtolower($match[1]) === 'x' ? hexdec($match[2]) : bindec($match[2]);
        }

        return is_numeric($text) && trim($text) === $text ? (float) $text : $text;
    }
}
