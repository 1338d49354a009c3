// The TCP connection under a WebSocket session, as users reach it through the request: addresses, close, timeouts.
// It is a live object for the whole session, whoever reads and writes its bytes.

import { createServer } from "node:http";
import { Socket as NetSocket } from "node:net";
import { settleDown } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { RawWebSocket } from "../harness/raw-websocket";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startPair,
  startServer,
  track,
} from "../harness/servers";

describeBoth("connection stream", (implementation) => {
  it("addresses of both ends stay known", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const stream = (await joined).request.socket;
    expect(stream).toBeInstanceOf(NetSocket);
    expect(stream.remoteAddress).toMatch(/127\.0\.0\.1$/);
    expect(stream.remotePort).toBe(peer.stream.localPort);
    expect(stream.localAddress).toMatch(/127\.0\.0\.1$/);
    expect(stream.localPort).toBe(port);
    expect(stream.address()).toMatchObject({ port });
  });

  it("it emits close when the client leaves, and not before", async () => {
    const { socket, client } = await startPair(implementation);
    const stream = socket.request.socket;
    let isClosed = false;
    stream.on("close", () => {
      isClosed = true;
    });
    await settleDown(socket, client);
    expect([isClosed, stream.destroyed]).toEqual([false, false]);
    const closed = once(stream, "close");
    client.disconnect();
    await closed;
    expect(stream.destroyed).toBe(true);
  });

  it("destroying the request ends the session", async () => {
    const { socket } = await startPair(implementation);
    const left = onceValue(socket, "disconnect");
    socket.request.destroy();
    expect(await left).toBe("transport close");
  });

  it("timeouts of the HTTP server do not end a websocket", async () => {
    const httpServer = createServer();
    httpServer.setTimeout(40);
    httpServer.keepAliveTimeout = 20;
    httpServer.requestTimeout = 30;
    httpServer.headersTimeout = 30;
    const io = track(new implementation.Server(httpServer));
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const { socket, client } = await joinPair(running);
    // The time that must pass without anything happening is what this case is about.
    await new Promise((resolve) => setTimeout(resolve, 150));
    await settleDown(socket, client);
    expect(client.connected).toBe(true);
  });

  it("maxConnections counts websockets", async () => {
    const { httpServer, port, io } = await startServer(implementation);
    httpServer.maxConnections = 2;
    const peers = [await RawWebSocket.join(port), await RawWebSocket.join(port)];
    await expect(RawWebSocket.open(port)).rejects.toThrow();
    const closed = onceValue(Object.values(internals(io.engine).clients)[0] as never, "close");
    peers[0]?.stream.destroy();
    await closed;
    const freed = new Promise<void>((resolve, reject) => {
      const ask = (): void => {
        httpServer.getConnections((error, count) => {
          if (error) {
            reject(error);
          } else if (count < 2) {
            resolve();
          } else {
            setImmediate(ask);
          }
        });
      };
      ask();
    });
    await freed;
    await RawWebSocket.join(port);
  });

  it("a listener of upgrade may keep the stream, and reads nothing of the session", async () => {
    const { httpServer, port, io } = await startServer(implementation);
    const kept: unknown[] = [];
    httpServer.on("upgrade", (_request, stream) => kept.push(stream));
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const socket = await joined;
    expect(kept).toHaveLength(1);
    const heard = once(socket, "x");
    peer.send('42["x"]');
    await heard;
    const closed = once(kept[0] as never, "close");
    peer.stream.destroy();
    await closed;
  });

  it("a connection listener of the HTTP server sees every connection once", async () => {
    const { httpServer, port } = await startServer(implementation);
    const streams: NetSocket[] = [];
    httpServer.on("connection", (stream) => streams.push(stream));
    const peer = await RawWebSocket.join(port);
    expect(streams).toHaveLength(1);
    const closed = once(streams[0] as never, "close");
    peer.stream.destroy();
    await closed;
  });
});
