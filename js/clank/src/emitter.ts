import type { ErrorReporter } from "./config.js";

type Handler = (this: any, payload: any) => unknown;

/**
 * Calls one handler of the application. What it throws, or its promise rejects with, is reported
 * and goes no further: the handlers after it and the connection know nothing of it. What is returned
 * is a promise, if the handler's result is one, and never rejected.
 */
export function guarded(report: ErrorReporter, run: () => unknown): unknown {
  const safely = (error: unknown) => {
    try {
      report(error);
    } catch {
      // There is nobody left to tell.
    }
  };
  try {
    const result = run() as PromiseLike<unknown> | undefined;
    if (typeof result?.then === "function") return result.then(undefined, safely);
  } catch (error) {
    safely(error);
  }
  return undefined;
}

/** Handlers by event name. An event raised by a handler is delivered after the one it heard. */
export class Emitter {
  readonly #handlers = new Map<string, Handler[]>();
  readonly #waiting: (() => void)[] = [];
  #busy = false;

  constructor(
    private readonly owner: object,
    private readonly report: ErrorReporter,
  ) {}

  on(event: string, handler: Handler): void {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
  }

  /** Takes away one registration of `handler`, or, without one, all of the event. */
  off(event: string, handler?: Handler): void {
    const handlers = handler ? [...(this.#handlers.get(event) ?? [])] : [];
    const index = handler ? handlers.lastIndexOf(handler) : -1;
    if (index >= 0) handlers.splice(index, 1);
    this.#handlers.set(event, handlers);
  }

  /** The promise is fulfilled when all handlers are done, with their promises too. */
  emit(event: string, payload: unknown): Promise<unknown> {
    const done = new Promise((resolve) => {
      this.#waiting.push(() => {
        const run = (handler: Handler) => guarded(this.report, () => handler.call(this.owner, payload));
        resolve(Promise.all((this.#handlers.get(event) ?? []).map(run)));
      });
    });
    if (this.#busy) return done;
    this.#busy = true;
    for (let next; (next = this.#waiting.shift()); ) next();
    this.#busy = false;
    return done;
  }
}
