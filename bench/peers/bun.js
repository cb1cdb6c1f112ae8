// Publish, subscribe and a sum, on Bun's own WebSockets: bun bun.js PORT [deflate]
const [port, option] = process.argv.slice(2);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("only WebSockets", { status: 426 });
  },
  websocket: {
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: option === "deflate",
    message(socket, text) {
      const message = JSON.parse(text);
      switch (message[0]) {
        case "sub":
          socket.subscribe(message[1]);
          break;
        case "pub":
          // Compressing is asked for by the message.
          server.publish(message[1], JSON.stringify(["event", message[1], message[2]]), option === "deflate");
          break;
        case "call":
          socket.send(JSON.stringify(["result", message[1], message[2] + message[3]]));
          break;
      }
    },
  },
});
