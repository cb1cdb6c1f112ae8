// A client of WAMP v2 by other hands over RawSocket: autobahn-python, in each serializer, over TCP and a Unix socket.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Server } from "../support/server.mjs";

const folder = fileURLToPath(new URL("../autobahn2/", import.meta.url));
const LAUNCHING = "Launching RawSocket server on: ";

for (const serializer of ["json", "msgpack", "cbor"]) {
  test(`autobahn-python subscribes, publishes, calls and is called by RawSocket in ${serializer}`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "clank-e2e-"));
    t.after(() => rm(directory, { recursive: true }));
    const unix = join(directory, "clank.sock");
    const env = { CLANK_RAWSOCKET_LISTEN: "0", CLANK_RAWSOCKET_UNIX: unix };
    const server = await Server.start(t, { events: "json", env });
    const launched = (lines) => lines.filter((line) => line.startsWith(LAUNCHING)).map((line) => line.slice(LAUNCHING.length));
    const urls = await server.until("it speaks RawSocket", (lines) => launched(lines).length === 2 && launched(lines));
    assert.equal(urls[1], `rs://unix:${unix}`);
    for (const [at, url] of urls.entries()) {
      const { stdout } = await promisify(execFile)(
        `${folder}.venv/bin/python`,
        [`${folder}client.py`, url, serializer],
        { env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } },
      );
      const { session, ...told } = JSON.parse(stdout.trim().split("\n").at(-1));
      assert.deepEqual(told, {
        authrole: "anonymous",
        heard: [["hi", { n: [1, -2.5, null] }], { key: "ä" }],
        sum: 5,
        error: ["com.example.wrong", ["it is wrong", 1]],
        unknown: "wamp.error.no_such_procedure",
        late: "wamp.error.timeout",
        cancelled: true,
        patterns: [["com.example.upper", 1], ["com.example.upper", 1], "com.example.anything"],
        meta: {
          sessions: 1,
          authrole: "anonymous",
          topics: 2,
          registered: ["com.example.any", "prefix", "roundrobin"],
          callees: true,
        },
        parts: [3, [0, 1, 2]],
      });
      const connected = (await server.recordsOf("clank.client.connected", at + 1))[at];
      assert.deepEqual([connected.session.id, connected.session.serializer], [session, serializer]);
      assert.deepEqual([connected.transport, connected.remote_address === undefined], ["rawsocket", at === 1]);
      const left = (await server.recordsOf("clank.client.disconnected", at + 1))[at];
      assert.equal(left.cause, "client_closed");
    }
  });
}
