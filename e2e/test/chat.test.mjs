// Two people chat in two tabs of a browser; the server says who comes and who goes, and why.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch, Tab } from "../support/browser.mjs";
import { Proxy } from "../support/proxy.mjs";
import { Server } from "../support/server.mjs";

const SHORT_KEEPALIVE = { CLANK_KEEPALIVE_INTERVAL: "1s", CLANK_KEEPALIVE_TIMEOUT: "1s" };
const SHORT_DRAIN = { CLANK_SHUTDOWN_DRAIN: "500ms" };
const CONNECTED = "clank.client.connected";
const DISCONNECTED = "clank.client.disconnected";

/** Ada's tab, which talks to the server directly, and Grace's, behind a proxy of her own. */
async function chat(t, options) {
  const server = await Server.start(t, options);
  const proxy = await Proxy.start(t, server.port);
  const browser = await launch(t);
  const ada = await Tab.open(browser, server.url, "Ada");
  const grace = await Tab.open(browser, proxy.url, "Grace");
  return { server, proxy, browser, ada, grace };
}

async function talk(ada, grace) {
  await ada.say("Is anybody there?");
  await grace.sees("Is anybody there?", { from: "Ada" });
  await ada.sees("Is anybody there?", { from: "Ada", own: true });
  await grace.say("<b>Yes</b> & no");
  await ada.sees("<b>Yes</b> & no", { from: "Grace" });
}

test("lines of text: who connected, who left, who was cut off", async (t) => {
  const { server, proxy, ada, grace } = await chat(t, { events: "text" });
  const [adas, graces] = [await server.textEvent("connected", 1), await server.textEvent("connected", 2)];
  assert.notEqual(adas, graces);
  await talk(ada, grace);

  await ada.close();
  assert.equal(await server.textEvent("disconnected", 1), adas);
  proxy.reset();
  assert.equal(await server.textEvent("disconnected", 2), graces);
  await grace.state("down");
  assert.match(await grace.status(), /^Offline: .*Retrying in/);
  assert.deepEqual(server.lines, [
    "Starting Clank",
    `Launching WebSocket server on: ws://${server.address}`,
    `${adas} connected`,
    `${graces} connected`,
    `${adas} disconnected`,
    `${graces} disconnected`,
  ]);
  assert.deepEqual([...ada.faults, ...grace.faults], []);
});

test("records: a closed tab is client_closed, a reset one network_lost, with their own ids", async (t) => {
  const { server, proxy, ada, grace } = await chat(t, { events: "json" });
  await talk(ada, grace);
  const [adas, graces] = await server.recordsOf(CONNECTED, 2);
  assert.notEqual(adas.resource_id, graces.resource_id);
  assert.notEqual(adas.connection_id, graces.connection_id);
  assert.equal(adas.protocol, "wamp");

  await ada.close();
  const left = await server.record(DISCONNECTED, ({ connection_id }) => connection_id === adas.connection_id);
  assert.deepEqual([left.resource_id, left.cause, left.initiator], [adas.resource_id, "client_closed", "client"]);

  proxy.reset();
  const cut = await server.record(DISCONNECTED, ({ connection_id }) => connection_id === graces.connection_id);
  assert.deepEqual([cut.resource_id, cut.cause, cut.initiator], [graces.resource_id, "network_lost", "network"]);

  proxy.heal();
  const again = await server.record(CONNECTED, ({ resource_id }) => resource_id > graces.resource_id);
  await grace.state("up");
  await grace.say("Back again");
  await grace.sees("Back again", { from: "Grace", own: true });
  assert.notEqual(again.connection_id, graces.connection_id);
  assert.equal(server.printed(DISCONNECTED).length, 2);
});

test("a tab whose network swallows everything is keepalive_timeout, and nobody else is", async (t) => {
  const { server, proxy, ada, grace } = await chat(t, { events: "json", env: SHORT_KEEPALIVE });
  await talk(ada, grace);
  const [, graces] = await server.recordsOf(CONNECTED, 2);

  proxy.blackHole();
  const dead = await server.record(DISCONNECTED);
  assert.deepEqual(
    [dead.resource_id, dead.connection_id, dead.cause, dead.initiator],
    [graces.resource_id, graces.connection_id, "keepalive_timeout", "network"],
  );
  await ada.say("Where has she gone?");
  await ada.sees("Where has she gone?", { from: "Ada", own: true });

  // The page had heard nothing of it; now it does, and comes back as another connection.
  assert.equal(await grace.status(), "Connected");
  proxy.heal();
  await server.record(CONNECTED, ({ resource_id }) => resource_id > graces.resource_id);
  await grace.state("up");
  await ada.say("There she is.");
  await grace.sees("There she is.", { from: "Ada" });
  assert.equal(server.printed(DISCONNECTED).length, 1);
});

test("a server that stops tells its tabs, and they come back to the next one", async (t) => {
  const { server, ada } = await chat(t, { events: "json", env: SHORT_DRAIN });
  const open = await server.recordsOf(CONNECTED, 2);
  server.process.kill("SIGTERM");
  assert.equal(await server.exited, 0);
  const closed = server.printed(DISCONNECTED);
  assert.deepEqual(closed.map((record) => record.cause), ["server_shutdown", "server_shutdown"]);
  assert.deepEqual(ids(closed), ids(open));
  await ada.state("down");

  const next = await Server.start(t, { events: "json", port: server.port });
  await ada.state("up");
  await next.record(CONNECTED);
  await ada.say("Still here");
  await ada.sees("Still here", { from: "Ada", own: true });
});

function ids(records) {
  return records.map((record) => record.connection_id).sort();
}
