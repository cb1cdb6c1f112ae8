/** Message types of WAMP v1, section by section of its specification. */
export declare const enum Type {
    Welcome = 0,
    Prefix = 1,
    Call = 2,
    CallResult = 3,
    CallError = 4,
    Subscribe = 5,
    Unsubscribe = 6,
    Publish = 7,
    Event = 8
}
/** A message from the server, its fields checked. */
export type ServerMessage = {
    type: Type.Welcome;
    sessionId: string;
    ident: string;
} | {
    type: Type.Prefix;
} | {
    type: Type.CallResult;
    id: string;
    result: unknown;
} | {
    type: Type.CallError;
    id: string;
    uri: string;
    desc: string;
    details: unknown;
} | {
    type: Type.Event;
    topic: string;
    event: unknown;
};
/** Reads one frame. Throws an `Error` that says in words what is wrong with it. */
export declare function parse(data: unknown): ServerMessage;
