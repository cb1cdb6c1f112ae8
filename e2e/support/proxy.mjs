// The network between a browser and the server, in the test's hands.
import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  #pairs = new Set();
  #down = false;

  /** Listens on a free port, and passes on to `port`, for the test `t`. */
  static async start(t, port) {
    const proxy = new Proxy();
    proxy.server = createServer((near) => proxy.#pass(near, port)).listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}/`;
    t.after(() => {
      proxy.server.close();
      proxy.#forget((socket) => socket.destroy());
    });
    return proxy;
  }

  #pass(near, port) {
    if (this.#down) return near.resetAndDestroy();
    const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on("data", (data) => !pair.silent && to.write(data));
      from.on("end", () => !pair.silent && to.end());
      from.on("close", () => !pair.silent && to.destroy());
      // An error is followed by close.
      from.on("error", () => {});
    }
  }

  /** From now on no byte and no end of a connection gets through, either way: the cable is out. */
  blackHole() {
    this.#down = true;
    for (const pair of this.#pairs) pair.silent = true;
  }

  /** Resets every connection, and each new one. */
  reset() {
    this.#down = true;
    this.#forget((socket) => socket.resetAndDestroy());
  }

  /** The network is back. What it had swallowed is gone, so old connections are reset. */
  heal() {
    this.#down = false;
    this.#forget((socket) => socket.resetAndDestroy());
  }

  #forget(end) {
    for (const { near, far } of this.#pairs) {
      end(near);
      end(far);
    }
    this.#pairs.clear();
  }
}
