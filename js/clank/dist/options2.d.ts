import type { OnChallenge } from "./auth.js";
import type { Config } from "./config.js";
import type { Dict } from "./messages2.js";
/** Settings of a connection by WAMP v2. */
export interface Config2 extends Config {
    protocol: "wamp.2.json";
    /** The realm to join. Default: `realm1`. */
    realm?: string;
    /** Who the client is. */
    authid?: string;
    /** The role that it asks for. */
    authrole?: string;
    /** In which ways it can prove it. */
    authmethods?: string[];
    /** What its method needs beside that. */
    authextra?: Dict;
    /** Answers a challenge. */
    onchallenge?: OnChallenge;
}
/** What an event comes with. */
export interface EventDetails extends Dict {
    /** The topic's URI. */
    topic: string;
    /** The publication's number. */
    publication: number;
}
/** What an invocation comes with. */
export interface InvocationDetails extends Dict {
    /** The procedure's URI. */
    procedure: string;
    /** Sends a part of the result; there, if the caller wants parts. */
    progress?: (args?: unknown[], kwargs?: Dict) => void;
    /** Aborted when nobody waits for the result any more. */
    signal: AbortSignal;
}
/** Hears the events of a topic or pattern. */
export type EventHandler2 = (args: any[], kwargs: Dict, details: EventDetails) => unknown;
/** Carries out the calls of a procedure. It returns a value or a `Result`, or a promise of one; a `CallError` that it throws reaches the caller. */
export type Procedure = (args: any[], kwargs: Dict, details: InvocationDetails) => unknown;
/** A handler that hears a topic. */
export interface Subscription {
    readonly topic: string;
    /** Ends it. */
    unsubscribe(): Promise<void>;
}
/** A procedure that is offered. */
export interface Registration {
    readonly procedure: string;
    /** Ends it. */
    unregister(): Promise<void>;
}
export interface SubscribeOptions extends Dict {
    match?: "exact" | "prefix" | "wildcard";
}
export interface RegisterOptions extends Dict {
    match?: "exact" | "prefix" | "wildcard";
    invoke?: "single" | "first" | "last" | "roundrobin" | "random";
}
export interface PublishOptions extends Dict {
    /** The server says when the event is on its way. */
    acknowledge?: boolean;
    /** Whether the publisher itself is left out. Default: true. */
    exclude_me?: boolean;
    exclude?: number[];
    exclude_authid?: string[];
    exclude_authrole?: string[];
    eligible?: number[];
    eligible_authid?: string[];
    eligible_authrole?: string[];
    disclose_me?: boolean;
}
export interface CallOptions extends Dict {
    /** Milliseconds after which the server gives up. */
    timeout?: number;
    /** Asks for parts of the result, and hears them. */
    onprogress?: (part: any) => unknown;
    disclose_me?: boolean;
}
export type CancelMode = "skip" | "kill" | "killnowait";
