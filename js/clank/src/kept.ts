import type { Dict, Type2 } from "./messages2.js";

/** What the application wants of the router, and keeps wanting over reconnects. */
export interface Wish<H = any> {
  readonly key: string;
  readonly type: Type2.Subscribe | Type2.Register;
  readonly uri: string;
  readonly options: Dict;
  /** For each handler, the run of the connect handlers that added it; 0 if none did. */
  readonly handlers: Map<H, number>;
  /** Those who wait until it is granted. */
  waiting: { resolve(): void; reject(error: unknown): void }[];
  /** What the router calls it, on this connection. */
  id?: number | undefined;
}

/**
 * Subscriptions and registrations, which outlive the connection.
 *
 * An application makes them in its connect handler, with new closures each time. Kept beside them,
 * the old ones would hear every event once more after each reconnect, and no procedure could be
 * registered again. So what a connect handler asks for takes the place of what its earlier runs
 * asked for under the same URI. A run lasts until the promises that the connect handlers return are
 * settled.
 */
export class Kept {
  readonly #wishes = new Map<string, Wish>();
  readonly #granted = new Map<string, Wish>();
  #runs = 0;
  #running = false;

  /** The wish for that, which is kept from now on. */
  wish(type: Wish["type"], uri: string, options: Dict): Wish {
    const key = `${type} ${options["match"] ?? "exact"} ${uri}`;
    let wish = this.#wishes.get(key);
    if (!wish) this.#wishes.set(key, (wish = { key, type, uri, options, handlers: new Map(), waiting: [] }));
    return wish;
  }

  /** Adds a handler. One that is there already stays where it is. */
  add<H>({ handlers }: Wish<H>, handler: H): void {
    if (this.#running) for (const [old, run] of handlers) if (run && run < this.#runs) handlers.delete(old);
    if (handlers.get(handler) !== 0) handlers.set(handler, this.#running ? this.#runs : 0);
  }

  /** Whether a handler is there that the one now added would not replace. */
  isTaken({ handlers }: Wish): boolean {
    return [...handlers.values()].some((run) => !this.#running || !run || run === this.#runs);
  }

  all(): Wish[] {
    return [...this.#wishes.values()];
  }

  has(wish: Wish): boolean {
    return this.#wishes.get(wish.key) === wish;
  }

  /** Whether somebody wants the same again. */
  isWanted(key: string): boolean {
    return this.#wishes.has(key);
  }

  drop(wish: Wish): void {
    this.#wishes.delete(wish.key);
    this.#granted.delete(wish.type + " " + wish.id);
  }

  grant(wish: Wish, id: number): void {
    wish.id = id;
    this.#granted.set(wish.type + " " + id, wish);
    for (const { resolve } of wish.waiting.splice(0)) resolve();
  }

  granted(type: Wish["type"], id: number): Wish | undefined {
    return this.#granted.get(type + " " + id);
  }

  /** The connection is gone: nothing is granted any more, and with `all` nothing is wanted. */
  suspend(error: unknown, all: boolean): void {
    this.#granted.clear();
    for (const wish of this.#wishes.values()) {
      wish.id = undefined;
      if (all) for (const { reject } of wish.waiting.splice(0)) reject(error);
    }
    if (all) this.#wishes.clear();
  }

  /** Runs the connect handlers. */
  renew(runConnectHandlers: () => Promise<unknown>): void {
    const run = ++this.#runs;
    this.#running = true;
    runConnectHandlers().then(() => {
      if (run === this.#runs) this.#running = false;
    });
  }
}
