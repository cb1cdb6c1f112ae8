import { Call, CallError, NOT_CONNECTED } from "./calls.js";
import { absolute, backoff, settle, type Config, type Settings, type WebSocketLike } from "./config.js";
import { Emitter } from "./emitter.js";
import { type Link, Session } from "./session.js";
import type { Config2 } from "./options2.js";
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

/** A WebSocket's ready state in which it takes messages. */
const OPEN = 1;
/** Closed by this client: what came was not WAMP. (Browsers may not send 1002 themselves.) */
const NOT_WAMP = 4002;
/** Closed by this client: there was no WELCOME within `connectTimeout`. */
const TOO_SLOW = 4008;

// Codes after which there is no retry: the server's application closed the connection (1000), the
// two ends do not speak the same protocol, or the server does not want this client (3000, 3003).
const FINAL = [1000, 1002, 1003, 1010, 3000, 3003];

const WORDS: Record<number, string> = {
  1000: "closed",
  1001: "the server is going away",
  1002: "protocol error",
  1003: "unsupported data",
  1005: "closed without a reason",
  1006: "the connection was lost",
  1007: "malformed message",
  1008: "policy violation",
  1009: "message too big",
  1011: "server error",
  1012: "the server is restarting",
  1013: "the server is overloaded, try again later",
  1015: "TLS failed",
  3000: "unauthorised",
  3003: "forbidden",
};

/**
 * A connection to a server, as `Clank.connect` returns it: it lasts, over losses and reconnects,
 * until the application closes it or the client gives up.
 */
export class ClankSocket<S extends Session | Session2 = Session> {
  readonly #uri: string;
  readonly #settings: Settings;
  readonly #emitter: Emitter;
  readonly #session: S;
  #socket: WebSocketLike | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #upSince: number | undefined;
  #retries = 0;
  #announced = false;
  #over = false;
  #farewell: { reason?: string; uri?: string } = {};

