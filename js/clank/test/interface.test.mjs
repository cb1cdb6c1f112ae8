// What applications rely on around the protocol: handlers, settings, addresses, the two bundles.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { WebSocket } from "ws";
import { Clank, connect } from "../dist/clank.mjs";
import { event, Peer } from "./peer.mjs";

test("an application written for the bundle's clank.js runs on the global Clank", async (t) => {
  const peer = await Peer.start(t);
  let replied;
  const bothReplied = new Promise((resolve) => (replied = resolve));
  const page = { WebSocket, setTimeout, clearTimeout, console };
  page.globalThis = page;
  runInNewContext(readFileSync(new URL("../dist/clank.js", import.meta.url), "utf8"), page);
  const log = [];
  const finished = new Promise((resolve) => {
    const myClank = page.Clank.connect(peer.uri.replace("ws://", ""));
    myClank
      .on("socket/connect", function (session) {
        log.push(["this is the socket", this === myClank]);
        session.call("sample/add_func", { term1: 2, term2: 5 }).then(
          function (result) {
            log.push(["result", result]);
          },
          function (error, desc) {
            log.push(["error", error, desc]);
          },
        );
        session.call("sample/nothing", []).then(
          function () {},
          function (error, desc) {
            log.push(["error", error.uri, error.desc, error.detail, desc]);
            replied();
          },
        );
        session.subscribe("acme/channel", function (uri, payload) {
          log.push(["event", uri, payload.msg]);
          session.unsubscribe("acme/channel");
          session.close();
        });
        session.publish("acme/channel", { msg: "This is a message!" });
      })
      .on("socket/disconnect", function (error) {
        log.push(["disconnected", error.code, error.reason]);
        resolve();
      });
  });
  const connection = await peer.accept();
  connection.welcome();
  const [, add, ...sum] = await connection.next();
  assert.deepEqual(sum, ["sample/add_func", { term1: 2, term2: 5 }]);
  const [, nothing] = await connection.next();
  connection.send([3, add, { result: 7 }]);
  connection.send([4, nothing, "sample/nothing", "Unable to find that command", { code: 404 }]);
  assert.deepEqual(await connection.next(), [5, "acme/channel"]);
  const [, topic, published] = await connection.next();
  await bothReplied;
  connection.send([8, topic, published]);
  assert.deepEqual(await connection.next(), [6, "acme/channel"]);
  await finished;
  // The page's objects are of another realm, which strict comparison minds.
  assert.deepEqual(JSON.parse(JSON.stringify(log)), [
    ["this is the socket", true],
    ["result", { result: 7 }],
    ["error", "sample/nothing", "Unable to find that command", { code: 404 }, "Unable to find that command"],
    ["event", "acme/channel", "This is a message!"],
    ["disconnected", 1000, "closed by the application"],
  ]);
});

test("the names of GosWebSocketBundle's client are there", async (t) => {
  const { client, connection, session } = await (await Peer.start(t)).session();
  const heard = [];
  const handler = (uri, payload) => heard.push([uri, payload]);
  client.subscribeToChannel("acme/channel", handler);
  assert.deepEqual(await connection.next(), [5, "acme/channel"]);
  client.publishToTopic("acme/channel", { msg: "hi" });
  assert.deepEqual(await connection.next(), [7, "acme/channel", { msg: "hi" }]);
  const call = client.rpcCall("sample/sum", { a: 1 });
  const [, id, ...rest] = await connection.next();
  assert.deepEqual(rest, ["sample/sum", { a: 1 }]);
  connection.send([8, "acme/channel", 1]);
  connection.send([3, id, 5]);
  assert.equal(await call, 5);
  assert.deepEqual(heard, [["acme/channel", 1]]);
  client.unsubscribeFromChannel("acme/channel", handler);
  assert.deepEqual(await connection.next(), [6, "acme/channel"]);
  assert.equal(client.session, session);
  assert.equal(client.isConnected(), true);
});

test("a handler that throws or rejects is reported, and the others run", async (t) => {
  const errors = [];
  const peer = await Peer.start(t);
  const client = peer.connect({ onerror: (error) => errors.push(error.message) });
  const heard = [];
  client.on("socket/connect", () => {
    throw new Error("connect");
  });
  client.on("socket/connect", async () => {
    throw new Error("async connect");
  });
  client.on("socket/connect", () => heard.push("connected"));
  const connected = event(client, "socket/connect");
  const connection = await peer.accept();
  connection.welcome();
  const session = await connected;
  session.subscribe("t", () => {
    throw new Error("event");
  });
  session.subscribe("t", (_, event) => heard.push(event));
  const done = new Promise((resolve) => session.subscribe("end", resolve));
  connection.send([8, "t", 1]);
  connection.send([8, "t", 2]);
  connection.send([8, "end", 0]);
  await done;
  assert.deepEqual(heard, ["connected", 1, 2]);
  assert.deepEqual(errors.sort(), ["async connect", "connect", "event", "event"]);
  assert.equal(client.isConnected(), true);
});

test("errors go to console.error by default, and a reporter that throws harms nobody", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  const peer = await Peer.start(t);
  for (const config of [{}, { onerror: () => assert.fail() }]) {
    const client = peer.connect(config);
    client.on("socket/connect", () => {
      throw new Error("mine");
    });
    const connected = event(client, "socket/connect");
    (await peer.accept()).welcome();
    await connected;
    assert.equal(client.isConnected(), true);
  }
  assert.deepEqual(logged.mock.calls.map(({ arguments: [, error] }) => error.message), ["mine"]);
});

test("off takes one handler away, or all", async (t) => {
  const peer = await Peer.start(t);
  const client = peer.connect();
  const heard = [];
  const [a, b] = [() => heard.push("a"), () => heard.push("b")];
  client.on("socket/connect", a).on("socket/connect", b).off("socket/connect", a).off("socket/connect", () => {});
  client.on("socket/disconnect", a).on("socket/disconnect", b).off("socket/disconnect");
  const connected = event(client, "socket/connect");
  (await peer.accept()).welcome();
  await connected;
  client.close();
  assert.deepEqual(heard, ["b"]);
});

test("settings that can't be meant are refused", () => {
  for (const wrong of [{ retryDelay: -1 }, { maxRetries: "3" }, { connectTimeout: NaN }, { maxPendingCalls: null }]) {
    assert.throws(() => connect("ws://127.0.0.1:9", { WebSocket, ...wrong }), TypeError);
  }
  assert.throws(() => connect("/path", { WebSocket }), /\/path needs a host/);
});

test("without a WebSocket class there is a word on what to do", (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  delete globalThis.WebSocket;
  t.after(() => own && Object.defineProperty(globalThis, "WebSocket", own));
  assert.throws(() => Clank.connect("ws://127.0.0.1:9"), /pass one as config\.WebSocket/);
});

test("addresses are made absolute", (t) => {
  const tried = [];
  class Never {
    constructor(uri) {
      tried.push(uri);
    }
    readyState = 0;
    close() {}
  }
  const to = (uri) => connect(uri, { WebSocket: Never }).close();
  for (const uri of ["localhost:8080", "ws://h/p", "WSS://h/p", "http://h:1/p", "https://h/p"]) to(uri);
  globalThis.location = { origin: "https://page.example" };
  t.after(() => delete globalThis.location);
  to(undefined);
  to("/socket");
  assert.deepEqual(tried, [
    "ws://localhost:8080",
    "ws://h/p",
    "WSS://h/p",
    "ws://h:1/p",
    "wss://h/p",
    "wss://page.example/",
    "wss://page.example/socket",
  ]);
});
