// The life of a connection by WAMP v2: challenges, refusals, goodbyes, and what reconnects restore.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, verify, webcrypto } from "node:crypto";
import { test } from "node:test";
import { CallError, cra, cryptosign } from "../dist/clank.mjs";
import { event, greeted, session2 } from "./peer.mjs";

/** A connection that is lost at once made again, as fast as can be, and greeted. */
async function reconnect(peer, connection) {
  connection.cut();
  const next = await peer.accept();
  assert.equal((await next.next())[0], 1);
  return next;
}

const FAST = { retryDelay: 0 };

test("a challenge is answered by onchallenge", async (t) => {
  const config = { authid: "joe", authrole: "user", authmethods: ["ticket"], authextra: { key: 1 } };
  for (const [answer, sent] of [
    ["s3cret", [5, "s3cret", {}]],
    [Promise.resolve({ signature: "x", extra: { nonce: "y" } }), [5, "x", { nonce: "y" }]],
  ]) {
    const asked = [];
    const onchallenge = (...challenge) => (asked.push(challenge), answer);
    const { client, connection, hello } = await greeted(t, { ...config, onchallenge });
    const { roles, ...details } = hello[2];
    assert.deepEqual(details, config);
    connection.send([4, "ticket", { n: 1 }]);
    assert.deepEqual(await connection.next(), sent);
    assert.deepEqual(asked, [["ticket", { n: 1 }]]);
    const connected = event(client, "socket/connect");
    connection.send([2, 8, {}]);
    assert.equal((await connected).id, 8);
  }
});

test("a challenge that can't be answered is the end", async (t) => {
  const fail = () => {
    throw new Error("no such key");
  };
  for (const [config, words] of [
    [{}, "there is no onchallenge to answer the challenge"],
    [{ onchallenge: fail }, "no such key"],
    [{ onchallenge: () => Promise.reject("no key") }, "no key"],
  ]) {
    const { client, connection } = await greeted(t, config);
    const disconnected = event(client, "socket/disconnect");
    connection.send([4, "ticket", {}]);
    const { code, reason, willReconnect } = await disconnected;
    assert.deepEqual([code, reason, willReconnect], [4003, words, false]);
  }
});

test("an answer that comes after the connection is gone goes nowhere", async (t) => {
  let answer;
  const onchallenge = () => new Promise((resolve) => (answer = resolve));
  const { peer, client, connection } = await greeted(t, { ...FAST, onchallenge });
  connection.send([4, "ticket", {}]);
  const lost = event(client, "socket/disconnect");
  connection.cut();
  await lost;
  const next = await peer.accept();
  answer("late");
  assert.equal((await next.next())[0], 1);
  const connected = event(client, "socket/connect");
  next.send([2, 8, {}]);
  (await connected).publish("end");
  assert.equal((await next.next())[0], 16);
});

test("WAMP-CRA signs the challenge, with a key that the specification derives", async () => {
  const signed = createHmac("sha256", "sécret").update("{}").digest("base64");
  assert.equal(await cra("sécret", { challenge: "{}" }), signed);
  const salted = { challenge: "{}", salt: "salt123", iterations: 100, keylen: 32 };
  const key = "23EgbJzv5UVDrvDok6x9La33Q89ubrMmXdvi42GUdw0=";
  assert.equal(await cra("s3cret", salted), await cra(key, { challenge: "{}" }));
});

test("cryptosign signs the challenge", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const key = await webcrypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  const challenge = "00ff".repeat(16);
  const signed = await cryptosign(key, { challenge });
  assert.equal(signed.slice(128), challenge);
  assert.ok(verify(null, Buffer.from(challenge, "hex"), publicKey, Buffer.from(signed.slice(0, 128), "hex")));
});

test("ABORT is told with its URI, and is the end unless it passes", async (t) => {
  for (const [abort, expected] of [
    [[3, {}, "wamp.error.no_such_realm"], ["wamp.error.no_such_realm", "wamp.error.no_such_realm", false]],
    [[3, { message: "no" }, "wamp.error.authentication_denied"], ["no", "wamp.error.authentication_denied", false]],
    [[3, {}, "wamp.close.system_shutdown"], ["wamp.close.system_shutdown", "wamp.close.system_shutdown", true]],
    [[3, {}, "wamp.error.unavailable"], ["wamp.error.unavailable", "wamp.error.unavailable", true]],
  ]) {
    const { client, connection } = await greeted(t);
    const disconnected = event(client, "socket/disconnect");
    connection.send(abort);
    const { code, reason, uri, willReconnect } = await disconnected;
    assert.deepEqual([code, reason, uri, willReconnect], [4003, ...expected]);
  }
});

