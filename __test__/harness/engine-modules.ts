// The engine alone: npm's `engine.io` and the entry `sio-rs/engine`, which offer the same exports.

import { createServer, type Server as HttpServer } from "node:http";
import { join } from "node:path";
import type * as EngineIO from "engine.io";
import { closePollingSoon } from "./bare-engine";
import { closeServerAfterTest } from "./cleanup";
import type { Implementation } from "./implementations";
import { listenOnFreePort, trackHttpServer } from "./servers";

/** Where the engine of each implementation is required from. */
export const ENGINE_PATHS = {
  "socket.io": require.resolve("engine.io"),
  "sio-rs": join(__dirname, "..", "..", "engine.js"),
} as const;

/** What `require()` of the engine of either implementation gives. */
export function engineModule(name: Implementation["name"]): typeof EngineIO {
  return require(ENGINE_PATHS[name]) as typeof EngineIO;
}

/** Options of an engine and of what it is attached to. */
export type EngineOptions = EngineIO.ServerOptions & EngineIO.AttachOptions;

export interface RunningEngine {
  /** engine.io's server, without the types that hide half of it. */
  engine: any;
  httpServer: HttpServer;
  port: number;
}

/** Starts an engine that is attached to an http server of its own. `make` may build it from a class of the test's own. */
export async function startEngine(
  name: Implementation["name"],
  options: EngineOptions = {},
  make = (module: typeof EngineIO): EngineIO.Server => new module.Server(options),
  httpServer: HttpServer = createServer(),
): Promise<RunningEngine> {
  const engine = trackEngine(make(engineModule(name)));
  engine.attach(httpServer, options);
  closePollingSoon(engine as never);
  const port = await listenOnFreePort(trackHttpServer(httpServer));
  return { engine, httpServer, port };
}

/** Closes the sessions of an engine after the test. */
export function trackEngine<Engine extends EngineIO.Server>(engine: Engine): Engine {
  closeServerAfterTest(() => engine.close());
  return engine;
}
