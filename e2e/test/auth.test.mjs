// Who clients of WAMP v2 are, and what they may do, by the guide's example: autobahn.js and
// autobahn-python, by every method that they have.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import autobahn from "autobahn";
import { application, REALM, SECRETS, startRealm } from "../support/realm.mjs";

const DENIED = "wamp.error.not_authorized";
const REFUSED = "wamp.error.authentication_denied";
const folder = fileURLToPath(new URL("../autobahn2/", import.meta.url));
const hex = (bytes) => Buffer.from(bytes).toString("hex");

const SEED = createHash("sha256").update("ann's key").digest();
const KEY = autobahn.nacl.sign.keyPair.fromSeed(new Uint8Array(SEED));
const STRANGER = autobahn.nacl.sign.keyPair.fromSeed(new Uint8Array(32));

/** The realm of the guide, in which ann has a key that the test knows. */
function start(t, { change = (text) => text, ...more } = {}) {
  const withKey = (text) => change(text).replace(/public_keys = .*/, `public_keys = ["${hex(KEY.publicKey)}"]`);
  return startRealm(t, { change: withKey, ...more });
}

/** Joins by autobahn.js. `as` has settings of its connection. */
function join(t, server, as, query = "") {
  return new Promise((resolve, reject) => {
    const url = `ws://${server.address}/${query}`;
    const challenges = [];
    const onchallenge = (session, method, extra) => {
      challenges.push([method, extra]);
      return as.answer(extra);
    };
    const connection = new autobahn.Connection({ url, realm: REALM, max_retries: 0, ...as, onchallenge });
    connection.onopen = (session, details) => {
      const { authid, authrole, authmethod } = details;
      resolve({ session, challenges, who: { authid, authrole, authmethod } });
    };
    connection.onclose = (why, { reason }) => reject(Object.assign(new Error(reason), { challenges }));
    connection.open();
    t.after(() => connection.isOpen && connection.close());
  });
}

const ways = {
  ticket: (authid, ticket) => ({ authmethods: ["ticket"], authid, answer: () => ticket }),
  wampcra: (authid, secret) => ({
    authmethods: ["wampcra"],
    authid,
    answer: ({ challenge, salt, iterations, keylen }) => {
      const key = salt === undefined ? secret : autobahn.auth_cra.derive_key(secret, salt, iterations, keylen);
      return autobahn.auth_cra.sign(key, challenge);
    },
  }),
  cryptosign: (key, authid) => ({
    authmethods: ["cryptosign"],
    ...(authid && { authid }),
    authextra: { pubkey: hex(key.publicKey), channel_binding: null },
    answer: (extra) => autobahn.auth_cryptosign.sign_challenge(key, extra),
  }),
};

/** What one session is answered: an error's URI, or null. */
async function ask({ session }, action, uri) {
  const asked = {
    subscribe: () => session.subscribe(uri, () => {}),
    publish: () => session.publish(uri, [], {}, { acknowledge: true }),
    register: () => session.register(uri, () => "done"),
    call: () => session.call(uri),
  };
  return Promise.resolve(asked[action]()).then(() => null, ({ error }) => error);
}

test("autobahn.js joins by each of its methods", async (t) => {
  const server = await start(t);
  const cases = [
    [ways.ticket("joe", SECRETS.joe), { authid: "joe", authrole: "user", authmethod: "ticket" }],
    [ways.ticket("ann", SECRETS.ann), { authid: "ann", authrole: "clerk", authmethod: "ticket" }],
    [ways.wampcra("joe", SECRETS.joe), { authid: "joe", authrole: "user", authmethod: "wampcra" }],
    [ways.wampcra("ann", SECRETS.ann), { authid: "ann", authrole: "clerk", authmethod: "wampcra" }],
    [ways.cryptosign(KEY), { authid: "ann", authrole: "clerk", authmethod: "cryptosign" }],
    [ways.cryptosign(KEY, "ann"), { authid: "ann", authrole: "clerk", authmethod: "cryptosign" }],
  ];
  for (const [as, expected] of cases) assert.deepEqual((await join(t, server, as)).who, expected);
  const { who } = await join(t, server, { authmethods: ["anonymous"] });
  assert.deepEqual([who.authrole, who.authmethod], ["guest", "anonymous"]);
  const connected = await server.recordsOf("clank.client.connected", cases.length + 1);
  assert.deepEqual(
    connected.map(({ identity }) => identity?.id),
    ["joe", "ann", "joe", "ann", "ann", "ann", undefined],
  );
  assert.deepEqual(connected[0].identity.attributes, { plan: "gold" });
});