  /** @internal */
  constructor(uri: string, config: Config | Config2 = {}) {
    this.#uri = absolute(uri);
    this.#settings = settle(config);
    this.#emitter = new Emitter(this, this.#settings.onerror);
    const [link, settings] = [this.#link(), this.#settings];
    this.#session = (config.protocol === "wamp.2.json" ? new Session2(link, settings, config as Config2) : new Session(link, settings)) as S;
    this.#open();
  }

  /** Calls `handler` on each event of that name. Handlers are called in the order they came. */
  on<K extends keyof Events>(event: K, handler: (this: this, payload: Events<S>[K]) => unknown): this {
    this.#emitter.on(event, handler);
    return this;
  }

  /** Ends what `on` began, for one handler or, without it, for all of the event. */
  off<K extends keyof Events>(event: K, handler?: (this: this, payload: Events<S>[K]) => unknown): this {
    this.#emitter.off(event, handler);
    return this;
  }

  /** Whether the session is there and the socket takes messages: not while it is closing. */
  isConnected(): boolean {
    return this.#upSince !== undefined && this.#socket?.readyState === OPEN;
  }

  /** The session while connected, otherwise null. */
  get session(): S | null {
    return this.isConnected() ? this.#session : null;
  }

  /**
   * Closes the connection for good: `socket/disconnect` is told at once, and nothing after it.
   * @param code 1000, or one of the application's own from 3000 to 4999
   */
  close(code = 1000, reason = "closed by the application"): void {
    if (this.#over) return;
    // Another code says by itself why.
    if (code === 1000 && this.isConnected()) this.#session.leave(reason);
    // Throws for a code that may not be sent, before anything has changed.
    this.#socket?.close(code, reason);
    this.#down({ code, reason, wasClean: true }, true);
  }

  /** As `session.call`, with the one argument that GosWebSocketBundle's client passes. */
  rpcCall<T = any>(this: ClankSocket, uri: string, data: unknown = {}): Call<T> {
    return this.#session.call<T>(uri, data);
  }

  /** As `session.publish`. */
  publishToTopic(this: ClankSocket, uri: string, data: unknown = {}, exclude?: boolean | string[], eligible?: string[]): void {
    this.#session.publish(uri, data, exclude, eligible);
  }

  /** As `session.subscribe`. */
  subscribeToChannel<E = any>(this: ClankSocket, uri: string, handler: EventHandler<E>): void {
    this.#session.subscribe(uri, handler);
  }

  /** As `session.unsubscribe`. */
  unsubscribeFromChannel(this: ClankSocket, uri: string, handler?: EventHandler): void {
    this.#session.unsubscribe(uri, handler);
  }

  #link(): Link {
    const socket = this;
    return {
      uri: this.#uri,
      get state() {
        return socket.isConnected() ? "up" : socket.#over ? "over" : "down";
      },
      get buffered() {
        return socket.#socket?.bufferedAmount ?? 0;
      },
      send: (message) => this.#send(message),
      say: (message) => this.#socket?.send(JSON.stringify(message)),
      close: (code, reason) => this.close(code, reason),
      refuse: (code, reason, final, uri) => this.#refuse(code, reason, final, uri),
      farewell: (reason, uri) => {
        this.#farewell = { reason, uri };
        this.#watch();
      },
    };
  }

  #open(): void {
    const { subprotocol } = this.#session;
    const socket = new this.#settings.WebSocket(this.#uri, [subprotocol]);
    this.#socket = socket;
    this.#watch();
    socket.onopen = () => {
      if (socket.protocol === subprotocol) this.#session.open();
      else this.#refuse(NOT_WAMP, `the server did not choose subprotocol ${subprotocol}`, true);
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason, wasClean }) => {
      const unreachable = code === 1006 && this.#upSince === undefined && "the server could not be reached";
      const words = reason || unreachable || WORDS[code] || `code ${code}`;
      this.#down({ code, reason: words, wasClean, ...this.#farewell }, FINAL.includes(code));
    };
    // A close event follows, and says more. Without a handler the `ws` package would throw.
    socket.onerror = () => {};
  }

  /** The server has to speak, or to close, before long. */
  #watch(): void {
    const { connectTimeout } = this.#settings;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#refuse(TOO_SLOW, `the server did not answer within ${connectTimeout} ms`),
      connectTimeout,
    );
  }

  #receive(data: unknown): void {
    const welcomed = this.#upSince !== undefined;
    try {
      if (this.#session.receive(data, welcomed)) this.#up();
    } catch (error) {
      // Before the WELCOME this is no WAMP server; later it is one with a fault, which may pass.
      this.#refuse(NOT_WAMP, `the server sent ${(error as Error).message}`, !welcomed);
    }
  }

  #up(): void {
    clearTimeout(this.#timer);
    this.#upSince = Date.now();
    this.#session.resume(() => this.#emitter.emit("socket/connect", this.#session));
  }

  #send(message: readonly unknown[]): void {
    if (!this.#socket || !this.isConnected()) {
      throw new CallError(NOT_CONNECTED, this.#over ? "the connection is closed" : "not connected");
    }
    this.#socket.send(JSON.stringify(message));
  }

  #refuse(code: number, reason: string, final = false, uri?: string): void {
    // A close frame has room for 123 bytes of reason.
    this.#socket?.close(code, reason.slice(0, 40));
    this.#down({ code, reason, wasClean: false, ...(uri && { uri }) }, final);
  }

  /** The one way down, whoever closed. The socket is let go at once, for its own close may take long. */
  #down(end: Omit<Disconnect, "willReconnect" | "attempt" | "delay">, final: boolean): void {
    const { maxRetries, reconnect, stableAfter } = this.#settings;
    this.#cancel();
    const socket = this.#socket;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    this.#socket = undefined;
    this.#farewell = {};

    const upFor = this.#upSince === undefined ? undefined : Date.now() - this.#upSince;
    this.#upSince = undefined;
    if (upFor !== undefined && upFor >= stableAfter) this.#retries = 0;

    const willReconnect = reconnect && !final && this.#retries < maxRetries;
    this.#over = !willReconnect;
    this.#session.suspend(end.code, end.reason, this.#over);

    let delay = 0;
    if (willReconnect) {
      delay = backoff(++this.#retries, this.#settings);
      this.#timer = setTimeout(this.#retry, delay);
      globalThis.addEventListener?.("online", this.#retry);
    }
    const payload = { ...end, willReconnect, attempt: this.#retries, delay };
    // Not for each retry that fails: the application has been told, and hears of retries elsewhere.
    if (upFor !== undefined || this.#over || !this.#announced) this.#emitter.emit("socket/disconnect", payload);
    this.#announced = true;
    // A handler may have closed meanwhile.
    if (!this.#over) this.#emitter.emit("socket/reconnecting", payload);
  }

  readonly #retry = (): void => {
    this.#cancel();
    this.#open();
  };

  #cancel(): void {
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#retry);
  }
}
