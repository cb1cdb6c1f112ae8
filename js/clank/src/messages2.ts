/** Message types of WAMP v2. */
export const enum Type2 {
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
  Yield = 70,
}

/** Options and details of messages, and keyword arguments. */
export type Dict = Record<string, any>;

/** What a router sends: its name, and of each field whether it is an id, a string or a dictionary. */
const SHAPES: Record<number, string> = {
  [Type2.Welcome]: "WELCOME id",
  [Type2.Abort]: "ABORT ds",
  [Type2.Challenge]: "CHALLENGE sd",
  [Type2.Goodbye]: "GOODBYE ds",
  [Type2.Error]: "ERROR iids",
  [Type2.Published]: "PUBLISHED ii",
  [Type2.Subscribed]: "SUBSCRIBED ii",
  [Type2.Unsubscribed]: "UNSUBSCRIBED i",
  [Type2.Event]: "EVENT iid",
  [Type2.Result]: "RESULT id",
  [Type2.Registered]: "REGISTERED ii",
  [Type2.Unregistered]: "UNREGISTERED i",
  [Type2.Invocation]: "INVOCATION iid",
  [Type2.Interrupt]: "INTERRUPT id",
};

/** The fields of a message, checked, and behind them what it carries for the application. */
export type Message = [type: Type2, ...fields: any[]];

/** Reads one frame. Throws an `Error` that says in words what is wrong with it. */
export function parse2(data: unknown): Message {
  if (typeof data !== "string") throw new Error("a binary frame, where JSON is text");
  let message: any;
  try {
    message = JSON.parse(data);
  } catch {
    throw new Error("a frame that is not JSON");
  }
  if (!Array.isArray(message)) throw new Error("a message that is not a list");
  const shape = SHAPES[message[0]];
  if (!shape) throw new Error(`a message of type ${JSON.stringify(message[0])}, which no router sends`);
  const [name, kinds] = shape.split(" ") as [string, string];
  [...kinds].forEach((kind, index) => {
    const field = message[index + 1];
    const fits = kind === "i" ? Number.isSafeInteger(field) : kind === "s" ? typeof field === "string" : isDict(field);
    if (!fits) throw new Error(`${name} with a field that it does not have`);
  });
  const [args = [], kwargs = {}] = message.slice(kinds.length + 1);
  if (!Array.isArray(args) || !isDict(kwargs)) throw new Error(`${name} with arguments that are none`);
  return [...message.slice(0, kinds.length + 1), args, kwargs] as unknown as Message;
}

function isDict(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Arguments and keyword arguments as a message ends with them: what is empty is left out. */
export function payload(args: readonly unknown[] = [], kwargs: Dict = {}): unknown[] {
  if (!Array.isArray(args)) throw new TypeError("arguments are a list");
  if (Object.keys(kwargs).length) return [args, kwargs];
  return args.length ? [args] : [];
}

/** A result that is not one value: several, or keyword arguments. */
export class Result {
  constructor(
    readonly args: any[] = [],
    readonly kwargs: Dict = {},
  ) {}
}

/** What a result is to the application: a value, where it is one; null, where it is none. */
export function value(args: any[], kwargs: Dict): any {
  return args.length > 1 || Object.keys(kwargs).length ? new Result(args, kwargs) : (args[0] ?? null);
}
