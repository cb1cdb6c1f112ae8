<?php

namespace Clank\Tests;

/** A temporary folder that is gone when the test is over. */
final class Folder
{
    private static $all = [];

    public $path;

    public function __construct()
    {
        $this->path = sys_get_temp_dir().'/clank-php-'.bin2hex(random_bytes(6));
        mkdir($this->path, 0700);
        self::$all[] = $this->path;
    }

    public function write(string $name, string $text): string
    {
        $file = $this->path.'/'.$name;
        if (!is_dir(dirname($file))) {
            mkdir(dirname($file), 0700, true);
        }
        file_put_contents($file, $text);

        return $file;
    }

    public static function removeAll(): void
    {
        foreach (self::$all as $path) {
            self::remove($path);
        }
        self::$all = [];
    }

    private static function remove(string $path): void
    {
        if (is_dir($path) && !is_link($path)) {
            foreach (array_diff(scandir($path), ['.', '..']) as $name) {
                self::remove($path.'/'.$name);
            }
            rmdir($path);
        } elseif (file_exists($path) || is_link($path)) {
            unlink($path);
        }
    }
}
