/**
 * Writes the answers of the polling transport: the headers in engine.io's order, the `headers` events, compression.
 *
 * Answers with an error status carry neither; they are written where they are decided.
 */
import type { ServerResponse } from "node:http";
import { createDeflate, createGzip, type ZlibOptions } from "node:zlib";
import { serialize } from "cookie";
import debugModule from "debug";
import { preferredEncoding } from "../accept-encoding";
import { responses } from "../response-queue";
import * as inTransport from "./in-transport";
import { hasListeners } from "./lazy-emitter";
import type { CookieOptions } from "./options";
import type { PollingTransport } from "./polling";
import { type EngineRequest, headerOf } from "./request";
import type { HeaderTable } from "./upgrade-response";

const debug = debugModule("engine:polling");

const COMPRESSORS = { gzip: createGzip, deflate: createDeflate };
/** In the order in which they are offered. */
const ENCODINGS = ["gzip", "deflate"] as const;

/** Answers a POST whose packets were delivered. */
export function acknowledge(
  transport: PollingTransport,
  req: EngineRequest,
  res: ServerResponse,
): void {
  // text/html keeps some old user agents from offering the answer as a download.
  const headers: HeaderTable = { "Content-Type": "text/html", "Content-Length": "2" };
  res.writeHead(200, completeHeaders(transport, req, headers));
  responses.end(res, "ok");
}

/** Answers a parked GET, compressed as `compression` says, the option or false; `done` is called once when the answer was given to Node (compressed: when it has left, or cannot any more). */
export function respond(
  transport: PollingTransport,
  req: EngineRequest,
  res: ServerResponse,
  body: string | Buffer,
  compression: boolean | object | undefined,
  done: () => void,
): void {
  const type = typeof body === "string" ? "text/plain; charset=UTF-8" : "application/octet-stream";
  const headers: HeaderTable = { "Content-Type": type };
  const bytes = Buffer.byteLength(body);
  const encoding = encodingFor(compression, req, bytes);
  if (encoding !== undefined) {
    headers["Content-Encoding"] = encoding;
    res.writeHead(200, completeHeaders(transport, req, headers));
    compressInto(res, encoding, compression, body, done);
    return;
  }
  headers["Content-Length"] = bytes;
  res.writeHead(200, completeHeaders(transport, req, headers));
  res.end(body);
  done();
}

/** How a body of `bytes` bytes will be compressed with the given option: undefined means not at all. */
export function encodingFor(
  compression: boolean | object | undefined,
  req: EngineRequest,
  bytes: number,
): "gzip" | "deflate" | undefined {
  const options = compression as { threshold?: number } | boolean | undefined;
  // Without a threshold (`true`, `{}`) everything is compressed, one byte too.
  if (!options || bytes < ((options as { threshold?: number }).threshold ?? 0)) {
    return undefined;
  }
  return preferredEncoding(headerOf(req, "accept-encoding"), ENCODINGS);
}

/** The compressed length is not known in advance: chunked, as engine.io 6.6.12 does it. */
function compressInto(
  res: ServerResponse,
  encoding: "gzip" | "deflate",
  options: boolean | object | undefined,
  body: string | Buffer,
  done: () => void,
): void {
  let isDone = false;
  const finish = (): void => {
    if (!isDone) {
      isDone = true;
      done();
    }
  };
  const stream = COMPRESSORS[encoding](typeof options === "object" ? (options as ZlibOptions) : {});
  stream.on("error", (error) => {
    debug("compression failed: %s", error.message);
    res.end();
    finish();
  });
  res.once("finish", finish);
  res.once("close", finish); // also when the peer is gone before the end
  stream.pipe(res);
  stream.end(body);
}

/** The headers every successful answer ends with, and the events that may add more. */
function completeHeaders(
  transport: PollingTransport,
  req: EngineRequest,
  headers: HeaderTable,
): Record<string, any> {
  const agent = headerOf(req, "user-agent");
  if (agent !== undefined && (agent.includes(";MSIE") || agent.includes("Trident/"))) {
    headers["X-XSS-Protection"] = "0"; // Internet Explorer warns of the payload otherwise
  }
  headers["cache-control"] = "no-store";
  if (hasListeners(transport) && transport.listenerCount("headers") > 0) {
    transport.emit("headers", headers, req); // the engine is among the listeners
  } else {
    tellEngine.call(transport, headers, req);
  }
  return headers;
}

/** The engine's own listener of a transport's `headers`; put on those alone that have others, which run before or after it. */
export function tellEngine(this: PollingTransport, headers: HeaderTable, req: EngineRequest): void {
  const { [inTransport.session]: session } = this;
  const { server } = session;
  if (!req._query.sid) {
    if (server.opts.cookie) {
      const cookie = server.opts.cookie as CookieOptions;
      headers["Set-Cookie"] = [serialize(cookie.name, session.id, cookie)];
    }
    server.emit("initial_headers", headers, req);
  }
  server.emit("headers", headers, req);
}
