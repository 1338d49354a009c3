/**
 * Makes sessions out of verified requests, and gives the streams of WebSockets to the core.
 *
 * Everything that may take time or fail (the id, the headers) comes before the 101; from then on a stream has one owner, the core.
 */
import type { Duplex } from "node:stream";
import debugModule from "debug";
import { Role } from "../link";
import { throwApart } from "../throw-apart";
import { type Carrier, carry, isAlive } from "./carrier";
import { rememberPeer } from "./endpoint";
import { abortHandshake, ERRORS, type ErrorCallback } from "./errors";
import {
  appendHeaders,
  checkHandshake,
  type OpeningHandshake,
  responseHead,
  responseLines,
} from "./handshake";
import { UnseenSocket } from "./husk";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { logRefused, logUpgradeRefusal } from "./log";
import { PollingTransport } from "./polling";
import { type EngineRequest, protocolOf } from "./request";
import { lendWebSocket } from "./request-websocket";
import type { Server } from "./server";
import { Socket } from "./socket";
import type { Transport } from "./transports";
import {
  AnsweredRequest,
  DeferredRequest,
  internHeaders,
  isUnseen,
  isUnseenRequest,
} from "./unseen";
import type { HeaderTable } from "./upgrade-response";
import { WebSocketGate } from "./websocket-gate";

const debug = debugModule("engine");

/** An upgrade request that was verified. */
export interface VerifiedUpgrade {
  server: Server;
  req: EngineRequest;
  stream: Duplex;
  head: Buffer;
  /** Headers for the 101. */
  headers: HeaderTable;
  refuse: ErrorCallback;
}

/** An upgrade request on its way. */
interface UpgradeRequest extends VerifiedUpgrade {
  handshake: OpeningHandshake;
}

/** Opens the session that has got an id; undefined when it was refused, or its client has gone. */
type Opener = (id: string, refuse: ErrorCallback) => Socket | undefined;

/** What {@link openSession} does for requests that are no polls: engine.io's `handshake`, which leads there, is given the request alone. */
const openers = new WeakMap<EngineRequest, Opener>();

/** Has {@link openSession} open the session of an upgrade request so. */
export function openWith(req: EngineRequest, open: Opener): void {
  openers.set(req, open);
}

/**
 * Answers an upgrade request that was verified: an upgrade of a session, or a WebSocket that is closed at once. For a new session
 * `openNew` is called, which has to lead to {@link openSession}.
 */
export function acceptWebSocket(request: VerifiedUpgrade, openNew: () => void): void {
  const { server, req, stream } = request;
  const gate = gateOf(server);
  const handshake = checkHandshake(req, gate?.[inTransport.deflate]);
  if ("status" in handshake) {
    server[inEngine.tally].refusals.handshake += 1;
    if (gate?.listenerCount("wsClientError")) {
      gate.emit("wsClientError", new Error(handshake.message), stream, req);
    } else {
      abortHandshake(stream, handshake.status, handshake.message, handshake.extraHeaders);
    }
    return;
  }
  claim(stream);
  const upgrade = { ...request, handshake };
  const { sid, transport } = req._query;
  if (transport !== "websocket") {
    const carrier = takeStream(upgrade, Role.Refused, undefined);
    debug("transport doesn't handle upgraded requests");
    logRefused(carrier);
  } else if (sid) {
    upgradeSession(upgrade, Object.hasOwn(server.clients, sid) ? server.clients[sid] : undefined);
  } else {
    openWith(req, (id, refuse) => openWebSocketSession({ ...upgrade, refuse }, id));
    openNew();
  }
}

/**
 * Opens the session that a verified request asks for: on polling with `req` as its first GET, or over the WebSocket that waits for it.
 * `connection` follows: on polling once that GET was answered, else when the code that handles the request has returned.
 *
 * @param createTransport makes the transport of a polling session; a throw refuses it
 * @returns the session; undefined when the session was refused or its client has gone
 */
export async function openSession(
  server: Server,
  req: EngineRequest,
  refuse: ErrorCallback,
  createTransport: () => Transport,
): Promise<Socket | undefined> {
  const open = openers.get(req);
  openers.delete(req);
  const protocol = protocolOf(req);
  if (protocol === 3 && !server.opts.allowEIO3) {
    debug("unsupported protocol version");
    refuse(ERRORS.UNSUPPORTED_PROTOCOL_VERSION, { protocol });
    return undefined;
  }
  let id: string;
  try {
    const given = server.generateId(req);
    // engine.io waits for an id even if it is there, so that whoever handles an upgrade request has returned before `connection`; the
    // one of a polling session comes later anyhow, and need not wait for this.
    id = open === undefined && typeof given === "string" ? given : await given;
    if (Object.hasOwn(server.clients, id)) {
      // engine.io lets the second session replace the first, whose messages then reach nobody.
      throw new Error("the session id is already in use");
    }
  } catch (error) {
    debug("error while generating an id");
    refuse(ERRORS.BAD_REQUEST, { name: "ID_GENERATION_ERROR", error });
    return undefined;
  }
  if (open !== undefined) {
    try {
      return open(id, refuse);
    } catch (error) {
      // A listener of the headers, which engine.io emits outside of its asynchronous handshake: the error is uncaught, no rejection.
      throwApart(error);
      return undefined;
    }
  }
  debug('handshaking client "%s"', id);
  let transport: Transport;
  try {
    transport = createTransport();
    if (!(transport instanceof PollingTransport)) {
      throw new TypeError(
        "sessions without a WebSocket need the transport that super.createTransport makes",
      );
    }
  } catch (error) {
    debug('error handshaking to transport "%s"', req._query.transport);
    refuse(ERRORS.BAD_REQUEST, { name: "TRANSPORT_HANDSHAKE_ERROR", error });
    return undefined;
  }
  return openPollingSession(server, req, id, transport);
}

