// A client of WAMP v2 by other hands over RawSocket: autobahn-python, in each serializer, over TCP and a Unix socket.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { usesAll } from "../support/python.mjs";
import { Server } from "../support/server.mjs";

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
      const session = await usesAll(url, serializer);
      const connected = (await server.recordsOf("clank.client.connected", at + 1))[at];
      assert.deepEqual([connected.session.id, connected.session.serializer], [session, serializer]);
      assert.deepEqual([connected.transport, connected.remote_address === undefined], ["rawsocket", at === 1]);
      const left = (await server.recordsOf("clank.client.disconnected", at + 1))[at];
      assert.equal(left.cause, "client_closed");
    }
  });
}
