// WAMP v2 on a page: autobahn.js, and the served client, each with itself and with the other.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "../support/browser.mjs";
import { Proxy } from "../support/proxy.mjs";
import { application, REALM, SECRETS, startRealm } from "../support/realm.mjs";
import { Server } from "../support/server.mjs";

const AUTOBAHN = fileURLToPath(new URL("../node_modules/autobahn-browser/autobahn.min.js", import.meta.url));
const CLIENTS = ["autobahn", "clank"];

/** A page of the server's, whose security policy lets scripts in, with both clients and what the tests call on it. */
async function open(t, server, prepare = async () => {}) {
  const context = await launch(t, { bypassCSP: true });
  await prepare(context);
  const page = await context.newPage();
  await page.goto(`${server.url}healthz`);
  await page.addScriptTag({ path: AUTOBAHN });
  await page.addScriptTag({ url: "/clank.js" });
  await page.evaluate(define);
  return page;
}

/** Defines `join` on the page: a session of either client, with the same functions. */
function define() {
  const url = `${location.origin.replace("http", "ws")}/`;
  const native = (promise) => new Promise((resolve, reject) => promise.then(resolve, reject));
  const joins = {
    autobahn: (settings) =>
      new Promise((resolve, reject) => {
        const { answer, ...rest } = { realm: "realm1", ...settings };
        const sign = {
          ticket: (secret) => secret,
          wampcra: (secret, { challenge, salt, iterations, keylen }) =>
            autobahn.auth_cra.sign(salt ? autobahn.auth_cra.derive_key(secret, salt, iterations, keylen) : secret, challenge),
        };
        const onchallenge = (_, method, extra) => sign[method](answer, extra);
        const connection = new autobahn.Connection({ url, max_retries: 0, onchallenge, ...rest });
        connection.onclose = (why, { reason }) => reject(new Error(reason));
        connection.onopen = (session, details) =>
          resolve({
            id: session.id,
            details,
            publish: (...given) => session.publish(...given),
            subscribe: async (topic, handler, options) => {
              const subscription = await native(session.subscribe(topic, handler, options));
              return () => native(session.unsubscribe(subscription));
            },
            register: async (procedure, handler, options) => {
              const registration = await native(session.register(procedure, handler, options));
              return () => native(session.unregister(registration));
            },
            call: (procedure, args, kwargs, options, onprogress) => {
              const call = session.call(procedure, args, kwargs, onprogress ? { ...options, receive_progress: true } : options);
              const result = new Promise((resolve, reject) => call.then(resolve, reject, onprogress));
              return { result, cancel: (mode) => call.cancel({ mode }) };
            },
            fail: (uri, ...args) => {
              throw new autobahn.Error(uri, args);
            },
            uriOf: ({ error }) => error,
            close: () => connection.close(),
          });
        connection.open();
      }),
    clank: (settings) =>
      new Promise((resolve, reject) => {
        const { answer, ...rest } = settings ?? {};
        const sign = { ticket: (secret) => secret, wampcra: Clank.cra };
        const onchallenge = (method, extra) => sign[method](answer, extra);
        const socket = Clank.connect("/", { protocol: "wamp.2.json", onchallenge, ...rest });
        socket.on("socket/disconnect", ({ uri, reason }) => reject(new Error(uri ?? reason)));
        socket.on("socket/connect", (session) =>
          resolve({
            id: session.id,
            details: session.details,
            publish: (...given) => session.publish(...given),
            subscribe: async (...given) => {
              const subscription = await session.subscribe(...given);
              return () => session.unsubscribe(subscription);
            },
            register: async (...given) => {
              const registration = await session.register(...given);
              return () => session.unregister(registration);
            },
            call: (procedure, args, kwargs, options, onprogress) => {
              const call = session.call(procedure, args, kwargs, { ...options, onprogress });
              return { result: call, cancel: (mode) => call.cancel(mode) };
            },
            fail: (uri, ...args) => {
              throw new Clank.CallError(uri, ...args);
            },
            uriOf: ({ uri }) => uri,
            close: () => socket.close(),
          }),
        );
      }),
  };
  globalThis.join = (client, settings) => joins[client](settings);
  globalThis.plain = (value) => JSON.parse(JSON.stringify(value));
}

