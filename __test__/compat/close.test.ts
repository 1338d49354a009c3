// `io.close()`: what has happened before it returns, what its promise and callback tell, and that the server can start again.

import { createServer } from "node:http";
import { createServer as createNetServer } from "node:net";
import { settleDown, settleTransport, TRANSPORTS } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { OPCODE, RawWebSocket } from "../harness/raw-websocket";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startPair,
  startServer,
  track,
  trackHttpServer,
} from "../harness/servers";

describeBoth("close", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`clients see "transport close" over ${label}, so that they reconnect`, async () => {
      const { io, client, socket } = await startPair(implementation, {}, { transports });
      await settleTransport(socket, transports);
      const there = once(client, "disconnect");
      await io.close();
      expect((await there)[0]).toBe("transport close");
    });
  }

  it("all disconnect listeners have run before close returns, in all namespaces", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const main = await joinPair(running);
    const other = await joinPair(running, "/n");
    const log: unknown[] = [];
    for (const { socket } of [other, main]) {
      socket.on("disconnecting", (reason) =>
        log.push("disconnecting", socket.nsp.name, reason, socket.rooms.size),
      );
      socket.on("disconnect", (reason) =>
        log.push("disconnect", socket.nsp.name, reason, socket.rooms.size),
      );
    }
    const closing = running.io.close();
    expect(log).toEqual([
      ...["disconnecting", "/", "server shutting down", 1],
      ...["disconnect", "/", "server shutting down", 0],
      ...["disconnecting", "/n", "server shutting down", 1],
      ...["disconnect", "/n", "server shutting down", 0],
    ]);
    await closing;
  });

  it("no DISCONNECT packet is sent", async () => {
    const { io, port } = await startServer(implementation);
    const peer = await RawWebSocket.join(port);
    const closing = io.close();
    const { opcode } = await peer.nextFrame();
    expect(opcode).toBe(OPCODE.close);
    peer.send("", { opcode: OPCODE.close });
    await peer.ended();
    await closing;
  });

  it("a waiting poll is answered with a close packet", async () => {
    const { io, port } = await startServer(implementation);
    const peer = await PollingPeer.join(port);
    const poll = peer.poll();
    await peer.send("3");
    const closing = io.close();
    expect(await poll).toBe("1");
    await closing;
  });

  it("the promise resolves and the callback is called without error", async () => {
    const { io, httpServer } = await startServer(implementation);
    const called: unknown[][] = [];
    await io.close((...args) => called.push(args));
    expect(called).toHaveLength(1);
    expect(called[0]?.[0]).toBeUndefined();
    expect(httpServer.listening).toBe(false);
  });

  it("closing twice resolves and tells ERR_SERVER_NOT_RUNNING to the callback only", async () => {
    const { io } = await startServer(implementation);
    await io.close();
    let error: (Error & { code?: string }) | undefined;
    await io.close((told) => {
      error = told;
    });
    expect(error?.code).toBe("ERR_SERVER_NOT_RUNNING");
  });

  it("closing a server whose HTTP server never listened resolves", async () => {
    const io = new implementation.Server(createServer());
    let error: (Error & { code?: string }) | undefined;
    await io.close((told) => {
      error = told;
    });
    expect(error?.code).toBe("ERR_SERVER_NOT_RUNNING");
  });

  it("the adapters of all namespaces are closed and waited for, their failures ignored", async () => {
    const { io } = await startServer(implementation);
    const log: string[] = [];
    io.of("/n").adapter.close = () => {
      log.push("sync");
    };
    io.of("/").adapter.close = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      log.push("async");
      throw new Error("an adapter that cannot close");
    };
    await io.close();
    expect(log).toEqual(["sync", "async"]);
  });

  it("the order is: sockets, adapters, the engine, the HTTP server, the callback, the promise", async () => {
    const { io, httpServer, socket } = await startPair(implementation);
    const log: unknown[] = [];
    socket.on("disconnect", () => log.push("socket"));
    socket.conn.on("close", () => log.push(`session, ${httpServer.listening}`));
    io.of("/").adapter.close = async () => {
      log.push(`adapter, ${socket.conn.readyState}, ${httpServer.listening}`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push("adapter closed");
    };
    httpServer.on("close", () => log.push("http server"));
    const closing = io.close(() => log.push("callback"));
    log.push("returned");
    await closing;
    log.push("promise");
    expect(log).toEqual([
      ...["socket", "adapter, open, true", "returned", "adapter closed"],
      ...["session, true", "http server", "callback", "promise"],
    ]);
  });

  it("the port is free afterwards", async () => {
    const { io, port, client } = await startPair(implementation);
    client.disconnect();
    await io.close();
    const other = trackHttpServer(createNetServer());
    const listening = once(other, "listening");
    other.listen(port, "127.0.0.1");
    await listening;
  });

  it("the sockets and the sessions are gone from all counters", async () => {
    const running = await startServer(implementation);
    const pairs = [
      await joinPair(running),
      await joinPair(running, "/", { transports: ["polling"] }),
    ];
    const { io } = running;
    await io.close();
    expect(pairs.map(({ socket }) => socket.connected)).toEqual([false, false]);
    expect(io.engine.clientsCount).toBe(0);
    expect(io.sockets.sockets.size).toBe(0);
    expect(io.of("/").adapter.rooms.size).toBe(0);
    expect(io.of("/").adapter.sids.size).toBe(0);
  });

  it("emit inside of a disconnect listener during close does no harm", async () => {
    const { io, socket } = await startPair(implementation);
    socket.on("disconnect", () => {
      socket.emit("too late");
      io.emit("too late");
    });
    await io.close();
  });

  it("after close, listen opens the server again with its namespaces, middlewares and listeners", async () => {
    const { io, client } = await startPair(implementation);
    const log: string[] = [];
    io.use((_socket, next) => {
      log.push("middleware");
      next();
    });
    io.on("connection", () => log.push("connection"));
    io.of("/n").on("connection", () => log.push("connection /n"));
    client.disconnect();
    await io.close();

    const httpServer = createServer();
    io.listen(httpServer);
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const again = await joinPair(running);
    await joinPair(running, "/n");
    expect(log).toEqual(["middleware", "connection", "connection /n"]);
    await settleDown(again.socket, again.client);
  });

  it("the same HTTP server may listen again on the same port", async () => {
    const running = await startPair(implementation);
    const { io, httpServer, port } = running;
    running.client.disconnect();
    await io.close();
    const listening = once(httpServer, "listening");
    httpServer.listen(port, "127.0.0.1");
    await listening;
    const { client, socket } = await joinPair(describeRunning(io, httpServer, port));
    await settleDown(socket, client);
  });

  it("another server can take the port that a closed one had", async () => {
    const first = await startPair(implementation);
    first.client.disconnect();
    await first.io.close();
    const httpServer = createServer();
    const io = track(new implementation.Server(httpServer));
    const listening = once(httpServer, "listening");
    httpServer.listen(first.port, "127.0.0.1");
    await listening;
    await joinPair(describeRunning(io, httpServer, first.port));
  });

  it("clients reconnect to a restarted server on their own", async () => {
    const running = await startPair(
      implementation,
      {},
      { reconnection: true, reconnectionDelay: 10 },
    );
    const { io, httpServer, port, client } = running;
    const dropped = once(client, "disconnect");
    await io.close();
    await dropped;
    const connected = once(client, "connect");
    httpServer.listen(port, "127.0.0.1");
    await connected;
    expect(io.sockets.sockets.size).toBe(1);
  });

  it("closing the HTTP server alone closes the engine when the last connection is gone", async () => {
    const { io, httpServer, client, socket } = await startPair(implementation);
    const closed = once(httpServer, "close");
    httpServer.close();
    await settleDown(socket, client);
    expect(socket.connected).toBe(true);
    client.disconnect();
    await closed;
    expect(io.engine.clientsCount).toBe(0);
  });

  it('engine.close() ends sessions with "forced close"', async () => {
    const { io, socket, client } = await startPair(implementation);
    const reasons: string[] = [];
    socket.on("disconnect", (reason) => reasons.push(reason));
    const there = once(client, "disconnect");
    expect(io.engine.close()).toBe(io.engine);
    expect(reasons).toEqual(["forced close"]);
    expect((await there)[0]).toBe("transport close");
    expect(internals(io.engine).clients).toEqual({});
  });

  it("close() of a namespace does not exist", async () => {
    const { io } = await startServer(implementation);
    expect((io.of("/") as unknown as Record<string, unknown>).close).toBeUndefined();
  });
});
