/**
 * Makes sessions out of verified requests, and gives the streams of WebSockets to the core.
 *
 * Everything that may take time or fail (the id, the headers) comes before the 101; from then on a stream has one owner, the core.
 */
import type { Duplex } from "node:stream";
import debugModule from "debug";
import { Role } from "../link";
import { AnsweredRequest } from "./answered-request";
import { type Carrier, carry, isAlive } from "./carrier";
import { DeferredRequest } from "./deferred-request";
import { abortHandshake, ERRORS, type ErrorCallback } from "./errors";
import {
  appendHeaders,
  checkHandshake,
  type OpeningHandshake,
  responseHead,
  responseLines,
} from "./handshake";
import { internHeaders } from "./header-pool";
import { UnseenSocket } from "./husk";
import { pollingTransportFor } from "./jsonp";
import { type EngineRequest, protocolOf } from "./request";
import type { Server } from "./server";
import { Socket } from "./socket";
import { isUnseen, isUnseenRequest } from "./unseen";
import type { HeaderTable } from "./upgrade-response";

const debug = debugModule("engine");

/** Opens a session whose first GET is `req`. `connection` follows once that GET was answered. */
export function openPollingSession(
  server: Server,
  req: EngineRequest,
  refuse: ErrorCallback,
): void {
  identify(server, req, refuse, (id) => {
    const session = new Socket(id, server, req, protocolOf(req));
    session._open(pollingTransportFor(session, req));
    internHeaders(req);
    if (isUnseenRequest(server, req)) {
      session._hideRequest(new AnsweredRequest(req));
    }
    server._register(session);
    session.transport.onRequest(req);
  });
}

/** Answers an upgrade request that was verified: a new session, an upgrade of one, or a WebSocket that is closed at once. */
export function acceptWebSocket(
  server: Server,
  req: EngineRequest,
  stream: Duplex,
  head: Buffer,
  headers: HeaderTable,
  refuse: ErrorCallback,
): void {
  const handshake = checkHandshake(req, server.ws?.deflate);
  if ("status" in handshake) {
    abortHandshake(stream, handshake.status, handshake.message, handshake.extraHeaders);
    return;
  }
  const request = { server, req, stream, head, headers, handshake, refuse };
  const { sid, transport } = req._query;
  if (transport !== "websocket") {
    debug("%s does not handle upgrade requests", transport);
    takeStream(request, Role.Refused, undefined);
  } else if (sid) {
    upgradeSession(request, Object.hasOwn(server.clients, sid) ? server.clients[sid] : undefined);
  } else {
    identify(server, req, refuse, (id) => openWebSocketSession(request, id));
  }
}

/** An upgrade request on its way. */
interface UpgradeRequest {
  server: Server;
  req: EngineRequest;
  stream: Duplex;
  head: Buffer;
  /** Headers for the 101. */
  headers: HeaderTable;
  handshake: OpeningHandshake;
  refuse: ErrorCallback;
}

function openWebSocketSession(request: UpgradeRequest, id: string): void {
  const { server, req } = request;
  const session = new Socket(id, server, req, protocolOf(req));
  const carrier = takeStream(request, Role.Direct, session);
  if (carrier !== undefined) {
    session._setCarrier(carrier);
    if (carrier instanceof UnseenSocket) {
      session._hideRequest(new DeferredRequest(req, carrier));
    } else {
      internHeaders(req);
    }
    server._register(session);
    server._announce(session);
  }
}

function upgradeSession(request: UpgradeRequest, session: Socket | undefined): void {
  if (session === undefined || !session._canUpgrade()) {
    debug("no session that could be upgraded");
    takeStream(request, Role.Refused, undefined);
    return;
  }
  const carrier = takeStream(request, Role.Candidate, session);
  if (carrier !== undefined) {
    session._setCandidate(carrier);
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
  claim(stream);
  if (server.ws?.isClosed) {
    abortHandshake(stream, 503, "Service Unavailable");
    return undefined;
  }
  const response = switchingProtocols(request);
  if (response === undefined || !isAlive(stream)) {
    return undefined; // refused, or a listener has destroyed it
  }
  if (role === Role.Direct) {
    session?._open();
  }
  const slot = session?._slot ?? 0;
  const { subprotocol } = handshake;
  const deflate = handshake.deflate?.parameters;
  return carry(
    server._link,
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
  const lines = responseLines(handshake);
  try {
    appendHeaders(lines, headers);
  } catch (error) {
    refuse(ERRORS.BAD_REQUEST, { name: "TRANSPORT_HANDSHAKE_ERROR", error });
    return undefined;
  }
  server.ws?.emit("headers", lines, req);
  return responseHead(lines);
}

/** Settles the protocol revision and the id of a session to be opened. */
function identify(
  server: Server,
  req: EngineRequest,
  refuse: ErrorCallback,
  open: (id: string) => void,
): void {
  const protocol = protocolOf(req);
  if (protocol === 3 && !server.opts.allowEIO3) {
    refuse(ERRORS.UNSUPPORTED_PROTOCOL_VERSION, { protocol });
    return;
  }
  const fail = (error: unknown): void =>
    refuse(ERRORS.BAD_REQUEST, { name: "ID_GENERATION_ERROR", error });
  const use = (id: string): void => {
    if (Object.hasOwn(server.clients, id)) {
      // engine.io lets the second session replace the first, whose messages then reach nobody.
      fail(new Error("the session id is already in use"));
    } else {
      open(id);
    }
  };
  let id: string | PromiseLike<string>;
  try {
    id = server.generateId(req);
  } catch (error) {
    fail(error);
    return;
  }
  if (typeof id === "string") {
    use(id);
  } else {
    Promise.resolve(id).then(use, fail);
  }
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
