// The life of a connection: losses, retries by a virtual clock, restoration, and the ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import { Clank } from "../dist/clank.mjs";
import { event, Peer } from "./peer.mjs";

/** Puts the client's clock and dice into the test's hands. */
function virtual(t, dice = 0.5) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.mock.method(Math, "random", () => dice);
  return t.mock.timers;
}

/** Loses the connection and makes the retry's wait pass; the next connection, not yet welcomed. */
async function lose(peer, client, connection, timers) {
  const reconnecting = event(client, "socket/reconnecting");
  connection.cut();
  timers.tick((await reconnecting).delay);
  return peer.accept();
}

test("a lost connection is made again after a wait, and told once each way", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const { client, connection } = await peer.session();
  const heard = [];
  client.on("socket/disconnect", (error) => heard.push(error));
  const reconnecting = event(client, "socket/reconnecting");
  connection.cut();
  assert.equal((await reconnecting).delay, 500);
  assert.deepEqual(heard, [
    { code: 1006, reason: "the connection was lost", wasClean: false, willReconnect: true, attempt: 1, delay: 500 },
  ]);
  const connected = event(client, "socket/connect");
  timers.tick(500);
  (await peer.accept()).welcome("session-2");
  assert.equal((await connected).sessionid(), "session-2");
  assert.equal(heard.length, 1);
});

test("the server's close code and words are told, or the meaning of the code", async (t) => {
  const cases = [
    [1001, "drain", "drain", true],
    [1001, "", "the server is going away", true],
    [1008, "slow consumer", "slow consumer", true],
    [1007, "", "malformed message", true],
    [1011, "", "server error", true],
    [4500, "", "code 4500", true],
    [1000, "", "closed", false],
    [1002, "", "protocol error", false],
    [1003, "", "unsupported data", false],
    [3000, "", "unauthorised", false],
    [3003, "", "forbidden", false],
  ];
  for (const [code, sent, reason, willReconnect] of cases) {
    const { client, connection } = await (await Peer.start(t)).session();
    const disconnected = event(client, "socket/disconnect");
    connection.close(code, sent);
    const told = await disconnected;
    assert.deepEqual([told.code, told.reason, told.wasClean, told.willReconnect], [code, reason, true, willReconnect]);
  }
});

test("waits double up to the bound, by full jitter, and maxRetries ends them", async (t) => {
  const timers = virtual(t, 0.25);
  const unused = await Peer.start(t);
  await unused.stop();
  const client = unused.connect({ retryDelay: 400, maxRetryDelay: 1_000, maxRetries: 4 });
  const disconnects = [];
  client.on("socket/disconnect", (error) => disconnects.push(error));
  const waits = [];
  for (let retry = 1; retry <= 4; retry++) {
    const { attempt, delay, willReconnect } = await event(client, "socket/reconnecting");
    assert.deepEqual([attempt, willReconnect], [retry, true]);
    waits.push(delay);
    const ended = event(client, "socket/disconnect");
    timers.tick(delay);
    if (retry === 4) await ended;
  }
  assert.deepEqual(waits, [100, 200, 250, 250]);
  assert.deepEqual(
    disconnects.map(({ code, reason, willReconnect, attempt }) => ({ code, reason, willReconnect, attempt })),
    [
      { code: 1006, reason: "the server could not be reached", willReconnect: true, attempt: 1 },
      { code: 1006, reason: "the server could not be reached", willReconnect: false, attempt: 4 },
    ],
  );
});

test("retries are counted anew only after a connection that lasted", async (t) => {
  const timers = virtual(t, 1);
  const peer = await Peer.start(t);
  const { client, connection } = await peer.session();
  const waits = [];
  client.on("socket/reconnecting", ({ delay }) => waits.push(delay));
  let current = connection;
  for (const lasts of [0, 9_999, 10_000, 0]) {
    timers.tick(lasts);
    current = await lose(peer, client, current, timers);
    const connected = event(client, "socket/connect");
    current.welcome();
    await connected;
  }
  assert.deepEqual(waits, [1_000, 2_000, 1_000, 2_000]);
});

