/**
 * Why a call failed. From the server: its error URI (Clank sends that of the procedure), words, and
 * whatever details it gave. From the client itself: one of the `clank.error.` URIs.
 */
export class CallError extends Error {
  override readonly name = "CallError";
  /** What `details` was called by autobahn.js. */
  readonly detail: any;

  constructor(
    readonly uri: string,
    readonly desc: string,
    readonly details?: any,
    /** By WAMP v2: all arguments of the error, the description among them. */
    readonly args?: any[],
    /** By WAMP v2: the keyword arguments of the error. */
    readonly kwargs?: Record<string, any>,
  ) {
    super(desc);
    this.detail = details;
  }
}

/** The socket is down, or the connection was lost before the reply came. */
export const NOT_CONNECTED = "clank.error.not_connected";
export const CONNECTION_LOST = "clank.error.connection_lost";
/** `maxPendingCalls` calls are waiting, or `maxBufferedBytes` bytes. */
export const OVERLOADED = "clank.error.overloaded";

/**
 * A call under way. The bundle's pages showed reject handlers as `(error, desc)`, which no plain
 * promise can call: this one adds the second argument.
 */
export class Call<T = any> extends Promise<T> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onResult?: ((result: T) => A | PromiseLike<A>) | null,
    onError?: ((error: CallError, desc: string) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return super.then(onResult, onError && ((error) => onError(error, error?.desc)));
  }
}

interface Pending {
  resolve(result: any): void;
  reject(error: CallError): void;
}

/** Calls that wait for their reply, by call id. */
export class Calls {
  readonly #pending = new Map<string, Pending>();
  #last = 0;

  get size(): number {
    return this.#pending.size;
  }

  /** Registers a call, then sends it; what `send` throws rejects it. */
  start<T>(send: (id: string) => void): Call<T> {
    const id = (++this.#last).toString(36);
    return new Call<T>((resolve, reject) => {
      // The executor's own throw rejects the promise, so a call that was not sent is not kept.
      send(id);
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** The reply's call, which is then no longer waiting. A reply to no call has none. */
  take(id: string): Pending | undefined {
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    return call;
  }

  failAll(error: () => CallError): void {
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of calls) call.reject(error());
  }
}
