// The HTTP API against its own description: that is valid OpenAPI, and what is sent and answered is what it says.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv/dist/2020.js";

import { Server } from "../support/server.mjs";

const TOKEN = randomBytes(16).toString("hex");

/** A server with an API, and the description that it serves. */
async function serve(t, env = {}) {
  const server = await Server.start(t, { env: { CLANK_API_LISTEN: "0", CLANK_API_TOKENS: TOKEN, ...env } });
  const api = await server.until("the API listens", () => server.log.match(/the API listens on (http:\S+)/)?.[1]);
  const description = await (await fetch(`${api}/openapi.json`)).json();
  return { server, api, description };
}

/** Settings for a journal in a directory of its own, and for a sink that refuses every event. */
async function journal(t) {
  const directory = await mkdtemp(join(tmpdir(), "clank-api-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const receiver = http.createServer((request, response) => request.resume().on("end", () => response.writeHead(422).end()));
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  t.after(() => receiver.close());
  return {
    CLANK_JOURNAL_PATH: directory,
    CLANK_SINKS_REFUSES_TYPE: "webhook",
    CLANK_SINKS_REFUSES_URL: `http://127.0.0.1:${receiver.address().port}/`,
    CLANK_SINKS_REFUSES_SECRETS: `whsec_${randomBytes(32).toString("base64")}`,
    CLANK_SINKS_REFUSES_ALLOW_PRIVATE: "true",
  };
}

/** A socket of WAMP v1 that subscribes to a topic; it answers to nothing. */
async function subscriber(t, server, topic) {
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "wamp",
  };
  const request = http.get(server.url, { headers });
  const [, socket] = await once(request, "upgrade");
  t.after(() => socket.destroy());
  const text = Buffer.from(JSON.stringify([5, topic]));
  assert.ok(text.length < 126);
  // A mask of zeros leaves the text as it is.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  return socket;
}

/** Judges bodies by the schemas of a description. */
class Judge {
  #ajv = new Ajv({ strict: false, validateFormats: false });

  constructor(description) {
    this.description = description;
    this.#ajv.addSchema(description, "api");
  }

  /** What is wrong with `value`, for the schema at this place. */
  complaint(value, ...place) {
    const pointer = this.#place(place);
    const validate = this.#ajv.compile({ $ref: `api#${pointer}` });
    return validate(value) ? null : `${pointer}: ${this.#ajv.errorsText(validate.errors)}: ${JSON.stringify(value)}`;
  }

  /** The place, through references. */
  #place(steps) {
    let [at, pointer] = [this.description, ""];
    for (const step of steps) {
      at = at[step];
      assert.ok(at, `${pointer} has no ${step}`);
      pointer += `/${encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"))}`;
      if (at.$ref) {
        pointer = at.$ref.slice(1);
        at = pointer.slice(1).split("/").reduce((at, step) => at[step], this.description);
      }
    }
    return pointer;
  }
}

test("the description is valid OpenAPI 3.1", async (t) => {
  const { description } = await serve(t);
  assert.equal(description.openapi, "3.1.0");
  const { valid, errors } = await new Validator().validate(description);
  assert.ok(valid, JSON.stringify(errors));
});

