import type { ErrorReporter } from "./config.js";
type Handler = (this: any, payload: any) => unknown;
/**
 * Calls one handler of the application. What it throws, or its promise rejects with, is reported
 * and goes no further: the handlers after it and the connection know nothing of it. What is returned
 * is a promise, if the handler's result is one, and never rejected.
 */
export declare function guarded(report: ErrorReporter, run: () => unknown): unknown;
/** Handlers by event name. An event raised by a handler is delivered after the one it heard. */
export declare class Emitter {
    #private;
    private readonly owner;
    private readonly report;
    constructor(owner: object, report: ErrorReporter);
    on(event: string, handler: Handler): void;
    /** Takes away one registration of `handler`, or, without one, all of the event. */
    off(event: string, handler?: Handler): void;
    /** The promise is fulfilled when all handlers are done, with their promises too. */
    emit(event: string, payload: unknown): Promise<unknown>;
}
export {};
