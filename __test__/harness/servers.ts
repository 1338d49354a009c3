// Starts servers of either implementation on a free port of 127.0.0.1 and registers their end.

import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";
import type { Server, ServerOptions, Socket } from "socket.io";
import type { Socket as ClientSocket, ManagerOptions, SocketOptions } from "socket.io-client";
import { closeServerAfterTest } from "./cleanup";
import { openClient } from "./clients";
import { once } from "./events";
import type { Implementation } from "./implementations";

/** A server that listens, and the way to it. */
export interface Running {
  io: Server;
  httpServer: HttpServer;
  port: number;
  url: string;
  /** Opens a client of `namespace`; does not wait for it. */
  connect(namespace?: string, options?: ClientOptions): ClientSocket;
}

/** Options of a client, as socket.io-client names them. */
export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

/** Both ends of one connection to the namespace `/`. */
export interface Pair extends Running {
  client: ClientSocket;
  socket: Socket;
}

/** Listens on a free port and returns it. */
export async function listenOnFreePort(server: NetServer): Promise<number> {
  const listening = once(server, "listening");
  server.listen(0, "127.0.0.1");
  await listening;
  return (server.address() as AddressInfo).port;
}

/** Closes `io` after the test, whatever the test did with it. */
export function track<Tracked extends Server>(io: Tracked): Tracked {
  closeServerAfterTest(async () => {
    // A server that was never attached has nothing to close.
    if (io.engine !== undefined) {
      await io.close();
    }
  });
  return io;
}

/** Closes a plain HTTP server after the test. */
export function trackHttpServer<Tracked extends NetServer>(server: Tracked): Tracked {
  closeServerAfterTest(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        (server as NetServer as Partial<HttpServer>).closeAllConnections?.();
      }),
  );
  return server;
}

/** Starts a server attached to a plain HTTP server. */
export async function startServer(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<Running> {
  const httpServer = createServer();
  const io = track(new implementation.Server(httpServer, options));
  const port = await listenOnFreePort(httpServer);
  return describeRunning(io, httpServer, port);
}

/** Completes what a test needs to know of a server that it attached itself. */
export function describeRunning(io: Server, httpServer: HttpServer, port: number): Running {
  const url = `http://127.0.0.1:${port}`;
  return {
    io,
    httpServer,
    port,
    url,
    connect: (namespace = "/", options = {}) => openClient(`${url}${namespace}`, options),
  };
}

/** Starts a server and connects one client to it. */
export async function startPair(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
  clientOptions: ClientOptions = {},
): Promise<Pair> {
  const running = await startServer(implementation, options);
  return { ...running, ...(await joinPair(running, "/", clientOptions)) };
}

/** Connects one more client and waits until both ends know it. */
export async function joinPair(
  running: Running,
  namespace = "/",
  options: ClientOptions = {},
): Promise<{ client: ClientSocket; socket: Socket }> {
  const client = running.connect(namespace, options);
  await once(client, "connect");
  // A static namespace is known by now; a dynamic one was created by the connection.
  const socket = running.io.of(namespace).sockets.get(client.id as string) as Socket;
  return { client, socket };
}

/** Joins one more namespace over the connection that `client` has. */
export async function joinOver(
  running: Running,
  client: ClientSocket,
  namespace: string,
  options: ClientOptions = {},
): Promise<{ client: ClientSocket; socket: Socket }> {
  const other = client.io.socket(namespace, options);
  await once(other, "connect");
  const socket = running.io.of(namespace).sockets.get(other.id as string) as Socket;
  return { client: other, socket };
}

/** Connects `count` clients to `namespace`; the order of the result is the order of joining. */
export async function joinPairs(
  running: Running,
  count: number,
  namespace = "/",
): Promise<{ client: ClientSocket; socket: Socket }[]> {
  const pairs = [];
  for (let index = 0; index < count; index += 1) {
    pairs.push(await joinPair(running, namespace));
  }
  return pairs;
}
