// Compiled, never run: an application's use of the shipped types.
import connect, { CallError, Clank, type Config, type Disconnect, type Session } from "../src/index.js";
import "../src/global.js";

const config: Config = { maxRetries: 5, onerror: (error) => console.error(error) };
const socket = Clank.connect("ws://localhost:8080", config);
connect.connect();
globalThis.Clank.connect().close();

socket
  .on("socket/connect", async (session: Session) => {
    const { result } = await session.call<{ result: number }>("sample/add_func", { term1: 2, term2: 5 });
    session.publish("acme/channel", { msg: result.toFixed() }, true, ["id"]);
    session.subscribe("acme/channel", (uri: string, payload: { msg: string }) => payload.msg + uri);
    session.call("p").then(
      (value) => value,
      (error, desc) => [error.uri, error.detail, desc.length],
    );
    session.call("p").catch((error: CallError) => error.details);
  })
  .on("socket/disconnect", ({ code, reason, wasClean, willReconnect, attempt }: Disconnect) => {
    console.log(code + attempt, reason, wasClean && willReconnect);
  });

// @ts-expect-error: there is no such event
socket.on("socket/nothing", () => {});
