// The TCP connection under a WebSocket session, as users reach it through the request: addresses, close, timeouts.
// It is a live object for the whole session, whoever reads and writes its bytes.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Socket as NetSocket } from "node:net";
import type { Socket } from "socket.io";
import { record, settleDown, settleUp } from "../harness/clients";
import { eventually, once, onceValue, within } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startPair,
  startServer,
  track,
} from "../harness/servers";

/** In how many seconds the kernel looks after the peer of a connection; undefined if it does not. */
function keepAliveOf(localPort: number, remotePort: number): number | undefined {
  const hex = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const connection = ["/proc/net/tcp", "/proc/net/tcp6"]
    .flatMap((file) => readFileSync(file, "utf8").split("\n"))
    .map((line) => line.trim().split(/\s+/))
    .find(
      ([, local, remote]) => local?.endsWith(hex(localPort)) && remote?.endsWith(hex(remotePort)),
    );
  // The sixth column: 02 is the timer of keep-alive, and behind the colon are hundredths of a second.
  const [, hundredths] = /^02:([0-9A-F]+)$/.exec(connection?.[5] ?? "") ?? [];
  return hundredths === undefined ? undefined : Number.parseInt(hundredths, 16) / 100;
}

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

  it("requestTimeout, looked at often, ends a POST that does not come, and no websocket", async () => {
    const httpServer = createServer({
      requestTimeout: 60,
      headersTimeout: 60,
      connectionsCheckingInterval: 20,
    });
    const io = track(new implementation.Server(httpServer));
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const { socket, client } = await joinPair(running);
    const opened = onceValue<any>(io.engine, "connection");
    const polling = await PollingPeer.open(running.port);
    const session = await opened;
    session.transport.closeTimeout = 20; // of engine.io's, which waits for a poll of the broken session
    const closed = once(session, "close");
    const post = polling.start("POST", { "Content-Length": 100 });
    post.response.catch(() => {});
    post.clientRequest.write("4half");
    const [reason, { message }] = await closed;
    expect([reason, message]).toEqual([
      "transport error",
      "data request connection closed prematurely",
    ]);
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

  it("the HTTP server closes only when the last websocket has left", async () => {
    const running = await startServer(implementation);
    const { socket, client } = await joinPair(running);
    const other = await RawWebSocket.join(running.port);
    let isClosed = false;
    const closed = new Promise<void>((resolve) => {
      running.httpServer.close(() => {
        isClosed = true;
        resolve();
      });
    });
    client.disconnect();
    await once(socket, "disconnect");
    const remaining = [...running.io.sockets.sockets.values()][0] as Socket;
    other.send('421["q"]');
    await once(remaining, "q");
    expect(isClosed).toBe(false);
    other.stream.destroy();
    await within(closed, "the HTTP server did not close");
  });

  it("closeAllConnections and closeIdleConnections leave websockets alone", async () => {
    const running = await startServer(implementation);
    const { socket, client } = await joinPair(running);
    running.httpServer.closeAllConnections();
    running.httpServer.closeIdleConnections();
    await settleDown(socket, client);
    expect(client.connected).toBe(true);
  });

  it("a timeout set on the stream of an idle websocket is told of, and does no harm by itself", async () => {
    const { socket, client } = await startPair(implementation);
    const timeout = once(socket.request.socket, "timeout");
    socket.request.socket.setTimeout(40);
    await timeout;
    await settleDown(socket, client);
    socket.request.socket.setTimeout(0);
    expect(client.connected).toBe(true);
  });

  it("traffic puts a timeout off that was set on the stream", async () => {
    const { socket, client } = await startPair(implementation);
    let isTold = false;
    socket.request.socket.on("timeout", () => {
      isTold = true;
    });
    socket.request.socket.setTimeout(150);
    const talking = setInterval(() => socket.emit("x"), 10);
    await new Promise((resolve) => setTimeout(resolve, 400));
    clearInterval(talking);
    await settleDown(socket, client);
    socket.request.socket.setTimeout(0);
    expect(isTold).toBe(false);
  });

  it("a timeout of the HTTP server with a listener is not told of for websockets", async () => {
    const httpServer = createServer();
    const told: unknown[] = [];
    httpServer.setTimeout(40, (stream) => told.push(stream));
    const io = track(new implementation.Server(httpServer));
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const { socket, client } = await joinPair(running);
    await new Promise((resolve) => setTimeout(resolve, 120));
    await settleDown(socket, client);
    expect(told).toEqual([]);
  });

  it("bytesWritten counts the answer to the opening handshake", async () => {
    const { socket } = await startPair(implementation);
    expect(socket.request.socket.bytesWritten).toBeGreaterThan(100);
  });

  it("bytesRead and bytesWritten grow with traffic", async () => {
    const { socket, client } = await startPair(implementation);
    const stream = socket.request.socket;
    const [read, written] = [stream.bytesRead, stream.bytesWritten];
    socket.emit("x", "y".repeat(10_000));
    client.emit("x", "y".repeat(10_000));
    await settleDown(socket, client);
    await settleUp(client, socket);
    expect(stream.bytesRead - read).toBeGreaterThan(10_000);
    expect(stream.bytesWritten - written).toBeGreaterThan(10_000);
  });

  // Nobody can tell the two apart, but sio-rs keeps the socket only when somebody may hold it.
  for (const seen of ["", ", that an upgrade listener has seen"]) {
    const start = async () => {
      const running = await startServer(implementation);
      if (seen !== "") {
        running.httpServer.on("upgrade", () => {});
      }
      return joinPair(running);
    };

    it(`destroying the stream${seen} loses nothing that was sent before`, async () => {
      const { socket, client } = await start();
      const seen = record(client);
      const gone = once(client, "disconnect");
      socket.emit("last", "x".repeat(10_000));
      socket.request.socket.destroy();
      await gone;
      expect(seen).toEqual([["last", "x".repeat(10_000)]]);
    });

    it(`destroying the stream${seen} ends the session and tells the client, with an error too`, async () => {
      for (const error of [undefined, new Error("a reason")]) {
        const { socket, client } = await start();
        const ends = Promise.all([
          onceValue(socket, "disconnect"),
          onceValue(client, "disconnect"),
        ]);
        socket.request.socket.destroy(error);
        expect(await ends).toEqual(["transport close", "transport close"]);
      }
    });

    it(`resetting the stream${seen} ends the session`, async () => {
      const { socket, client } = await start();
      const ends = Promise.all([onceValue(socket, "disconnect"), once(client, "disconnect")]);
      socket.request.socket.resetAndDestroy();
      expect((await ends)[0]).toBe("transport close");
    });

    it(`writing to the stream${seen} breaks the session and nothing else`, async () => {
      const { socket, client } = await start();
      const ends = Promise.all([once(socket, "disconnect"), once(client, "disconnect")]);
      socket.request.socket.write("not a frame");
      await ends;
    });

    it(`ending the stream${seen} ends the session, after what was sent before`, async () => {
      const { socket, client } = await start();
      const seen = record(client);
      const ends = Promise.all([onceValue(socket, "disconnect"), onceValue(client, "disconnect")]);
      socket.emit("last");
      socket.request.socket.end();
      expect(await ends).toEqual(["transport close", "transport close"]);
      expect(seen).toEqual([["last"]]);
    });

    if (process.platform === "linux") {
      it(`keep-alive that is asked of the stream${seen} is the kernel's`, async () => {
        const { socket, client } = await start();
        const stream = socket.request.socket;
        const ends: [number, number] = [stream.localPort as number, stream.remotePort as number];
        await settleDown(socket, client);
        expect(keepAliveOf(...ends)).toBeUndefined();
        stream.setKeepAlive(true, 60_900);
        await eventually(() => keepAliveOf(...ends) !== undefined);
        expect(keepAliveOf(...ends)).toBeGreaterThan(50);
        expect(keepAliveOf(...ends)).toBeLessThanOrEqual(60);
        stream.setKeepAlive(false);
        await eventually(() => keepAliveOf(...ends) === undefined);
        await settleUp(client, socket);
      });
    }

    it(`what does not concern the bytes may be called on the stream${seen}`, async () => {
      const { socket, client } = await start();
      const stream = socket.request.socket;
      expect(stream.setNoDelay(true).setKeepAlive(true, 1_000).unref().ref()).toBe(stream);
      expect([stream.destroyed, stream.readable, stream.writable]).toEqual([false, true, true]);
      expect(stream.readyState).toBe("open");
      expect(stream.pending).toBe(false);
      await settleDown(socket, client);
    });
  }
});
