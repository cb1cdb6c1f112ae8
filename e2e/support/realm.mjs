// The program with the realm of the guide's example, in which joe and ann are users.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "./server.mjs";

export const REALM = "com.example.shop";
/** What joe knows, and ann. */
export const SECRETS = { joe: "joe's secret", ann: "correct horse" };

const guide = readFileSync(new URL("../../docs/wamp2.md", import.meta.url), "utf8");

/** Starts it for the test `t`, with the example as `change` has it. */
export async function startRealm(t, { change = (text) => text, env = {} } = {}) {
  const [, example] = /```toml\n(.*?)```/s.exec(guide);
  const directory = mkdtempSync(join(tmpdir(), "clank-realm-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const config = join(directory, "clank.toml");
  writeFileSync(config, change(example));
  const secrets = { JOE_SECRET: SECRETS.joe, SHOP_DECOY_KEY: "the same at each start" };
  return Server.start(t, { events: "json", env: { ...secrets, CLANK_CONFIG: config, ...env } });
}

/**
 * An application that says who clients are: `identify` gets the event that asks, and returns an
 * identity or nothing. Returns the settings by which the program asks it.
 */
export async function application(t, identify) {
  const hook = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ identity: identify(JSON.parse(body).data) }));
    });
  });
  hook.listen(0, "127.0.0.1");
  await once(hook, "listening");
  t.after(() => hook.close());
  return {
    CLANK_CONNECTING_URL: `http://127.0.0.1:${hook.address().port}/`,
    CLANK_CONNECTING_SECRETS: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    CLANK_CONNECTING_ALLOW_PRIVATE: "true",
  };
}
