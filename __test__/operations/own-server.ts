// sio-rs as these tests need it: what is tested here, socket.io does not have.

import type { Server as SocketIoServer } from "socket.io";
import type { Server } from "../../lib";
import { loadImplementation } from "../harness/implementations";
import { type Running, startServer } from "../harness/servers";

export const ours = loadImplementation("sio-rs");

/** What socket.io's servers have, and ours besides. */
export type OwnServer = SocketIoServer & Pick<Server, "metrics" | "drain">;

export interface OwnRunning extends Running {
  io: OwnServer;
}

export async function startOwn(options: Record<string, unknown> = {}): Promise<OwnRunning> {
  return (await startServer(ours, options)) as OwnRunning;
}
