/**
 * Builds `socket.handshake`, which most sockets are never asked for: reading a request's headers alone makes Node build half a kilobyte.
 *
 * It says what socket.io would have written down when the socket was made. As long as nobody has been shown the request that cannot change;
 * of any other request the few values that could are kept.
 */
import type { IncomingMessage } from "node:http";
import type { ParsedUrlQuery } from "node:querystring";
import type { TLSSocket } from "node:tls";
import { headerOf } from "./engine/request";
import { HiddenRequest } from "./engine/unseen";
import type { Handshake } from "./socket-types";

/** The request of a session; absent for sessions without one, and when users have taken it off the session. */
export type HandshakeRequest = IncomingMessage | HiddenRequest | null | undefined;

/** Where a handshake comes from that is not built yet. */
export type HandshakeSource = HiddenRequest | KeptFacts;

/** What a handshake says of a request that somebody holds, as it was when the socket was made. The headers are the request's own object. */
class KeptFacts {
  readonly url: string | undefined;
  readonly query: ParsedUrlQuery;
  readonly isCrossDomain: boolean;
  readonly isSecure: boolean;

  constructor(
    readonly request: HandshakeRequest,
    readonly address: string | undefined,
  ) {
    this.url = request?.url;
    this.query = (request as { _query?: ParsedUrlQuery } | null | undefined)?._query || {};
    this.isCrossDomain = Boolean(originOf(request));
    this.isSecure = isSecure(request);
  }
}

function originOf(request: HandshakeRequest): string | undefined {
  return request && !(request instanceof HiddenRequest)
    ? headerOf(request, "origin")
    : request?.headers.origin;
}

/** As with socket.io, where only WebTransport sessions have no request. A request that is hidden came over plain TCP. */
function isSecure(request: HandshakeRequest): boolean {
  const socket =
    request instanceof HiddenRequest ? undefined : (request?.socket ?? request?.connection);
  return !request || Boolean((socket as TLSSocket | undefined)?.encrypted);
}

/** Called when a socket is made. */
export function handshakeSource(
  request: HandshakeRequest,
  address: string | undefined,
): HandshakeSource {
  return request instanceof HiddenRequest && !request.isShown
    ? request
    : new KeptFacts(request, address);
}

/** Called when the request is about to be shown to somebody. */
export function keepFacts(source: HandshakeSource, address: string | undefined): HandshakeSource {
  return source instanceof KeptFacts ? source : new KeptFacts(source, address);
}

/** Tells a source from a handshake, or whatever a user has put in its place. */
export function isHandshakeSource(value: unknown): value is HandshakeSource {
  return value instanceof HiddenRequest || value instanceof KeptFacts;
}

/**
 * @param address for a request that was shown to nobody
 * @param issued when the socket was made, in milliseconds since the epoch
 * @param auth what came with the CONNECT packet
 */
export function buildHandshake(
  source: HandshakeSource,
  address: string | undefined,
  issued: number,
  auth: Record<string, unknown>,
): Handshake {
  const facts = source instanceof KeptFacts ? source : new KeptFacts(source, address);
  return {
    headers: facts.request?.headers || {},
    time: `${new Date(issued)}`,
    address: facts.address as string,
    xdomain: facts.isCrossDomain,
    secure: facts.isSecure,
    issued,
    url: facts.url as string,
    query: facts.query,
    auth,
  };
}
