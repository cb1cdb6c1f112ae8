<?php

namespace JDare\ClankBundle\Worker;

/**
 * What the application prints, and what PHP has to say. What is echoed is written at once, through a buffer: PHP must
 * go on believing that nothing was sent, or no session could be read. What PHP complains of goes to standard error.
 */
final class Output
{
    const NAMES = [
        E_WARNING => 'Warning', E_USER_WARNING => 'Warning', E_NOTICE => 'Notice', E_USER_NOTICE => 'Notice',
        E_DEPRECATED => 'Deprecated', E_USER_DEPRECATED => 'Deprecated', E_RECOVERABLE_ERROR => 'Error',
        E_USER_ERROR => 'Error',
    ];

    private static $deprecations = [];

    public static function capture(): void
    {
        ini_set('display_errors', 'stderr');
        ini_set('log_errors', '0');
        ini_set('html_errors', '0');
        ini_set('implicit_flush', '0');
        self::listen();
        self::open();
    }

    /** Again, where the application has put a handler or ended the buffer meanwhile. */
    public static function listen(): void
    {
        set_error_handler([self::class, 'complain']);
    }

    public static function open(): void
    {
        if (ob_get_level() === 0) {
            ob_start([self::class, 'write'], 1);
        }
    }

    public static function write($text): string
    {
        if ($text !== '') {
            fwrite(STDOUT, $text);
        }

        return '';
    }

    /** A line for the operator. */
    public static function say(string $text): void
    {
        fwrite(STDERR, $text.PHP_EOL);
    }

    public static function report(\Throwable $e, string $where): void
    {
        self::say(sprintf('%s: %s: %s (%s:%d)', $where, get_class($e), $e->getMessage(), $e->getFile(), $e->getLine()));
    }

    public static function complain($level, $message, $file = '', $line = 0): bool
    {
        if (!(error_reporting() & $level)) {
            return true;
        }
        if ($level === E_DEPRECATED || $level === E_USER_DEPRECATED) {
            // Once is enough: in a process that lives on, each would be said for every client.
            if (isset(self::$deprecations[$file.':'.$line])) {
                return true;
            }
            self::$deprecations[$file.':'.$line] = true;
        }
        self::say(sprintf('PHP %s: %s in %s:%d', self::NAMES[$level] ?? 'Error', $message, $file, $line));

        return true;
    }
}
