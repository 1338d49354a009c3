/**
 * `uServer`: the engine on uWebSockets.js, which brings an http server and a WebSocket codec of its own, so that the core has no part in it.
 * It is the one of the package engine.io, which whoever wants it installs besides (an optional peer dependency); nothing of it is loaded
 * before it is used.
 */
import type { AttachOptions, ServerOptions } from "./options";
import type { Server } from "./server";

/** Options of uWebSockets.js, with its names, units and defaults. */
export interface uOptions {
  /** How messages over WebSocket are compressed: one of its constants; `uWS.DISABLED`. */
  compression?: number;
  /** Seconds without a message after which a connection is closed, 0 for never; 120. */
  idleTimeout?: number;
  /** Bytes that may wait for a connection before messages to it are skipped; 1024 * 1024. */
  maxBackpressure?: number;
}

/** engine.io's server on an app of uWebSockets.js. */
export interface uServer
  extends Omit<
    Server,
    "attach" | "close" | "handleRequest" | "handleUpgrade" | "httpServer" | "ws"
  > {
  /** Takes the requests and WebSockets of the app that are below the path. */
  attach(app: any, options?: AttachOptions & uOptions): void;
  close(): this;
}

type Constructor = (new (
  options?: ServerOptions,
) => uServer) &
  Pick<typeof Server, "errors" | "errorMessages">;

/** engine.io's class, once somebody has asked for it; null when there is none. */
let loaded: Constructor | null | undefined;

function load(): Constructor | null {
  if (loaded === undefined) {
    try {
      loaded = (require("engine.io") as { uServer?: Constructor }).uServer ?? null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") {
        throw error;
      }
      loaded = null;
    }
  }
  return loaded;
}

/** What is to be installed, for who does without. */
function required(): Constructor {
  const loadedClass = load();
  if (loadedClass === null) {
    throw Object.assign(
      new Error(
        "A server on uWebSockets.js is engine.io's: install it with `npm install engine.io@6`, or use a http.Server, on which sio-rs has its own engine.",
      ),
      { code: "SIO_RS_NO_USERVER" },
    );
  }
  return loadedClass;
}

/**
 * engine.io's class, under a name that can be imported and destructured where there is no engine.io.
 *
 * @throws Error with the code `SIO_RS_NO_USERVER`, when one is made and engine.io is not installed
 */
export const uServer: Constructor = new Proxy(function uServer() {} as unknown as Constructor, {
  construct: (_target, args, newTarget) => {
    const engineClass = required();
    return Reflect.construct(engineClass, args, newTarget === uServer ? engineClass : newTarget);
  },
  get: (target, key) => Reflect.get(load() ?? target, key),
});
