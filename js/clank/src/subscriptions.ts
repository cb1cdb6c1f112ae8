import type { ErrorReporter } from "./config.js";
import { guarded } from "./emitter.js";

/** Hears the events of a topic: the topic's full URI, and what was published. */
export type EventHandler<E = any> = (topic: string, event: E) => unknown;

/**
 * The handlers of each topic, by full URI, in the order in which they subscribed.
 *
 * They outlive the connection. But an application written for autobahn.js subscribes in its connect
 * handler, with new closures each time: kept beside them, the old ones would hear every event once
 * more after each reconnect. So a topic to which connect handlers subscribe again loses the handlers
 * of their earlier run, and those alone.
 */
export class Subscriptions {
  /** For each handler, the run of the connect handlers that added it; 0 if none did. */
  readonly #topics = new Map<string, Map<EventHandler, number>>();
  #runs = 0;
  #running = false;

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  topics(): string[] {
    return [...this.#topics.keys()];
  }

  /** A handler that is there already stays where it is. */
  add(topic: string, handler: EventHandler): void {
    let handlers = this.#topics.get(topic);
    if (!handlers) this.#topics.set(topic, (handlers = new Map()));
    if (handlers.get(handler) !== 0) handlers.set(handler, this.#running ? this.#runs : 0);
  }

  /** Takes away `handler`, or, without one, all. True if that ended the topic's subscription. */
  remove(topic: string, handler?: EventHandler): boolean {
    const handlers = this.#topics.get(topic);
    if (!handlers) return false;
    if (handler) handlers.delete(handler);
    else handlers.clear();
    return handlers.size === 0 && this.#topics.delete(topic);
  }

  clear(): void {
    this.#topics.clear();
  }

  /** Runs the connect handlers, and lets what they subscribe replace what they did before. */
  renew(runConnectHandlers: () => unknown): void {
    this.#runs += 1;
    this.#running = true;
    runConnectHandlers();
    this.#running = false;
    for (const handlers of this.#topics.values()) {
      if (![...handlers.values()].includes(this.#runs)) continue;
      for (const [handler, run] of handlers) if (run && run < this.#runs) handlers.delete(handler);
    }
  }

  deliver(topic: string, event: unknown, report: ErrorReporter): void {
    const handlers = this.#topics.get(topic);
    for (const handler of [...(handlers?.keys() ?? [])]) {
      // An earlier handler may have unsubscribed this one.
      if (handlers?.has(handler)) guarded(report, () => handler(topic, event));
    }
  }
}
