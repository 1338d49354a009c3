/**
 * The `wsEngine` option: WebSockets whose opening handshake and frames are those of a class of the user's, as `ws` has it.
 *
 * Requests are judged as always; then the class answers the handshake and gives an object for each WebSocket, whose messages a bridge
 * carries (message-bridge.ts).
 */
import type { Duplex } from "node:stream";
import debugModule from "debug";
import { Role } from "../link";
import { rememberPeer } from "./endpoint";
import { ERRORS } from "./errors";
import { appendHeaders } from "./handshake";
import * as inEngine from "./in-engine";
import { logUpgradeRefusal } from "./log";
import { type ForeignWebSocket, MessageBridge } from "./message-bridge";
import { openWith, type VerifiedUpgrade } from "./open-session";
import { type EngineRequest, protocolOf } from "./request";
import type { Server } from "./server";
import { Socket } from "./socket";
import type { HeaderTable } from "./upgrade-response";

const debug = debugModule("engine");

/** What the class has to offer. */
export interface WsEngine {
  /** Answers an opening handshake, and calls back with the WebSocket. */
  handleUpgrade(
    req: EngineRequest,
    stream: Duplex,
    head: Buffer,
    callback: (websocket: ForeignWebSocket) => void,
  ): void;
  /** Accepts no more. */
  close(): void;
  /** Where it has it: `headers` tells the lines of each 101 before it is written. */
  on?(event: "headers", listener: (lines: string[], req: EngineRequest) => void): unknown;
}

/** The headers that middlewares have set, until the 101 is written. */
const kHeaders = Symbol("headers");

type AnsweredRequest = EngineRequest & {
  [kHeaders]?: HeaderTable | undefined;
  /** As with engine.io. */
  websocket?: ForeignWebSocket;
};

/** A header that could forge others. */
class HeaderRefusal extends Error {}

/** Makes the class's server with the options that engine.io gives it. */
export function makeWsEngine(server: Server): WsEngine {
  const { wsEngine, perMessageDeflate, maxHttpBufferSize } = server.opts;
  const engine: WsEngine = new wsEngine({
    noServer: true,
    clientTracking: false,
    perMessageDeflate,
    maxPayload: maxHttpBufferSize,
  });
  if (typeof engine.on === "function") {
    engine.on("headers", (lines, req) => addHeaders(server, lines, req));
  }
  return engine;
}

function addHeaders(server: Server, lines: string[], req: AnsweredRequest): void {
  const headers = req[kHeaders] ?? {};
  req[kHeaders] = undefined;
  if (!req._query.sid) {
    server.emit("initial_headers", headers, req);
  }
  server.emit("headers", headers, req);
  debug("writing headers: %j", headers);
  try {
    appendHeaders(lines, headers);
  } catch (cause) {
    throw new HeaderRefusal("a header of the 101 is not allowed", { cause });
  }
}

/** Has an upgrade request that was verified answered by the class. */
export function acceptFromWsEngine(upgrade: VerifiedUpgrade, openNew: () => void): void {
  const { server, req, stream, head, headers, refuse } = upgrade;
  (req as AnsweredRequest)[kHeaders] = headers;
  try {
    (server.ws as WsEngine).handleUpgrade(req, stream, head, (websocket) =>
      takeWebSocket(upgrade, websocket, openNew),
    );
  } catch (error) {
    if (!(error instanceof HeaderRefusal)) {
      throw error;
    }
    refuse(ERRORS.BAD_REQUEST, { name: "TRANSPORT_HANDSHAKE_ERROR", error: error.cause });
  }
}

/** Makes a session of a WebSocket, or offers it to one. */
function takeWebSocket(
  { server, req, stream }: VerifiedUpgrade,
  websocket: ForeignWebSocket,
  openNew: () => void,
): void {
  websocket.on("error", ignoreError);
  const { sid, transport } = req._query;
  if (transport !== "websocket") {
    debug("transport doesn't handle upgraded requests");
    websocket.close();
    return;
  }
  (req as AnsweredRequest).websocket = websocket;
  if (!sid) {
    openWith(req, (id) => {
      rememberPeer(req.socket);
      const session = new Socket(id, server, req, protocolOf(req));
      debug('handshaking client "%s"', id);
      let handshake = "";
      session[inEngine.open](undefined, (content) => {
        handshake = content;
      });
      const bridge = new MessageBridge(
        server[inEngine.link],
        websocket,
        stream,
        Role.Direct,
        session,
      );
      session[inEngine.setCarrier](bridge);
      server[inEngine.register](session);
      bridge.send(`0${handshake}`); // at once, as engine.io does: a listener of `connection` may close the WebSocket
      session[inEngine.tellOpening]();
      server[inEngine.announce](session);
      return session;
    });
    openNew();
    return;
  }
  const session = Object.hasOwn(server.clients, sid) ? server.clients[sid] : undefined;
  if (session?.[inEngine.canUpgrade]()) {
    session[inEngine.expectCandidate](Boolean(req._query.b64));
    session[inEngine.setCandidate](
      new MessageBridge(server[inEngine.link], websocket, stream, Role.Candidate, session),
    );
  } else {
    logUpgradeRefusal(session);
    websocket.close();
  }
}

/** A WebSocket that fails before it has a session needs nobody to be told; without a listener it would end the process. */
function ignoreError(): void {
  debug("websocket error before upgrade");
}
