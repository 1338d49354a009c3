/** What can be said about a socket without the class: its handshake, its reserved events, why it was disconnected. */
import type { IncomingHttpHeaders } from "node:http";
import type { ParsedUrlQuery } from "node:querystring";

/** Why a socket was disconnected. */
export type DisconnectReason =
  // Engine.IO's close reasons
  | "transport error"
  | "transport close"
  | "forced close"
  | "ping timeout"
  | "parse error"
  // and Socket.IO's own
  | "server shutting down"
  | "forced server close"
  | "client namespace disconnect"
  | "server namespace disconnect";

/** Events that a socket emits by itself. */
export interface SocketReservedEventsMap {
  /** The socket has left its rooms and its namespace. */
  disconnect: (reason: DisconnectReason, description?: any) => void;
  /** The socket is about to be disconnected and is still in its rooms. */
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  /** A packet could not be decoded, or a middleware of the socket has refused one. */
  error: (err: Error) => void;
}

/** Events that Node's EventEmitter emits by itself. */
export interface EventEmitterReservedEventsMap {
  newListener: (eventName: string | symbol, listener: (...args: any[]) => void) => void;
  removeListener: (eventName: string | symbol, listener: (...args: any[]) => void) => void;
}

/** Names that neither side may send as an event. */
export const RESERVED_EVENTS: ReadonlySet<string | symbol> = new Set<
  keyof SocketReservedEventsMap | keyof EventEmitterReservedEventsMap | "connect" | "connect_error"
>(["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]);

/** Facts about the request that opened the session, and what the client sent with its CONNECT packet. */
export interface Handshake {
  /** The headers of the request; the same object as `request.headers`. */
  headers: IncomingHttpHeaders;
  /** When the socket was made, as text. */
  time: string;
  /** The address of the client. */
  address: string;
  /** Whether the request came from a page of another origin. */
  xdomain: boolean;
  /** Whether the connection is encrypted. */
  secure: boolean;
  /** When the socket was made, in milliseconds since the epoch. */
  issued: number;
  /** The URL of the request. */
  url: string;
  /** The query of the request. */
  query: ParsedUrlQuery;
  /** What the client sent as `auth`. */
  auth: { [key: string]: any };
}