test("a server that upgrades and then says nothing is left after connectTimeout", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const client = peer.connect({ connectTimeout: 3_000 });
  const silent = await peer.accept();
  const disconnected = event(client, "socket/disconnect");
  timers.tick(3_000);
  const { code, reason, willReconnect } = await disconnected;
  assert.deepEqual([code, reason, willReconnect], [4008, "the server did not answer within 3000 ms", true]);
  await silent.closed;
});

test("a server without subprotocol wamp is given up", async (t) => {
  const peer = await Peer.start(t, { handleProtocols: () => false });
  // A browser connects when no subprotocol is chosen; the `ws` package does so if none was offered.
  class Browser extends WebSocket {
    constructor(uri) {
      super(uri);
    }
  }
  const client = peer.connect({ WebSocket: Browser });
  const { code, reason, willReconnect } = await event(client, "socket/disconnect");
  assert.deepEqual([code, reason, willReconnect], [4002, "the server did not choose subprotocol wamp", false]);
});

test("a handshake that is refused is retried", async (t) => {
  const http = createServer((_, response) => response.writeHead(503).end()).listen(0, "127.0.0.1");
  await once(http, "listening");
  t.after(() => http.close());
  const client = Clank.connect(`http://127.0.0.1:${http.address().port}`, { WebSocket });
  t.after(() => client.close());
  const { code, willReconnect } = await event(client, "socket/disconnect");
  assert.deepEqual([code, willReconnect], [1006, true]);
});

test("prefixes and subscriptions are restored before the connect handler runs", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const { client, connection, session } = await peer.session();
  const heard = [];
  session.prefix("acme", "http://acme.example/");
  session.subscribe("acme:news", (uri, event) => heard.push([uri, event]));
  session.subscribe("gone", () => {});
  session.unsubscribe("gone");

  const lost = event(client, "socket/disconnect");
  const next = lose(peer, client, connection, timers);
  await lost;
  session.subscribe("while/down", () => {});
  session.prefix("p", "urn:");
  const restored = await next;
  client.on("socket/connect", (session) => session.publish("from/handler", 1));
  restored.welcome();
  assert.deepEqual(await restored.next(), [1, "acme", "http://acme.example/"]);
  assert.deepEqual(await restored.next(), [1, "p", "urn:"]);
  assert.deepEqual(await restored.next(), [5, "http://acme.example/news"]);
  assert.deepEqual(await restored.next(), [5, "while/down"]);
  assert.deepEqual(await restored.next(), [7, "from/handler", 1]);

  const done = new Promise((resolve) => session.subscribe("end", resolve));
  restored.send([8, "http://acme.example/news", "after"]);
  restored.send([8, "end", 0]);
  await done;
  assert.deepEqual(heard, [["http://acme.example/news", "after"]]);
});

test("a connect handler that subscribes new closures each time hears each event once", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const client = peer.connect();
  const heard = [];
  let run = 0;
  client.on("socket/connect", (session) => {
    const mine = ++run;
    session.subscribe("acme/channel", (_, event) => heard.push([mine, event]));
    if (mine === 1) session.subscribe("first/run", () => heard.push("first run"));
  });
  let connection = await peer.accept();
  let connected = event(client, "socket/connect");
  connection.welcome();
  const session = await connected;
  session.subscribe("acme/channel", (_, event) => heard.push(["kept", event]));

  connection = await lose(peer, client, connection, timers);
  connected = event(client, "socket/connect");
  connection.welcome();
  await connected;
  const done = new Promise((resolve) => session.subscribe("end", resolve));
  assert.deepEqual(await connection.next(), [5, "acme/channel"]);
  assert.deepEqual(await connection.next(), [5, "first/run"]);
  assert.deepEqual(await connection.next(), [5, "end"]);
  connection.send([8, "acme/channel", "hi"]);
  connection.send([8, "first/run", "hi"]);
  connection.send([8, "end", 0]);
  await done;
  // The second run replaced what it subscribed anew. What the first alone did has been restored.
  assert.deepEqual(heard, [["kept", "hi"], [2, "hi"], "first run"]);
});

