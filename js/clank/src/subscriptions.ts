import type { ErrorReporter } from "./config.js";
import { guarded } from "./emitter.js";

/** Hears the events of a topic: the topic's full URI, and what was published. */
export type EventHandler<E = any> = (topic: string, event: E) => unknown;

/**
 * The handlers of each topic, by full URI, in the order in which they subscribed.
 *
 * They outlive the connection. But an application written for autobahn.js subscribes in its connect
 * handler, with new closures each time: kept beside them, the old ones would hear every event once
 * more after each reconnect. So what a connect handler subscribed is dropped just before it runs
 * again (`renew`), while the topic stays subscribed at the server throughout.
 */
export class Subscriptions {
  /** For each handler, whether it was added while connect handlers ran. */
  readonly #topics = new Map<string, Map<EventHandler, boolean>>();
  #renewing = false;

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
    if (!handlers.has(handler)) handlers.set(handler, this.#renewing);
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

  /** Runs the connect handlers, and returns the topics that they did not subscribe to again. */
  renew(runConnectHandlers: () => void): string[] {
    for (const handlers of this.#topics.values()) {
      for (const [handler, renewed] of handlers) if (renewed) handlers.delete(handler);
    }
    this.#renewing = true;
    runConnectHandlers();
    this.#renewing = false;
    return this.topics().filter((topic) => this.#topics.get(topic)?.size === 0 && this.#topics.delete(topic));
  }

  deliver(topic: string, event: unknown, report: ErrorReporter): void {
    const handlers = this.#topics.get(topic);
    for (const handler of [...(handlers?.keys() ?? [])]) {
      // An earlier handler may have unsubscribed this one.
      if (handlers?.has(handler)) guarded(report, () => handler(topic, event));
    }
  }
}
