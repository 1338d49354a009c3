/**
 * Decides whether a request may go on, in engine.io's order: transport, Origin, then either the session it names or the handshake it
 * asks for. The first failure wins.
 */
import debugModule from "debug";
import { ERRORS, type ErrorCallback, type ErrorCode, type ErrorContext } from "./errors";
import type { EngineOptions, TransportName } from "./options";
import { type EngineRequest, headerOf, protocolOf } from "./request";
import type { Socket } from "./socket";

const debug = debugModule("engine");

/** Control characters other than TAB, and what cannot be a byte, are never part of a header (RFC 9110 section 5.5). */
const INVALID_HEADER = /[^\t\x20-\x7e\x80-\xff]/;

/** What the decision depends on. */
export interface VerifyContext {
  opts: EngineOptions;
  clients: Record<string, Socket>;
}

/** Why a request is refused. */
interface Refusal {
  code: ErrorCode;
  context: ErrorContext;
}

/** Calls `callback` without arguments when the request is accepted; `allowRequest` may make that later. */
export function verifyRequest(
  engine: VerifyContext,
  req: EngineRequest,
  isUpgrade: boolean,
  callback: ErrorCallback,
): void {
  const refusal = refusalOf(engine, req, isUpgrade);
  if (refusal !== undefined) {
    callback(refusal.code, refusal.context);
  } else if (req._query.sid || !engine.opts.allowRequest) {
    callback();
  } else {
    // Only a handshake is shown to the application, never a later request of its session.
    engine.opts.allowRequest(req, (message, accepted) => {
      if (accepted) {
        callback();
      } else {
        callback(ERRORS.FORBIDDEN, { message: message as string | undefined });
      }
    });
  }
}

function refusalOf(
  { opts, clients }: VerifyContext,
  req: EngineRequest,
  isUpgrade: boolean,
): Refusal | undefined {
  const transport = req._query.transport as TransportName;
  // A WebTransport session never begins with a request, so the name is refused here even where it is allowed.
  if (!opts.transports.includes(transport) || transport === "webtransport") {
    debug('unknown transport "%s"', transport);
    return { code: ERRORS.UNKNOWN_TRANSPORT, context: { transport } };
  }
  const origin = headerOf(req, "origin");
  if (origin !== undefined && INVALID_HEADER.test(origin)) {
    (req.headers as Record<string, unknown>).origin = null;
    debug("origin header invalid");
    return { code: ERRORS.BAD_REQUEST, context: { name: "INVALID_ORIGIN", origin } };
  }
  if (req._query.sid) {
    return refusalBySession(clients, req, isUpgrade);
  }
  if (req.method !== "GET") {
    return { code: ERRORS.BAD_HANDSHAKE_METHOD, context: { method: req.method } };
  }
  if (transport === "websocket" && !isUpgrade) {
    debug("invalid transport upgrade");
    return { code: ERRORS.BAD_REQUEST, context: { name: "TRANSPORT_HANDSHAKE_ERROR" } };
  }
  return undefined;
}

function refusalBySession(
  clients: Record<string, Socket>,
  req: EngineRequest,
  isUpgrade: boolean,
): Refusal | undefined {
  const { sid, transport } = req._query as { sid: string; transport: string };
  // An own key only: the sid is the peer's text, and "constructor" names no session.
  const session = Object.hasOwn(clients, sid) ? clients[sid] : undefined;
  if (session === undefined) {
    debug('unknown sid "%s"', sid);
    return { code: ERRORS.UNKNOWN_SID, context: { sid } };
  }
  const previousTransport = session.transport.name;
  if (!isUpgrade && previousTransport !== transport) {
    debug("bad request: unexpected transport without upgrade");
    const name = "TRANSPORT_MISMATCH";
    return { code: ERRORS.BAD_REQUEST, context: { name, transport, previousTransport } };
  }
  const protocol = protocolOf(req);
  const previousProtocol = session.protocol;
  if (previousProtocol !== protocol) {
    debug("bad request: unexpected protocol version during upgrade");
    const name = "PROTOCOL_MISMATCH";
    return { code: ERRORS.BAD_REQUEST, context: { name, protocol, previousProtocol } };
  }
  return undefined;
}