test("a connect handler that subscribes one function each time hears each event once", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const client = peer.connect();
  const heard = [];
  const handler = (_, event) => heard.push(event);
  client.on("socket/connect", (session) => session.subscribe("acme/channel", handler));
  let connection = await peer.accept();
  for (const last of [false, false, true]) {
    const connected = event(client, "socket/connect");
    connection.welcome();
    const session = await connected;
    assert.deepEqual(await connection.next(), [5, "acme/channel"]);
    const answered = session.call("p");
    connection.send([8, "acme/channel", "hi"]);
    connection.send([3, (await connection.next())[1], null]);
    await answered;
    if (!last) connection = await lose(peer, client, connection, timers);
  }
  assert.deepEqual(heard, ["hi", "hi", "hi"]);
});

test("resubscribe: false begins each connection with nothing, as autobahn.js did", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const { client, connection, session } = await peer.session({ resubscribe: false });
  session.prefix("acme", "http://acme.example/");
  session.subscribe("acme:news", () => {});
  const next = await lose(peer, client, connection, timers);
  const connected = event(client, "socket/connect");
  next.welcome();
  (await connected).publish("acme:news", 1);
  assert.deepEqual(await next.next(), [7, "acme:news", 1]);
});

test("a dead socket fails calls and publishes at once", async (t) => {
  const peer = await Peer.start(t);
  const early = peer.connect();
  const refused = { name: "CallError", uri: "clank.error.not_connected" };
  await assert.rejects(early.rpcCall("p"), { ...refused, desc: "not connected" });
  assert.throws(() => early.publishToTopic("t", 1), refused);

  (await peer.accept()).welcome();
  const session = await event(early, "socket/connect");
  early.close();
  await assert.rejects(session.call("p"), { ...refused, desc: "the connection is closed" });
  assert.throws(() => session.publish("t", 1), refused);
  assert.throws(() => session.subscribe("t", () => {}), refused);
  assert.throws(() => session.prefix("p", "urn:"), refused);
  session.unsubscribe("t");
});

test("a socket that is closing takes no messages, and keeps subscriptions for the next", async (t) => {
  let closing = false;
  class Closing extends WebSocket {
    get readyState() {
      return closing ? WebSocket.CLOSING : super.readyState;
    }
  }
  const { client, connection, session } = await (await Peer.start(t)).session({ WebSocket: Closing });
  closing = true;
  assert.equal(client.isConnected(), false);
  await assert.rejects(session.call("p"), { uri: "clank.error.not_connected" });
  assert.throws(() => session.publish("t", 1), { uri: "clank.error.not_connected" });
  session.subscribe("t", () => {});
  closing = false;
  session.publish("end", 1);
  assert.deepEqual(await connection.next(), [7, "end", 1]);
});

test("a lost connection rejects the calls that wait", async (t) => {
  const { client, connection, session } = await (await Peer.start(t)).session();
  const calls = ["a", "b"].map((name) => session.call(name).then(assert.fail, (error) => error));
  const disconnected = event(client, "socket/disconnect");
  await connection.next();
  await connection.next();
  connection.close(1011, "listener failed");
  await disconnected;
  for (const error of await Promise.all(calls)) {
    assert.equal(error.uri, "clank.error.connection_lost");
    assert.deepEqual(error.details, { code: 1011, reason: "listener failed" });
  }
});

