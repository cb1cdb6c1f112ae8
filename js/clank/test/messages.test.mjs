// Every message of WAMP v1, well-formed, malformed and out of turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError } from "../dist/clank.mjs";
import { event, Peer } from "./peer.mjs";

test("WELCOME begins the session, on subprotocol wamp", async (t) => {
  const peer = await Peer.start(t);
  const client = peer.connect();
  const connected = event(client, "socket/connect");
  const connection = await peer.accept();
  assert.equal(connection.request.headers["sec-websocket-protocol"], "wamp");
  assert.equal(client.isConnected(), false);
  assert.equal(client.session, null);
  connection.send([0, "5f3a", 1, "Clank/0.1.0"]);
  const session = await connected;
  assert.equal(session.sessionid(), "5f3a");
  assert.equal(session.wsuri(), peer.uri);
  assert.equal(client.isConnected(), true);
  assert.equal(client.session, session);
});

test("CALL carries its arguments, and CALLRESULT any value", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  for (const result of [{ result: 7 }, 0, "", null, false, [], [1, [2]]]) {
    const call = session.call("sample/add_func", { term1: 2, term2: 5 }, [3], "x");
    const [type, id, ...rest] = await connection.next();
    assert.equal(type, 2);
    assert.deepEqual(rest, ["sample/add_func", { term1: 2, term2: 5 }, [3], "x"]);
    connection.send([3, id, result]);
    assert.deepEqual(await call, result);
  }
});

test("replies reach their calls in any order, once", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const calls = ["a", "b", "c"].map((name) => session.call(name));
  const ids = [];
  for (const _ of calls) ids.push((await connection.next())[1]);
  assert.equal(new Set(ids).size, 3);
  connection.send([3, "no such call", "lost"]);
  connection.send([4, "acme/channel", "acme/channel", "a topic's refusal"]);
  for (const index of [2, 0, 1]) connection.send([3, ids[index], index]);
  connection.send([3, ids[0], "again"]);
  assert.deepEqual(await Promise.all(calls), [0, 1, 2]);
});

test("CALLERROR rejects with uri, desc, details, and detail", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const details = { code: 404, rpc: "sample/nothing", params: [] };
  for (const extra of [[], [details]]) {
    const call = session.call("sample/nothing");
    const [, id] = await connection.next();
    connection.send([4, id, "sample/nothing", "Unable to find that command", ...extra]);
    const error = await call.then(assert.fail, (error) => error);
    assert.ok(error instanceof CallError && error instanceof Error);
    assert.equal(error.uri, "sample/nothing");
    assert.equal(error.desc, "Unable to find that command");
    assert.equal(error.message, error.desc);
    assert.deepEqual(error.details, extra[0]);
    assert.deepEqual(error.detail, extra[0]);
  }
});

test("a reject handler may take (error, desc)", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const heard = [];
  const listen = (error, desc) => heard.push([error.uri, desc]);
  const calls = [session.call("p").then(null, listen), session.call("p").catch(listen)];
  for (const _ of calls) connection.send([4, (await connection.next())[1], "p", "words"]);
  await Promise.all(calls);
  assert.deepEqual(heard, [["p", "words"], ["p", "words"]]);
  const awaited = session.call("p");
  connection.send([4, (await connection.next())[1], "p", "words"]);
  await assert.rejects(async () => await awaited, { uri: "p" });
});

test("SUBSCRIBE and UNSUBSCRIBE are sent once a topic", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const [first, second] = [() => {}, () => {}];
  session.subscribe("acme/channel", first);
  session.subscribe("acme/channel", second);
  session.subscribe("acme/channel", first);
  session.unsubscribe("acme/channel", first);
  session.unsubscribe("acme/channel", first);
  session.unsubscribe("acme/other");
  session.unsubscribe("acme/channel", second);
  session.subscribe("acme/all", first);
  session.subscribe("acme/all", second);
  session.unsubscribe("acme/all");
  session.unsubscribe("acme/all");
  session.publish("end", null);
  assert.deepEqual(await connection.next(), [5, "acme/channel"]);
  assert.deepEqual(await connection.next(), [6, "acme/channel"]);
  assert.deepEqual(await connection.next(), [5, "acme/all"]);
  assert.deepEqual(await connection.next(), [6, "acme/all"]);
  assert.deepEqual(await connection.next(), [7, "end", null]);
});

test("EVENT reaches the topic's handlers, in the order of sending and of subscribing", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const heard = [];
  const done = new Promise((resolve) => session.subscribe("end", resolve));
  session.subscribe("a", (uri, event) => heard.push(["first", uri, event]));
  session.subscribe("a", (uri, event) => heard.push(["second", uri, event]));
  session.subscribe("b", (uri, event) => heard.push(["b", uri, event]));
  connection.send([8, "a", { msg: "one" }]);
  connection.send([8, "b", 0]);
  connection.send([8, "nobody's", 1]);
  connection.send([8, "a", null]);
  connection.send([8, "end", null]);
  await done;
  assert.deepEqual(heard, [
    ["first", "a", { msg: "one" }],
    ["second", "a", { msg: "one" }],
    ["b", "b", 0],
    ["first", "a", null],
    ["second", "a", null],
  ]);
});

