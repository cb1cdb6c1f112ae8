// A WAMP v1 server that does what the test's script says, and a client connected to it.
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import { Clank } from "../dist/clank.mjs";

/** A queue whose `next` waits for what has not come yet. */
class Inbox {
  #items = [];
  #takers = [];

  put(item) {
    const taker = this.#takers.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  }

  next() {
    return this.#items.length ? Promise.resolve(this.#items.shift()) : new Promise((take) => this.#takers.push(take));
  }
}

/** The server's end of one connection. */
class Connection {
  #messages = new Inbox();

  constructor(socket) {
    this.socket = socket;
    this.closed = once(socket, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
    socket.on("message", (data, binary) => this.#messages.put(binary ? data : JSON.parse(data)));
    socket.on("error", () => {});
  }

  /** The next message from the client. */
  next() {
    return this.#messages.next();
  }

  send(message) {
    this.socket.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  welcome(sessionId = "session-1") {
    this.send([0, sessionId, 1, "peer/1"]);
  }

  /** Closes with a close frame. */
  close(code, reason) {
    this.socket.close(code, reason);
  }

  /** Ends the TCP connection without one. */
  cut() {
    this.socket.terminate();
  }
}

export class Peer {
  #accepted = new Inbox();
  #clients = [];
  #sockets = [];
  #connections = [];

  /** Listens on a free port until the test `t` ends. */
  static async start(t, options = {}) {
    const peer = new Peer();
    peer.server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "wamp", ...options });
    peer.server.on("connection", (socket, request) => {
      const connection = new Connection(socket);
      connection.request = request;
      peer.#connections.push(connection);
      peer.#accepted.put(connection);
    });
    await once(peer.server, "listening");
    peer.uri = `ws://127.0.0.1:${peer.server.address().port}`;
    t.after(() => peer.stop());
    return peer;
  }

  connect({ WebSocket: Class = WebSocket, ...config } = {}) {
    const sockets = this.#sockets;
    class Tracked extends Class {
      constructor(uri, protocols) {
        super(uri, protocols);
        sockets.push(this);
      }
    }
    const client = Clank.connect(this.uri, { WebSocket: Tracked, ...config });
    this.#clients.push(client);
    return client;
  }

  /** The next connection that a client makes. */
  accept() {
    return this.#accepted.next();
  }

  /** A client and its welcomed connection: what most tests begin with. */
  async session(config) {
    const client = this.connect(config);
    const connected = event(client, "socket/connect");
    const connection = await this.accept();
    connection.welcome();
    return { client, connection, session: await connected };
  }

  async stop() {
    for (const client of this.#clients) client.close();
    // A socket that closed later would look for its timers among the next test's, virtual or real.
    // One that was still connecting tells of an error before it closes.
    const closing = (socket) => new Promise((resolve) => socket.once("close", resolve));
    const closed = this.#sockets.map((socket) => socket.readyState === WebSocket.CLOSED || closing(socket));
    for (const socket of this.server.clients) socket.terminate();
    await Promise.all([...closed, ...this.#connections.map((connection) => connection.closed)]);
    if (this.server.address()) await new Promise((done) => this.server.close(done));
  }
}

/** The next event of that name. */
export function event(client, name) {
  return new Promise((resolve) => {
    client.on(name, function heard(payload) {
      client.off(name, heard);
      resolve(payload);
    });
  });
}

/** A server of WAMP v2, and a client whose HELLO it has heard. */
export async function greeted(t, config = {}, peer = undefined) {
  peer ??= await Peer.start(t, { handleProtocols: () => "wamp.2.json" });
  const client = peer.connect({ protocol: "wamp.2.json", ...config });
  const connection = await peer.accept();
  return { peer, client, connection, hello: await connection.next() };
}

/** The same, welcomed. */
export async function session2(t, config) {
  const greeting = await greeted(t, config);
  const connected = event(greeting.client, "socket/connect");
  greeting.connection.send([2, 7, { authid: "joe", authrole: "user" }]);
  return { ...greeting, session: await connected };
}
