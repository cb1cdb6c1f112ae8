// Every message of WAMP v2, well-formed, malformed and out of turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, Clank, Result } from "../dist/clank.mjs";
import { event, greeted, session2 } from "./peer.mjs";

test("HELLO is answered by WELCOME, on subprotocol wamp.2.json", async (t) => {
  const { client, connection, hello } = await greeted(t, { realm: "com.example", authid: "joe" });
  assert.equal(connection.request.headers["sec-websocket-protocol"], "wamp.2.json");
  const [type, realm, { roles, ...details }] = hello;
  assert.deepEqual([type, realm, details], [1, "com.example", { authid: "joe" }]);
  assert.deepEqual(Object.keys(roles), ["caller", "callee", "publisher", "subscriber"]);
  assert.equal(client.session, null);
  const connected = event(client, "socket/connect");
  connection.send([2, 9007199254740991, { authid: "joe" }]);
  const session = await connected;
  assert.deepEqual([session.id, session.realm, session.details], [9007199254740991, "com.example", { authid: "joe" }]);
  assert.equal(client.session, session);
});

test("CALL carries what it was given, and the result is a value, none, or several", async (t) => {
  const { connection, session } = await session2(t);
  for (const [given, sent] of [
    [["p"], [{}, "p"]],
    [["p", [1, [2]]], [{}, "p", [1, [2]]]],
    [["p", [], { key: "ä" }], [{}, "p", [], { key: "ä" }]],
    [["p", undefined, undefined, { timeout: 50, disclose_me: true }], [{ timeout: 50, disclose_me: true }, "p"]],
  ]) {
    const call = session.call(...given);
    const [type, id, ...rest] = await connection.next();
    assert.deepEqual([type, rest], [48, sent]);
    connection.send([50, id, {}]);
    assert.equal(await call, null);
  }
  for (const [carried, expected] of [
    [[[5]], 5],
    [[[false]], false],
    [[[[1, 2]]], [1, 2]],
    [[[1, 2]], new Result([1, 2])],
    [[[], { sum: 3 }], new Result([], { sum: 3 })],
    [[[1], { sum: 3 }], new Result([1], { sum: 3 })],
    [[[1], {}], 1],
  ]) {
    const call = session.call("p");
    const [, id] = await connection.next();
    connection.send([50, id, {}, ...carried]);
    assert.deepEqual(await call, expected);
  }
});

test("requests are numbered from 1, and their replies come in any order, once", async (t) => {
  const { connection, session } = await session2(t);
  const calls = ["a", "b", "c"].map((name) => session.call(name));
  const ids = [];
  for (const _ of calls) ids.push((await connection.next())[1]);
  assert.deepEqual(ids, [1, 2, 3]);
  connection.send([50, 99, {}, ["nobody's"]]);
  for (const index of [2, 0, 1]) connection.send([50, ids[index], {}, [index]]);
  connection.send([50, 1, {}, ["again"]]);
  assert.deepEqual(await Promise.all(calls), [0, 1, 2]);
});

test("ERROR rejects with uri, desc, details, args and kwargs", async (t) => {
  const { connection, session } = await session2(t);
  for (const [carried, expected] of [
    [[], ["com.example.wrong", undefined]],
    [[["it is wrong"]], ["it is wrong", undefined]],
    [[["it is wrong", { code: 1 }]], ["it is wrong", { code: 1 }]],
    [[[{ code: 1 }], { key: 1 }], ["com.example.wrong", { code: 1 }]],
  ]) {
    const call = session.call("p");
    const [, id] = await connection.next();
    connection.send([8, 48, id, {}, "com.example.wrong", ...carried]);
    const error = await call.then(assert.fail, (error, desc) => [error, desc]).then(([error]) => error);
    assert.ok(error instanceof CallError);
    assert.deepEqual([error.uri, error.desc, error.details], ["com.example.wrong", ...expected]);
    assert.deepEqual([error.args, error.kwargs], [carried[0] ?? [], carried[1] ?? {}]);
  }
});

test("a call may hear parts of its result, and be cancelled", async (t) => {
  const { connection, session } = await session2(t);
  const parts = [];
  const call = session.call("p", [], {}, { onprogress: (part) => parts.push(part) });
  assert.deepEqual(await connection.next(), [48, 1, { receive_progress: true }, "p"]);
  for (const part of [1, 2]) connection.send([50, 1, { progress: true }, [part]]);
  connection.send([50, 1, {}, ["all"]]);
  assert.deepEqual([await call, parts], ["all", [1, 2]]);
  call.cancel();

  const other = session.call("p");
  await connection.next();
  other.cancel("kill");
  assert.deepEqual(await connection.next(), [49, 2, { mode: "kill" }]);
  // Parts that nobody asked for.
  connection.send([50, 2, { progress: true }, [1]]);
  connection.send([8, 48, 2, {}, "wamp.error.canceled"]);
  await assert.rejects(other, { uri: "wamp.error.canceled" });
});