test("calls that wait are bounded, and so is what waits to be sent", async (t) => {
  const peer = await Peer.start(t);
  const { connection, session } = await peer.session({ maxPendingCalls: 2 });
  const first = session.call("a");
  const second = session.call("b");
  await assert.rejects(session.call("c"), { uri: "clank.error.overloaded" });
  for (const _ of [first, second]) connection.send([3, (await connection.next())[1], 1]);
  assert.deepEqual(await Promise.all([first, second]), [1, 1]);
  const third = session.call("d");
  connection.send([3, (await connection.next())[1], 2]);
  assert.equal(await third, 2);

  class Full extends WebSocket {
    get bufferedAmount() {
      return 1_001;
    }
  }
  const full = await peer.session({ WebSocket: Full, maxBufferedBytes: 1_000 });
  await assert.rejects(full.session.call("p"), { uri: "clank.error.overloaded" });
  assert.throws(() => full.session.publish("t", 1), { uri: "clank.error.overloaded" });
});

test("close is final: told at once, sent to the server, and never retried", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const { client, connection, session } = await peer.session();
  const heard = [];
  for (const name of ["socket/connect", "socket/disconnect", "socket/reconnecting"]) {
    client.on(name, (payload) => heard.push([name, payload]));
  }
  session.close();
  client.close();
  assert.deepEqual(heard, [
    [
      "socket/disconnect",
      { code: 1000, reason: "closed by the application", wasClean: true, willReconnect: false, attempt: 0, delay: 0 },
    ],
  ]);
  assert.deepEqual(await connection.closed, { code: 1000, reason: "closed by the application" });
  timers.tick(100_000);
  assert.equal(heard.length, 1);
  assert.equal(client.isConnected(), false);
});

test("close with a code that may not be sent throws and leaves the connection", async (t) => {
  const { client } = await (await Peer.start(t)).session();
  assert.throws(() => client.close(1));
  assert.equal(client.isConnected(), true);
  const disconnected = event(client, "socket/disconnect");
  client.close(4100, "bye");
  assert.equal((await disconnected).code, 4100);
});

test("close while waiting for a retry stops it, also from within a handler", async (t) => {
  const timers = virtual(t);
  const peer = await Peer.start(t);
  const { client, connection } = await peer.session();
  const heard = [];
  client.on("socket/disconnect", ({ willReconnect }) => {
    heard.push(willReconnect);
    client.close();
  });
  const last = new Promise((resolve) => {
    client.on("socket/disconnect", ({ willReconnect }) => {
      heard.push(`second handler: ${willReconnect}`);
      if (!willReconnect) resolve();
    });
  });
  client.on("socket/reconnecting", () => heard.push("reconnecting"));
  connection.cut();
  await last;
  timers.tick(100_000);
  assert.deepEqual(heard, [true, "second handler: true", false, "second handler: false"]);
});

test("reconnect: false tells the loss as the last word", async (t) => {
  const { client, connection } = await (await Peer.start(t)).session({ reconnect: false });
  const disconnected = event(client, "socket/disconnect");
  connection.cut();
  assert.deepEqual(await disconnected, {
    code: 1006,
    reason: "the connection was lost",
    wasClean: false,
    willReconnect: false,
    attempt: 0,
    delay: 0,
  });
});

test("a browser that comes online retries without waiting", async (t) => {
  virtual(t);
  const page = new EventTarget();
  const listeners = new Set();
  globalThis.addEventListener = (name, handler) => (listeners.add(handler), page.addEventListener(name, handler));
  globalThis.removeEventListener = (name, handler) => (listeners.delete(handler), page.removeEventListener(name, handler));
  t.after(() => {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  });
  const peer = await Peer.start(t);
  const { client, connection } = await peer.session();
  const reconnecting = event(client, "socket/reconnecting");
  connection.cut();
  await reconnecting;
  page.dispatchEvent(new Event("online"));
  const connected = event(client, "socket/connect");
  (await peer.accept()).welcome();
  await connected;
  assert.equal(listeners.size, 0);
});
