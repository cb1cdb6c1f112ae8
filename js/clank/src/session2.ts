import { Call, CallError, CONNECTION_LOST, NOT_CONNECTED, OVERLOADED } from "./calls.js";
import type { Settings } from "./config.js";
import { guarded } from "./emitter.js";
import { Kept, type Wish } from "./kept.js";
import { type Dict, type Message, parse2, payload, Result, Type2, value } from "./messages2.js";
import type {
  CallOptions,
  CancelMode,
  Config2,
  EventHandler2,
  InvocationDetails,
  Procedure,
  PublishOptions,
  RegisterOptions,
  Registration,
  SubscribeOptions,
  Subscription,
} from "./options2.js";
import type { Link } from "./session.js";

/** A call under way by WAMP v2. */
export class Call2<T = any> extends Call<T> {
  /** @internal */
  cancelBy: (mode?: CancelMode) => void = () => {};

  /** Gives it up; the promise is then rejected, with `wamp.error.canceled`, or settled as it comes. */
  cancel(mode?: CancelMode): void {
    this.cancelBy(mode);
  }
}

interface Pending {
  resolve(result: any): void;
  reject(error: CallError): void;
  progress?: ((part: any) => unknown) | undefined;
}

const ROLES = {
  caller: { features: { progressive_call_results: true, call_canceling: true, call_timeout: true, caller_identification: true } },
  callee: {
    features: {
      progressive_call_results: true,
      call_canceling: true,
      pattern_based_registration: true,
      shared_registration: true,
      caller_identification: true,
    },
  },
  publisher: {
    features: { publisher_exclusion: true, publisher_identification: true, subscriber_blackwhite_listing: true },
  },
  subscriber: { features: { pattern_based_subscription: true, publisher_identification: true } },
};

const CANCELED = "wamp.error.canceled";
/** Closed by this client: the router refused the session, or this client the router's challenge. */
const REFUSED = 4003;

/**
 * A WAMP v2 session: what `socket/connect` hands to the application, with the methods of
 * autobahn.js 22. There is one for the life of the connection: after a reconnect it is the same
 * object, with a new `id`, and its subscriptions and registrations are made again.
 */
export class Session2 {
  /** The number of the session; 0 before the first connection. */
  id = 0;
  /** What the router said in WELCOME: `authid`, `authrole`, `roles` and others. */
  details: Dict = {};
  /** @internal */
  readonly subprotocol = "wamp.2.json";
  readonly #link: Link;
  readonly #settings: Settings;
  readonly #config: Config2;
  readonly #kept = new Kept();
  readonly #pending = new Map<number, Pending>();
  readonly #invocations = new Map<number, AbortController>();
  #last = 0;
  #opened = 0;

  /** @internal */
  constructor(link: Link, settings: Settings, config: Config2) {
    this.#link = link;
    this.#settings = settings;
    this.#config = config;
  }

  /** The realm. */
  get realm(): string {
    return this.#config.realm ?? "realm1";
  }

