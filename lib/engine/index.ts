/** The engine on its own, `sio-rs/engine`: what the package engine.io exports. */
import { createServer, type Server as HttpServer } from "node:http";
import * as parser from "engine.io-parser";
import type { AttachOptions, ServerOptions } from "./options";
import { Server } from "./server";

export type { ErrorCallback } from "./errors";
export type { Middleware } from "./middlewares";
export type { AttachOptions, CookieOptions, ServerOptions, TransportName } from "./options";
export type { SendCallback } from "./outgoing";
export type { Packet, PacketType } from "./payload";
export type { EngineRequest } from "./request";
export { type BaseServer, Server } from "./server";
export type { ReadyState } from "./session";
export { type SendOptions, Socket } from "./socket";
export { transports } from "./transport-table";
export { Transport } from "./transports";
export { type uOptions, uServer } from "./userver";
/** The codec of packets and payloads as engine.io has it, for clients and tests. Sessions do not use it: theirs is the core's. */
export { parser };

/** The revision of the Engine.IO protocol. */
export const protocol = 4;

/** Makes an engine and attaches it to an http server. */
export function attach(server: HttpServer, options?: AttachOptions & ServerOptions): Server {
  const engine = new Server(options);
  engine.attach(server, options);
  return engine;
}

/** Makes an engine on an http server of its own, which answers everything else with 501. */
export function listen(
  port: number,
  options?: (AttachOptions & ServerOptions) | (() => void),
  onListening?: () => void,
): Server {
  const given = typeof options === "function" ? {} : options;
  const callback = typeof options === "function" ? options : onListening;
  const server = createServer((_req, res) => {
    res.writeHead(501);
    res.end("Not Implemented");
  });
  const engine = attach(server, given);
  engine.httpServer = server;
  server.listen(port, callback);
  return engine;
}
