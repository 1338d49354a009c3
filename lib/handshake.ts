/** Builds `socket.handshake`, which most sockets are never asked for: reading a request's headers alone makes Node build half a kilobyte. */
import type { IncomingMessage } from "node:http";
import type { ParsedUrlQuery } from "node:querystring";
import type { TLSSocket } from "node:tls";
import type { Handshake } from "./socket-types";

/** What is read of the request of a session; absent for sessions without one, and when users have taken it off the session. */
export type HandshakeRequest =
  | (Pick<IncomingMessage, "headers" | "url"> & {
      readonly socket?: IncomingMessage["socket"];
      readonly _query?: ParsedUrlQuery;
    })
  | null
  | undefined;

/**
 * @param issued when the socket was made, in milliseconds since the epoch
 * @param auth what came with the CONNECT packet
 */
export function buildHandshake(
  request: HandshakeRequest,
  address: string | undefined,
  issued: number,
  auth: Record<string, unknown>,
): Handshake {
  return {
    headers: request?.headers || {},
    time: `${new Date(issued)}`,
    address: address as string,
    xdomain: Boolean(request?.headers.origin),
    // As with socket.io, where only WebTransport sessions have no request.
    secure: !request || Boolean((request.socket as TLSSocket | undefined)?.encrypted),
    issued,
    url: request?.url as string,
    query: request?._query || {},
    auth,
  };
}
