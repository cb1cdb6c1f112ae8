<?php

namespace JDare\ClankBundle\Xml;

use DOMElement;
use Symfony\Component\DependencyInjection\Alias;
use Symfony\Component\DependencyInjection\ChildDefinition;
use Symfony\Component\DependencyInjection\Definition;
use Symfony\Component\DependencyInjection\Reference;

/** Reads a <service>. */
final class DefinitionReader
{
    const CHILDREN = ['argument', 'property', 'call', 'tag', 'file', 'factory', 'configurator', 'deprecated'];
    const FLAGS = ['public', 'shared', 'synthetic', 'lazy', 'abstract', 'autowire', 'autoconfigure'];

    private $document;
    private $defaults;
    private $values;

    /** @param DOMElement|null $defaults the file's <defaults> */
    public function __construct(Document $document, ?DOMElement $defaults)
    {
        $this->document = $document;
        $this->defaults = $defaults;
        $this->values = new ValueReader($document, $this);
    }

    public function id(DOMElement $service): string
    {
        return $this->document->attribute($service, 'id');
    }

    /** @return Alias|Definition */
    public function read(DOMElement $service)
    {
        if ($service->hasAttribute('alias')) {
            $alias = new Alias($service->getAttribute('alias'));

            return $this->flags($alias, $service, ['public']);
        }
        $definition = $this->start($service);
        $definition->setArguments($this->values->collection($service, 'argument'));
        $definition->setProperties($this->values->collection($service, 'property'));
        $this->factoryByAttributes($definition, $service);
        if ($service->hasAttribute('decorates')) {
            $inner = $service->getAttribute('decoration-inner-name') ?: null;
            $priority = (int) $service->getAttribute('decoration-priority');
            $definition->setDecoratedService($service->getAttribute('decorates'), $inner, $priority);
        }
        foreach ($this->document->children($service, self::CHILDREN) as $child) {
            $this->child($definition, $child);
        }

        return $definition;
    }

    private function start(DOMElement $service): Definition
    {
        $definition = $service->hasAttribute('parent')
            ? new ChildDefinition($service->getAttribute('parent'))
            : new Definition();
        if ($service->hasAttribute('class')) {
            $definition->setClass($service->getAttribute('class'));
        }
        if (!$definition instanceof ChildDefinition && $this->defaults !== null) {
            $this->flags($definition, $this->defaults, ['public', 'autowire', 'autoconfigure']);
            // What the file says of all is not said of this one: a synthetic service is public nevertheless.
            $definition->setChanges([]);
        }

        return $this->flags($definition, $service, self::FLAGS);
    }

    /** @param Alias|Definition $of */
    private function flags($of, DOMElement $element, array $names)
    {
        $setters = ['autowire' => 'setAutowired', 'autoconfigure' => 'setAutoconfigured'];
        foreach ($names as $name) {
            if ($element->hasAttribute($name)) {
                $setter = $setters[$name] ?? 'set'.ucfirst($name);
                $of->$setter($this->document->flag($element, $name));
            }
        }

        return $of;
    }

    private function child(Definition $definition, DOMElement $child): void
    {
        switch ($child->localName) {
            case 'call':
                $method = $this->document->attribute($child, 'method');
                $definition->addMethodCall($method, $this->values->collection($child, 'argument'));
                break;
            case 'tag':
                $this->tag($definition, $child);
                break;
            case 'file':
                $definition->setFile(trim($child->nodeValue));
                break;
            case 'factory':
                $definition->setFactory($this->callable($child));
                break;
            case 'configurator':
                $definition->setConfigurator($this->callable($child));
                break;
        }
    }

    private function tag(Definition $definition, DOMElement $tag): void
    {
        $attributes = [];
        foreach ($tag->attributes as $name => $attribute) {
            $value = ValueReader::typed($attribute->nodeValue);
            // Symfony gives an attribute with a hyphen under both names.
            $attributes += [str_replace('-', '_', $name) => $value];
            $attributes[$name] = $value;
        }
        $text = trim($tag->nodeValue);
        $name = $text !== '' ? $text : $this->document->attribute($tag, 'name');
        if ($text === '') {
            unset($attributes['name']);
        }
        $definition->addTag($name, $attributes);
    }

    /** @return array|string */
    private function callable(DOMElement $element)
    {
        if ($element->hasAttribute('function')) {
            return $element->getAttribute('function');
        }
        $method = $element->getAttribute('method') ?: '__invoke';
        if ($element->hasAttribute('service')) {
            return [new Reference($element->getAttribute('service')), $method];
        }

        return [$this->document->attribute($element, 'class'), $method];
    }

    /** As it was written before Symfony 2.6. */
    private function factoryByAttributes(Definition $definition, DOMElement $service): void
    {
        if (!$service->hasAttribute('factory-method')) {
            return;
        }
        $method = $service->getAttribute('factory-method');
        $definition->setFactory($service->hasAttribute('factory-service')
            ? [new Reference($service->getAttribute('factory-service')), $method]
            : [$service->getAttribute('factory-class') ?: $service->getAttribute('class'), $method]);
    }
}
