// Every kind of object that users hold, of one implementation, as it is in the middle of use: to be compared with the same of the other.

import type { Server, Socket } from "socket.io";
import { onceValue } from "./events";
import type { Implementation } from "./implementations";
import { internals } from "./internals";
import { joinPair, type Running, startServer } from "./servers";

/** Objects by what they are called in the titles of cases. */
export type VisibleObjects = Record<string, object>;

/** Starts servers and clients for all of them. They end with the test. */
export async function visibleObjects(implementation: Implementation): Promise<VisibleObjects> {
  const running = await startServer(implementation, { cors: {}, perMessageDeflate: true });
  const { io } = running;
  let response: object | undefined;
  io.engine.use((req: { headers: object }, res: object, next: () => void) => {
    if ("upgrade" in req.headers) {
      response = res;
    }
    next();
  });
  const { socket } = await joinPair(running, "/", { transports: ["websocket"] });
  socket.onAny(() => {});
  socket.onAnyOutgoing(() => {});
  const polled = await joinPair(running, "/", { transports: ["polling"] });
  const padded = await openJsonp(running);
  const recovering = await startServer(implementation, { connectionStateRecovery: {} });
  const recoverable = await joinPair(recovering);
  recoverable.socket.onAny(() => {});
  recoverable.socket.onAnyOutgoing(() => {});
  const parent = io.of(/^\/dynamic-/);
  const client = internals(socket.client);
  return {
    "the server": io,
    "the namespace": socket.nsp,
    "a parent namespace": parent,
    "the adapter of a parent namespace": parent.adapter,
    "a socket": socket,
    "a socket that can be recovered": recoverable.socket,
    "a client": client,
    "a broadcast operator": io.to("room"),
    "the adapter": socket.nsp.adapter,
    "the adapter of recovery": recoverable.socket.nsp.adapter,
    "the encoder": client.encoder,
    "a decoder": client.decoder,
    "a handshake": socket.handshake,
    "the engine": io.engine,
    "a session": socket.conn,
    "a WebSocket transport": socket.conn.transport,
    "a polling transport": polled.socket.conn.transport,
    "a JSONP transport": padded.transport,
    "the ws object": internals(socket.conn.transport).socket,
    "the request of a WebSocket": socket.request,
    "the request of a poll": polled.socket.request,
    "what middlewares answer an upgrade with": response as object,
    "what WebSockets are accepted by": internals(io.engine).ws,
    ...classesOf(implementation, io, socket),
  };
}

function classesOf({ Server, Namespace, Socket }: Implementation, io: Server, socket: Socket) {
  return {
    "the class Server": Server,
    "the class Namespace": Namespace,
    "the class Socket": Socket,
    "the class of engines": io.engine.constructor,
    "the class of sessions": socket.conn.constructor,
    "the class of adapters": socket.nsp.adapter.constructor,
  };
}

/** A session whose answers are scripts. */
async function openJsonp({ io, url }: Running): Promise<{ transport: object }> {
  const opened = onceValue(io.engine, "connection");
  await fetch(`${url}/socket.io/?EIO=4&transport=polling&j=0`);
  return opened;
}

/** Names of the members of an object, its own and those of its prototypes down to what JavaScript brings. */
export function namesOf(object: object): Set<string> {
  const names = new Set<string>();
  for (
    let at: object | null = object;
    at !== null && !FOUNDATIONS.has(at);
    at = Object.getPrototypeOf(at)
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      names.add(name);
    }
  }
  return names;
}

const FOUNDATIONS = new Set<object>([Object.prototype, Function.prototype]);
