// The real program, and what it prints.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const DEADLINE = 20_000; // ms, for anything that is waited for

/** A `clank server` whose standard output the test reads. */
export class Server {
  /** All lines printed so far. */
  lines = [];
  /** What it has logged so far. */
  log = "";
  #waiting = new Set();

  /** Starts the program named by `CLANK_BIN` for the test `t`, and waits until it listens. */
  static async start(t, { events = "text", port = 0, env = {} } = {}) {
    // Not handed on: the program takes its settings from variables that begin so.
    const { CLANK_BIN: program, ...inherited } = process.env;
    if (!program) throw new Error("CLANK_BIN must be the path of the clank program");
    const server = new Server();
    server.process = spawn(program, ["server", "--port", String(port), "--events", events], {
      env: { ...inherited, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    server.exited = once(server.process, "close").then(([code, signal]) => {
      server.#wake();
      return code ?? signal;
    });
    createInterface({ input: server.process.stdout }).on("line", (line) => {
      server.lines.push(line);
      server.#wake();
    });
    server.process.stderr.on("data", (data) => {
      server.log += data;
      process.stderr.write(data);
      server.#wake();
    });
    t.after(() => server.process.kill("SIGKILL"));
    const [, launched] = await server.until("it listens", (lines) => lines.length >= 2 && lines);
    server.address = launched.match(/^Launching WebSocket server on: ws:\/\/(127\.0\.0\.1:\d+)$/)?.[1];
    if (!server.address) throw new Error(`the second line is not the address: ${launched}`);
    server.port = Number(server.address.split(":")[1]);
    server.url = `http://${server.address}/`;
    return server;
  }

  /** The JSON records printed so far. */
  get records() {
    return this.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** Waits until `find` gets something truthy out of the lines, and returns that. */
  until(what, find) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find(this.lines);
        if (found) settle(resolve, found);
        else if (this.process.exitCode !== null) settle(reject, this.#complaint(`ended before ${what}`));
      };
      const settle = (how, value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        how(value);
      };
      const timer = setTimeout(() => settle(reject, this.#complaint(`waited in vain until ${what}`)), DEADLINE);
      this.#waiting.add(look);
      look();
    });
  }

  /** Waits for the `count`-th line that is an event of that kind in text, and returns its id. */
  textEvent(kind, count = 1) {
    const pattern = new RegExp(`^(\\d+) ${kind}$`);
    return this.until(`${count} ${kind}`, (lines) => lines.map((line) => pattern.exec(line)?.[1]).filter(Boolean)[count - 1]);
  }

  /** The JSON records of that type printed so far. */
  printed(type) {
    return this.records.filter((record) => record.type === type);
  }

  /** Waits until there are so many records of that type, and returns them. */
  recordsOf(type, count) {
    return this.until(`${count} of ${type}`, () => this.printed(type).length >= count && this.printed(type));
  }

  /** Waits for a record of that type that `matches`, and returns it. */
  record(type, matches = () => true) {
    return this.until(type, () => this.printed(type).find(matches));
  }

  #complaint(what) {
    return new Error(`${what}; printed so far:\n${this.lines.join("\n")}`);
  }

  #wake() {
    for (const look of this.#waiting) look();
  }
}
