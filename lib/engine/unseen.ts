/**
 * Whether nobody but Node and the engine can hold an upgrade request or its socket: then neither has to stay, and others can be made in their
 * place when somebody asks.
 *
 * In doubt the answer is no. Identity is what is at stake: an application may have put the socket into a list, or the request into a WeakMap.
 */
import { channel } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { type Server as HttpServer, IncomingMessage } from "node:http";
import { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import { canDefer } from "./deferred-request";
import type { Server } from "./server";

/** Node's own fields of an http server. */
type OpenServer = HttpServer & {
  _connections?: number;
  _emitCloseIfDrained?: unknown;
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
};

type OpenSocket = NetSocket & { server?: OpenServer; _server?: OpenServer };

/** Events that show sockets to their listeners. Of each there is one listener: Node's, and the engine's. */
const SHOWING = ["connection", "upgrade"];

/** Servers whose sockets nobody has been shown since the engine was attached. */
const quietServers = new WeakSet<HttpServer>();

/** Subscribers get every accepted socket. */
const acceptedSockets = channel("net.server.socket");

/** Called when an engine has been attached, with all its listeners. */
export function noteAttached(server: HttpServer): void {
  if (SHOWING.every((event) => server.listenerCount(event) === 1)) {
    quietServers.add(server);
    server.on("newListener", (event) => {
      if (SHOWING.includes(event as string)) {
        quietServers.delete(server); // for good: what the listener was shown it may keep
      }
    });
  }
}

/** Called with a socket that could be adopted, after everything asynchronous. */
export function isUnseen(engine: Server, req: IncomingMessage, stream: Duplex): boolean {
  const socket = stream as OpenSocket;
  const { server } = socket;
  return (
    canDefer &&
    server !== undefined &&
    server === socket._server &&
    isQuiet(server) &&
    !acceptedSockets.hasSubscribers &&
    socket.bytesWritten === 0 && // no request came before this one
    Object.getPrototypeOf(socket) === NetSocket.prototype &&
    Object.getPrototypeOf(req) === IncomingMessage.prototype &&
    req.httpVersion === "1.1" &&
    engine._keepsRequestsToItself()
  );
}

function isQuiet(server: OpenServer): boolean {
  return (
    quietServers.has(server) &&
    typeof server._connections === "number" &&
    typeof server._emitCloseIfDrained === "function" &&
    server.emit === EventEmitter.prototype.emit &&
    !server.shouldUpgradeCallback?.length // Node's own takes no request
  );
}
