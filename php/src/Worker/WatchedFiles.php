<?php

namespace JDare\ClankBundle\Worker;

/** In development: the application's files whose change asks for a new worker, as they come to be read. */
final class WatchedFiles
{
    const CONFIGURATION = ['config/*.*', 'config/*/*.*', 'app/config/*.*', '.env*', 'src/*/Resources/config/*.*'];

    private $folder;
    private $skipped;
    private $included = 0;

    public function __construct(Application $application)
    {
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
            $new = array_merge($new, ...array_map([$this, 'configuration'], self::CONFIGURATION));
        }
        $new = array_values(array_unique(array_filter($new, [$this, 'isOwn'])));

        return $new;
    }

    private function configuration(string $pattern): array
    {
        return glob($this->folder.$pattern) ?: [];
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
