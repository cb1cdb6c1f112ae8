/** Message types of WAMP v1, section by section of its specification. */
export const enum Type {
  Welcome,
  Prefix,
  Call,
  CallResult,
  CallError,
  Subscribe,
  Unsubscribe,
  Publish,
  Event,
}

/** A message from the server, its fields checked. */
export type ServerMessage =
  | { type: Type.Welcome; sessionId: string; ident: string }
  | { type: Type.Prefix }
  | { type: Type.CallResult; id: string; result: unknown }
  | { type: Type.CallError; id: string; uri: string; desc: string; details: unknown }
  | { type: Type.Event; topic: string; event: unknown };

/** Reads one frame. Throws an `Error` that says in words what is wrong with it. */
export function parse(data: unknown): ServerMessage {
  if (typeof data !== "string") throw new Error("a binary frame, where WAMP v1 has text");
  let fields: unknown;
  try {
    fields = JSON.parse(data);
  } catch {
    throw new Error("a frame that is not JSON");
  }
  if (!Array.isArray(fields)) throw new Error("a message that is not a list");
  return read(fields);
}

function read(fields: unknown[]): ServerMessage {
  const [type, first, second, third, fourth] = fields;
  switch (type) {
    case Type.Welcome:
      expect("WELCOME", fields, 4, [first, third]);
      if (second !== 1) throw new Error(`WAMP version ${JSON.stringify(second)}, where this client speaks version 1`);
      return { type, sessionId: first as string, ident: third as string };
    case Type.Prefix:
      // Legal from a server, and without effect: topics of events are full URIs.
      expect("PREFIX", fields, 3, [first, second]);
      return { type };
    case Type.CallResult:
      expect("CALLRESULT", fields, 3, [first]);
      return { type, id: first as string, result: second };
    case Type.CallError:
      expect("CALLERROR", fields, 4, [first, second, third]);
      return { type, id: first as string, uri: second as string, desc: third as string, details: fourth };
    case Type.Event:
      expect("EVENT", fields, 3, [first]);
      return { type, topic: first as string, event: second };
    default:
      throw new Error(`a message of type ${JSON.stringify(type)}, which no server sends`);
  }
}

function expect(name: string, fields: unknown[], length: number, strings: unknown[]): void {
  if (fields.length < length) throw new Error(`${name} with ${fields.length} fields, where it has ${length}`);
  if (strings.some((field) => typeof field !== "string")) throw new Error(`${name} with a field that is not a string`);
}
