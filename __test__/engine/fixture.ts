/** An engine on an http server of its own, with a fake core: what the tests of WebSockets start from. */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { Server, type ServerOptions } from "../../lib/engine";
import { FakeLink } from "./fake-link";
import { exchange, RawPeer } from "./raw";

export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; // RFC 6455 section 1.3
export const HEAD = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n`;

export const Role = { direct: 0, candidate: 1, refused: 2 };

export function upgrade(query: string, headers = ""): string {
  return `GET /engine.io/?EIO=4&${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`;
}

export interface Fixture {
  server: HttpServer;
  engine: Server;
  link: FakeLink;
  /** Opens a session over WebSocket. */
  open(headers?: string): Promise<{ peer: RawPeer; conn: any }>;
}

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) {
    cleanup();
  }
});

export async function start(
  options: ServerOptions = {},
  server: HttpServer = createServer(),
): Promise<Fixture> {
  const engine = new Server(options);
  const link = FakeLink.under(engine);
  engine.attach(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const streams = new Set<NetSocket>();
  server.on("connection", (socket) => streams.add(socket));
  cleanups.push(() => {
    for (const stream of streams) {
      stream.destroy();
    }
    server.close();
  });
  const open = async (headers = ""): Promise<{ peer: RawPeer; conn: any }> => {
    const connection = once(engine, "connection");
    const peer = await RawPeer.connect(server);
    peer.write(upgrade("transport=websocket", headers));
    const [conn] = await connection;
    return { peer, conn };
  };
  return { server, engine, link, open };
}

/** Opens a polling session. */
export async function openPolling({ server, engine }: Fixture): Promise<any> {
  const connection = once(engine, "connection");
  await exchange(
    server,
    "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\nHost: x\nConnection: close\n\n",
  );
  return (await connection)[0];
}

export const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