test("who does not prove it is refused, whether or not there is such a user", async (t) => {
  // A challenge has to say the role: users are alike but for that.
  const server = await start(t, { change: (text) => text.replace(/roles = .*/, "") });
  const challenged = (as) => join(t, server, as).then(assert.fail, ({ message, challenges }) => [message, challenges]);
  const shape = ([reason, [[method, extra]]]) => {
    const { challenge, salt, ...rest } = extra;
    const { nonce, timestamp, session, authid, ...signed } = challenge?.startsWith("{") ? JSON.parse(challenge) : {};
    return { reason, method, rest, signed, salt: salt?.length, challenge: nonce?.length ?? challenge?.length };
  };
  for (const [right, wrong] of [
    [ways.ticket("joe", "wrong"), ways.ticket("nobody", "wrong")],
    [ways.ticket("ann", "wrong"), ways.ticket("nobody", "wrong")],
    // A ticket may not be as long as others.
    [ways.ticket("joe", ""), ways.ticket("nobody", SECRETS.joe)],
    [ways.wampcra("ann", "wrong"), ways.wampcra("nobody", "wrong")],
    [ways.cryptosign({ ...STRANGER, publicKey: KEY.publicKey }), ways.cryptosign(STRANGER)],
    [ways.cryptosign(KEY, "joe"), ways.cryptosign(STRANGER, "joe")],
  ]) {
    const [known, unknown] = [shape(await challenged(right)), shape(await challenged(wrong))];
    assert.equal(known.reason, REFUSED);
    assert.deepEqual(known, unknown);
  }
  const salt = async () => (await challenged(ways.wampcra("nobody", "x")))[1][0][1].salt;
  assert.equal(await salt(), await salt());
  for (const [as, reason] of [
    [{ authmethods: ["ticket"], answer: () => "" }, "wamp.error.authentication_required"],
    [{ authmethods: ["wamp-scram", "magic"] }, "wamp.error.no_matching_auth_method"],
  ]) {
    await assert.rejects(join(t, server, as), { message: reason });
  }
  // The operator is told.
  const reasons = server.printed("clank.client.rejected").map(({ reason }) => reason);
  assert.deepEqual(reasons.slice(0, 2), ["the secret is wrong", "there is no such user"]);
  assert.doesNotMatch(server.lines.join() + server.log, new RegExp(SECRETS.joe));
});

test("the application says by cookie or token who a client is", async (t) => {
  const mia = { id: "mia", attributes: { role: "clerk" } };
  const isMia = ({ query }) => new URLSearchParams(query).get("token") === "mia's";
  const server = await start(t, { env: await application(t, (asked) => (isMia(asked) ? mia : undefined)) });
  const client = await join(t, server, { authmethods: ["cookie"] }, "?token=mia's");
  assert.deepEqual(client.who, { authid: "mia", authrole: "clerk", authmethod: "cookie" });
  assert.equal(await ask(client, "register", "com.example.anything"), null);
  const other = await join(t, server, { authmethods: ["cookie", "anonymous"] }, "?token=else");
  assert.equal(other.who.authmethod, "anonymous");
  const joe = await join(t, server, ways.ticket("joe", SECRETS.joe), "?token=mia's");
  assert.equal(joe.who.authid, "joe");
  const none = join(t, server, { authmethods: ["cookie"] }, "?token=else");
  await assert.rejects(none, { message: "wamp.error.no_matching_auth_method" });
});

const TAKEN = "wamp.error.procedure_already_exists";
/** What the rules of the guide let a client do. */
const RULES = [
  ["subscribe", "com.example.news.today", { guest: null, user: null, clerk: null }],
  ["publish", "com.example.news.today", { guest: DENIED, user: DENIED, clerk: null }],
  ["subscribe", "com.example.chat.room", { guest: DENIED, user: null, clerk: null }],
  ["publish", "com.example.chat.room", { guest: DENIED, user: null, clerk: null }],
  ["publish", "com.example.chat.room.notice", { guest: DENIED, user: DENIED, clerk: null }],
  ["register", "com.example.chat.proc", { guest: DENIED, user: null, clerk: TAKEN }],
  ["call", "com.example.chat.proc", { guest: DENIED, user: null, clerk: null }],
  ["register", "com.example.stock.count", { guest: DENIED, user: DENIED, clerk: null }],
  ["call", "com.example.stock.count", { guest: DENIED, user: DENIED, clerk: null }],
  // Whether there is such a procedure is not told.
  ["call", "com.example.stock.nothing", { guest: DENIED, user: DENIED, clerk: "wamp.error.no_such_procedure" }],
];

