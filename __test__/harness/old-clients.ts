// Clients of earlier lines, as npm has them: socket.io-client 2 speaks revision 3 of the Engine.IO protocol, socket.io-client 3 the
// present one. Never shared, never reconnecting unless a test asks for it.

import { closeClientAfterTest } from "./cleanup";

/** The tests use what all lines have in common, and there are no types for the oldest. */
export type OldClient = any;

type Connect = (url: string, options: object) => OldClient;

const connectV2 = require("socket.io-client-v2") as Connect;
const { io: connectV3 } = require("socket.io-client-v3") as { io: Connect };
const openEngine = require("engine.io-client-v3") as Connect;

/** Opens a client of socket.io 2, over WebSocket unless `options` name other transports. */
export function openV2Client(url: string, options: object = {}): OldClient {
  return open(connectV2, url, options);
}

/** Opens a client of socket.io 3. */
export function openV3Client(url: string, options: object = {}): OldClient {
  return open(connectV3, url, options);
}

/** Opens a client of engine.io 3, which has no socket packets. */
export function openEngineV3Client(url: string, options: object = {}): OldClient {
  const client = openEngine(url, { path: "/socket.io", ...options });
  closeClientAfterTest(() => client.close());
  return client;
}

function open(connect: Connect, url: string, options: object): OldClient {
  const client = connect(url, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
    ...options,
  });
  closeClientAfterTest(() => {
    client.io.skipReconnect = true;
    client.io.reconnection(false);
    client.close();
    client.io.engine?.close();
  });
  return client;
}