for (const first of CLIENTS) {
  for (const second of CLIENTS) {
    test(`${first} is heard by ${second}, also by patterns`, async (t) => {
      const server = await Server.start(t, { events: "json" });
      const page = await open(t, server);
      const told = await page.evaluate(publish, [first, second]);
      assert.deepEqual(told, {
        exact: [["hi", { n: 1 }, "com.example.news.today"], ["last", {}, "com.example.news.today"]],
        prefix: ["com.example.news.today", "com.example.news.tomorrow", "com.example.news.today"],
        wildcard: ["com.example.news.today", "com.example.news.today"],
        own: ["also to me"],
        left: ["before"],
        acknowledged: "number",
      });
      for (const { cause } of await server.recordsOf("clank.client.disconnected", 2)) assert.equal(cause, "client_closed");
    });

    test(`${first} calls what ${second} offers, bit by bit, and gives up`, async (t) => {
      const server = await Server.start(t, { events: "json" });
      const page = await open(t, server);
      const told = await page.evaluate(call, [first, second]);
      assert.deepEqual(told, {
        sum: 5,
        key: "ä",
        pattern: "com.example.any.thing",
        nothing: null,
        parts: [[0, 1, 2], "all"],
        wrong: "com.example.wrong",
        late: "wamp.error.timeout",
        cancelled: "wamp.error.canceled",
        interrupted: true,
        twice: "wamp.error.procedure_already_exists",
        gone: "wamp.error.no_such_procedure",
      });
    });
  }
}

/** Runs in the page: one session publishes, the other listens. */
async function publish([first, second]) {
  const [one, two] = [await join(first), await join(second)];
  const told = { exact: [], prefix: [], wildcard: [], own: [], left: [] };
  const today = "com.example.news.today";
  const ended = new Promise((resolve) => two.subscribe("com.example.end", resolve));
  await two.subscribe(today, ([text], kwargs, { topic }) => told.exact.push([text, { ...kwargs }, topic]));
  let hear;
  const heard = new Promise((resolve) => (hear = resolve));
  const leave = await two.subscribe("com.example.left", ([text]) => hear(told.left.push(text)));
  await two.subscribe("com.example.news.", (args, kwargs, { topic }) => told.prefix.push(topic), { match: "prefix" });
  await two.subscribe("com..news.today", (args, kwargs, { topic }) => told.wildcard.push(topic), { match: "wildcard" });
  await one.subscribe("com.example.own", ([text]) => told.own.push(text));
  const acknowledge = { acknowledge: true };
  one.publish(today, ["hi"], { n: 1 });
  one.publish(today, ["to others"], {}, { eligible: [one.id] });
  one.publish("com.example.news.tomorrow", ["soon"], {}, { exclude: [one.id] });
  await one.publish("com.example.own", ["not to me"], {}, acknowledge);
  await one.publish("com.example.own", ["also to me"], {}, { ...acknowledge, exclude_me: false });
  one.publish("com.example.left", ["before"]);
  await heard;
  await leave();
  const published = await one.publish("com.example.left", ["after"], {}, acknowledge);
  told.acknowledged = typeof (published.id ?? published);
  one.publish(today, ["last"]);
  one.publish("com.example.end");
  await ended;
  one.close();
  two.close();
  return plain(told);
}

/** Runs in the page: one session calls, the other is called. */
async function call([first, second]) {
  const [caller, callee] = [await join(first), await join(second)];
  const uriOf = (call) => call.result.then((value) => `no error: ${value}`, caller.uriOf);
  const unregister = await callee.register("com.example.add", ([a, b]) => a + b);
  await callee.register("com.example.key", (args, { key }) => key);
  await callee.register("com.example.any.", (args, kwargs, { procedure }) => procedure, { match: "prefix" });
  await callee.register("com.example.nothing", () => {});
  await callee.register("com.example.count", ([to], kwargs, { progress }) => {
    for (let part = 0; part < to; part++) progress([part]);
    return "all";
  });
  await callee.register("com.example.wrong", () => callee.fail("com.example.wrong", "it is wrong"));
  let begun;
  const beginning = new Promise((resolve) => (begun = resolve));
  let interrupt;
  const interrupted = new Promise((resolve) => (interrupt = resolve));
  await callee.register("com.example.never", (args, kwargs, { signal }) => {
    begun();
    // autobahn.js does not tell its procedures of an INTERRUPT.
    if (signal) signal.addEventListener("abort", () => interrupt(true));
    else interrupt(true);
    return new Promise(() => {});
  });
  const told = {};
  told.sum = await caller.call("com.example.add", [2, 3]).result;
  told.key = await caller.call("com.example.key", [], { key: "ä" }).result;
  told.pattern = await caller.call("com.example.any.thing").result;
  told.nothing = await caller.call("com.example.nothing").result;
  const parts = [];
  const all = await caller.call("com.example.count", [3], {}, {}, (part) => parts.push(part)).result;
  told.parts = [parts, all];
  told.wrong = await uriOf(caller.call("com.example.wrong"));
  told.late = await uriOf(caller.call("com.example.never", [], {}, { timeout: 50 }));
  const given = caller.call("com.example.never");
  await beginning;
  given.cancel("kill");
  told.cancelled = await uriOf(given);
  told.interrupted = await interrupted;
  told.twice = await caller.register("com.example.add", () => 0).then(() => "no error", caller.uriOf);
  await unregister();
  told.gone = await uriOf(caller.call("com.example.add", [2, 3]));
  return plain(told);
}