test("rules are seen by autobahn.js", async (t) => {
  const server = await start(t);
  const clients = {
    guest: await join(t, server, { authmethods: ["anonymous"] }),
    user: await join(t, server, ways.wampcra("joe", SECRETS.joe)),
    clerk: await join(t, server, ways.cryptosign(KEY)),
  };
  for (const [action, uri, expected] of RULES) {
    const told = {};
    for (const role of Object.keys(expected)) told[role] = await ask(clients[role], action, uri);
    assert.deepEqual(told, expected, `${action} ${uri}`);
  }
  const { session } = clients.user;
  for (const [uri, expected] of [["com.example.chat.", undefined], ["com.example.", DENIED]]) {
    const asked = Promise.resolve(session.subscribe(uri, () => {}, { match: "prefix" }));
    assert.equal(await asked.then(() => undefined, ({ error }) => error), expected, uri);
  }
});

/** Joins by autobahn-python, and asks for things. */
async function python(server, authentication, asks = []) {
  const child = spawn(`${folder}.venv/bin/python`, [`${folder}auth.py`, `ws://${server.address}/`], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data) => (said += data));
  child.stdin.end(JSON.stringify({ realm: REALM, authentication, asks }));
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  return JSON.parse(said.trim().split("\n").at(-1));
}

const joe = { authid: "joe", authrole: "user" };
const ann = { authid: "ann", authrole: "clerk" };
for (const [name, authentication, expected] of [
  ["ticket", { ticket: { ...joe, ticket: SECRETS.joe } }, joe],
  ["wampcra", { wampcra: { ...joe, secret: SECRETS.joe } }, joe],
  ["wampcra", { wampcra: { ...ann, secret: SECRETS.ann } }, ann],
  ["scram", { scram: { ...joe, password: SECRETS.joe } }, joe],
  ["scram", { scram: { ...ann, password: SECRETS.ann } }, ann],
  ["cryptosign", { cryptosign: { ...ann, privkey: hex(SEED) } }, ann],
]) {
  test(`autobahn-python joins as ${expected.authid} by ${name}, and sees the rules`, async (t) => {
    const server = await start(t);
    const role = expected.authrole;
    // Nobody else is there to register what others call.
    const alone = ["com.example.chat.proc", "com.example.stock.count"];
    const rules = RULES.filter(([action, uri]) => action !== "call" || !alone.includes(uri));
    const asks = rules.map(([action, uri]) => [action, uri]);
    const answers = rules.map(([, , answers]) => (answers[role] === TAKEN ? null : answers[role]));
    assert.deepEqual(await python(server, authentication, asks), { ...expected, authmethod: name, answers });
    const [connected] = await server.recordsOf("clank.client.connected", 1);
    assert.equal(connected.identity.id, expected.authid);
  });
}

test("autobahn-python joins without a name", async (t) => {
  const server = await start(t);
  const asks = [["subscribe", "com.example.news.today"], ["publish", "com.example.news.today"], ["call", "com.example.stock.nothing"]];
  const { authid, ...told } = await python(server, { anonymous: {} }, asks);
  assert.deepEqual(told, { authrole: "guest", authmethod: "anonymous", answers: [null, DENIED, DENIED] });
  assert.match(authid, /^[\w-]{16}$/);
});

test("autobahn-python acts in the role that it asks for, if its user has it", async (t) => {
  const server = await start(t);
  const as = (authid, authrole, ticket) => python(server, { ticket: { authid, authrole, ticket } });
  const expected = { authid: "ann", authrole: "user", authmethod: "ticket", answers: [] };
  assert.deepEqual(await as("ann", "user", SECRETS.ann), expected);
  assert.deepEqual(await as("joe", "clerk", SECRETS.joe), { refused: "wamp.error.no_such_role" });
});

test("autobahn-python is refused with a wrong secret, and with a name that no user has", async (t) => {
  const server = await start(t);
  for (const name of ["joe", "nobody"]) {
    for (const authentication of [
      { ticket: { authid: name, ticket: "wrong" } },
      { wampcra: { authid: name, secret: "wrong" } },
      { scram: { authid: name, password: "wrong" } },
    ]) {
      assert.deepEqual(await python(server, authentication), { refused: REFUSED }, JSON.stringify(authentication));
    }
  }
  assert.deepEqual(await python(server, { cryptosign: { privkey: hex(new Uint8Array(32)) } }), { refused: REFUSED });
});
