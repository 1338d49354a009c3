/**
 * The error codes of the engine's handshake, their texts, and the bytes they are answered with: JSON on plain requests, a bare 400 on
 * upgrade requests, ws's wording for a bad opening handshake.
 */
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import debugModule from "debug";

const debug = debugModule("engine");

/** Error codes by name; `Server.errors`. */
export const ERRORS = {
  UNKNOWN_TRANSPORT: 0,
  UNKNOWN_SID: 1,
  BAD_HANDSHAKE_METHOD: 2,
  BAD_REQUEST: 3,
  FORBIDDEN: 4,
  UNSUPPORTED_PROTOCOL_VERSION: 5,
} as const;

/** One of the error codes. */
export type ErrorCode = (typeof ERRORS)[keyof typeof ERRORS];

/** Texts by error code; `Server.errorMessages`. */
export const ERROR_MESSAGES = {
  0: "Transport unknown",
  1: "Session ID unknown",
  2: "Bad handshake method",
  3: "Bad request",
  4: "Forbidden",
  5: "Unsupported protocol version",
} as const;

/** What `connection_error` tells beside the code; `message` replaces the code's text in the answer. */
export type ErrorContext = Record<string, unknown> & { name?: string; message?: string };

/** Called with a code when a request is refused, without one when it is accepted. */
export type ErrorCallback = (errorCode?: ErrorCode, errorContext?: ErrorContext) => void;

/** Refuses a plain request. Headers that middlewares have set stay. */
export function abortRequest(res: ServerResponse, code: ErrorCode, context?: ErrorContext): void {
  if (res.headersSent) {
    debug("response headers already sent, skipping error response");
    if (!res.writableEnded) {
      res.end();
    }
    return;
  }
  const message = context?.message || ERROR_MESSAGES[code];
  res.writeHead(code === ERRORS.FORBIDDEN ? 403 : 400, { "Content-Type": "application/json" });
  res.end(JSON.stringify({ code, message }));
}

/** Refuses an upgrade request: always 400, without the headers of middlewares; the spelling of the header names is engine.io's. */
export function abortUpgrade(stream: Duplex, code: ErrorCode, context?: ErrorContext): void {
  if (stream.writable) {
    const message = context?.message || ERROR_MESSAGES[code];
    stream.write(
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\n" +
        `Content-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
    );
  }
  stream.destroy();
}

/** Refuses an opening handshake as ws does: the stream is closed once the answer has left. */
export function abortHandshake(
  stream: Duplex,
  status: number,
  message: string,
  extraHeaders = "",
): void {
  stream.once("finish", stream.destroy);
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/html\r\n` +
      `Content-Length: ${Buffer.byteLength(message)}\r\n${extraHeaders}\r\n${message}`,
  );
}

/**
 * How long a client that is refused while the server is drained should stay away, in seconds: by then a balancer has found out that there are
 * others. socket.io-client does not look, and comes again after its own `reconnectionDelay`.
 */
const RETRY_AFTER_SECONDS = 1;
const DRAINING = "The server is being drained";

/** Refuses the request for a new session while the server is drained; the connection must not bring further ones here. */
export function abortDraining(res: ServerResponse): void {
  if (res.headersSent) {
    res.end(); // a middleware has begun the response
    return;
  }
  res.writeHead(503, {
    "Content-Type": "application/json",
    "Retry-After": `${RETRY_AFTER_SECONDS}`,
    Connection: "close",
  });
  res.end(JSON.stringify({ message: DRAINING }));
}

/** The same for an upgrade request. */
export function abortDrainingUpgrade(stream: Duplex): void {
  abortHandshake(stream, 503, DRAINING, `Retry-After: ${RETRY_AFTER_SECONDS}\r\n`);
}

/** The error listener of a stream from its upgrade request on: whatever happens to it must not reach `uncaughtException`. */
export function destroyOnError(this: Duplex): void {
  this.destroy();
}

/** An error as engine.io's transports make them. */
export function transportError(message: string, description?: unknown): Error {
  return Object.assign(new Error(message), { type: "TransportError", description });
}

/** The one that a write ends in which fails. */
export function writeError(cause: Error): Error {
  return transportError("write error", cause.stack);
}
