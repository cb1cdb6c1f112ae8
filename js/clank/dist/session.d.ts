import { Call } from "./calls.js";
import { type EventHandler } from "./subscriptions.js";
/** What a session needs of the socket below it. */
export interface Link {
    readonly uri: string;
    readonly state: "up" | "down" | "over";
    /** Bytes that wait to be sent. */
    readonly buffered: number;
    /** Throws a `CallError` if the socket is down. */
    send(message: readonly unknown[]): void;
    /** Sends also where there is no session. */
    say(message: readonly unknown[]): void;
    close(code?: number, reason?: string): void;
    /** Closes the socket, for the reason that `uri` names. */
    refuse(code: number, reason: string, final: boolean, uri?: string): void;
    /** The server is about to close the socket, for that reason. */
    farewell(reason: string, uri: string): void;
}
/**
 * A WAMP v1 session: what `socket/connect` hands to the application, with the methods of
 * autobahn.js 0.7. There is one for the life of the connection: after a reconnect it is the same
 * object, with a new `sessionid()`. URIs may be CURIEs of a prefix given by `prefix`.
 */
export declare class Session {
    #private;
    /** The id that the server gave this session; empty before the first connection. */
    sessionid(): string;
    /** The server's address. */
    wsuri(): string;
    /**
     * Calls a procedure. The promise is rejected with a {@link CallError}: at once if the socket is
     * down, if `maxPendingCalls` calls are waiting, or if an argument can't be written as JSON (then
     * with a `TypeError`); later, with the server's error or because the connection was lost.
     */
    call<T = any>(procedure: string, ...args: unknown[]): Call<T>;
    /**
     * Hears a topic's events. While the socket is down the subscription is kept, and made on the next
     * connection. A handler hears an event once, however often it subscribed.
     *
     * @throws CallError if the connection is closed for good
     */
    subscribe<E = any>(topic: string, handler: EventHandler<E>): void;
    /** Ends the subscription of one handler, or, without it, of all that hear the topic. */
    unsubscribe(topic: string, handler?: EventHandler): void;
    /**
     * Publishes an event.
     *
     * @param exclude true or false: whether the publisher itself is left out; or the ids of the
     *   sessions to leave out. Not given: the server's default.
     * @param eligible the ids of the only sessions that may receive it
     * @throws CallError if the socket is down or its buffer full
     */
    publish(topic: string, event: unknown, exclude?: boolean | string[] | null, eligible?: string[] | null): void;
    /** Lets `prefix:rest` stand for `uri` followed by `rest`, here and at the server. */
    prefix(prefix: string, uri: string): void;
    /** The full URI of a CURIE. What is none, or has an unknown prefix, is returned as it is. */
    resolve(curie: string): string;
    /** The CURIE of a full URI, by the longest prefix that fits; the URI itself if none does. */
    shrink(uri: string): string;
    /** Prints to the console, with the session's id, as autobahn.js did. */
    log(...words: unknown[]): void;
    /** Closes the connection for good. */
    close(code?: number, reason?: string): void;
}
