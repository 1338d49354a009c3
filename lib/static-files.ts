/**
 * Serves the files of the client, which stand beside dist/, below the server's path: `/socket.io/socket.io.js`.
 *
 * Sending is a static method of the server (`Server.sendFile`), which users may replace.
 */
import { createReadStream, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline, type Transform } from "node:stream";
import { createBrotliCompress, createDeflate, createGzip } from "node:zlib";
import debugModule from "debug";
import { preferredEncoding } from "./accept-encoding";

const debug = debugModule("socket.io:server");

const CLIENT_FOLDER = join(__dirname, "..", "client-dist");

const CLIENT_FILES: ReadonlySet<string> = new Set(
  ["socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js", "socket.io.esm.min.js"].flatMap(
    (file) => [file, `${file}.map`],
  ),
);

const COMPRESSORS: Readonly<Record<"br" | "gzip" | "deflate", () => Transform>> = {
  br: createBrotliCompress,
  gzip: createGzip,
  deflate: createDeflate,
};

/** Among equals the first is chosen. */
const ENCODINGS = ["br", "gzip", "deflate"] as const;

/** Whether there is a file of this name. */
export function isClientFile(name: string): boolean {
  return CLIENT_FILES.has(name);
}

/** Answers a request for a file of the client; `send` is called unless the browser has it. */
export function answerClientFile(
  name: string,
  req: IncomingMessage,
  res: ServerResponse,
  send: (name: string, req: IncomingMessage, res: ServerResponse) => void,
): void {
  if (isKnownVersion(name, req.headers["if-none-match"])) {
    res.writeHead(304);
    res.end();
    return;
  }
  for (const [header, value] of Object.entries(clientFileHeaders(name))) {
    res.setHeader(header, value);
  }
  send(name, req, res);
}

/** Whether the browser has the file, by its `If-None-Match`. */
export function isKnownVersion(name: string, etag: string | undefined): boolean {
  const own = `"${clientVersion()}"`;
  const isKnown = etag === own || etag === `W/${own}`;
  debug("serve client %s%s", name.endsWith(".map") ? "map" : "source", isKnown ? " 304" : "");
  return isKnown;
}

/** What is told of a file before it is sent. */
export function clientFileHeaders(name: string): Record<string, string> {
  return {
    "Cache-Control": "public, max-age=0",
    "Content-Type": `application/${name.endsWith(".map") ? "json" : "javascript"}; charset=utf-8`,
    ETag: `"${clientVersion()}"`,
  };
}

/** Where a file of the client stands. */
export function clientFilePath(name: string): string {
  return join(CLIENT_FOLDER, name);
}

/** Sends a file of the client, compressed as the browser likes it. */
export function sendClientFile(name: string, req: IncomingMessage, res: ServerResponse): void {
  const file = createReadStream(clientFilePath(name));
  const onEnd = (error: Error | null | undefined) => {
    if (error) {
      res.end();
    }
  };
  const encoding = preferredEncoding(
    req.headers["accept-encoding"] as string | undefined,
    ENCODINGS,
  );
  if (encoding === undefined) {
    res.writeHead(200);
    pipeline(file, res, onEnd);
  } else {
    res.writeHead(200, { "content-encoding": encoding });
    pipeline(file, COMPRESSORS[encoding](), res, onEnd);
  }
}

let version: string | undefined;

/** The version of the client, which is not the package's: the bundle names it in its first line. */
function clientVersion(): string {
  version ??= readVersion();
  return version;
}

/** A file that is missing is told to who asks for it, with an empty answer as by socket.io; here it is no reason to fail. */
function readVersion(): string {
  try {
    const bundle = readFileSync(clientFilePath("socket.io.min.js"), "latin1");
    return /Socket\.IO v(\S+)/.exec(bundle)?.[1] ?? "";
  } catch {
    return "";
  }
}