test("what is sent and answered is what the description says", async (t) => {
  const { server, api, description } = await serve(t, { CLANK_API_BODY: "64KiB", ...(await journal(t)) });
  await subscriber(t, server, "room");
  await subscriber(t, server, "room");
  const judge = new Judge(description);
  const answered = new Set();

  /** Asks, and judges the answer; `path` is the description's, with its open parts filled from `parts`. */
  const ask = async (method, path, status, { parts = {}, query = "", body, headers = {} } = {}) => {
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts[name]));
    const type = body === undefined ? {} : { "Content-Type": "application/json" };
    const response = await fetch(`${api}${filled}${query}`, {
      method,
      headers: { Authorization: `Bearer ${TOKEN}`, ...type, ...headers },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    });
    const json = await response.json();
    assert.equal(response.status, status, `${method} ${path}: ${JSON.stringify(json)}`);
    const mediaType = response.headers.get("content-type");
    const operation = ["paths", path, method.toLowerCase()];
    const content = [...operation, "responses", String(status), "content", mediaType, "schema"];
    assert.equal(judge.complaint(json, ...content), null);
    if (status === 200 && body !== undefined) {
      assert.equal(judge.complaint(body, ...operation, "requestBody", "content", "application/json", "schema"), null);
    }
    answered.add(`${method} ${path}`);
    return json;
  };

  let members = [];
  await server.until("both have subscribed", () => server.lines.filter((line) => line.endsWith(" connected")).length === 2);
  while (members.length < 2) {
    members = (await ask("GET", "/v1/topics/{topic}/connections", 200, { parts: { topic: "room" } })).connections;
  }
  const [first, second] = members.map((member) => member.resource_id);

  await ask("POST", "/v1/publish", 200, { body: { topic: "room", event: { a: [1] }, exclude: [first], eligible: [members[1].session_id] } });
  await ask("POST", "/v1/publish", 200, { body: { topics: ["room", "none"], event: null } });
  await ask("POST", "/v1/publish", 422, { body: { topic: "room", event: 1, exlude: [] } });
  await ask("POST", "/v1/publish", 400, { body: "{" });
  await ask("POST", "/v1/publish", 413, { body: { topic: "room", event: "x".repeat(65_536) } });
  await ask("POST", "/v1/publish", 415, { body: {}, headers: { "Content-Type": "text/plain" } });
  await ask("POST", "/v1/publish", 401, { body: {}, headers: { Authorization: "Bearer wrong" } });
  await ask("POST", "/v1/call", 404, { body: { uri: "sample/add", params: [1, 2], timeout_ms: 100 } });
  await ask("POST", "/v1/call", 422, { body: { uri: "sample/add", params: 1 } });
  const commands = [
    { publish: { topic: "room", event: 1 } },
    { call: { uri: "sample/add" } },
    { send: { resource_id: first, topic: "inbox", event: 1 } },
    { disconnect: { identity: "nobody", code: 4000, reason: "bye" } },
  ];
  await ask("POST", "/v1/batch", 200, { body: { commands } });
  await ask("GET", "/v1/connections", 200, { query: "?topic=room&path=/&limit=1" });
  await ask("GET", "/v1/connections", 400, { query: "?limit=0" });
  await ask("GET", "/v1/connections", 422, { query: "?topic=" });
  await ask("GET", "/v1/connections/count", 200);
  await ask("GET", "/v1/connections/{resource_id}", 200, { parts: { resource_id: first } });
  await ask("GET", "/v1/connections/{resource_id}", 404, { parts: { resource_id: 999 } });
  await ask("POST", "/v1/connections/{resource_id}/events", 200, { parts: { resource_id: first }, body: { topic: "inbox", event: 1 } });
  await ask("GET", "/v1/users/{identity}/connections", 200, { parts: { identity: "a/b" } });
  await ask("DELETE", "/v1/users/{identity}/connections", 200, { parts: { identity: "a/b" } });
  await ask("GET", "/v1/topics", 200, { query: "?prefix=ro&limit=1" });
  await ask("GET", "/v1/topics/{topic}", 200, { parts: { topic: "room" } });
  await ask("GET", "/v1/topics/{topic}/users", 200, { parts: { topic: "room" } });
  const again = { parts: { resource_id: second }, query: "?code=4000&reason=bye", headers: { "Idempotency-Key": "once" } };
  await ask("DELETE", "/v1/connections/{resource_id}", 200, again);
  await ask("DELETE", "/v1/connections/{resource_id}", 200, again);
  await ask("DELETE", "/v1/connections/{resource_id}", 422, { ...again, query: "?code=4001" });

  const sink = { sink: "refuses" };
  let letters = [];
  while (letters.length < 3) {
    letters = (await ask("GET", "/v1/sinks/{sink}/dead-letters", 200, { parts: sink })).dead_letters;
  }
  await ask("GET", "/v1/sinks/{sink}/dead-letters", 404, { parts: { sink: "none" } });
  await ask("GET", "/v1/sinks", 200);
  await ask("GET", "/v1/journal", 200);
  const { events } = await ask("GET", "/v1/events", 200, { query: "?limit=5" });
  await ask("GET", "/v1/events", 400, { query: "?limit=0" });
  await ask("GET", "/v1/events/{id}", 200, { parts: { id: events[0].record.id } });
  await ask("GET", "/v1/events/{id}", 404, { parts: { id: "018bcfe5-6800-7bab-abab-abababababab.open" } });
  await ask("POST", "/v1/sinks/{sink}/dead-letters/retry", 200, { parts: sink, body: { all: true } });
  await ask("POST", "/v1/sinks/{sink}/dead-letters/retry", 422, { parts: sink, body: {} });
  await ask("DELETE", "/v1/sinks/{sink}/dead-letters", 200, { parts: sink, query: "?all=true" });
  await ask("POST", "/v1/sinks/{sink}/replays", 200, { parts: sink, body: { position: 1 } });
  await ask("DELETE", "/v1/sinks/{sink}/replays", 200, { parts: sink });
  await ask("DELETE", "/v1/sinks/{sink}", 409, { parts: sink });
  const metrics = await fetch(`${api}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } });
  assert.match(await metrics.text(), /^clank_sink_dead_letters\{sink="refuses"\} \d+$/m);
  answered.add("GET /metrics");

  const described = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual([...answered, "GET /openapi.json"].sort(), described.sort());
});
