<?php

/*
 * A worker that does as it is told: by the files of its application's folder, and by what clients send.
 *
 * It writes every frame that it gets to `frames.log`. Wherever a client can put a word (the query of its handshake,
 * the first parameter of a call, an event, a topic's last segment), the word is carried out; see `carry_out`.
 */

$app = getopt('', ['app:', 'env:', 'no-debug'])['app'];
$generation = (int) getenv('CLANK_WORKER_GENERATION');
$socket = null;
$seq = 0;

/** Waits for `seconds`, whatever signal comes. */
function rest(float $seconds): void
{
    $end = microtime(true) + $seconds;
    while (microtime(true) < $end) {
        usleep(1000);
    }
}

function say(array $frame): void
{
    $json = json_encode($frame, JSON_UNESCAPED_SLASHES);
    say_bytes(pack('N', strlen($json)).$json);
}

function say_bytes(string $bytes): void
{
    global $socket;
    for (; $bytes !== ''; $bytes = substr($bytes, $written)) {
        $written = @fwrite($socket, $bytes);
        if (!$written) {
            exit(0);
        }
    }
}

function hear(): ?array
{
    $head = hear_bytes(4);

    return $head === null ? null : json_decode(hear_bytes(unpack('N', $head)[1]), true);
}

function hear_bytes(int $count): ?string
{
    global $socket;
    for ($bytes = ''; strlen($bytes) < $count; $bytes .= $read) {
        $read = fread($socket, $count - strlen($bytes));
        if ($read === false || ($read === '' && feof($socket))) {
            return null;
        }
    }

    return $bytes;
}

/** Returns what `done` says besides. */
function carry_out(?string $word): array
{
    global $socket, $seq;
    switch ($word) {
        case 'exit':
            echo "it exits\n";
            exit(3);
        case 'killed':
            posix_kill(getmypid(), SIGKILL);
            rest(60);
            // no break
        case 'loops':
            for (;;) {
            }
        case 'sleeps':
            rest(60);
            break;
        case 'runs_out_of_memory':
            ini_set('memory_limit', '32M');
            for ($all = [];;) {
                $all[] = str_repeat('x', 1 << 20);
            }
            // no break
        case 'says_no_json':
            say_bytes(pack('N', 4).'{"o"');
            rest(60);
            // no break
        case 'says_too_much':
            say_bytes(pack('N', 17 << 20).str_repeat(' ', 1 << 16));
            rest(60);
            // no break
        case 'says_half':
            say_bytes(pack('N', 100).'{"op":"done"');
            exit(0);
        case 'says_the_unknown':
            say(['op' => 'sing']);
            rest(60);
            // no break
        case 'ends_another':
            say(['op' => 'done', 'seq' => $seq + 1000]);
            rest(60);
            // no break
        case 'ends_it_twice':
            say(['op' => 'done', 'seq' => $seq]);
            say(['op' => 'done', 'seq' => $seq]);
            rest(60);
            // no break
        case 'hangs_up':
            fclose($socket);
            rest(60);
            // no break
        case 'dies_with_words':
            say(['op' => 'died', 'seq' => $seq, 'reason' => 'fatal', 'message' => 'no more', 'file' => '/app/a.php', 'line' => 7]);
            exit(255);
        case 'throws':
            $error = ['class' => 'RuntimeException', 'message' => 'it throws', 'code' => 0, 'file' => __FILE__, 'line' => 1];

            return ['errors' => [$error]];
        case 'waits':
            rest(0.05);
            break;
    }

    return [];
}