test("GOODBYE is answered, and says why the server closes", async (t) => {
  for (const [code, uri, willReconnect] of [
    [1001, "wamp.close.system_shutdown", true],
    [1000, "wamp.close.killed", false],
  ]) {
    const { client, connection } = await session2(t);
    const disconnected = event(client, "socket/disconnect");
    connection.send([6, { message: "in words" }, uri]);
    assert.deepEqual(await connection.next(), [6, {}, "wamp.close.goodbye_and_out"]);
    connection.close(code, "other words");
    const told = await disconnected;
    assert.deepEqual([told.code, told.reason, told.uri, told.willReconnect], [code, "in words", uri, willReconnect]);
  }
});

test("a server that says GOODBYE and then does not close is left after connectTimeout", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { client, connection } = await session2(t, { connectTimeout: 3_000 });
  const disconnected = event(client, "socket/disconnect");
  connection.send([6, {}, "wamp.close.close_realm"]);
  assert.deepEqual(await connection.next(), [6, {}, "wamp.close.goodbye_and_out"]);
  t.mock.timers.tick(3_000);
  assert.deepEqual([(await disconnected).code, (await disconnected).willReconnect], [4008, true]);
});

test("close says GOODBYE, unless its code says why", async (t) => {
  const first = await session2(t);
  first.session.close();
  assert.deepEqual(await first.connection.next(), [6, { message: "closed by the application" }, "wamp.close.normal"]);
  assert.equal((await first.connection.closed).code, 1000);
  const second = await session2(t);
  second.client.close(4100, "done");
  assert.deepEqual(await second.connection.closed, { code: 4100, reason: "done" });
  for (const use of [(session) => session.subscribe("a", () => {}), (session) => session.call("p")]) {
    await assert.rejects(async () => await use(second.session), { uri: "clank.error.not_connected" });
  }
});

test("subscriptions and registrations are made again on a new connection", async (t) => {
  const { peer, client, connection, session } = await session2(t, FAST);
  const heard = [];
  session.subscribe("a", (args) => heard.push(args[0]), { match: "prefix" });
  session.register("p", () => "answer");
  for (const id of [1, 2]) {
    const [type] = await connection.next();
    connection.send([type + 1, id, id]);
  }
  const lost = assert.rejects(Promise.resolve(session.call("q")), { uri: "clank.error.connection_lost" });
  await connection.next();
  const next = await reconnect(peer, connection);
  await lost;
  // While it is down, what is asked for is kept.
  const meanwhile = session.subscribe("b", (args) => heard.push(args[0]));
  await assert.rejects(session.call("q"), { uri: "clank.error.not_connected" });
  const connected = event(client, "socket/connect");
  next.send([2, 8, {}]);
  assert.equal((await connected).id, 8);
  assert.deepEqual(await next.next(), [32, 1, { match: "prefix" }, "a"]);
  assert.deepEqual(await next.next(), [64, 2, {}, "p"]);
  assert.deepEqual(await next.next(), [32, 3, {}, "b"]);
  for (const message of [[33, 1, 11], [65, 2, 12], [33, 3, 13]]) next.send(message);
  // Numbers of the old connection mean nothing.
  for (const id of [1, 11, 13]) next.send([36, id, 1, {}, [id]]);
  next.send([68, 1, 12, {}]);
  assert.deepEqual(await next.next(), [70, 1, {}, ["answer"]]);
  assert.deepEqual(heard, [11, 13]);
  assert.equal((await meanwhile).topic, "b");
});

