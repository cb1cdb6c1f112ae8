import { Call, CallError, Calls, CONNECTION_LOST, OVERLOADED } from "./calls.js";
import type { Settings } from "./config.js";
import { parse, Type } from "./messages.js";
import { type EventHandler, Subscriptions } from "./subscriptions.js";

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
export class Session {
  #id = "";
  /** @internal */
  readonly subprotocol = "wamp";
  readonly #calls = new Calls();
  readonly #prefixes = new Map<string, string>();
  readonly #subscriptions = new Subscriptions();
  readonly #link: Link;
  readonly #settings: Settings;

  /** @internal */
  constructor(link: Link, settings: Settings) {
    this.#link = link;
    this.#settings = settings;
  }

  /** The id that the server gave this session; empty before the first connection. */
  sessionid(): string {
    return this.#id;
  }

  /** The server's address. */
  wsuri(): string {
    return this.#link.uri;
  }

  /**
   * Calls a procedure. The promise is rejected with a {@link CallError}: at once if the socket is
   * down, if `maxPendingCalls` calls are waiting, or if an argument can't be written as JSON (then
   * with a `TypeError`); later, with the server's error or because the connection was lost.
   */
  call<T = any>(procedure: string, ...args: unknown[]): Call<T> {
    return this.#calls.start<T>((id) => {
      if (this.#calls.size >= this.#settings.maxPendingCalls) {
        throw new CallError(OVERLOADED, `${this.#calls.size} calls are waiting for their reply`);
      }
      this.#checkRoom();
      this.#link.send([Type.Call, id, this.resolve(procedure), ...args]);
    });
  }

  /**
   * Hears a topic's events. While the socket is down the subscription is kept, and made on the next
   * connection. A handler hears an event once, however often it subscribed.
   *
   * @throws CallError if the connection is closed for good
   */
  subscribe<E = any>(topic: string, handler: EventHandler<E>): void {
    if (typeof handler !== "function") throw new TypeError("subscribe needs a function to call");
    const uri = this.resolve(topic);
    if (this.#link.state !== "down" && !this.#subscriptions.has(uri)) this.#link.send([Type.Subscribe, uri]);
    this.#subscriptions.add(uri, handler);
  }

  /** Ends the subscription of one handler, or, without it, of all that hear the topic. */
  unsubscribe(topic: string, handler?: EventHandler): void {
    const uri = this.resolve(topic);
    const ended = this.#subscriptions.remove(uri, handler);
    if (ended && this.#link.state === "up") this.#link.send([Type.Unsubscribe, uri]);
  }

  /**
   * Publishes an event.
   *
   * @param exclude true or false: whether the publisher itself is left out; or the ids of the
   *   sessions to leave out. Not given: the server's default.
   * @param eligible the ids of the only sessions that may receive it
   * @throws CallError if the socket is down or its buffer full
   */
  publish(topic: string, event: unknown, exclude?: boolean | string[] | null, eligible?: string[] | null): void {
    const message: unknown[] = [Type.Publish, this.resolve(topic), event];
    exclude ??= undefined;
    eligible ??= undefined;
    if (exclude !== undefined && typeof exclude !== "boolean" && !Array.isArray(exclude)) {
      throw new TypeError("exclude is true, false or a list of session ids");
    }
    if (eligible !== undefined) {
      if (!Array.isArray(eligible)) throw new TypeError("eligible is a list of session ids");
      // The message has either the flag or the lists, so the flag is put as a list here.
      message.push(Array.isArray(exclude) ? exclude : exclude ? [this.#id] : [], eligible);
    } else if (exclude !== undefined) {
      message.push(exclude);
    }
    this.#checkRoom();
    this.#link.send(message);
  }

  /** Lets `prefix:rest` stand for `uri` followed by `rest`, here and at the server. */
  prefix(prefix: string, uri: string): void {
    if (this.#link.state !== "down") this.#link.send([Type.Prefix, prefix, uri]);
    this.#prefixes.set(prefix, uri);
  }

  /** The full URI of a CURIE. What is none, or has an unknown prefix, is returned as it is. */
  resolve(curie: string): string {
    if (typeof curie !== "string") throw new TypeError("a URI is a string");
    const colon = curie.indexOf(":");
    const base = colon < 0 ? undefined : this.#prefixes.get(curie.slice(0, colon));
    return base === undefined ? curie : base + curie.slice(colon + 1);
  }

  /** The CURIE of a full URI, by the longest prefix that fits; the URI itself if none does. */
  shrink(uri: string): string {
    let [name, base] = ["", ""];
    for (const [prefix, start] of this.#prefixes) {
      if (uri.startsWith(start) && start.length > base.length) [name, base] = [prefix, start];
    }
    return base ? name + ":" + uri.slice(base.length) : uri;
  }

  /** Prints to the console, with the session's id, as autobahn.js did. */
  log(...words: unknown[]): void {
    console.log(`clank ${this.#id}:`, ...words);
  }

  /** Closes the connection for good. */
  close(code?: number, reason?: string): void {
    this.#link.close(code, reason);
  }

  /**
   * The socket is open: it is for the server to speak.
   * @internal
   */
  open(): void {}

  /**
   * The application closes: the close frame says it all.
   * @internal
   */
  leave(_message: string): void {}

  /**
   * A new connection was welcomed: restores what the last one had, then runs the connect handlers.
   * @internal
   */
  resume(runConnectHandlers: () => unknown): void {
    for (const [prefix, uri] of this.#prefixes) this.#link.send([Type.Prefix, prefix, uri]);
    for (const topic of this.#subscriptions.topics()) this.#link.send([Type.Subscribe, topic]);
    this.#subscriptions.renew(runConnectHandlers);
  }

  /**
   * The connection is gone, and with it the replies that were to come.
   * @internal
   */
  suspend(code: number, reason: string, final: boolean): void {
    this.#calls.failAll(() => new CallError(CONNECTION_LOST, `the connection was lost: ${reason}`, { code, reason }));
    if (final || !this.#settings.resubscribe) {
      this.#subscriptions.clear();
      this.#prefixes.clear();
    }
  }

  /**
   * Hears the server. Returns whether it was the WELCOME.
   * @internal
   */
  receive(data: unknown, welcomed: boolean): boolean {
    const message = parse(data);
    if (welcomed === (message.type === Type.Welcome)) throw new Error("a message out of turn");
    switch (message.type) {
      case Type.Welcome:
        this.#id = message.sessionId;
        return true;
      case Type.CallResult:
        this.#calls.take(message.id)?.resolve(message.result);
        break;
      case Type.CallError:
        this.#calls.take(message.id)?.reject(new CallError(message.uri, message.desc, message.details));
        break;
      case Type.Event:
        this.#subscriptions.deliver(message.topic, message.event, this.#settings.onerror);
        break;
    }
    return false;
  }

  #checkRoom(): void {
    if (this.#link.buffered > this.#settings.maxBufferedBytes) {
      throw new CallError(OVERLOADED, `${this.#link.buffered} bytes are waiting to be sent`);
    }
  }
}
