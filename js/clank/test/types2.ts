// Compiled, never run: an application's use of the shipped types by WAMP v2.
import { Clank, cra, Result, type Config2, type Session2, type Subscription } from "../src/index.js";

const config: Config2 = {
  protocol: "wamp.2.json",
  realm: "com.example.shop",
  authid: "joe",
  authmethods: ["wampcra"],
  onchallenge: (_method, extra) => cra("s3cret", extra),
};
const socket = Clank.connect("ws://localhost:8080", config);

socket.on("socket/connect", async (session: Session2) => {
  const subscription: Subscription = await session.subscribe("com.example.", (args, kwargs, { topic }) => [args[0], kwargs["n"], topic], {
    match: "prefix",
  });
  await session.unsubscribe(subscription);
  const registration = await session.register("com.example.add", ([a, b], _kwargs, { progress, signal }) => {
    if (!signal.aborted) progress?.([a]);
    return new Result([a + b]);
  });
  await registration.unregister();
  const call = session.call<number>("com.example.add", [2, 3], {}, { timeout: 500, onprogress: (part) => part });
  call.cancel("kill");
  const sum: number = await call;
  const number: number = await session.publish("com.example.sum", [sum], {}, { acknowledge: true });
  session.publish("com.example.sum", [number], { key: 1 }, { exclude_me: false, eligible_authrole: ["clerk"] });
});
socket.on("socket/disconnect", ({ uri }) => uri?.toUpperCase());

// @ts-expect-error: sessions of WAMP v2 have no prefixes
socket.session?.prefix("a", "b");
// @ts-expect-error: that is WAMP v1
socket.rpcCall("sample/add_func");
