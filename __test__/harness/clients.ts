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
  // `_close` ends the whole connection, also one that is still opening.
  closeClientAfterTest(() => (client.io as unknown as { _close(): void })._close());
  return client;
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