test("PUBLISH carries its options, and may be acknowledged", async (t) => {
  const { connection, session } = await session2(t);
  assert.equal(session.publish("t"), undefined);
  assert.equal(session.publish("t", ["hi"], { n: 1 }, { exclude_me: false, eligible: [7] }), undefined);
  const options = { acknowledge: true };
  const [published, refused] = [session.publish("t", [1], {}, options), session.publish("t", [2], {}, options)];
  assert.deepEqual(await connection.next(), [16, 1, {}, "t"]);
  assert.deepEqual(await connection.next(), [16, 2, { exclude_me: false, eligible: [7] }, "t", ["hi"], { n: 1 }]);
  assert.deepEqual(await connection.next(), [16, 3, { acknowledge: true }, "t", [1]]);
  await connection.next();
  connection.send([17, 3, 1234]);
  connection.send([8, 16, 4, {}, "wamp.error.not_authorized", ["not allowed"]]);
  assert.equal(await published, 1234);
  await assert.rejects(Promise.resolve(refused), { uri: "wamp.error.not_authorized", desc: "not allowed" });
  assert.throws(() => session.publish("t", "no list"), TypeError);
  await assert.rejects(async () => await session.call("p", "no list"), TypeError);
});

test("SUBSCRIBE is sent once a topic, and EVENT reaches its handlers in their order", async (t) => {
  const { connection, session } = await session2(t);
  const heard = [];
  const first = (args, kwargs, details) => heard.push(["first", args, kwargs, details]);
  const [one, two, again, pattern] = [
    session.subscribe("a", first),
    session.subscribe("a", (args) => heard.push(["second", args])),
    session.subscribe("a", first),
    session.subscribe("a", (args, kwargs, { topic }) => heard.push(["pattern", topic]), { match: "prefix" }),
  ];
  assert.deepEqual(await connection.next(), [32, 1, {}, "a"]);
  assert.deepEqual(await connection.next(), [32, 2, { match: "prefix" }, "a"]);
  // An event may be right behind the answer.
  for (const message of [[33, 1, 5], [36, 5, 77, {}, ["hi"], { n: 1 }], [33, 2, 6]]) connection.send(message);
  connection.send([36, 6, 78, { topic: "a.b" }]);
  connection.send([36, 99, 79, {}]);
  const [subscription, second] = await Promise.all([one, two, again, pattern]);
  assert.deepEqual(heard, [
    ["first", ["hi"], { n: 1 }, { topic: "a", publication: 77 }],
    ["second", ["hi"]],
    ["pattern", "a.b"],
  ]);
  await subscription.unsubscribe();
  const ended = session.unsubscribe(second);
  assert.deepEqual(await connection.next(), [34, 3, 5]);
  connection.send([35, 3]);
  await ended;
  await subscription.unsubscribe();
  session.publish("end");
  assert.equal((await connection.next())[0], 16);
});

test("a subscription that is refused is told, and is none", async (t) => {
  const { connection, session } = await session2(t);
  for (const id of [1, 2]) {
    const refused = session.subscribe("secret", () => {});
    assert.deepEqual(await connection.next(), [32, id, {}, "secret"]);
    connection.send([8, 32, id, {}, "wamp.error.not_authorized"]);
    await assert.rejects(refused, { uri: "wamp.error.not_authorized" });
  }
  await assert.rejects(session.subscribe("a"), TypeError);
});

test("what is given up before it was granted is given back, unless it is wanted again", async (t) => {
  const { connection, session } = await session2(t);
  const hears = () => new Promise((resolve) => session.subscribe("a", resolve));
  session.subscribe("a", () => {}).then((subscription) => subscription.unsubscribe());
  await connection.next();
  connection.send([33, 1, 5]);
  assert.deepEqual(await connection.next(), [34, 2, 5]);
  const event = hears();
  assert.deepEqual(await connection.next(), [32, 3, {}, "a"]);
  connection.send([35, 2]);
  connection.send([33, 3, 5]);
  connection.send([36, 5, 1, {}, ["heard"]]);
  assert.deepEqual(await event, ["heard"]);
});

