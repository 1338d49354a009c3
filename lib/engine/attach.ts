/**
 * Puts an engine in front of an http server: requests with the engine's path are its own, the listeners that were there before get the
 * others.
 *
 * Listeners added later are ordinary ones, and see the engine's requests too.
 */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import debugModule from "debug";
import { destroyOnError } from "./errors";
import type { AttachOptions } from "./options";
import type { Server } from "./server";
import { noteAttached, noteShown } from "./unseen";

const debug = debugModule("engine");

const DEFAULT_PATH = "/engine.io";
/** How long an upgrade request may stay without an answer of anybody, in milliseconds. */
const DESTROY_UPGRADE_TIMEOUT_MS = 1000;

/** The path that is captured, as a prefix. */
export function computePath(options: AttachOptions): string {
  const path = (options.path || DEFAULT_PATH).replace(/\/$/, "");
  return options.addTrailingSlash === false ? path : `${path}/`;
}

/** Installs the listeners; `init` is called whenever the http server begins to listen. */
export function attachEngine(
  engine: Server,
  server: HttpServer,
  options: AttachOptions,
  path: string,
  init: () => void,
): void {
  // The raw text is compared, as engine.io does: nothing is decoded or normalised.
  const isOurs = (req: IncomingMessage): boolean => (req.url as string).startsWith(path);

  const others = server.listeners("request");
  server.removeAllListeners("request");
  server.on("close", () => engine.close());
  server.on("listening", init);
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    if (isOurs(req)) {
      debug('intercepting request for path "%s"', path);
      engine.handleRequest(req, res);
    } else {
      noteShown(req.socket);
      for (const listener of others) {
        listener.call(server, req, res);
      }
    }
  });
  if (!engine.opts.transports.includes("websocket")) {
    return; // without a listener Node treats upgrade requests as plain ones
  }
  server.on("upgrade", (req: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (isOurs(req)) {
      engine.handleUpgrade(req, stream, head);
    } else if (options.destroyUpgrade !== false) {
      endUnlessAnswered(stream, options.destroyUpgradeTimeout || DESTROY_UPGRADE_TIMEOUT_MS);
    }
  });
  noteAttached(server);
}

function tellError(error: Error): void {
  debug("error while destroying upgrade: %s", error.message);
}

/** Node ends upgrade requests when there is no listener; now there is one, so it falls to us. */
function endUnlessAnswered(stream: Duplex & { bytesWritten?: number }, timeoutMs: number): void {
  stream.on("error", destroyOnError);
  stream.on("error", tellError);
  setTimeout(() => {
    if (stream.writable && (stream.bytesWritten as number) <= 0) {
      stream.end();
    }
  }, timeoutMs);
}
