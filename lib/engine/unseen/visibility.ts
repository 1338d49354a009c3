/**
 * Whether nobody but Node and the engine can hold a request or its socket: then neither has to stay, and others can be made in their place
 * when somebody asks.
 *
 * In doubt the answer is no. Identity is what is at stake: an application may have put the socket into a list, or the request into a WeakMap.
 */
import { channel } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { type Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import * as inEngine from "../in-engine";
import { type EngineRequest, readsAllHeaders } from "../request";
import type { Server } from "../server";
import { canDefer } from "./deferred-request";

/** Node's own fields of an http server. */
type OpenServer = HttpServer & {
  _connections?: number;
  _emitCloseIfDrained?: unknown;
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
};

type OpenSocket = NetSocket & { server?: OpenServer; _server?: OpenServer };

/** Events that show sockets to their listeners, and how many of these are Node's and the engine's own. */
const SHOWING_SOCKETS = new Map<unknown, number>([
  ["connection", 1],
  ["upgrade", 1],
]);
/** The same of events that show plain requests. */
const SHOWING_REQUESTS = new Map<unknown, number>([
  ["request", 1],
  ["checkContinue", 0],
  ["checkExpectation", 0],
]);

/** Servers that have shown their sockets to nobody since the engine was attached. */
const socketsUnseen = new WeakSet<HttpServer>();
/** Servers that have shown the engine's plain requests to nobody since then. */
const requestsUnseen = new WeakSet<HttpServer>();

/** Listeners that show nothing to anybody else. */
const ownListeners = new WeakSet<object>();

/** Sockets that somebody has been shown. */
const shownSockets = new WeakSet<NetSocket>();

/** Subscribers get every accepted socket. */
const acceptedSockets = channel("net.server.socket");
/** Subscribers get every plain request, with its socket. */
const requests = [
  channel("http.server.request.start"),
  channel("http.server.response.created"),
  channel("http.server.response.finish"),
];

/** Called when an engine has been attached, with all its listeners. */
export function noteAttached(server: HttpServer): void {
  if (server instanceof EventEmitter) {
    track(server, socketsUnseen, SHOWING_SOCKETS);
    track(server, requestsUnseen, SHOWING_REQUESTS);
  }
}

function track(
  server: HttpServer,
  servers: WeakSet<HttpServer>,
  showing: ReadonlyMap<unknown, number>,
): void {
  if ([...showing].every(([event, count]) => server.listenerCount(event as string) === count)) {
    servers.add(server);
    server.on("newListener", (event, listener) => {
      if (showing.has(event) && !ownListeners.has(listener)) {
        servers.delete(server); // for good: what the listener is shown it may keep
      }
    });
  }
}

/** Marks a listener for `request` that shows the engine's requests to nobody but the engine. */
export function ownListener<Listener extends object>(listener: Listener): Listener {
  ownListeners.add(listener);
  return listener;
}

/** Notes that somebody has been shown a socket. */
export function noteShown(socket: NetSocket | undefined): void {
  if (socket !== undefined) {
    shownSockets.add(socket);
  }
}

/** Whether somebody has been shown a socket. */
export function wasShown(socket: NetSocket): boolean {
  return shownSockets.has(socket);
}

/** Called with an upgrade request whose socket could be adopted, after everything asynchronous. Tells of both. */
export function isUnseen(engine: Server, req: IncomingMessage, stream: Duplex): boolean {
  // Whatever was written before answered another request.
  return (stream as NetSocket).bytesWritten === 0 && isHidden(engine, req, stream);
}

/** The same for a plain request. What it tells of the request only; its socket may have been shown with another one. */
export function isUnseenRequest(engine: Server, req: EngineRequest): boolean {
  return (
    isHidden(engine, req, req.socket) &&
    requestsUnseen.has((req.socket as OpenSocket).server as HttpServer) &&
    Object.getPrototypeOf(req.res) === ServerResponse.prototype &&
    !requests.some(({ hasSubscribers }) => hasSubscribers)
  );
}

/** What must hold of every request. */
function isHidden(engine: Server, req: IncomingMessage, stream: Duplex): boolean {
  return (
    canDefer &&
    stream instanceof NetSocket && // a request that is given by hand may have none
    Object.getPrototypeOf(stream) === NetSocket.prototype &&
    Object.getPrototypeOf(req) === IncomingMessage.prototype &&
    req.httpVersion === "1.1" &&
    readsAllHeaders(req) && // the one that is made of them would
    areSocketsUnseen(stream as OpenSocket) &&
    engine[inEngine.keepsRequestsToItself]()
  );
}

function areSocketsUnseen({ server, _server: acceptor }: OpenSocket): boolean {
  return (
    server !== undefined &&
    server === acceptor &&
    socketsUnseen.has(server) &&
    !acceptedSockets.hasSubscribers &&
    typeof server._connections === "number" &&
    typeof server._emitCloseIfDrained === "function" &&
    server.emit === EventEmitter.prototype.emit &&
    !server.shouldUpgradeCallback?.length // Node's own takes no request
  );
}
