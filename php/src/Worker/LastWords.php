<?php

namespace JDare\ClankBundle\Worker;

/**
 * Tells the server why the worker ends, when PHP ends it: the application called exit(), or memory ran out. Before
 * `hello` that is `refused`, later `died`.
 */
final class LastWords
{
    const FATAL = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    private static $socketPath;
    private static $link;
    private static $request;
    private static $started = false;
    private static $said = false;

    public static function prepare(string $socketPath): void
    {
        self::$socketPath = $socketPath;
        register_shutdown_function([self::class, 'say']);
        // What is needed at the end is loaded now, while there is memory for it.
        class_exists(Link::class);
        class_exists(Output::class);
    }

    /** The server is connected. */
    public static function through(Link $link): void
    {
        self::$link = $link;
    }

    /** `hello` was said. */
    public static function started(): void
    {
        self::$started = true;
    }

    /** The request that is being carried out. */
    public static function during(?array $request): void
    {
        self::$request = $request;
    }

    /** The worker ends as the server wants it to. */
    public static function needNone(): void
    {
        self::$said = true;
    }

    public static function areSaid(): bool
    {
        return self::$said;
    }

    public static function refuse(\Throwable $e): void
    {
        self::refused($e->getMessage(), get_class($e), $e->getFile(), $e->getLine());
    }

    /** @internal the shutdown function */
    public static function say(): void
    {
        if (self::$said) {
            return;
        }
        ini_set('memory_limit', '-1');
        $error = error_get_last();
        $error = $error !== null && ($error['type'] & self::FATAL) ? $error : null;
        while (ob_get_level() > 0 && ob_end_flush()) {
            continue;
        }
        if (!self::$started) {
            $message = $error['message'] ?? 'The application ended PHP by exit() while it was starting.';
            self::refused($message, 'Error', $error['file'] ?? '', $error['line'] ?? 0);

            return;
        }
        self::$said = true;
        self::$link->addWhateverItHolds([
            'op' => 'died',
            'seq' => self::$request['seq'] ?? 0,
            'reason' => $error === null ? 'exit' : 'fatal',
            'message' => $error['message'] ?? 'The application ended PHP by exit() '.self::occasion().'.',
            'file' => $error['file'] ?? '',
            'line' => $error['line'] ?? 0,
        ]);
        self::$link->flush();
    }

    private static function refused(string $message, string $class, string $file, int $line): void
    {
        self::$said = true;
        Output::say(sprintf('The application does not start: %s (%s:%d)', $message, $file, $line));
        try {
            $link = self::$link ?? Link::connect(self::$socketPath);
            $link->addWhateverItHolds(['op' => 'refused', 'message' => $message, 'class' => $class]
                + ['file' => $file, 'line' => $line]);
            $link->flush();
        } catch (\Throwable $e) {
            Output::report($e, 'The server could not be told');
        }
    }

    private static function occasion(): string
    {
        $request = self::$request;
        if ($request === null) {
            return 'or stopped the event loop, outside of any request';
        }
        $about = $request['topic'] ?? $request['procedure'] ?? $request['name'] ?? $request['id']
            ?? $request['connection']['id'] ?? '';

        return rtrim('during '.$request['op'].' '.$about);
    }
}
