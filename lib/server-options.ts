/** The options of the server and what it is given to stand on. */
import type { Server as HTTPServer } from "node:http";
import type { Http2SecureServer, Http2Server } from "node:http2";
import type { Server as HTTPSServer } from "node:https";
import type { Adapter } from "socket.io-adapter";
import type { AttachOptions, ServerOptions as EngineOptions } from "./engine";
import type { Namespace } from "./namespace";

/** Makes the adapter of a namespace: a class, or a function that returns one. */
export type AdapterConstructor = typeof Adapter | ((nsp: Namespace) => Adapter);

/** The http servers that can be attached to. */
export type TServerInstance = HTTPServer | HTTPSServer | Http2SecureServer | Http2Server;

/** Connection state recovery: clients that come back in time find their socket's id, rooms and data, and the events they have missed. */
export interface RecoveryOptions {
  /** How long the state of a socket is kept, in milliseconds; 2 minutes. */
  maxDisconnectionDuration?: number;
  /** Whether a client that comes back need not pass the middlewares again; true. */
  skipMiddlewares?: boolean;
}

/** Options of the server, and those of the engine, which are handed on. */
export interface ServerOptions extends EngineOptions, AttachOptions {
  /** The path that requests to the server begin with; `/socket.io`. */
  path: string;
  /** Whether the files of the client are served below the path; true. */
  serveClient: boolean;
  /** What keeps rooms and does broadcasts; in memory. */
  adapter: AdapterConstructor;
  /** An object with the classes `Encoder` and `Decoder`; the default format of Socket.IO. */
  parser: any;
  /** How long a client may stay without joining a namespace, in milliseconds; 45000. */
  connectTimeout: number;
  /** Connection state recovery; off. */
  connectionStateRecovery: RecoveryOptions;
  /** Whether a dynamic namespace goes when its last client has left; false. */
  cleanupEmptyChildNamespaces: boolean;
}

/** socket.io's default of `path`. */
export const DEFAULT_PATH = "/socket.io";
/** socket.io's default of `connectTimeout`, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 45_000;

/** Fills in the defaults of connection state recovery. */
export function completeRecovery(given: RecoveryOptions): Required<RecoveryOptions> {
  return Object.assign({ maxDisconnectionDuration: 2 * 60_000, skipMiddlewares: true }, given);
}
