// Receives Clank's webhooks: node receiver.mjs PORT, with the secret in WEBHOOK_SECRET.
//
// Node's own library is all that it needs. Each event that counts is printed as a line, once.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const TOLERANCE = 5 * 60; // seconds
const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");

const seen = new Set(); // event ids: a database in earnest
const versions = new Map(); // the last version that was applied, by identity

/** Throws unless the request is Clank's, new, and as it was sent. */
function verify(headers, body) {
  const { "webhook-id": id = "", "webhook-timestamp": timestamp = "", "webhook-signature": signatures = "" } = headers;
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE) {
    throw new Error("stale, or from the future");
  }
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  const matches = signatures.split(" ").some(signature => {
    const [version, value = ""] = signature.split(",");
    const given = Buffer.from(value, "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!matches) throw new Error("not signed with this secret");
}

/** Applies an event once. At least once is promised, so that one may come again. */
function apply({ id, type, data }) {
  if (seen.has(id)) return;
  seen.add(id);
  const { id: user, version } = data.identity ?? {};
  if (version !== undefined) {
    // The event of an older connection, which came late: the user has connected again.
    if (version <= (versions.get(user) ?? 0)) return;
    versions.set(user, version);
  }
  console.log(type, id);
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  try {
    verify(request.headers, body);
    const events = JSON.parse(body);
    for (const event of Array.isArray(events) ? events : [events]) apply(event);
    response.writeHead(204).end();
  } catch (error) {
    console.error(`refused: ${error.message}`);
    response.writeHead(401).end();
  }
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}`);
});
