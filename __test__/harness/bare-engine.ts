// An Engine.IO server alone: its sessions carry any message, since nobody above decodes socket packets.

import type { Server, ServerOptions } from "socket.io";
import type { Implementation } from "./implementations";
import { type Running, startServer } from "./servers";

/** What the tests use of an engine session; the engine's own types hide half of it. */
export type Session = any;

export interface BareEngine extends Running {
  engine: Server["engine"];
  /** Resolves with the next session. */
  nextSession(): Promise<Session>;
}

/**
 * How long a polling session that was closed without a waiting poll keeps its goodbye for the next one.
 * The default of 30 s would keep the process of the tests alive.
 */
const CLOSE_TIMEOUT_MS = 300;

/** Starts a server and takes the Socket.IO layer off it: that layer is nothing but a `connection` listener. */
export async function startBareEngine(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<BareEngine> {
  const running = await startServer(implementation, options);
  const { engine } = running.io;
  engine.removeAllListeners("connection");
  closePollingSoon(engine);
  return {
    ...running,
    engine,
    nextSession: () => new Promise((resolve) => engine.once("connection", resolve)),
  };
}

/** Shortens the goodbye of polling sessions, for a test that ends them without another poll. */
export function closePollingSoon(engine: Server["engine"]): void {
  engine.on("connection", (session: Session) => {
    if (session.transport.name === "polling") {
      session.transport.closeTimeout = CLOSE_TIMEOUT_MS;
    }
  });
}
