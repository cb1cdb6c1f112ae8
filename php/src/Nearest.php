<?php

namespace JDare\ClankBundle;

/** Finds what somebody who mistyped may have meant. */
final class Nearest
{
    /** How much of a name may differ: a third of it. */
    const PART = 3;

    public static function of(string $wanted, array $choices): ?string
    {
        $best = null;
        $least = max(1, intdiv(strlen($wanted), self::PART)) + 1;
        foreach ($choices as $choice) {
            // levenshtein() takes no longer strings before PHP 8.
            if (strlen($choice) > 255 || strlen($wanted) > 255) {
                continue;
            }
            $distance = levenshtein(strtolower($wanted), strtolower($choice));
            if ($distance < $least) {
                $least = $distance;
                $best = $choice;
            }
        }

        return $best;
    }
}
