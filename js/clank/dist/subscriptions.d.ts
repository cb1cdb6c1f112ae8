import type { ErrorReporter } from "./config.js";
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
export declare class Subscriptions {
    #private;
    has(topic: string): boolean;
    topics(): string[];
    /** A handler that is there already stays where it is. */
    add(topic: string, handler: EventHandler): void;
    /** Takes away `handler`, or, without one, all. True if that ended the topic's subscription. */
    remove(topic: string, handler?: EventHandler): boolean;
    clear(): void;
    /** Runs the connect handlers, and lets what they subscribe replace what they did before. */
    renew(runConnectHandlers: () => unknown): void;
    deliver(topic: string, event: unknown, report: ErrorReporter): void;
}
