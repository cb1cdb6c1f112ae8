<?php

/**
 * Receives Clank's webhooks: php -S 127.0.0.1:PORT receiver.php, with the secret in WEBHOOK_SECRET.
 *
 * PHP's own library is all that it needs. Each event that counts is printed as a line, once.
 */

const TOLERANCE = 5 * 60; // seconds

/** Throws unless the request is Clank's, new, and as it was sent. */
function verify($body)
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE) {
        throw new RuntimeException('stale, or from the future');
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', getenv('WEBHOOK_SECRET')));
    $expected = base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $signature) {
        [$version, $value] = explode(',', $signature, 2) + ['', ''];
        if ($version === 'v1' && hash_equals($expected, $value)) {
            return;
        }
    }
    throw new RuntimeException('not signed with this secret');
}

/** Applies an event once. At least once is promised, so that one may come again. */
function apply(array $event, array &$state)
{
    if (isset($state['seen'][$event['id']])) {
        return;
    }
    $state['seen'][$event['id']] = true;
    $identity = $event['data']['identity'] ?? [];
    if (isset($identity['version'])) {
        // The event of an older connection, which came late: the user has connected again.
        if ($identity['version'] <= ($state['versions'][$identity['id']] ?? 0)) {
            return;
        }
        $state['versions'][$identity['id']] = $identity['version'];
    }
    file_put_contents('php://stdout', "{$event['type']} {$event['id']}\n");
}

/** Changes what is known under a lock; a database in earnest. */
function remember(callable $change)
{
    $file = fopen(getenv('STATE_FILE') ?: sys_get_temp_dir() . '/clank-receiver.json', 'c+');
    flock($file, LOCK_EX);
    $state = json_decode(stream_get_contents($file), true) ?: ['seen' => [], 'versions' => []];
    $change($state);
    ftruncate($file, 0);
    rewind($file);
    fwrite($file, json_encode($state));
    fclose($file);
}

try {
    $body = file_get_contents('php://input');
    verify($body);
    $events = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
    remember(function (array &$state) use ($events) {
        foreach (isset($events['id']) ? [$events] : $events as $event) {
            apply($event, $state);
        }
    });
    http_response_code(204);
} catch (Exception $error) {
    error_log('refused: ' . $error->getMessage());
    http_response_code(401);
}
