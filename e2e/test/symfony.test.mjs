// The example of a Symfony application, whose listener is the bundle's own page's, and a browser.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import autobahn from "autobahn";
import { launch } from "../support/browser.mjs";
import { Server } from "../support/server.mjs";

const EXAMPLE = fileURLToPath(new URL("../../examples/symfony/", import.meta.url));
const BUNDLE = `${EXAMPLE}src/Acme/HelloBundle/`;

/** The example and the page have it byte for byte. */
const CLASS = "950b45f6bd4b113700d97c7e7b57e1446076cb66716c8e42ec6880f31201c6f8";
const SERVICE = "fe41d6506bdc3b26c8364fffd8ecc2061903c1f9ee64127e2ab6a2673b2939b2";

const sum = (text) => createHash("sha256").update(text).digest("hex");

/** A server that runs the example, with the folder that it writes to. */
async function serve(t) {
  const scratch = await mkdtemp(join(tmpdir(), "clank-symfony-"));
  t.after(() => rm(scratch, { recursive: true, force: true }));
  return Server.start(t, { events: "off", env: { CLANK_SYMFONY_APP: EXAMPLE, EXAMPLE_DIR: scratch } });
}

test("the page's class and its services.xml are those of the page", async () => {
  const listener = await readFile(`${BUNDLE}EventListener/AcmeClientEventListener.php`, "utf8");
  assert.equal(sum(listener), CLASS);
  const services = await readFile(`${BUNDLE}Resources/config/services.xml`, "utf8");
  assert.equal(sum(services.match(/<service id="kernel\.listener\.clank[^]*?<\/service>\n/)[0]), SERVICE);
});

test("a browser connects, and the listener says so", async (t) => {
  const server = await serve(t);
  const browser = await launch(t);
  const page = await browser.newPage();
  await page.goto(server.url);
  // The page on / has a connection of its own.
  await server.until("the chat page is connected", (lines) => lines.includes("1 connected"));
  const told = await page.evaluate(inPage);
  assert.deepEqual(told.sum, { result: 7 });
  assert.deepEqual(told.error, ["sample/nothing", "Unable to find that command"]);
  assert.deepEqual(told.events, ["2 has joined acme/room", { sender: 2, number: 1, members: 1, event: "hello" }]);
  const after = (lines) => lines.slice(2).filter((line) => line !== "a second has passed");
  const lines = await server.until("both are gone", (lines) => lines.includes("2 disconnected") && after(lines));
  assert.deepEqual(lines, [
    "1 connected",
    "2 connected",
    "connection error occurred: the handler was asked to fail",
    "2 disconnected",
  ]);
  await server.until("the periodic service has run", (lines) => lines.includes("a second has passed"));
});

test("a client of WAMP v2 meets the same application", async (t) => {
  const server = await serve(t);
  const serializers = [new autobahn.serializer.MsgpackSerializer()];
  const transports = [{ type: "websocket", url: `ws://${server.address}/`, serializers }];
  const connection = new autobahn.Connection({ transports, realm: "realm1", max_retries: 0 });
  const session = await new Promise((resolve, reject) => {
    connection.onopen = resolve;
    connection.onclose = (reason) => reject(new Error(reason));
    connection.open();
  });
  const events = [];
  const heard = new Promise((resolve) => {
    session.subscribe("acme/room", ([event]) => events.push(event) === 2 && resolve()).then(() => {
      session.publish("acme/room", ["hello"], {}, { exclude_me: false });
    });
  });
  await heard;
  assert.deepEqual(events, ["1 has joined acme/room", { sender: 1, number: 1, members: 1, event: "hello" }]);
  assert.deepEqual(await session.call("sample/add_func", [2, 5]), { result: 7 });
  await assert.rejects(Promise.resolve(session.call("sample/nothing")), ({ error, args }) => {
    assert.deepEqual([error, args[0]], ["sample/nothing", "Unable to find that command"]);
    return true;
  });
  connection.close();
  await server.until("it is gone", (lines) => lines.includes("1 disconnected"));
});

/** Runs in the page. */
async function inPage() {
  const socket = Clank.connect();
  const session = await new Promise((resolve) => socket.on("socket/connect", resolve));
  const events = [];
  const heard = new Promise((resolve) => {
    session.subscribe("acme/room", (_, event) => {
      events.push(event);
      if (events.length === 2) resolve();
    });
  });
  session.publish("acme/room", "hello");
  await heard;
  session.publish("acme/room", "fail");
  const sum = await session.call("sample/add_func", 2, 5);
  const error = await session.call("sample/nothing").catch(({ uri, desc }) => [uri, desc]);
  socket.close();
  return { events, sum, error };
}