test("a connect handler that asks for the same each time replaces what it had, also when it awaits", async (t) => {
  const { peer, client, connection } = await greeted(t, FAST);
  const heard = [];
  let run = 0;
  client.on("socket/connect", async (session) => {
    const mine = ++run;
    await session.subscribe("a", () => heard.push(["a", mine]));
    await session.subscribe("b", () => heard.push(["b", mine]));
    await session.register("p", () => mine);
    finished();
  });
  let finished;
  let current = connection;
  for (const expected of [1, 2, 3]) {
    const connected = event(client, "socket/connect");
    const done = new Promise((resolve) => (finished = resolve));
    current.send([2, 7, {}]);
    const session = await connected;
    for (let request = 1; request <= 3; request++) {
      const [type, id] = await current.next();
      current.send([type + 1, id, id]);
    }
    await done;
    // The run is over when the handler's promise is settled.
    await new Promise((settled) => setImmediate(settled));
    if (expected === 1) await session.subscribe("a", () => heard.push("always"));
    current.send([36, 1, 1, {}]);
    current.send([36, 2, 1, {}]);
    current.send([68, 1, 3, {}]);
    assert.deepEqual(await current.next(), [70, 1, {}, [expected]]);
    const told = heard.splice(0).map(String).sort();
    assert.deepEqual(told, [`a,${expected}`, "always", `b,${expected}`]);
    if (expected < 3) current = await reconnect(peer, current);
  }
});

test("what is no longer granted on a new connection is reported, and gone", async (t) => {
  const reported = [];
  const { peer, client, connection, session } = await session2(t, { ...FAST, onerror: (error) => reported.push(error.uri) });
  session.subscribe("a", () => {});
  await connection.next();
  connection.send([33, 1, 1]);
  const next = await reconnect(peer, connection);
  const connected = event(client, "socket/connect");
  next.send([2, 8, {}]);
  await connected;
  await next.next();
  next.send([8, 32, 1, {}, "wamp.error.not_authorized"]);
  const last = await reconnect(peer, next);
  const again = event(client, "socket/connect");
  last.send([2, 9, {}]);
  (await again).publish("end");
  assert.equal((await last.next())[0], 16);
  assert.deepEqual(reported, ["wamp.error.not_authorized"]);
});

test("resubscribe: false begins each connection with nothing", async (t) => {
  const { peer, client, connection, session } = await session2(t, { ...FAST, resubscribe: false });
  const never = assert.rejects(session.subscribe("a", () => {}), { uri: "clank.error.connection_lost" });
  await connection.next();
  const next = await reconnect(peer, connection);
  await never;
  const connected = event(client, "socket/connect");
  next.send([2, 8, {}]);
  (await connected).publish("end");
  assert.equal((await next.next())[0], 16);
});

test("invocations of a connection that is lost are aborted, and not answered on the next", async (t) => {
  const { peer, client, connection, session } = await session2(t, FAST);
  let finish;
  const aborted = new Promise((resolve) => {
    session.register("p", async (args, kwargs, { signal }) => {
      signal.addEventListener("abort", resolve);
      await new Promise((done) => (finish = done));
    });
  });
  await connection.next();
  connection.send([65, 1, 1]);
  connection.send([68, 1, 1, {}]);
  session.publish("invoked");
  await connection.next();
  await new Promise((done) => setImmediate(done));
  const next = await reconnect(peer, connection);
  await aborted;
  const connected = event(client, "socket/connect");
  next.send([2, 8, {}]);
  await connected;
  assert.equal((await next.next())[0], 64);
  finish();
  await new Promise((done) => setImmediate(done));
  session.publish("end");
  assert.equal((await next.next())[0], 16);
});

test("requests that wait are bounded", async (t) => {
  const { connection, session } = await session2(t, { maxPendingCalls: 2 });
  const calls = [session.call("p"), session.publish("t", [], {}, { acknowledge: true })];
  for (const request of [session.call("p"), session.publish("t", [], {}, { acknowledge: true })]) {
    await assert.rejects(async () => await request, (error) => error instanceof CallError && error.uri === "clank.error.overloaded");
  }
  // Subscriptions are not: all of them are made again at once on a new connection.
  const subscribed = session.subscribe("t", () => {});
  connection.send([33, 3, 5]);
  assert.equal((await subscribed).topic, "t");
  connection.send([50, 1, {}, [1]]);
  connection.send([17, 2, 1]);
  assert.deepEqual(await Promise.all(calls), [1, 1]);
});
