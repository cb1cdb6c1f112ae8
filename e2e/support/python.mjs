// autobahn-python, as a client that does a bit of everything.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = fileURLToPath(new URL("../autobahn2/", import.meta.url));

/** Runs `client.py` against `url`, checks what it tells, and returns the number of its session. */
export async function usesAll(url, serializer) {
  const { stdout } = await promisify(execFile)(
    `${folder}.venv/bin/python`,
    [`${folder}client.py`, url, serializer],
    { env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } },
  );
  const { session, ...told } = JSON.parse(stdout.trim().split("\n").at(-1));
  assert.deepEqual(told, {
    authrole: "anonymous",
    heard: [["hi", { n: [1, -2.5, null] }], { key: "ä" }],
    sum: 5,
    error: ["com.example.wrong", ["it is wrong", 1]],
    unknown: "wamp.error.no_such_procedure",
    late: "wamp.error.timeout",
    cancelled: true,
    patterns: [["com.example.upper", 1], ["com.example.upper", 1], "com.example.anything"],
    meta: {
      sessions: 1,
      authrole: "anonymous",
      topics: 2,
      registered: ["com.example.any", "prefix", "roundrobin"],
      callees: true,
    },
    parts: [3, [0, 1, 2]],
  });
  return session;
}
