<?php

namespace JDare\ClankBundle\Worker;

use Ratchet\ConnectionInterface;

/** Exceptions that requests ended in, until the server asks for their `clank.client.error`. */
final class Failures
{
    const KEPT = 1000;

    private $kept = [];

    public function keep(int $seq, \Throwable $e, ?ConnectionInterface $connection): void
    {
        if (count($this->kept) >= self::KEPT) {
            reset($this->kept);
            unset($this->kept[key($this->kept)]);
        }
        $this->kept[$seq] = [$e, $connection];
    }

    /** @return array{\Throwable, ConnectionInterface|null}|null */
    public function take(?int $seq): ?array
    {
        $kept = $this->kept[$seq] ?? null;
        unset($this->kept[$seq]);

        return $kept;
    }

    public static function describe(\Throwable $e): array
    {
        return [
            'class' => get_class($e),
            'message' => $e->getMessage(),
            'code' => $e->getCode(),
            'file' => $e->getFile(),
            'line' => $e->getLine(),
        ];
    }
}
