/** How the other end reports an error that has nobody else to hear it. */
export type ErrorReporter = (error: unknown) => void;
/**
 * The part of a browser's `WebSocket` that the client uses. The class of the `ws` package has it too.
 */
export interface WebSocketLike {
    readonly protocol: string;
    readonly readyState: number;
    readonly bufferedAmount: number;
    onopen: ((event: any) => void) | null;
    onmessage: ((event: any) => void) | null;
    onclose: ((event: any) => void) | null;
    onerror: ((event: any) => void) | null;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}
export type WebSocketConstructor = new (uri: string, protocols: string[]) => WebSocketLike;
/** Settings of a connection. All are optional; times are in milliseconds. */
export interface Config {
    /** The version of WAMP: `wamp` is version 1, `wamp.2.json` version 2. Default: `wamp`. */
    protocol?: "wamp" | "wamp.2.json";
    /** Connect again when the connection is lost or can't be made. Default: true. */
    reconnect?: boolean;
    /** Upper bound of the wait before the first retry; it doubles with each one that fails. Default: 1,000. */
    retryDelay?: number;
    /** What that bound never exceeds. Default: 30,000. */
    maxRetryDelay?: number;
    /** Retries in a row before giving up. Default: no limit. */
    maxRetries?: number;
    /**
     * How long a connection must have lasted for the count of retries to start again at zero, so that
     * a server which accepts and at once closes is not hammered. Default: 10,000.
     */
    stableAfter?: number;
    /** How long the server may take from the first packet to its WELCOME. Default: 10,000. */
    connectTimeout?: number;
    /** Restore prefixes and subscriptions on a new connection. Default: true. */
    resubscribe?: boolean;
    /** Calls that may wait for their reply; the next one is rejected. Default: 1,000. */
    maxPendingCalls?: number;
    /** Bytes that may wait to be sent; beyond them messages are refused. Default: 4 MiB. */
    maxBufferedBytes?: number;
    /** The WebSocket class, where there is no global one (Node before 22). */
    WebSocket?: WebSocketConstructor;
    /** Hears what a handler of the application has thrown. Default: `console.error`. */
    onerror?: ErrorReporter;
}
/** A configuration in which every choice has been made. */
export type Settings = Required<Config>;
/** Fills in the defaults, and throws a `TypeError` for what can't be meant. */
export declare function settle(config: Config): Settings;
/**
 * The address as a WebSocket one: `host:port` is taken as `ws://host:port`, as the bundle's
 * clank.js did, and a path as one on the page's own host.
 */
export declare function absolute(uri: string): string;
/**
 * How long to wait before retry number `retry` (from 1): anywhere up to a bound that doubles each
 * time. The whole range is drawn from, because clients that one server lost together would
 * otherwise come back together.
 */
export declare function backoff(retry: number, settings: Settings): number;
