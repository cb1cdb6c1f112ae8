/**
 * Client of the Clank real-time server: publish, subscribe and call over WAMP v1, in browsers and
 * in Node.
 *
 * `socket.ts` is the connection and its reconnects, `session.ts` what the application does on it,
 * `messages.ts` the protocol's frames.
 */
import type { Config } from "./config.js";
import { ClankSocket } from "./socket.js";
/**
 * Connects to a server, and keeps the connection until `close` is called.
 *
 * @param uri `ws://`, `wss://`, or a path on the page's own host; by default that host's `/`
 * @throws TypeError for a setting or an address that can't be used
 */
export declare function connect(uri?: string, config?: Config | null): ClankSocket;
/** What the script `clank.js` defines as a global. */
export declare const Clank: {
    connect: typeof connect;
};
export default Clank;
export { Call, CallError } from "./calls.js";
export type { Config, ErrorReporter, WebSocketConstructor, WebSocketLike } from "./config.js";
export type { Session } from "./session.js";
export type { ClankSocket, Disconnect, Events } from "./socket.js";
export type { EventHandler } from "./subscriptions.js";
