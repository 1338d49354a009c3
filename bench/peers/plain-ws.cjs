// Socket.IO in a page, over ws and nothing else: what an application on plain ws would cost at the least. It knows one
// namespace, text packets and acks of the client; no polling, no heartbeat, no binary, and no reconnection to speak of.
"use strict";

const { randomUUID } = require("node:crypto");
const { WebSocketServer } = require("ws");

/** What `server.cjs` uses of a Server. */
class PlainServer {
  #sockets = new Set();
  #listener;

  constructor(httpServer) {
    const open = { upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };
    new WebSocketServer({ server: httpServer, perMessageDeflate: false }).on("connection", (ws) => {
      const socket = new PlainSocket(ws);
      ws.send(`0${JSON.stringify({ sid: socket.id, ...open })}`);
      ws.on("message", (data) => this.#hear(socket, data.toString()));
      ws.on("close", () => {
        this.#sockets.delete(socket);
        socket.listeners.get("disconnect")?.();
      });
    });
  }

  on(_connection, listener) {
    this.#listener = listener;
  }

  emit(...event) {
    const packet = `42${JSON.stringify(event)}`;
    for (const { ws } of this.#sockets) ws.send(packet);
  }

  #hear(socket, packet) {
    if (packet === "40") {
      socket.ws.send(`40${JSON.stringify({ sid: socket.id })}`);
      this.#sockets.add(socket);
      this.#listener(socket);
    } else if (packet.startsWith("42")) {
      const start = packet.indexOf("[");
      const id = packet.slice(2, start);
      const [name, ...args] = JSON.parse(packet.slice(start));
      if (id !== "") args.push((...answer) => socket.ws.send(`43${id}${JSON.stringify(answer)}`));
      socket.listeners.get(name)?.(...args);
    }
  }
}

class PlainSocket {
  id = randomUUID();
  listeners = new Map();

  constructor(ws) {
    this.ws = ws;
  }

  on(name, listener) {
    this.listeners.set(name, listener);
  }

  emit(...event) {
    this.ws.send(`42${JSON.stringify(event)}`);
  }
}

module.exports = { Server: PlainServer };
