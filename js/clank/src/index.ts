/**
 * Client of the Clank real-time server: publish, subscribe and call over WAMP, in browsers and in
 * Node.
 *
 * `socket.ts` is the connection and its reconnects. `session.ts` is what the application does on it
 * by WAMP v1, `messages.ts` its frames; `session2.ts`, `options2.ts`, `kept.ts`, `messages2.ts` and
 * `auth.ts` are the same by WAMP v2.
 */
import { cra, cryptosign } from "./auth.js";
import type { Config } from "./config.js";
import { Result } from "./messages2.js";
import type { Config2 } from "./options2.js";
import type { Session2 } from "./session2.js";
import { ClankSocket } from "./socket.js";

/**
 * Connects to a server, and keeps the connection until `close` is called.
 *
 * @param uri `ws://`, `wss://`, or a path on the page's own host; by default that host's `/`
 * @throws TypeError for a setting or an address that can't be used
 */
export function connect(uri: string | undefined, config: Config2): ClankSocket<Session2>;
export function connect(uri?: string, config?: Config | null): ClankSocket;
export function connect(uri = "/", config?: Config | Config2 | null): ClankSocket<any> {
  return new ClankSocket(uri, config ?? {});
}

/** What the script `clank.js` defines as a global. */
export const Clank = { connect, cra, cryptosign, Result };
export default Clank;

export { cra, cryptosign, type OnChallenge } from "./auth.js";
export { Call, CallError } from "./calls.js";
export type { Config, ErrorReporter, WebSocketConstructor, WebSocketLike } from "./config.js";
export { type Dict, Result } from "./messages2.js";
export type {
  CallOptions,
  CancelMode,
  Config2,
  EventDetails,
  EventHandler2,
  InvocationDetails,
  Procedure,
  PublishOptions,
  RegisterOptions,
  Registration,
  SubscribeOptions,
  Subscription,
} from "./options2.js";
export type { Session } from "./session.js";
export type { Call2, Session2 } from "./session2.js";
export type { ClankSocket, Disconnect, Events } from "./socket.js";
export type { EventHandler } from "./subscriptions.js";
