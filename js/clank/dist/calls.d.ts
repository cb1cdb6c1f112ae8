/**
 * Why a call failed. From the server: its error URI (Clank sends that of the procedure), words, and
 * whatever details it gave. From the client itself: one of the `clank.error.` URIs.
 */
export declare class CallError extends Error {
    readonly uri: string;
    readonly desc: string;
    readonly details?: any;
    /** By WAMP v2: all arguments of the error, the description among them. */
    readonly args?: any[] | undefined;
    /** By WAMP v2: the keyword arguments of the error. */
    readonly kwargs?: Record<string, any> | undefined;
    readonly name = "CallError";
    /** What `details` was called by autobahn.js. */
    readonly detail: any;
    constructor(uri: string, desc: string, details?: any, 
    /** By WAMP v2: all arguments of the error, the description among them. */
    args?: any[] | undefined, 
    /** By WAMP v2: the keyword arguments of the error. */
    kwargs?: Record<string, any> | undefined);
}
/** The socket is down, or the connection was lost before the reply came. */
export declare const NOT_CONNECTED = "clank.error.not_connected";
export declare const CONNECTION_LOST = "clank.error.connection_lost";
/** `maxPendingCalls` calls are waiting, or `maxBufferedBytes` bytes. */
export declare const OVERLOADED = "clank.error.overloaded";
/**
 * A call under way. The bundle's pages showed reject handlers as `(error, desc)`, which no plain
 * promise can call: this one adds the second argument.
 */
export declare class Call<T = any> extends Promise<T> {
    static get [Symbol.species](): PromiseConstructor;
    then<A = T, B = never>(onResult?: ((result: T) => A | PromiseLike<A>) | null, onError?: ((error: CallError, desc: string) => B | PromiseLike<B>) | null): Promise<A | B>;
}
interface Pending {
    resolve(result: any): void;
    reject(error: CallError): void;
}
/** Calls that wait for their reply, by call id. */
export declare class Calls {
    #private;
    get size(): number;
    /** Registers a call, then sends it; what `send` throws rejects it. */
    start<T>(send: (id: string) => void): Call<T>;
    /** The reply's call, which is then no longer waiting. A reply to no call has none. */
    take(id: string): Pending | undefined;
    failAll(error: () => CallError): void;
}
export {};
