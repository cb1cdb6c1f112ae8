// autobahn-python 0.8.15, a client of WAMP v1 by other hands, against the server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";
import { Server } from "../support/server.mjs";

const folder = fileURLToPath(new URL("../autobahn08/", import.meta.url));
const NEWS = "http://acme.example/news";

test("autobahn-python 0.8.15 subscribes, publishes and calls", async (t) => {
  const server = await Server.start(t, { events: "json" });
  const { stdout } = await promisify(execFile)(
    process.env.PYTHON2 ?? "python2.7",
    [`${folder}client.py`, `ws://${server.address}`],
    { env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } },
  );
  const told = JSON.parse(stdout);
  // With neither flag nor lists it sends null in the flag's place: the publisher is not excluded.
  assert.deepEqual(told.heard.publisher, [[NEWS, { msg: "to all" }], [NEWS, "by CURIE"]]);
  assert.deepEqual(told.heard.other, [
    [NEWS, { msg: "to all" }],
    [NEWS, "by exclude"],
    [NEWS, "by eligible"],
    [NEWS, "by CURIE"],
    [NEWS, "after unsubscribing"],
  ]);
  assert.equal(told.end, "the end");
  assert.deepEqual(told.error.slice(0, 2), ["sample/nothing", "Unable to find that command"]);
  assert.equal(new Set(told.ids).size, 2);
  assert.deepEqual(told.clean, [true, true]);

  const connected = await server.recordsOf("clank.client.connected", 2);
  const left = await server.recordsOf("clank.client.disconnected", 2);
  assert.deepEqual(left.map(({ connection_id }) => connection_id).sort(), connected.map(({ connection_id }) => connection_id).sort());
  for (const { cause, code, reason } of left) assert.deepEqual([cause, code, reason], ["client_closed", 1000, "done"]);
});
