// The script that the server serves as /clank.js, in a browser, against that server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "../support/browser.mjs";
import { Server } from "../support/server.mjs";

test("the served client subscribes, publishes, calls and closes", async (t) => {
  const server = await Server.start(t, { events: "json" });
  const browser = await launch(t);
  const page = await browser.newPage();
  await page.goto(server.url);
  const connectedBefore = (await server.recordsOf("clank.client.connected", 1)).length;
  const told = await page.evaluate(inPage);

  assert.deepEqual(told.events, [
    ["http://acme.example/news", "to all"],
    ["http://acme.example/news", "also to the publisher"],
    ["http://acme.example/news", "by exclude"],
    ["http://acme.example/news", "by eligible"],
    ["end", null],
  ]);
  assert.deepEqual(told.own, ["to all", "also to the publisher", null]);
  assert.deepEqual(told.error, ["sample/nothing", "Unable to find that command"]);
  assert.equal(new Set(told.ids).size, 2);

  const [first] = (await server.recordsOf("clank.client.connected", 3)).slice(connectedBefore);
  const left = await server.record("clank.client.disconnected", ({ resource_id }) => resource_id === first.resource_id);
  assert.deepEqual([left.cause, left.code, left.reason], ["client_closed", 4100, "done"]);
});

/** Runs in the page: two sessions, of which the first publishes and both listen. */
async function inPage() {
  const open = () =>
    new Promise((resolve) => {
      const socket = Clank.connect();
      socket.on("socket/connect", resolve);
    });
  const publisher = await open();
  const other = await open();
  const events = [];
  const own = [];

  // What a session sends is handled in order, so a reply says that what went before has been done.
  const settled = (session) => session.call("settled/nothing").catch(() => {});
  other.prefix("acme", "http://acme.example/");
  other.subscribe("acme:news", (uri, event) => events.push([uri, event]));
  publisher.subscribe("http://acme.example/news", (_, event) => own.push(event));
  publisher.subscribe("end", (_, event) => own.push(event));
  await Promise.all([settled(publisher), settled(other)]);
  const ended = new Promise((resolve) => {
    other.subscribe("end", (uri, event) => {
      events.push([uri, event]);
      resolve();
    });
  });
  await settled(other);

  const news = "http://acme.example/news";
  publisher.publish(news, "to all");
  publisher.publish(news, "also to the publisher", false);
  publisher.publish(news, "by exclude", [publisher.sessionid()]);
  publisher.publish(news, "by eligible", null, [other.sessionid()]);
  publisher.publish(news, "to nobody", [other.sessionid()], [other.sessionid()]);
  publisher.publish("end", null);
  await ended;
  const error = await publisher.call("sample/nothing", { term1: 2 }).catch((error) => [error.uri, error.desc]);
  const ids = [publisher.sessionid(), other.sessionid()];
  publisher.close(4100, "done");
  return { events, own, error, ids };
}