function call(array $request): array
{
    global $generation;
    $word = $request['params'][0] ?? null;
    $answer = ['op' => 'result', 'call' => $request['seq']];
    switch ($request['procedure']) {
        case 'do/it':
            $done = carry_out($word);
            say($answer + ['value' => [$generation, $word]]);

            return $done;
        case 'do/echo':
            say($answer + ['value' => $request['params']]);

            return [];
        case 'do/error':
            $uri = 'http://example.com/error';
            say(['op' => 'call_error', 'call' => $request['seq'], 'uri' => $uri, 'description' => 'no', 'details' => [1]]);

            return [];
        case 'do/memory':
            $GLOBALS['kept'] = str_repeat('x', $word);
            say($answer + ['value' => getmypid()]);

            return [];
        case 'do/pid':
            say($answer + ['value' => getmypid()]);

            return [];
        case 'do/watch':
            say(['op' => 'watch', 'files' => $request['params']]);
            break;
        case 'do/close':
            say(['op' => 'close_client', 'id' => $request['params'][0], 'code' => 4001]);
            break;
        case 'do/add':
        case 'do/remove':
            say(['op' => substr($request['procedure'], 3), 'topic' => $request['params'][0], 'id' => $request['id']]);
            break;
        case 'do/broadcast':
            say(['op' => 'broadcast'] + $request['params'] + ['exclude' => [], 'eligible' => null]);
            break;
        case 'do/event':
            say(['op' => 'event', 'id' => $request['id'], 'topic' => 'told', 'event' => $request['params']]);
            break;
        case 'do/send':
            say(['op' => 'send', 'id' => $request['id'], 'text' => '[8,"sent","as it stands"]']);
            break;
        case 'do/later':
            $GLOBALS['later'][] = $request['seq'];

            return [];
        case 'do/answer_all':
            foreach ($GLOBALS['later'] ?? [] as $seq) {
                say(['op' => 'result', 'call' => $seq, 'value' => 'late']);
            }
            break;
        case 'do/nothing_of_sense':
            say(['op' => 'broadcast', 'topic' => '', 'event' => 1]);
            say(['op' => 'broadcast', 'topic' => 'nobody', 'event' => 1]);
            say(['op' => 'event', 'id' => 999, 'topic' => 'a', 'event' => 1]);
            say(['op' => 'send', 'id' => 999, 'text' => 'x']);
            say(['op' => 'add', 'topic' => 'a', 'id' => 999]);
            say(['op' => 'remove', 'topic' => 'a', 'id' => 999]);
            say(['op' => 'close_client', 'id' => 999, 'code' => 1]);
            say(['op' => 'result', 'call' => 999, 'value' => 1]);
            break;
    }
    say($answer + ['value' => true]);

    return [];
}

function last_segment(string $topic): string
{
    return substr(strrchr('/'.$topic, '/'), 1);
}

$log = fopen($app.'/frames.log', 'a');
if (is_file($app.'/boot.php')) {
    require $app.'/boot.php';
}
$socket = stream_socket_client('unix://'.getenv('CLANK_WORKER_SOCKET'));
stream_set_timeout($socket, 3600);
$hello = [
    'op' => 'hello', 'version' => 1, 'php' => PHP_VERSION, 'symfony' => null, 'listen' => null,
    'topics' => ['handled'], 'rpcs' => ['do'], 'periodics' => [], 'listeners' => ['clank.client.connected', 'clank.client.disconnected', 'clank.client.error'],
    'all_topics' => false, 'all_calls' => false, 'connecting' => false, 'snapshot' => false,
];
if (is_file($app.'/hello.json')) {
    $hello = json_decode(file_get_contents($app.'/hello.json'), true) + $hello;
}
say($hello);

while (($request = hear()) !== null) {
    fwrite($log, json_encode(['generation' => $generation] + $request)."\n");
    $seq = $request['seq'] ?? 0;
    $done = [];
    switch ($request['op']) {
        case 'begin':
            if (is_file($app.'/begin')) {
                $done = carry_out(trim(file_get_contents($app.'/begin')));
            }
            break;
        case 'connecting':
            $done = ['identity' => 'anna'] + carry_out($request['connection']['query']);
            break;
        case 'open':
            $done = carry_out($request['connection']['query']);
            echo $request['connection']['id'], " connected\n";
            break;
        case 'close':
            $done = carry_out($request['reason']);
            echo $request['id'], " disconnected\n";
            break;
        case 'gone':
            echo $request['connection']['id'], " gone\n";
            break;
        case 'error':
            echo 'error of ', json_encode($request['of']), ': ', $request['message'], "\n";
            break;
        case 'subscribe':
        case 'unsubscribe':
            $done = carry_out(last_segment($request['topic']));
            break;
        case 'publish':
            $done = carry_out(is_string($request['event']) ? $request['event'] : null);
            say(['op' => 'broadcast', 'topic' => $request['topic'], 'event' => ['seen' => $request['event']],
                'exclude' => $request['exclude'], 'eligible' => $request['eligible']]);
            break;
        case 'call':
            $done = call($request);
            break;
        case 'tick':
            $done = carry_out($request['name']);
            break;
        case 'stop':
            say(['op' => 'done', 'seq' => $seq, 'properties' => ['1' => ['name' => 'anna']]]);
            exit(0);
    }
    if ($seq !== 0) {
        say(['op' => 'done', 'seq' => $seq] + $done);
    }
}