function openPollingSession(
  server: Server,
  req: EngineRequest,
  id: string,
  transport: PollingTransport,
): Socket {
  rememberPeer(req.socket); // the connection of a request is often gone long before its session is
  const session = new Socket(id, server, req, protocolOf(req));
  session[inEngine.open](transport);
  internHeaders(req);
  if (isUnseenRequest(server, req)) {
    session[inEngine.hideRequest](new AnsweredRequest(req));
  }
  server[inEngine.register](session);
  transport.onRequest(req);
  session[inEngine.tellOpening]();
  return session;
}

function openWebSocketSession(request: UpgradeRequest, id: string): Socket | undefined {
  const { server, req } = request;
  const session = new Socket(id, server, req, protocolOf(req));
  const carrier = takeStream(request, Role.Direct, session);
  if (carrier === undefined) {
    return undefined;
  }
  session[inEngine.setCarrier](carrier);
  if (carrier instanceof UnseenSocket) {
    session[inEngine.hideRequest](new DeferredRequest(req, carrier));
  } else {
    rememberPeer(req.socket);
    internHeaders(req);
    lendWebSocket(req, session);
  }
  server[inEngine.register](session);
  session[inEngine.tellOpening]();
  server[inEngine.announce](session);
  return session;
}

function upgradeSession(request: UpgradeRequest, session: Socket | undefined): void {
  if (session === undefined || !session[inEngine.canUpgrade]()) {
    logUpgradeRefusal(session, takeStream(request, Role.Refused, undefined));
    return;
  }
  const carrier = takeStream(request, Role.Candidate, session);
  // A listener of the headers may have closed the session; then the core refuses the stream.
  if (carrier !== undefined && session.readyState !== "closed") {
    session[inEngine.setCandidate](carrier);
  }
}

/** Writes the 101 and hands the stream over; undefined when there was none left to hand over. */
function takeStream(
  request: UpgradeRequest,
  role: Role,
  session: Socket | undefined,
): Carrier | undefined {
  const { server, stream, head, handshake } = request;
  if (!isAlive(stream)) {
    debug("the client has gone");
    stream.destroy();
    return undefined;
  }
  if (gateOf(server)?.[inTransport.isClosed]) {
    abortHandshake(stream, 503, "Service Unavailable");
    return undefined;
  }
  const response = switchingProtocols(request);
  if (response === undefined || !isAlive(stream)) {
    return undefined; // refused, or a listener has destroyed it
  }
  if (role === Role.Direct) {
    debug('handshaking client "%s"', session?.id);
    session?.[inEngine.open]();
  } else if (role === Role.Candidate) {
    session?.[inEngine.expectCandidate](Boolean(request.req._query.b64));
  }
  const slot = session?.[inEngine.slot] ?? 0;
  const { subprotocol } = handshake;
  const deflate = handshake.deflate?.parameters;
  return carry(
    server[inEngine.link],
    stream,
    head,
    {
      role,
      slot,
      response,
      subprotocol,
      deflate,
      isUnseen: isUnseen(server, request.req, stream),
    },
    server.opts.carrier ?? "auto",
  );
}

/** The 101, with what listeners want in it. A header that could forge others refuses the request. */
function switchingProtocols(request: UpgradeRequest): string | undefined {
  const { server, req, headers, handshake, refuse } = request;
  if (!req._query.sid) {
    server.emit("initial_headers", headers, req);
  }
  server.emit("headers", headers, req);
  debug("writing headers: %j", headers);
  const lines = responseLines(handshake);
  try {
    appendHeaders(lines, headers);
  } catch (error) {
    refuse(ERRORS.BAD_REQUEST, { name: "TRANSPORT_HANDSHAKE_ERROR", error });
    return undefined;
  }
  gateOf(server)?.emit("headers", lines, req);
  return responseHead(lines);
}

/** Whether WebSockets are accepted; undefined when they are switched off, or not the core's. */
function gateOf({ ws }: Server): WebSocketGate | undefined {
  return ws instanceof WebSocketGate ? ws : undefined;
}

const kClaimed = Symbol("claimed");

/** @throws when two engines answer the same upgrade request, as ws does: the second 101 would corrupt the stream */
function claim(stream: Duplex & { [kClaimed]?: true }): void {
  if (stream[kClaimed]) {
    throw new Error(
      "an upgrade request was handled twice; are two engines attached with the same path?",
    );
  }
  stream[kClaimed] = true;
}
