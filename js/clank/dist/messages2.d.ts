/** Message types of WAMP v2. */
export declare const enum Type2 {
    Hello = 1,
    Welcome = 2,
    Abort = 3,
    Challenge = 4,
    Authenticate = 5,
    Goodbye = 6,
    Error = 8,
    Publish = 16,
    Published = 17,
    Subscribe = 32,
    Subscribed = 33,
    Unsubscribe = 34,
    Unsubscribed = 35,
    Event = 36,
    Call = 48,
    Cancel = 49,
    Result = 50,
    Register = 64,
    Registered = 65,
    Unregister = 66,
    Unregistered = 67,
    Invocation = 68,
    Interrupt = 69,
    Yield = 70
}
/** Options and details of messages, and keyword arguments. */
export type Dict = Record<string, any>;
/** The fields of a message, checked, and behind them what it carries for the application. */
export type Message = [type: Type2, ...fields: any[]];
/** Reads one frame. Throws an `Error` that says in words what is wrong with it. */
export declare function parse2(data: unknown): Message;
/** Arguments and keyword arguments as a message ends with them: what is empty is left out. */
export declare function payload(args?: readonly unknown[], kwargs?: Dict): unknown[];
/** A result that is not one value: several, or keyword arguments. */
export declare class Result {
    readonly args: any[];
    readonly kwargs: Dict;
    constructor(args?: any[], kwargs?: Dict);
}
/** What a result is to the application: a value, where it is one; null, where it is none. */
export declare function value(args: any[], kwargs: Dict): any;
