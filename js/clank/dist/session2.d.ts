import { Call } from "./calls.js";
import { type Dict } from "./messages2.js";
import type { CallOptions, CancelMode, EventHandler2, Procedure, PublishOptions, RegisterOptions, Registration, SubscribeOptions, Subscription } from "./options2.js";
/** A call under way by WAMP v2. */
export declare class Call2<T = any> extends Call<T> {
    /** Gives it up; the promise is then rejected, with `wamp.error.canceled`, or settled as it comes. */
    cancel(mode?: CancelMode): void;
}
/**
 * A WAMP v2 session: what `socket/connect` hands to the application, with the methods of
 * autobahn.js 22. There is one for the life of the connection: after a reconnect it is the same
 * object, with a new `id`, and its subscriptions and registrations are made again.
 */
export declare class Session2 {
    #private;
    /** The number of the session; 0 before the first connection. */
    id: number;
    /** What the router said in WELCOME: `authid`, `authrole`, `roles` and others. */
    details: Dict;
    /** The realm. */
    get realm(): string;
    /**
     * Calls a procedure. The result is its value, null if there is none, or a {@link Result} if there
     * are several or keyword arguments. The promise is rejected with a {@link CallError}: at once if the
     * socket is down or `maxPendingCalls` requests are waiting; later, with the callee's error or
     * because the connection was lost.
     */
    call<T = any>(procedure: string, args?: readonly unknown[], kwargs?: Dict, options?: CallOptions): Call2<T>;
    /**
     * Publishes an event. With `acknowledge` it returns a promise of the publication's number.
     *
     * @throws CallError if the socket is down or its buffer full; with `acknowledge` the promise is
     *   rejected
     */
    publish(topic: string, args: readonly unknown[] | undefined, kwargs: Dict | undefined, options: PublishOptions & {
        acknowledge: true;
    }): Call<number>;
    publish(topic: string, args?: readonly unknown[], kwargs?: Dict, options?: PublishOptions): Call<number> | undefined;
    /**
     * Hears a topic's events, or with `match` those of a pattern. While the socket is down the
     * subscription is kept, and made on the next connection. A handler hears an event once, however
     * often it subscribed. The promise is rejected if the server refuses.
     */
    subscribe(topic: string, handler: EventHandler2, options?: SubscribeOptions): Promise<Subscription>;
    /** As `subscription.unsubscribe`. */
    unsubscribe(subscription: Subscription): Promise<void>;
    /**
     * Offers a procedure, or with `match` those of a pattern. While the socket is down the
     * registration is kept, and made on the next connection. The promise is rejected if the server
     * refuses, or if this session offers it already.
     */
    register(procedure: string, handler: Procedure, options?: RegisterOptions): Promise<Registration>;
    /** As `registration.unregister`. */
    unregister(registration: Registration): Promise<void>;
    /** Closes the connection for good. */
    close(code?: number, reason?: string): void;
}
