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
    waiting: {
        resolve(): void;
        reject(error: unknown): void;
    }[];
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
export declare class Kept {
    #private;
    /** The wish for that, which is kept from now on. */
    wish(type: Wish["type"], uri: string, options: Dict): Wish;
    /** Adds a handler. One that is there already stays where it is. */
    add<H>({ handlers }: Wish<H>, handler: H): void;
    /** Whether a handler is there that the one now added would not replace. */
    isTaken({ handlers }: Wish): boolean;
    all(): Wish[];
    has(wish: Wish): boolean;
    /** Whether somebody wants the same again. */
    isWanted(key: string): boolean;
    drop(wish: Wish): void;
    grant(wish: Wish, id: number): void;
    granted(type: Wish["type"], id: number): Wish | undefined;
    /** The connection is gone: nothing is granted any more, and with `all` nothing is wanted. */
    suspend(error: unknown, all: boolean): void;
    /** Runs the connect handlers. */
    renew(runConnectHandlers: () => Promise<unknown>): void;
}
