<?php

namespace JDare\ClankBundle\DependencyInjection;

use Symfony\Component\Config\Resource\FileResource;
use Symfony\Component\DependencyInjection\ContainerBuilder;

/** Where in the application's configuration something is said. Symfony keeps the files, and no lines. */
final class ConfigurationLine
{
    /** @return string|null `file:line`, of the file that speaks of Clank if there are several */
    public static function of(ContainerBuilder $container, string $needle): ?string
    {
        $elsewhere = null;
        foreach ($container->getResources() as $resource) {
            if (!$resource instanceof FileResource || !self::isConfiguration((string) $resource)) {
                continue;
            }
            $file = (string) $resource;
            $text = is_file($file) ? (string) file_get_contents($file) : '';
            $start = self::startOfClank($text);
            $line = self::find($text, $needle, $start ?? 0);
            if ($line !== null && $start !== null) {
                return $file.':'.$line;
            }
            if ($line !== null && $elsewhere === null) {
                $elsewhere = $file.':'.$line;
            }
        }

        return $elsewhere;
    }

    private static function isConfiguration(string $file): bool
    {
        return (bool) preg_match('~\.(ya?ml|xml|php)$~', $file) && strpos($file, '/vendor/') === false;
    }

    private static function startOfClank(string $text): ?int
    {
        $found = preg_match('~^\s*(clank:|<clank:|.*[\'"]clank[\'"])~m', $text, $match, PREG_OFFSET_CAPTURE);

        return $found ? $match[0][1] : null;
    }

    private static function find(string $text, string $needle, int $from): ?int
    {
        $pattern = '~(?<![\w.\\\\])'.preg_quote($needle, '~').'(?![\w.\\\\])~';
        if (!preg_match($pattern, $text, $match, PREG_OFFSET_CAPTURE, $from)) {
            return null;
        }

        return 1 + substr_count($text, "\n", 0, $match[0][1]);
    }
}
