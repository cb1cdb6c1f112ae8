<?php

namespace JDare\ClankBundle\Xml;

use DOMElement;
use Symfony\Component\Config\FileLocatorInterface;
use Symfony\Component\Config\Loader\FileLoader;
use Symfony\Component\Config\Resource\FileResource;
use Symfony\Component\DependencyInjection\Alias;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Definition;

/**
 * Reads service XML files, for Symfonys that don't any more; there it stands under the name of Symfony's own reader.
 * Takes a whole file, and the piece of one that documentation shows: <services>, or a single <service>.
 */
class ServiceFileLoader extends FileLoader
{
    protected $container;

    public function __construct(ContainerBuilder $container, FileLocatorInterface $locator, ?string $env = null)
    {
        $this->container = $container;
        parent::__construct($locator, $env);
    }

    public function load($resource, $type = null): bool
    {
        $file = $this->locator->locate($resource, null, true);
        $this->container->addResource(new FileResource($file));
        $document = Document::read($file);
        $this->setCurrentDir(dirname($file));
        $this->loadElement($document->root(), $document);

        return true;
    }

    public function supports($resource, $type = null): bool
    {
        return is_string($resource) && ($type === 'xml' || ($type === null && substr($resource, -4) === '.xml'));
    }

    private function loadElement(DOMElement $element, Document $document): void
    {
        switch ($element->localName) {
            case 'container':
                $this->loadContainer($element, $document);
                break;
            case 'services':
                $this->loadServices($element, $document);
                break;
            case 'service':
                $this->loadService($element, new DefinitionReader($document, null));
                break;
            default:
                throw $document->unknown($element, ['container', 'services', 'service']);
        }
    }

    private function loadContainer(DOMElement $container, Document $document): void
    {
        foreach ($document->children($container) as $child) {
            switch ($child->localName) {
                case 'imports':
                    $this->loadImports($child, $document);
                    break;
                case 'parameters':
                    foreach ((new ValueReader($document))->collection($child, 'parameter') as $name => $value) {
                        $this->container->setParameter($name, $value);
                    }
                    break;
                case 'services':
                    $this->loadServices($child, $document);
                    break;
                default:
                    // Another namespace is the configuration of another bundle.
                    $this->loadExtension($child, $document);
            }
        }
    }

    private function loadImports(DOMElement $imports, Document $document): void
    {
        foreach ($document->children($imports, ['import']) as $import) {
            $ignore = $import->getAttribute('ignore-errors');
            $this->setCurrentDir(dirname($document->file()));
            $this->import(
                $document->attribute($import, 'resource'),
                $import->getAttribute('type') ?: null,
                $ignore === 'not_found' ? 'not_found' : $ignore === 'true',
                $document->file()
            );
        }
    }

    private function loadServices(DOMElement $services, Document $document): void
    {
        $defaults = null;
        foreach ($document->children($services, ['defaults', 'service']) as $child) {
            if ($child->localName === 'defaults') {
                $defaults = $child;
            }
        }
        $reader = new DefinitionReader($document, $defaults);
        foreach ($document->children($services, ['defaults', 'service']) as $child) {
            if ($child->localName === 'service') {
                $this->loadService($child, $reader);
            }
        }
    }

    private function loadService(DOMElement $service, DefinitionReader $reader): void
    {
        $id = $reader->id($service);
        $read = $reader->read($service);
        if ($read instanceof Alias) {
            $this->container->setAlias($id, $read);
        } elseif ($read instanceof Definition) {
            $this->container->setDefinition($id, $read);
        }
    }

    private function loadExtension(DOMElement $element, Document $document): void
    {
        foreach ($this->container->getExtensions() as $extension) {
            if ($element->namespaceURI !== null && $element->namespaceURI === $extension->getNamespace()) {
                throw $document->error($element, sprintf(
                    'configuration of "%s" is not read from XML by this reader; write it as YAML or PHP',
                    $extension->getAlias()
                ));
            }
        }
        throw $document->unknown($element, ['imports', 'parameters', 'services']);
    }
}
