<?php

namespace JDare\ClankBundle\Worker;

use Symfony\Component\Config\Resource\FileResource;

/** In development: the application's files whose change asks for a new worker, as they come to be read. */
final class WatchedFiles
{
    private $container;
    private $folder;
    private $skipped;
    private $included = 0;

    public function __construct(Application $application)
    {
        $folder = $application->parameter('kernel.build_dir') ?? $application->kernel->getCacheDir();
        $this->container = $folder.'/'.$application->parameter('kernel.container_class').'.php';
        $this->folder = rtrim(realpath($application->folder()) ?: $application->folder(), '/').'/';
        $this->skipped = [$this->folder.'vendor/', $this->folder.'var/', $this->cacheFolder($application)];
    }

    /** Those that were not told of before. */
    public function since(): array
    {
        $included = get_included_files();
        if (count($included) === $this->included) {
            return [];
        }
        $first = $this->included === 0;
        $new = array_slice($included, $this->included);
        $this->included = count($included);
        if ($first) {
            $new = array_merge($new, $this->configuration(), glob($this->folder.'.env*') ?: []);
        }
        return array_values(array_unique(array_filter($new, [$this, 'isOwn'])));
    }

    /** The files that Symfony made its container of: it lists them beside it. */
    private function configuration(): array
    {
        $list = $this->container.'.meta';
        $resources = is_file($list) ? unserialize((string) file_get_contents($list)) : [];
        $files = [];
        foreach (is_array($resources) ? $resources : [] as $resource) {
            if ($resource instanceof FileResource) {
                $files[] = (string) $resource;
            }
        }

        return $files;
    }

    private function isOwn(string $file): bool
    {
        if (strpos($file, $this->folder) !== 0) {
            return false;
        }
        foreach ($this->skipped as $folder) {
            if (strpos($file, $folder) === 0) {
                return false;
            }
        }

        return true;
    }

    private function cacheFolder(Application $application): string
    {
        $folder = $application->kernel->getCacheDir();

        return rtrim(realpath($folder) ?: $folder, '/').'/';
    }
}