test("INVOCATION is answered by what the procedure returns", async (t) => {
  const { connection, session } = await session2(t, { onerror: () => {} });
  const failures = [];
  const procedures = {
    sum: ([a, b]) => a + b,
    nothing: () => {},
    later: async (args, kwargs) => new Result([kwargs.n, args.length], { key: 1 }),
    fail: () => {
      throw new CallError("com.example.wrong", "it is wrong", { code: 1 });
    },
    lateFail: async () => {
      throw new Error("a secret of the callee's");
    },
    unwritable: () => 1n,
    parts: (args, kwargs, { progress }) => {
      progress([1]);
      progress([2], { n: 1 });
      return "all";
    },
    who: (args, kwargs, { procedure, caller }) => [procedure, caller],
  };
  for (const [index, [name, procedure]] of Object.entries(procedures).entries()) {
    const registered = session.register(name, procedure);
    assert.deepEqual(await connection.next(), [64, index + 1, {}, name]);
    connection.send([65, index + 1, 100 + index]);
    assert.equal((await registered).procedure, name);
  }
  const failed = [8, 68, 1, {}, "wamp.error.runtime_error", ["the procedure failed"]];
  for (const [index, invocation, ...answers] of [
    [0, [{}, [2, 3]], [70, 1, {}, [5]]],
    [1, [{}], [70, 1, {}]],
    [2, [{}, [1], { n: 2 }], [70, 1, {}, [2, 1], { key: 1 }]],
    [3, [{}], [8, 68, 1, {}, "com.example.wrong", ["it is wrong", { code: 1 }]]],
    [4, [{}], failed],
    [5, [{}], failed],
    [6, [{ receive_progress: true }], [70, 1, { progress: true }, [1]], [70, 1, { progress: true }, [2], { n: 1 }], [70, 1, {}, ["all"]]],
    [7, [{ caller: 9 }], [70, 1, {}, [["who", 9]]]],
    [7, [{ procedure: "who.else" }], [70, 1, {}, [["who.else", null]]]],
    [8, [{}], [8, 68, 1, {}, "wamp.error.no_such_registration", ["it is no longer offered"]]],
  ]) {
    connection.send([68, 1, 100 + index, ...invocation]);
    for (const answer of answers) assert.deepEqual(await connection.next(), answer);
  }
  assert.deepEqual(failures, []);
});

test("what a procedure throws is reported, and an interrupted one answers no more", async (t) => {
  const reported = [];
  const { connection, session } = await session2(t, { onerror: (error) => reported.push(error.message) });
  let signal;
  const finish = new Promise((resolve) => {
    session.register("p", async (args, kwargs, details) => {
      signal = details.signal;
      if (args[0]) throw new Error("a fault");
      await new Promise((done) => signal.addEventListener("abort", done));
      resolve();
      return "late";
    });
  });
  await connection.next();
  connection.send([65, 1, 100]);
  connection.send([68, 1, 100, {}, [true]]);
  assert.equal((await connection.next())[0], 8);
  assert.deepEqual(reported, ["a fault"]);
  connection.send([68, 2, 100, {}]);
  connection.send([69, 2, { mode: "kill" }]);
  connection.send([69, 99, {}]);
  assert.deepEqual(await connection.next(), [8, 68, 2, {}, "wamp.error.canceled"]);
  await finish;
  session.publish("end");
  assert.equal((await connection.next())[0], 16);
});

test("a procedure is offered once, and no longer after unregister", async (t) => {
  const { connection, session } = await session2(t);
  const options = { invoke: "roundrobin", match: "prefix" };
  const registered = session.register("p", () => 1, options);
  assert.deepEqual(await connection.next(), [64, 1, options, "p"]);
  await assert.rejects(session.register("p", () => 2, options), { uri: "wamp.error.procedure_already_exists" });
  connection.send([65, 1, 100]);
  const registration = await registered;
  const ended = session.unregister(registration);
  assert.deepEqual(await connection.next(), [66, 2, 100]);
  connection.send([67, 2]);
  await ended;
  const refused = session.register("p", () => 1);
  await connection.next();
  connection.send([8, 64, 3, {}, "wamp.error.procedure_already_exists"]);
  await assert.rejects(refused, { uri: "wamp.error.procedure_already_exists" });
});

test("what is no message of WAMP v2 ends the connection, which may pass", async (t) => {
  for (const [sent, words] of [
    ["{}", "a message that is not a list"],
    ["no JSON", "a frame that is not JSON"],
    [Buffer.from("[]"), "a binary frame, where JSON is text"],
    [[], "a message of type undefined, which no router sends"],
    [[48, 1, {}, "p"], "a message of type 48, which no router sends"],
    [[50, "1", {}], "RESULT with a field that it does not have"],
    [[50, 1.5, {}], "RESULT with a field that it does not have"],
    [[50, 1, []], "RESULT with a field that it does not have"],
    [[50, 1, {}, {}], "RESULT with arguments that are none"],
    [[50, 1, {}, [], []], "RESULT with arguments that are none"],
    [[36, 1, 1], "EVENT with a field that it does not have"],
    [[8, 48, 1, {}, 5], "ERROR with a field that it does not have"],
    [[2, 8, {}], "a message out of turn"],
    [[4, "ticket", {}], "a message out of turn"],
  ]) {
    const { client, connection } = await session2(t);
    const disconnected = event(client, "socket/disconnect");
    connection.send(sent);
    const { code, reason, willReconnect } = await disconnected;
    assert.deepEqual([code, reason, willReconnect], [4002, `the server sent ${words}`, true]);
  }
  const { client, connection } = await greeted(t);
  const disconnected = event(client, "socket/disconnect");
  connection.send([50, 1, {}]);
  const { code, willReconnect } = await disconnected;
  assert.deepEqual([code, willReconnect], [4002, false]);
});

test("a protocol that there is not is refused", () => {
  assert.throws(() => Clank.connect("ws://127.0.0.1:1", { protocol: "wamp.2.msgpack" }), TypeError);
});