  /**
   * Calls a procedure. The result is its value, null if there is none, or a {@link Result} if there
   * are several or keyword arguments. The promise is rejected with a {@link CallError}: at once if the
   * socket is down or `maxPendingCalls` requests are waiting; later, with the callee's error or
   * because the connection was lost.
   */
  call<T = any>(procedure: string, args?: readonly unknown[], kwargs?: Dict, options: CallOptions = {}): Call2<T> {
    const { onprogress, ...rest } = options;
    if (onprogress) rest["receive_progress"] = true;
    let id = 0;
    const call = new Call2<T>((resolve, reject) => {
      this.#checkPending();
      id = this.#request((id) => [Type2.Call, id, rest, procedure, ...payload(args, kwargs)], {
        resolve,
        reject,
        progress: onprogress,
      });
    });
    call.cancelBy = (mode) => {
      if (this.#pending.has(id)) this.#link.send([Type2.Cancel, id, mode ? { mode } : {}]);
    };
    return call;
  }

  /**
   * Publishes an event. With `acknowledge` it returns a promise of the publication's number.
   *
   * @throws CallError if the socket is down or its buffer full; with `acknowledge` the promise is
   *   rejected
   */
  publish(topic: string, args: readonly unknown[] | undefined, kwargs: Dict | undefined, options: PublishOptions & { acknowledge: true }): Call<number>;
  publish(topic: string, args?: readonly unknown[], kwargs?: Dict, options?: PublishOptions): Call<number> | undefined;
  publish(topic: string, args?: readonly unknown[], kwargs?: Dict, options: PublishOptions = {}): Call<number> | undefined {
    const message = (id: number) => [Type2.Publish, id, options, topic, ...payload(args, kwargs)];
    if (options.acknowledge) {
      return new Call((resolve, reject) => {
        this.#checkPending();
        this.#request(message, { resolve, reject });
      });
    }
    this.#checkRoom();
    this.#link.send(message(++this.#last));
    return undefined;
  }

  /**
   * Hears a topic's events, or with `match` those of a pattern. While the socket is down the
   * subscription is kept, and made on the next connection. A handler hears an event once, however
   * often it subscribed. The promise is rejected if the server refuses.
   */
  async subscribe(topic: string, handler: EventHandler2, options: SubscribeOptions = {}): Promise<Subscription> {
    const unsubscribe = await this.#want(Type2.Subscribe, topic, handler, options);
    return { topic, unsubscribe };
  }

  /** As `subscription.unsubscribe`. */
  unsubscribe(subscription: Subscription): Promise<void> {
    return subscription.unsubscribe();
  }

  /**
   * Offers a procedure, or with `match` those of a pattern. While the socket is down the
   * registration is kept, and made on the next connection. The promise is rejected if the server
   * refuses, or if this session offers it already.
   */
  async register(procedure: string, handler: Procedure, options: RegisterOptions = {}): Promise<Registration> {
    const unregister = await this.#want(Type2.Register, procedure, handler, options);
    return { procedure, unregister };
  }

  /** As `registration.unregister`. */
  unregister(registration: Registration): Promise<void> {
    return registration.unregister();
  }

  /** Closes the connection for good. */
  close(code?: number, reason?: string): void {
    this.#link.close(code, reason);
  }

  async #want(type: Wish["type"], uri: string, handler: EventHandler2 | Procedure, options: Dict): Promise<() => Promise<void>> {
    if (typeof handler !== "function") throw new TypeError("a function to call is needed");
    if (typeof uri !== "string") throw new TypeError("a URI is a string");
    if (this.#link.state === "over") throw new CallError(NOT_CONNECTED, "the connection is closed");
    const wish = this.#kept.wish(type, uri, options);
    if (type === Type2.Register && this.#kept.isTaken(wish)) {
      throw new CallError("wamp.error.procedure_already_exists", "this session offers it already");
    }
    const isNew = !wish.handlers.size && !wish.waiting.length;
    this.#kept.add(wish, handler);
    if (wish.id === undefined) {
      await new Promise<void>((resolve, reject) => {
        wish.waiting.push({ resolve, reject });
        if (isNew && this.#link.state === "up") this.#ask(wish);
      });
    }
    return () => this.#unwant(wish, handler);
  }

  #ask(wish: Wish): void {
    const { type, uri, options } = wish;
    const resolve = (id: number) => {
      if (this.#kept.has(wish)) this.#kept.grant(wish, id);
      // Who gave it up before it was granted; unless somebody wants the same, under the same id.
      else if (!this.#kept.isWanted(wish.key)) this.#end(type, id).catch(() => {});
    };
    const reject = (error: CallError) => {
      if (error.uri === CONNECTION_LOST || !this.#kept.has(wish)) return;
      this.#kept.drop(wish);
      const waiting = wish.waiting.splice(0);
      for (const { reject } of waiting) reject(error);
      // It was granted once, and is no longer.
      if (!waiting.length) guarded(this.#settings.onerror, () => Promise.reject(error));
    };
    this.#request((id) => [type, id, options, uri], { resolve, reject });
  }

  async #unwant(wish: Wish, handler: EventHandler2 | Procedure): Promise<void> {
    if (!wish.handlers.delete(handler) || wish.handlers.size || !this.#kept.has(wish)) return;
    const { id } = wish;
    this.#kept.drop(wish);
    if (id !== undefined) await this.#end(wish.type, id);
  }

  #end(type: Wish["type"], id: number): Promise<void> {
    const end = type === Type2.Subscribe ? Type2.Unsubscribe : Type2.Unregister;
    return new Promise((resolve, reject) => this.#request((request) => [end, request, id], { resolve: () => resolve(), reject }));
  }

  /** Sends a request whose answer is awaited. What `send` throws is thrown. */
  #request(message: (id: number) => unknown[], pending: Pending): number {
    const id = this.#last + 1;
    this.#link.send(message(id));
    this.#last = id;
    this.#pending.set(id, pending);
    return id;
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #checkPending(): void {
    if (this.#pending.size >= this.#settings.maxPendingCalls) {
      throw new CallError(OVERLOADED, `${this.#pending.size} requests are waiting for their reply`);
    }
    this.#checkRoom();
  }

  #checkRoom(): void {
    if (this.#link.buffered > this.#settings.maxBufferedBytes) {
      throw new CallError(OVERLOADED, `${this.#link.buffered} bytes are waiting to be sent`);
    }
  }

  /**
   * The socket is open: says HELLO.
   * @internal
   */
  open(): void {
    this.#opened += 1;
    const { authid, authrole, authmethods, authextra } = this.#config;
    this.#link.say([Type2.Hello, this.realm, { roles: ROLES, authid, authrole, authmethods, authextra }]);
  }

  /**
   * The application closes: says GOODBYE.
   * @internal
   */
  leave(message: string): void {
    this.#link.say([Type2.Goodbye, { message }, "wamp.close.normal"]);
  }

  /**
   * A new connection was welcomed: asks again for what the last one had, then runs the connect
   * handlers.
   * @internal
   */
  resume(runConnectHandlers: () => Promise<unknown>): void {
    this.#last = 0;
    for (const wish of this.#kept.all()) this.#ask(wish);
    this.#kept.renew(runConnectHandlers);
  }

  /**
   * The connection is gone, and with it the replies that were to come.
   * @internal
   */
  suspend(code: number, reason: string, final: boolean): void {
    this.#opened += 1;
    const lost = () => new CallError(CONNECTION_LOST, `the connection was lost: ${reason}`, { code, reason });
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(lost());
    for (const request of [...this.#invocations.keys()]) this.#interrupt(request);
    this.#kept.suspend(lost(), final || !this.#settings.resubscribe);
  }

  /**
   * Hears the router. Returns whether it was the WELCOME.
   * @internal
   */
  receive(data: unknown, welcomed: boolean): boolean {
    const message = parse2(data);
    const [type, first, second] = message;
    if (type === Type2.Abort || type === Type2.Goodbye) {
      this.#dismissed(message);
    } else if (welcomed) {
      this.#hear(message);
    } else if (type === Type2.Challenge) {
      this.#prove(first, second);
    } else if (type === Type2.Welcome) {
      [this.id, this.details] = [first, second];
      return true;
    } else {
      throw new Error("a message out of turn");
    }
    return false;
  }

  #hear([type, first, second, third, ...rest]: Message): void {
    switch (type) {
      case Type2.Error: {
        const [uri, args, kwargs] = rest;
        this.#take(second)?.reject(failure(uri, args, kwargs));
        break;
      }
      case Type2.Published:
      case Type2.Subscribed:
      case Type2.Unsubscribed:
      case Type2.Registered:
      case Type2.Unregistered:
        this.#take(first)?.resolve(second);
        break;
      case Type2.Result: {
        // RESULT has a field less.
        const result = value(third, rest[0]);
        const progress = second.progress && this.#pending.get(first)?.progress;
        if (progress) guarded(this.#settings.onerror, () => progress(result));
        else if (!second.progress) this.#take(first)?.resolve(result);
        break;
      }
      case Type2.Event:
        this.#deliver(first, { ...third, publication: second }, rest[0], rest[1]);
        break;
      case Type2.Invocation:
        this.#invoke(first, second, third, rest[0], rest[1]);
        break;
      case Type2.Interrupt:
        this.#interrupt(first);
        break;
      default:
        throw new Error("a message out of turn");
    }
  }

  #deliver(subscription: number, details: Dict, args: any[], kwargs: Dict): void {
    const wish = this.#kept.granted(Type2.Subscribe, subscription);
    for (const handler of [...(wish?.handlers.keys() ?? [])]) {
      // An earlier handler may have unsubscribed this one.
      if (wish?.handlers.has(handler)) {
        guarded(this.#settings.onerror, () => handler(args, kwargs, { topic: wish.uri, ...details }));
      }
    }
  }

  #invoke(request: number, registration: number, details: Dict, args: any[], kwargs: Dict): void {
    const wish = this.#kept.granted(Type2.Register, registration);
    const procedure: Procedure | undefined = [...(wish?.handlers.keys() ?? [])].at(-1);
    const controller = new AbortController();
    this.#invocations.set(request, controller);
    const isOwed = () => this.#invocations.get(request) === controller;
    const fail = (error: unknown) => {
      if (!isOwed()) return;
      this.#invocations.delete(request);
      const { uri, args, kwargs } = asFailure(error);
      this.#reply([Type2.Error, Type2.Invocation, request, {}, uri, ...payload(args, kwargs)]);
      if (!(error instanceof CallError)) guarded(this.#settings.onerror, () => Promise.reject(error));
    };
    const answer = (result: unknown) => {
      if (!isOwed()) return;
      const { args, kwargs } = result instanceof Result ? result : new Result(result === undefined ? [] : [result]);
      // What can't be written throws, and is the failure.
      this.#reply([Type2.Yield, request, {}, ...payload(args, kwargs)]);
      this.#invocations.delete(request);
    };
    const invocation: InvocationDetails = { procedure: wish?.uri ?? "", ...details, signal: controller.signal };
    if (details["receive_progress"]) {
      invocation.progress = (args, kwargs) => {
        if (isOwed()) this.#reply([Type2.Yield, request, { progress: true }, ...payload(args, kwargs)]);
      };
    }
    if (!procedure) return fail(new CallError("wamp.error.no_such_registration", "it is no longer offered"));
    // An answer that is there is sent at once, one that is awaited later.
    try {
      const result: any = procedure(args, kwargs, invocation);
      if (typeof result?.then === "function") result.then(answer).then(undefined, fail);
      else answer(result);
    } catch (error) {
      fail(error);
    }
  }

  #interrupt(request: number): void {
    const controller = this.#invocations.get(request);
    if (!controller) return;
    this.#invocations.delete(request);
    this.#reply([Type2.Error, Type2.Invocation, request, {}, CANCELED]);
    guarded(this.#settings.onerror, () => controller.abort());
  }

  /** Sends what is owed, where there is still somebody to send it to. */
  #reply(message: unknown[]): void {
    if (this.#link.state === "up") this.#link.send(message);
  }

  async #prove(method: string, extra: Dict): Promise<void> {
    const opened = this.#opened;
    const { onchallenge } = this.#config;
    try {
      if (!onchallenge) throw new Error("there is no onchallenge to answer the challenge");
      const answer = await onchallenge(method, extra);
      const { signature, extra: more = {} } = typeof answer === "string" ? { signature: answer } : answer;
      if (opened === this.#opened) this.#link.say([Type2.Authenticate, signature, more]);
    } catch (error) {
      if (opened === this.#opened) this.#link.refuse(REFUSED, String((error as Error)?.message ?? error), true);
    }
  }

  /** The router ends the session: at once, or, after a GOODBYE, by closing the socket. */
  #dismissed([type, details, uri]: Message): void {
    const reason = typeof details.message === "string" ? details.message : uri;
    if (type === Type2.Goodbye) {
      this.#link.say([Type2.Goodbye, {}, "wamp.close.goodbye_and_out"]);
      return this.#link.farewell(reason, uri);
    }
    // Those pass; what else a router says against a client, it will say again.
    const passes = ["wamp.close.system_shutdown", "wamp.error.unavailable"].includes(uri);
    this.#link.refuse(REFUSED, reason, !passes, uri);
  }
}

/** The error that a message tells of: a first argument that is text describes it. */
function failure(uri: string, args: any[], kwargs: Dict): CallError {
  const isText = typeof args[0] === "string";
  return new CallError(uri, isText ? args[0] : uri, isText ? args[1] : args[0], args, kwargs);
}

/** What a caller is told of what a procedure has thrown: of what is no `CallError`, nothing. */
function asFailure(error: unknown): { uri: string; args: any[]; kwargs: Dict } {
  if (!(error instanceof CallError)) return { uri: "wamp.error.runtime_error", args: ["the procedure failed"], kwargs: {} };
  const { uri, desc, details, args, kwargs } = error;
  return { uri, args: args ?? (details === undefined ? [desc] : [desc, details]), kwargs: kwargs ?? {} };
}
