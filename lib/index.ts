/**
 * What `require()` gives: a function that makes a server, with the classes `Server`, `Namespace` and `Socket` on it, and nothing else.
 *
 * The named exports are the types' view of the same, and what `import { Server }` resolves to.
 */
import { Namespace } from "./namespace";
import { Server } from "./server";
import type { ServerOptions, TServerInstance } from "./server-options";
import { Socket } from "./socket";

export type { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
export type { DrainOptions } from "./drain";
export type { Metrics, OutboxBytes, QueueDelay } from "./metrics";
export type { ExtendedError } from "./namespace";
export type { ServerOptions } from "./server-options";
export type { Event } from "./socket";
export type { DisconnectReason } from "./socket-types";
export type { DefaultEventsMap } from "./typed-events";
export { Namespace, Server, Socket };

/** `require("sio-rs")(3000)`: a server without `new`. */
function createServer(
  srv?: Partial<ServerOptions> | TServerInstance | number,
  opts?: Partial<ServerOptions>,
): Server {
  return new Server(srv, opts);
}

module.exports = Object.assign(createServer, { Server, Namespace, Socket });
