// The order of things between a CONNECT packet and the `connection` event (NSP-C), middlewares included.

import type { Socket } from "socket.io";
import { deferred, eventually, nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer, packetsOf } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startServer } from "../harness/servers";
import { stubSession } from "../harness/stub-session";

describeBoth("connection sequence", (implementation) => {
  it("inside of a middleware the socket is not connected and not in nsp.sockets", async () => {
    const running = await startServer(implementation);
    const { io } = running;
    const seen: unknown[] = [];
    io.use((socket, next) => {
      const { _preConnectSockets } = internals(io.sockets);
      seen.push(socket.connected, socket.disconnected, io.sockets.sockets.size, socket.rooms.size);
      seen.push(_preConnectSockets.get(socket.id) === socket);
      next();
    });
    const { socket } = await joinPair(running);
    expect(seen).toEqual([false, true, 0, 0, true]);
    expect(socket.connected).toBe(true);
    expect(internals(io.sockets)._preConnectSockets.size).toBe(0);
  });

  it("rooms joined inside of a middleware are kept", async () => {
    const running = await startServer(implementation);
    running.io.use((socket, next) => {
      socket.join("early");
      next();
    });
    const { socket, client } = await joinPair(running);
    expect([...socket.rooms]).toEqual(["early", socket.id]);
    const hit = once(client, "hit");
    running.io.to("early").emit("hit");
    await hit;
  });

  it("a socket that is still in middleware does not receive broadcasts", async () => {
    const { io, port } = await startServer(implementation);
    const waiting = deferred<() => void>();
    io.use((socket, next) => {
      socket.join("early");
      waiting.resolve(next);
    });
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0/);
    peer.send("40");
    const next = await waiting.promise;
    io.emit("everybody");
    io.to("early").emit("room");
    next();
    await peer.expectText(/^40\{/);
    io.emit("after");
    await peer.expectText('42["after"]');
  });

  it("emit inside of a middleware is sent before the CONNECT reply", async () => {
    const { io, port } = await startServer(implementation);
    io.use((socket, next) => {
      socket.emit("early", 1);
      next();
    });
    io.on("connection", (socket) => socket.emit("late"));
    const peer = await PollingPeer.open(port);
    await peer.send("40");
    let payload = await peer.poll();
    while (packetsOf(payload).length < 3) {
      payload += `\x1e${await peer.poll()}`;
    }
    const [early, connect, late] = packetsOf(payload);
    expect(early).toBe('42["early",1]');
    expect(connect).toMatch(/^40\{"sid":"[\w-]{20}"\}$/);
    expect(late).toBe('42["late"]');
  });

  it("connection fires in a later tick than the last next(), also without middlewares", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    running.io.use((_socket, next) => {
      process.nextTick(() => log.push("nextTick queued before next()"));
      next();
      log.push("after next()");
    });
    running.io.on("connection", () => log.push("connection"));
    await joinPair(running);
    expect(log).toEqual(["after next()", "nextTick queued before next()", "connection"]);
  });

  it("join-room of the own room, connect and connection happen in one tick", async () => {
    const running = await startServer(implementation);
    const { io } = running;
    const log: string[] = [];
    let tick = 0;
    const advance = (): void => {
      tick += 1;
    };
    io.of("/").adapter.on("join-room", () => {
      process.nextTick(advance);
      queueMicrotask(advance);
      log.push(`join-room ${tick}`);
    });
    io.on("connect", () => log.push(`connect ${tick}`));
    io.on("connection", (socket) =>
      log.push(`connection ${tick} ${internals(socket.client).nsps.size}`),
    );
    await joinPair(running);
    expect(log).toEqual(["join-room 0", "connect 0", "connection 0 1"]);
  });

  it("a client that left during its middleware gets no connection and no disconnect event", async () => {
    const { io, connect } = await startServer(implementation);
    const waiting = deferred<[Socket, () => void]>();
    const log: string[] = [];
    io.use((socket, next) => {
      socket.on("disconnect", () => log.push("disconnect"));
      socket.on("disconnecting", () => log.push("disconnecting"));
      socket.join("left behind");
      waiting.resolve([socket, next]);
    });
    io.on("connection", () => log.push("connection"));
    const client = connect();
    const [socket, next] = await waiting.promise;
    const closed = once(socket.conn, "close");
    client.io.engine.close();
    await closed;
    next();
    await nextTurn();
    expect(log).toEqual([]);
    expect(io.sockets.sockets.size).toBe(0);
    expect(internals(io.sockets)._preConnectSockets.size).toBe(0);
    expect(io.of("/").adapter.rooms.size).toBe(0);
    expect(io.of("/").adapter.sids.size).toBe(0);
  });

  it("connectTimeout closes a client that joins no namespace", async () => {
    const { port, io } = await startServer(implementation, { connectTimeout: 60 });
    const conn = onceValue(io.engine, "connection");
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0/);
    expect(await onceValue(await conn, "close")).toBe("forced close");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("connectTimeout also closes a client whose middleware never goes on", async () => {
    const { connect, io } = await startServer(implementation, { connectTimeout: 60 });
    io.use(() => {});
    const conn = onceValue(io.engine, "connection");
    connect();
    expect(await onceValue(await conn, "close")).toBe("forced close");
    expect(io.sockets.sockets.size).toBe(0);
  });

  it("connectTimeout is lifted by the first namespace, even after it was left again", async () => {
    const { port, io } = await startServer(implementation, { connectTimeout: 80 });
    const peer = await RawWebSocket.join(port);
    peer.send("41");
    const socketLess = Object.values(internals(io.engine).clients)[0] as any;
    // The time that must pass without anything happening is what this case is about.
    await new Promise((resolve) => setTimeout(resolve, 160));
    expect(socketLess.readyState).toBe("open");
    peer.send("40");
    await peer.expectText(/^40\{/);
  });

  it("connectTimeout() of a running server holds for clients that come later", async () => {
    const { port, io } = await startServer(implementation);
    expect(io.connectTimeout()).toBe(45_000);
    expect(io.connectTimeout(50)).toBe(io);
    expect(io.connectTimeout()).toBe(50);
    const conn = onceValue(io.engine, "connection");
    await RawWebSocket.open(port);
    expect(await onceValue(await conn, "close")).toBe("forced close");
  });

  it("the client keeps its sockets in two Maps, by id and by namespace", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const { socket, client } = await joinPair(running);
    const other = client.io.socket("/n");
    await once(other, "connect");
    const { sockets, nsps } = internals(socket.client);
    expect([...sockets.keys()]).toEqual([client.id, other.id]);
    expect([...nsps.entries()]).toEqual([
      ["/", socket],
      ["/n", running.io.of("/n").sockets.get(other.id as string)],
    ]);
  });

  it("two clients that connect at once are told apart", async () => {
    const running = await startServer(implementation);
    running.io.use(async (_socket, next) => {
      await nextTurn();
      next();
    });
    const clients = [running.connect(), running.connect()];
    await Promise.all(clients.map((client) => once(client, "connect")));
    for (const client of clients) {
      const socket = running.io.sockets.sockets.get(client.id as string) as Socket;
      const own = once(client, "own");
      socket.emit("own", client.id);
      expect(await own).toEqual([client.id]);
    }
  });

  it("auth is the payload of the CONNECT packet, given per namespace", async () => {
    const running = await startServer(implementation);
    const auths: unknown[] = [];
    for (const name of ["/", "/n"]) {
      running.io.of(name).use((socket, next) => {
        auths.push(socket.handshake.auth);
        next();
      });
    }
    const client = running.connect("/", { auth: { token: "main" } });
    await once(client, "connect");
    const auth = (callback: (payload: object) => void): void => callback({ token: "other" });
    const other = client.io.socket("/n", { auth });
    await once(other, "connect");
    const { socket } = await joinPair(running);
    expect(auths.slice(0, 2)).toEqual([{ token: "main" }, { token: "other" }]);
    expect(socket.handshake.auth).toEqual({});
  });

  it("many sockets may wait in middleware and go on in any order", async () => {
    const { io, connect } = await startServer(implementation);
    const waiting: (() => void)[] = [];
    io.use((_socket, next) => void waiting.push(next));
    const clients = Array.from({ length: 5 }, () => connect());
    await eventually(() => waiting.length === 5);
    expect(internals(io.sockets)._preConnectSockets.size).toBe(5);
    const connected = Promise.all(clients.map((client) => once(client, "connect")));
    for (const next of waiting.reverse()) {
      next();
    }
    await connected;
    expect(io.sockets.sockets.size).toBe(5);
  });

  it("the socket of a CONNECT packet is made in a later microtask", async () => {
    const io = new implementation.Server();
    const log: string[] = [];
    io.use((_socket, next) => {
      log.push("middleware");
      next();
    });
    const { conn } = stubSession();
    internals(io).onconnection(conn);
    const connected = once(io, "connection");
    conn.emit("data", "0");
    log.push(`${internals(io.sockets)._preConnectSockets.size} sockets in the same turn`);
    await connected;
    expect(log).toEqual(["0 sockets in the same turn", "middleware"]);
  });

  it("a second CONNECT while the first one waits in a middleware makes a second socket", async () => {
    const { io, port } = await startServer(implementation);
    const waiting: [Socket, () => void][] = [];
    io.use((socket, next) => void waiting.push([socket, next]));
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0/);
    peer.send("40");
    peer.send("40");
    await eventually(() => waiting.length === 2);
    for (const [socket, next] of waiting) {
      next();
      await peer.expectText(`40{"sid":"${socket.id}"}`);
    }
    expect(io.sockets.sockets.size).toBe(2);
  });

  it("connected and listed, then its room, the reply, the client's Maps and the timer, then connect and connection", async () => {
    const { io, connect } = await startServer(implementation);
    const log: unknown[] = [];
    const note = (event: string, socket: Socket): void => {
      const { sockets, nsps, connectTimeout } = internals(socket.client);
      const isOfClient = [sockets.has(socket.id), nsps.has("/"), connectTimeout === undefined];
      log.push([event, socket.connected, io.sockets.sockets.has(socket.id), isOfClient]);
    };
    io.use((socket, next) => {
      io.sockets.adapter.on("join-room", () => note("join-room", socket));
      socket.conn.on("packetCreate", () => note("reply", socket));
      next();
    });
    io.on("connect", (socket) => note("connect", socket));
    io.on("connection", (socket) => note("connection", socket));
    await once(connect(), "connect");
    expect(log).toEqual([
      ["join-room", true, true, [false, false, false]],
      ["reply", true, true, [false, false, false]],
      ["connect", true, true, [true, true, true]],
      ["connection", true, true, [true, true, true]],
    ]);
  });

  it("connectTimeout closes a client that was refused, by a middleware or for an unknown name", async () => {
    const { port, io } = await startServer(implementation, { connectTimeout: 80 });
    io.use((_socket, next) => next(new Error("refused")));
    const conn = onceValue(io.engine, "connection");
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0/);
    const closed = onceValue(await conn, "close");
    peer.send("40");
    await peer.expectText('44{"message":"refused"}');
    peer.send("40/unknown,");
    await peer.expectText('44/unknown,{"message":"Invalid namespace"}');
    expect(await closed).toBe("forced close");
  });

  it("connectTimeout leaves a client alone that waits in the middleware of a second namespace", async () => {
    const { port, io } = await startServer(implementation, { connectTimeout: 60 });
    io.of("/slow").use(() => {});
    const peer = await RawWebSocket.join(port);
    peer.send("40/slow,");
    await eventually(() => internals(io.of("/slow"))._preConnectSockets.size === 1);
    // The time that must pass without anything happening is what this case is about.
    await new Promise((resolve) => setTimeout(resolve, 130));
    expect(io.engine.clientsCount).toBe(1);
    io.emit("still there");
    await peer.expectText('42["still there"]');
  });
});
