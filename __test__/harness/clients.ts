// Clients of npm's socket.io-client, never shared, never reconnecting unless a test asks for it,
// and the barriers that tell "everything sent before has arrived" without sleeping.

import type { Socket } from "socket.io";
import { type Socket as ClientSocket, io as connectTo } from "socket.io-client";
import { closeClientAfterTest } from "./cleanup";
import { eventually, once } from "./events";
import type { ClientOptions } from "./servers";

/** The three ways in which a client can reach a server. */
export const TRANSPORTS: { label: string; transports: string[] }[] = [
  { label: "polling", transports: ["polling"] },
  { label: "websocket", transports: ["websocket"] },
  { label: "upgrade", transports: ["polling", "websocket"] },
];

/** Opens a client, over WebSocket unless `options` name other transports. */
export function openClient(url: string, options: ClientOptions = {}): ClientSocket {
  const client = connectTo(url, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
    ...options,
  });
  closeClientAfterTest(() => closeWhole(client));
  return client;
}

/** A client whose server is gone may wait in vain for its last packet to leave. */
const CLOSE_LIMIT_MS = 1_000;

/** Ends the whole connection of `client`, also one that is still opening, and waits until it did. */
async function closeWhole(client: ClientSocket): Promise<void> {
  const manager = client.io as unknown as { _close(): void };
  manager._close();
  const { engine } = client.io;
  if (engine !== undefined && engine.readyState !== "closed") {
    await once(engine, "close", CLOSE_LIMIT_MS).catch(() => {});
  }
}

/** The event that the barriers use; tests that record all events leave it out. */
export const BARRIER = "barrier";

/** Resolves when everything that `socket` sent so far has reached `client`. */
export async function settleDown(
  socket: Pick<Socket, "emit">,
  client: ClientSocket,
): Promise<void> {
  const arrived = once(client, BARRIER);
  socket.emit(BARRIER);
  await arrived;
}

/** Resolves when everything that `client` sent so far has reached `socket`. */
export async function settleUp(client: ClientSocket, socket: Socket): Promise<void> {
  const arrived = once(socket, BARRIER);
  client.emit(BARRIER);
  await arrived;
}

/** Records the events that reach `client` from now on, as arrays that start with the name, barriers left out. */
export function record(client: ClientSocket): any[][] {
  const seen: any[][] = [];
  client.onAny((...event: any[]) => {
    if (event[0] !== BARRIER) {
      seen.push(event);
    }
  });
  return seen;
}

/** Resolves when the session behind `socket` has its final transport and could send at once. */
export async function settleTransport(socket: Socket, transports: string[]): Promise<void> {
  const { conn } = socket;
  if (transports.length === 2 && conn.transport.name === "polling") {
    await once(conn, "upgrade");
  }
  await eventually(() => conn.transport.writable, "the transport never became writable");
}