test("what a page hears and offers is there again when its network is", async (t) => {
  const server = await Server.start(t, { events: "json" });
  const proxy = await Proxy.start(t, server.port);
  const page = await open(t, proxy);
  await page.evaluate(async () => {
    globalThis.connections = 0;
    const socket = Clank.connect("/", { protocol: "wamp.2.json", retryDelay: 50 });
    await new Promise((resolve) => {
      socket.on("socket/connect", async (session) => {
        const mine = ++connections;
        await session.subscribe("com.example.topic", ([text]) => session.publish("com.example.echo", [text, mine]));
        await session.register("com.example.which", () => mine);
        resolve();
      });
    });
  });
  const other = await open(t, server);
  await other.evaluate(async () => {
    globalThis.other = await join("autobahn");
    globalThis.heard = [];
    await globalThis.other.subscribe("com.example.echo", (args) => heard.push(args));
  });
  const which = () => other.evaluate(() => globalThis.other.call("com.example.which").result);
  assert.equal(await which(), 1);
  proxy.reset();
  await server.record("clank.client.disconnected");
  proxy.heal();
  await page.waitForFunction(() => connections === 2);
  // The connect handler has asked for all again when a second run has done so.
  await other.waitForFunction(() => globalThis.other.call("com.example.which").result.then((n) => n === 2, () => false));
  await other.evaluate(() => globalThis.other.publish("com.example.topic", ["hi"], {}, { acknowledge: true }));
  await other.waitForFunction(() => heard.length);
  assert.deepEqual(await other.evaluate(() => heard), [["hi", 2]]);
});

test("the served client signs by cryptosign", async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const pubkey = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url").toString("hex");
  const server = await startRealm(t, { change: (text) => text.replace(/public_keys = .*/, `public_keys = ["${pubkey}"]`) });
  const page = await open(t, server);
  const told = await page.evaluate(
    async ([realm, pubkey, jwk]) => {
      const key = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"]);
      const onchallenge = (method, extra) => Clank.cryptosign(key, extra);
      const settings = { realm, authmethods: ["cryptosign"], authextra: { pubkey }, onchallenge };
      const { details } = await join("clank", settings);
      return [details.authid, details.authrole, details.authmethod];
    },
    [REALM, pubkey, privateKey.export({ format: "jwk" })],
  );
  assert.deepEqual(told, ["ann", "clerk", "cryptosign"]);
});

test("clients on a page prove who they are, by ticket, WAMP-CRA and cookie", async (t) => {
  const env = await application(t, ({ headers }) => (headers.cookie === "user=mia" ? { id: "mia" } : undefined));
  const server = await startRealm(t, { env });
  const page = await open(t, server, (context) => context.addCookies([{ name: "user", value: "mia", url: server.url }]));
  for (const client of CLIENTS) {
    for (const [authmethod, authid, answer, expected] of [
      ["ticket", "joe", SECRETS.joe, ["joe", "user", "ticket"]],
      ["wampcra", "joe", SECRETS.joe, ["joe", "user", "wampcra"]],
      ["wampcra", "ann", SECRETS.ann, ["ann", "clerk", "wampcra"]],
      ["cookie", undefined, undefined, ["mia", "user", "cookie"]],
      ["wampcra", "ann", "wrong", "wamp.error.authentication_denied"],
      ["ticket", "nobody", "wrong", "wamp.error.authentication_denied"],
    ]) {
      const settings = { realm: REALM, authmethods: [authmethod], answer, ...(authid && { authid }) };
      const told = await page.evaluate(
        ([client, settings]) =>
          join(client, settings).then(
            ({ details: { authid, authrole, authmethod } }) => [authid, authrole, authmethod],
            ({ message }) => message,
          ),
        [client, settings],
      );
      assert.deepEqual(told, expected, `${client}, ${authmethod}, ${authid}`);
    }
  }
});
