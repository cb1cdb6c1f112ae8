// Clients of WAMP v2 by other hands, in each serializer: autobahn.js, and autobahn-python.
import assert from "node:assert/strict";
import { test } from "node:test";
import autobahn from "autobahn";
import { usesAll } from "../support/python.mjs";
import { Server } from "../support/server.mjs";

const SERIALIZERS = {
  json: () => new autobahn.serializer.JSONSerializer(),
  msgpack: () => new autobahn.serializer.MsgpackSerializer(),
  cbor: () => new autobahn.serializer.CBORSerializer(),
};

/** A session of autobahn.js, for the test `t`. */
function join(t, server, serializer) {
  const url = `ws://${server.address}/`;
  const connection = new autobahn.Connection({
    transports: [{ type: "websocket", url, serializers: [SERIALIZERS[serializer]()] }],
    realm: "realm1",
    max_retries: 0,
  });
  return new Promise((resolve, reject) => {
    connection.onopen = (session) => resolve({ connection, session });
    connection.onclose = (reason, details) => reject(new Error(`${reason}: ${JSON.stringify(details)}`));
    connection.open();
    t.after(() => connection.isOpen && connection.close());
  });
}

for (const serializer of Object.keys(SERIALIZERS)) {
  test(`autobahn.js meets itself in JSON from ${serializer}`, async (t) => {
    const server = await Server.start(t, { events: "json" });
    const one = await join(t, server, serializer);
    const other = await join(t, server, "json");
    const heard = new Promise((resolve) => {
      other.session.subscribe("com.example.topic", (args, kwargs) => resolve([args, kwargs])).then(() => {
        one.session.publish("com.example.topic", ["hi", { n: [1, -2.5, null] }], { key: "ä" });
      });
    });
    assert.deepEqual(await heard, [["hi", { n: [1, -2.5, null] }], { key: "ä" }]);
    await one.session.register("com.example.add", ([a, b]) => a + b);
    assert.equal(await other.session.call("com.example.add", [2, 3]), 5);
    await one.session.register("com.example.fail", () => {
      throw new autobahn.Error("com.example.wrong", ["it is wrong", 1]);
    });
    await assert.rejects(Promise.resolve(other.session.call("com.example.fail")), ({ error, args }) => {
      assert.deepEqual([error, args], ["com.example.wrong", ["it is wrong", 1]]);
      return true;
    });
    const connected = await server.recordsOf("clank.client.connected", 2);
    assert.deepEqual(connected.map(({ session }) => session.serializer), [serializer, "json"]);
    assert.deepEqual(connected.map(({ session }) => session.id), [one.session.id, other.session.id]);
    one.connection.close();
    other.connection.close();
    const left = await server.recordsOf("clank.client.disconnected", 2);
    for (const { cause, reason } of left) assert.deepEqual([cause, reason], ["client_closed", "wamp.close.normal"]);
  });

  test(`autobahn.js hears of sessions and shares procedures in ${serializer}`, async (t) => {
    const server = await Server.start(t, { events: "json" });
    const watcher = await join(t, server, "json");
    const joined = new Promise((resolve) => watcher.session.subscribe("wamp.session.on_join", ([session]) => resolve(session)));
    const left = new Promise((resolve) => watcher.session.subscribe("wamp.session.on_leave", ([id], { cause }) => resolve([id, cause])));
    const registered = new Promise((resolve) =>
      watcher.session.subscribe("wamp.registration.on_create", ([, { id, uri }]) => resolve([id, uri])),
    );
    assert.equal(await watcher.session.call("wamp.session.count"), 1);
    const [one, other] = [await join(t, server, serializer), await join(t, server, serializer)];
    assert.equal((await joined).session, one.session.id);
    const shared = { invoke: "roundrobin" };
    await one.session.register("com.example.which", () => "one", shared);
    await other.session.register("com.example.which", () => "other", shared);
    const [registration, uri] = await registered;
    assert.equal(uri, "com.example.which");
    assert.deepEqual(await watcher.session.call("wamp.registration.list_callees", [registration]), [
      one.session.id,
      other.session.id,
    ]);
    const answers = [1, 2, 3].map(() => watcher.session.call("com.example.which"));
    assert.deepEqual(await Promise.all(answers), ["one", "other", "one"]);
    await assert.rejects(Promise.resolve(watcher.session.call("wamp.session.kill", [one.session.id])), ({ error }) => {
      assert.equal(error, "wamp.error.not_authorized");
      return true;
    });
    const { id } = one.session;
    one.connection.close();
    assert.deepEqual(await left, [id, "client_closed"]);
  });

  test(`autobahn-python subscribes, publishes, calls and is called in ${serializer}`, async (t) => {
    const server = await Server.start(t, { events: "json" });
    const session = await usesAll(`ws://${server.address}/`, serializer);
    const [connected] = await server.recordsOf("clank.client.connected", 1);
    assert.equal(connected.session.id, session);
    const [left] = await server.recordsOf("clank.client.disconnected", 1);
    assert.equal(left.cause, "client_closed");
  });
}