test("a handler that another one unsubscribes hears nothing more", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const heard = [];
  const late = () => heard.push("late");
  session.subscribe("a", () => {
    heard.push("early");
    session.unsubscribe("a", late);
  });
  session.subscribe("a", late);
  const done = new Promise((resolve) => session.subscribe("end", resolve));
  connection.send([8, "a", 1]);
  connection.send([8, "end", 1]);
  await done;
  assert.deepEqual(heard, ["early"]);
});

test("PUBLISH has the flag, or the lists, or nothing", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const cases = [
    [[], []],
    [[undefined, undefined], []],
    [[null, null], []],
    [[true], [true]],
    [[false], [false]],
    [[["s2"]], [["s2"]]],
    [[["s2"], ["s3"]], [["s2"], ["s3"]]],
    [[undefined, ["s3"]], [[], ["s3"]]],
    [[false, ["s3"]], [[], ["s3"]]],
    [[true, ["s3"]], [["session-1"], ["s3"]]],
  ];
  for (const [args, sent] of cases) {
    session.publish("acme/channel", { msg: "hi" }, ...args);
    assert.deepEqual(await connection.next(), [7, "acme/channel", { msg: "hi" }, ...sent]);
  }
  assert.throws(() => session.publish("t", 1, "s2"), TypeError);
  assert.throws(() => session.publish("t", 1, [], "s2"), TypeError);
  assert.throws(() => session.publish(7, 1), TypeError);
  const loop = {};
  loop.loop = loop;
  assert.throws(() => session.publish("t", loop), TypeError);
  await assert.rejects(session.call("p", loop), TypeError);
});

test("a CURIE is its prefix's URI with the rest put behind it, in every message", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  const heard = [];
  const handler = (uri, event) => heard.push([uri, event]);
  session.prefix("acme", "http://acme.example/");
  assert.deepEqual(await connection.next(), [1, "acme", "http://acme.example/"]);

  session.subscribe("acme:news", handler);
  assert.deepEqual(await connection.next(), [5, "http://acme.example/news"]);
  session.publish("acme:news", "hi");
  assert.deepEqual(await connection.next(), [7, "http://acme.example/news", "hi"]);
  const call = session.call("acme:add", 1);
  const [, id, ...rest] = await connection.next();
  assert.deepEqual(rest, ["http://acme.example/add", 1]);

  connection.send([8, "http://acme.example/news", "hi"]);
  connection.send([3, id, 2]);
  await call;
  assert.deepEqual(heard, [["http://acme.example/news", "hi"]]);

  session.unsubscribe("acme:news", handler);
  assert.deepEqual(await connection.next(), [6, "http://acme.example/news"]);
  assert.equal(session.resolve("other:news"), "other:news");
  assert.equal(session.resolve("http://acme.example/x"), "http://acme.example/x");
  assert.equal(session.shrink("http://acme.example/x"), "acme:x");
  assert.equal(session.shrink("urn:x"), "urn:x");
});

test("PREFIX from the server changes nothing", async (t) => {
  const { connection, session } = await (await Peer.start(t)).session();
  connection.send([1, "acme", "http://acme.example/"]);
  const call = session.call("acme:add");
  const [, id, uri] = await connection.next();
  assert.equal(uri, "acme:add");
  connection.send([3, id, 1]);
  assert.equal(await call, 1);
});

const MALFORMED = {
  "bad JSON": "[0,",
  "an object": "{}",
  null: "null",
  "an empty list": "[]",
  "a type that is a string": '["8","t",1]',
  "a type that no one has": "[9]",
  "a message of the client's": '[5,"t"]',
  "a CALLRESULT without a result": '[3,"id"]',
  "a CALLRESULT whose id is a number": "[3,1,2]",
  "a CALLERROR without words": '[4,"id","uri"]',
  "a CALLERROR whose uri is null": '[4,"id",null,"words"]',
  "an EVENT without an event": '[8,"t"]',
  "an EVENT whose topic is a list": '[8,["t"],1]',
  "a PREFIX without a URI": '[1,"p"]',
  "a second WELCOME": '[0,"id",1,"peer/1"]',
  "a binary frame": Buffer.from('[8,"t",1]'),
};

for (const [name, frame] of Object.entries(MALFORMED)) {
  test(`${name} in a session closes it with 4002, and the client comes back`, async (t) => {
    const { client, connection } = await (await Peer.start(t)).session();
    const disconnected = event(client, "socket/disconnect");
    connection.send(frame);
    const { code, reason, wasClean, willReconnect } = await disconnected;
    assert.equal(code, 4002);
    assert.match(reason, /^the server sent /);
    assert.equal(wasClean, false);
    assert.equal(willReconnect, true);
    assert.equal((await connection.closed).code, 4002);
  });
}

const NO_WELCOME = {
  "a version other than 1": '[0,"id",2,"peer/1"]',
  "a WELCOME without a server": '[0,"id",1]',
  "a session id that is a number": '[0,1,1,"peer/1"]',
  "a WELCOME of WAMP v2": "[2,9129137332,{}]",
  "an EVENT first": '[8,"t",1]',
};

for (const [name, frame] of Object.entries(NO_WELCOME)) {
  test(`${name} in place of the WELCOME is given up at once`, async (t) => {
    const peer = await Peer.start(t);
    const client = peer.connect();
    const disconnected = event(client, "socket/disconnect");
    const connection = await peer.accept();
    connection.send(frame);
    const { code, willReconnect, delay } = await disconnected;
    assert.deepEqual({ code, willReconnect, delay }, { code: 4002, willReconnect: false, delay: 0 });
    assert.equal((await connection.closed).code, 4002);
  });
}
