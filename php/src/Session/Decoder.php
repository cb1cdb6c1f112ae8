<?php

namespace JDare\ClankBundle\Session;

/** Lets PHP decode what a session holds, in any of its formats. */
final class Decoder
{
    /** Nothing is sent to anybody, no id is made, and no old session is swept. */
    const OPTIONS = [
        'read_and_close' => true,
        'use_cookies' => 0,
        'use_only_cookies' => 1,
        'use_strict_mode' => 0,
        'use_trans_sid' => 0,
        'cache_limiter' => '',
        'gc_probability' => 0,
    ];

    private $serializer;
    private $handler;

    /** @param string $serializer as in session.serialize_handler, or `auto` */
    public function __construct(string $serializer)
    {
        $this->serializer = $serializer;
        $this->handler = new ReadingHandler();
    }

    public function decode(string $data): array
    {
        $this->handler->hold($data);
        $before = ini_set('session.serialize_handler', $this->serializerOf($data));
        session_set_save_handler($this->handler, false);
        session_id('clank');
        try {
            if (!@session_start(self::OPTIONS)) {
                throw new \UnexpectedValueException(
                    'The session\'s data can\'t be decoded; is session_serializer right?'
                );
            }

            return $_SESSION;
        } finally {
            $_SESSION = [];
            if (session_status() === PHP_SESSION_ACTIVE) {
                session_abort();
            }
            ini_set('session.serialize_handler', (string) $before);
        }
    }

    /** The web server's PHP may be configured differently from this one: the data says more. */
    private function serializerOf(string $data): string
    {
        if ($this->serializer !== 'auto') {
            return $this->serializer;
        }
        if (preg_match('~^a:\d+:\{.*\}$~s', $data)) {
            return 'php_serialize';
        }
        if (strncmp($data, "\0\0\0\2", 4) === 0) {
            return 'igbinary';
        }
        // In php_binary a key follows its length, a byte; Symfony's keys are shorter than the code of a space.
        return ord($data[0]) < 32 ? 'php_binary' : 'php';
    }
}
