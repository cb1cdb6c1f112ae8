import { Call } from "./calls.js";
import { Session } from "./session.js";
import { Session2 } from "./session2.js";
import type { EventHandler } from "./subscriptions.js";
/** How a connection ended. */
export interface Disconnect {
    /** A close code of RFC 6455, section 7.4, or one of this client's own: 4002, 4003, 4008. */
    code: number;
    /** The reason in words: the server's, or else what the code means. */
    reason: string;
    /** Whether both ends agreed to close. */
    wasClean: boolean;
    /** Whether the client will try again. False is the last word: no further event follows. */
    willReconnect: boolean;
    /** Number, from 1, of the retry that follows; or, if none does, how many were made. */
    attempt: number;
    /** Milliseconds until that retry; 0 if none follows. */
    delay: number;
    /** By WAMP v2: the URI by which the server gave the reason, in ABORT or GOODBYE. */
    uri?: string;
}
/** What can be listened to. */
export interface Events<S = Session> {
    /** The session is there, with its prefixes and subscriptions restored. */
    "socket/connect": S;
    /** The connection was lost, could not be made at first, or is given up. */
    "socket/disconnect": Disconnect;
    /** A retry has been set, after a loss or after a retry that failed. */
    "socket/reconnecting": Disconnect;
}
/**
 * A connection to a server, as `Clank.connect` returns it: it lasts, over losses and reconnects,
 * until the application closes it or the client gives up.
 */
export declare class ClankSocket<S extends Session | Session2 = Session> {
    #private;
    /** Calls `handler` on each event of that name. Handlers are called in the order they came. */
    on<K extends keyof Events>(event: K, handler: (this: this, payload: Events<S>[K]) => unknown): this;
    /** Ends what `on` began, for one handler or, without it, for all of the event. */
    off<K extends keyof Events>(event: K, handler?: (this: this, payload: Events<S>[K]) => unknown): this;
    /** Whether the session is there and the socket takes messages: not while it is closing. */
    isConnected(): boolean;
    /** The session while connected, otherwise null. */
    get session(): S | null;
    /**
     * Closes the connection for good: `socket/disconnect` is told at once, and nothing after it.
     * @param code 1000, or one of the application's own from 3000 to 4999
     */
    close(code?: number, reason?: string): void;
    /** As `session.call`, with the one argument that GosWebSocketBundle's client passes. */
    rpcCall<T = any>(this: ClankSocket, uri: string, data?: unknown): Call<T>;
    /** As `session.publish`. */
    publishToTopic(this: ClankSocket, uri: string, data?: unknown, exclude?: boolean | string[], eligible?: string[]): void;
    /** As `session.subscribe`. */
    subscribeToChannel<E = any>(this: ClankSocket, uri: string, handler: EventHandler<E>): void;
    /** As `session.unsubscribe`. */
    unsubscribeFromChannel(this: ClankSocket, uri: string, handler?: EventHandler): void;
}
