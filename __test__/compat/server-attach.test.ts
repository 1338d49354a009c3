// How the server takes its place beside others: request listeners, several attaches, foreign engines, upgrades of others.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "socket.io";
import { settleDown } from "../harness/clients";
import { eventually, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { request } from "../harness/raw-http";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startServer,
  track,
  trackHttpServer,
} from "../harness/servers";
import { joinStub, stubSession } from "../harness/stub-session";

/** An HTTP listener that answers with its name. */
function answer(name: string) {
  return (_req: IncomingMessage, res: ServerResponse): void => void res.end(name);
}

describeBoth("server attach", (implementation) => {
  const { Server } = implementation;

  it("request listeners that were there get all foreign requests, in order, with the server as this", async () => {
    const httpServer = createServer();
    const log: unknown[] = [];
    httpServer.on("request", function (this: unknown) {
      log.push("first", this === httpServer);
    });
    httpServer.on("request", (req, res) => {
      log.push("second", req.url);
      res.end("foreign");
    });
    const io = track(new Server(httpServer));
    const port = await listenOnFreePort(httpServer);
    expect((await request(port, { path: "/elsewhere?a=1" })).text).toBe("foreign");
    await joinPair(describeRunning(io, httpServer, port), "/", { transports: ["polling"] });
    expect(log).toEqual(["first", true, "second", "/elsewhere?a=1"]);
  });

  it("a path that only begins like ours is foreign", async () => {
    const httpServer = createServer(answer("foreign"));
    track(new Server(httpServer));
    const port = await listenOnFreePort(httpServer);
    for (const path of ["/", "/socket.io", "/socket.io?EIO=4&transport=polling", "/socket.iox/"]) {
      expect((await request(port, { path })).text).toBe("foreign");
    }
  });

  it("without any other listener the engine's path works alone", async () => {
    const { httpServer, port } = await startServer(implementation);
    expect(httpServer.listenerCount("request")).toBe(1);
    expect((await new PollingPeer(port).handshake()).status).toBe(200);
  });

  it("a request listener that is added later gets foreign requests too", async () => {
    const { httpServer, port } = await startServer(implementation);
    httpServer.on("request", (req, res) => {
      if (!req.url?.startsWith("/socket.io/")) {
        res.end("late");
      }
    });
    expect((await request(port, { path: "/elsewhere" })).text).toBe("late");
    expect((await new PollingPeer(port).handshake()).status).toBe(200);
  });

  it("one server may be attached to several HTTP servers", async () => {
    const servers = [createServer(), createServer()];
    const io = track(new Server());
    const connected: string[] = [];
    io.on("connection", (socket) => connected.push(socket.id));
    const pairs: Awaited<ReturnType<typeof joinPair>>[] = [];
    for (const httpServer of servers) {
      io.attach(httpServer);
      trackHttpServer(httpServer);
      const port = await listenOnFreePort(httpServer);
      expect(io.httpServer).toBe(httpServer);
      pairs.push(await joinPair(describeRunning(io, httpServer, port)));
    }
    expect(connected).toEqual(pairs.map(({ client }) => client.id));
    const arrived = Promise.all(pairs.map(({ client }) => once(client, "all")));
    io.emit("all");
    await arrived;
    for (const { client } of pairs) {
      client.disconnect();
    }
  });

  it("a server may be attached to one that listens already", async () => {
    const httpServer = createServer(answer("foreign"));
    const port = await listenOnFreePort(httpServer);
    const io = track(new Server(httpServer));
    await joinPair(describeRunning(io, httpServer, port), "/", {
      transports: ["polling", "websocket"],
    });
  });

  it("bind(engine) takes any Engine.IO server and returns the server", async () => {
    const engineIo = require("engine.io");
    const httpServer = createServer();
    trackHttpServer(httpServer);
    const engine = engineIo.attach(httpServer, { path: "/engine.io" });
    const io = new Server();
    expect(io.bind(engine)).toBe(io);
    expect(io.engine).toBe(engine);
    expect(io.httpServer).toBeUndefined();
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
      const { socket, client } = await joinPair(running, "/", { path: "/engine.io", transports });
      socket.on("q", (bytes, reply) => reply(bytes));
      expect(await client.emitWithAck("q", Buffer.from([1]))).toEqual(Buffer.from([1]));
      socket.join("r");
      const arrived = once(client, "hit");
      io.to("r").emit("hit", Buffer.from([2]));
      expect(await arrived).toEqual([Buffer.from([2])]);
      await settleDown(socket, client);
    }
    expect(io.sockets.sockets.size).toBe(3);
    engine.close();
    expect(io.sockets.sockets.size).toBe(0);
  });

  it("sockets of foreign engines and own ones share rooms and broadcasts", async () => {
    const engineIo = require("engine.io");
    const running = await startServer(implementation);
    const { io } = running;
    const own = await joinPair(running);
    const httpServer = createServer();
    trackHttpServer(httpServer);
    const engine = engineIo.attach(httpServer, { path: "/engine.io" });
    const ownEngine = io.engine;
    io.bind(engine);
    const foreignRunning = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const foreign = await joinPair(foreignRunning, "/", { path: "/engine.io" });
    const seen: string[] = [];
    own.client.onAny((event) => seen.push(`own ${event}`));
    foreign.client.onAny((event) => seen.push(`foreign ${event}`));
    foreign.socket.join("r");
    io.emit("all");
    io.to("r").emit("room");
    own.socket.broadcast.emit("others");
    foreign.socket.broadcast.emit("others");
    await settleDown(own.socket, own.client);
    await settleDown(foreign.socket, foreign.client);
    expect(seen.filter((event) => event.startsWith("own") && !event.endsWith("barrier"))).toEqual([
      "own all",
      "own others",
    ]);
    expect(
      seen.filter((event) => event.startsWith("foreign") && !event.endsWith("barrier")),
    ).toEqual(["foreign all", "foreign room", "foreign others"]);
    engine.close();
    io.bind(ownEngine);
  });

  it("onconnection(session) takes a session by hand and returns the server", async () => {
    const engineIo = require("engine.io");
    const httpServer = createServer();
    trackHttpServer(httpServer);
    const engine = engineIo.attach(httpServer, { path: "/engine.io" });
    const io = new Server();
    const returned: unknown[] = [];
    engine.on("connection", (session: never) => returned.push(internals(io).onconnection(session)));
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const { socket, client } = await joinPair(running, "/", { path: "/engine.io" });
    expect(returned).toEqual([io]);
    await settleDown(socket, client);
    engine.close();
  });

  it("two servers may share an engine: each has a socket for every session", async () => {
    const running = await startServer(implementation);
    const other = new Server();
    other.bind(running.io.engine);
    const seen: string[] = [];
    const sockets: Promise<Socket>[] = [];
    for (const [name, io] of Object.entries({ first: running.io, second: other })) {
      sockets.push(onceValue<Socket>(io, "connection"));
      io.on("connection", (socket) => {
        socket.join("room");
        socket.on("up", (value) => {
          seen.push(`${name} hears ${value}`);
          io.to("room").emit("down", `${name} to the room`, Buffer.from([1]));
          socket.emit("down", `${name} to the client`);
          io.local.compress(false).emit("down", `${name} to all`);
          io.volatile.emit("down", "too much for one turn");
        });
        socket.on("disconnect", (reason) => seen.push(`${name} ends: ${reason}`));
      });
    }
    const client = running.connect();
    client.on("down", (text) => seen.push(text));
    const [, socket] = await Promise.all(sockets);
    client.emit("up", 1);
    await eventually(() => seen.length === 8);
    expect(socket?.handshake).toMatchObject({ query: { EIO: "4" }, address: "127.0.0.1" });
    expect(socket?.handshake.headers).toBe(socket?.conn.request.headers);
    client.disconnect();
    await eventually(() => seen.length === 10);
    const reason = "client namespace disconnect";
    expect(seen.filter((line) => line.startsWith("first"))).toEqual([
      "first hears 1",
      "first to the room",
      "first to the client",
      "first to all",
      `first ends: ${reason}`,
    ]);
    expect(seen.filter((line) => line.startsWith("second"))).toEqual([
      "second hears 1",
      "second to the room",
      "second to the client",
      "second to all",
      `second ends: ${reason}`,
    ]);
    expect([running.io, other].map(({ sockets }) => sockets.sockets.size)).toEqual([0, 0]);
  });

  it("a session may be taken in a wrapper, which then sees what is written to it", async () => {
    const running = await startServer(implementation);
    const { io } = running;
    const written: unknown[] = [];
    io.engine.removeAllListeners("connection");
    io.engine.on("connection", (session) => {
      const wrapper = new Proxy(session as object, {
        get(target, name) {
          const value = Reflect.get(target, name);
          if (name === "write") {
            return (data: unknown, ...rest: unknown[]) => {
              written.push(data);
              return value.call(target, data, ...rest);
            };
          }
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      internals(io).onconnection(wrapper);
    });
    const { client, socket } = await joinPair(running);
    client.on("question", (reply) => reply("yes"));
    io.emit("all");
    expect(await socket.emitWithAck("question")).toBe("yes");
    socket.emit("bytes", Buffer.from([1]));
    expect(written).toEqual([
      `0{"sid":"${socket.id}"}`,
      '2["all"]',
      '20["question"]',
      '51-["bytes",{"_placeholder":true,"num":0}]',
      Buffer.from([1]),
    ]);
    const left = onceValue(socket, "disconnect");
    client.disconnect();
    expect(await left).toBe("client namespace disconnect");
  });

  it("sessions over any object with the engine's interface work", async () => {
    const io = new Server();
    const { conn, sent, socket } = await joinStub(io);
    expect(sent).toEqual([`0{"sid":"${socket.id}"}`]);
    expect(socket.handshake).toMatchObject({ headers: {}, query: {}, auth: {}, secure: true });
    const heard = once(socket, "x");
    conn.emit("data", '2["x",1]');
    expect(await heard).toEqual([1]);
    socket.emit("y", Buffer.from([1]));
    io.emit("all");
    socket.volatile.emit("v");
    conn.transport.writable = false;
    socket.volatile.emit("dropped");
    io.volatile.emit("dropped");
    expect(sent.slice(1)).toEqual([
      '51-["y",{"_placeholder":true,"num":0}]',
      Buffer.from([1]),
      '2["all"]',
      '2["v"]',
    ]);
    const reasons: string[] = [];
    socket.on("disconnect", (reason) => reasons.push(reason));
    socket.disconnect(true);
    expect(sent.at(-1)).toBe("1");
    expect(reasons).toEqual(["server namespace disconnect"]);
    expect(conn.readyState).toBe("closed");
  });

  it("a session is written to with the flags of what is emitted", async () => {
    const io = new Server();
    const { conn, sent, options, socket } = await joinStub(io);
    socket.emit("plain");
    socket.volatile.compress(false).emit("bytes", Buffer.from([1]));
    socket.timeout(5).emit("timeout");
    io.volatile.compress(false).emit("all");
    io.emit("all", Buffer.from([1]));
    const broadcast = { preEncoded: true, volatile: undefined, compress: undefined };
    expect(options).toEqual([
      { compress: true },
      { compress: true },
      ...Array(2).fill({ compress: false, volatile: true }),
      { compress: true, timeout: 5 },
      {
        ...{ preEncoded: true, volatile: true, compress: false },
        wsPreEncodedFrame: [Buffer.from([0x81, 9]), Buffer.from('42["all"]')],
      },
      ...Array(2).fill(broadcast),
    ]);
    const written = sent.length;
    conn.readyState = "closing";
    socket.emit("too late");
    expect(sent).toHaveLength(written);
  });

  it("an error of a session is an error of its sockets, and closes it", async () => {
    const io = new Server();
    const { conn, socket } = await joinStub(io);
    const log: unknown[] = [];
    socket.on("error", ({ message }) => log.push(message));
    socket.on("disconnect", (reason) => log.push(reason));
    conn.emit("error", new Error("of the session"));
    expect(log).toEqual(["of the session", "forced close"]);
  });

  it("a client whose session has closed listens to it no longer, and has no sockets", async () => {
    const io = new Server();
    io.of("/n");
    const { conn } = stubSession();
    internals(io).onconnection(conn);
    const connected = [onceValue<Socket>(io, "connection"), onceValue(io.of("/n"), "connection")];
    conn.emit("data", "0");
    conn.emit("data", "0/n,");
    const [socket] = (await Promise.all(connected)) as [Socket, Socket];
    const { client } = internals(socket);
    expect(conn.eventNames().sort()).toEqual(["close", "data", "error"]);
    expect([client.sockets.size, client.nsps.size]).toEqual([2, 2]);
    const left = once(socket, "disconnect");
    const why = new Error("why");
    conn.emit("close", "transport error", why);
    expect(await left).toEqual(["transport error", why]);
    expect(conn.eventNames()).toEqual([]);
    expect([client.sockets.size, client.nsps.size]).toEqual([0, 0]);
  });

  it("a request listener that is added later is called for the server's own requests as well", async () => {
    const { httpServer, port } = await startServer(implementation);
    const urls: unknown[] = [];
    httpServer.on("request", (req) => urls.push(req.url));
    const response = await new PollingPeer(port).handshake();
    expect([response.status, urls]).toEqual([200, ["/socket.io/?EIO=4&transport=polling"]]);
  });

  it("close() of a server on several HTTP servers closes the last of them", async () => {
    const io = track(new Server());
    const servers = [createServer(), createServer()] as const;
    const pairs = [];
    for (const httpServer of servers) {
      io.attach(httpServer);
      trackHttpServer(httpServer);
      const port = await listenOnFreePort(httpServer);
      pairs.push(await joinPair(describeRunning(io, httpServer, port)));
    }
    await io.close();
    expect(servers.map(({ listening }) => listening)).toEqual([true, false]);
    expect(pairs.map(({ socket }) => socket.connected)).toEqual([false, false]);
    expect(pairs.map(({ socket }) => socket.conn.readyState)).toEqual(["open", "closed"]);
    pairs[0]?.socket.conn.close();
  });

  it("a server that has nothing but an engine closes that, calls back and leaves the HTTP server alone", async () => {
    const engineIo = require("engine.io");
    const httpServer = createServer();
    trackHttpServer(httpServer);
    const io = new Server();
    io.bind(engineIo.attach(httpServer, { path: "/socket.io" }));
    const { socket } = await joinPair(
      describeRunning(io, httpServer, await listenOnFreePort(httpServer)),
    );
    const calls: unknown[][] = [];
    await io.close((...args) => calls.push(args));
    expect([calls, httpServer.listening]).toEqual([[[]], true]);
    expect([socket.connected, socket.conn.readyState]).toEqual([false, "closed"]);
  });

  it("a session of protocol 3 that is taken by hand is in / without having asked", async () => {
    const io = new Server();
    const { conn, sent } = stubSession(3);
    const connected = onceValue<Socket>(io, "connection");
    internals(io).onconnection(conn);
    const socket = await connected;
    expect([socket.id, sent]).toEqual(["stub", ["0"]]);
  });

  it("bind(engine) takes a class that extends npm's Server", async () => {
    const { Server: NpmEngine } = require("engine.io");
    const log: string[] = [];
    class Own extends NpmEngine {
      verify(...args: unknown[]) {
        log.push("verify");
        return super.verify(...args);
      }
      createTransport(name: string, req: unknown) {
        log.push(`createTransport ${name}`);
        return super.createTransport(name, req);
      }
    }
    const httpServer = createServer();
    trackHttpServer(httpServer);
    const engine = new Own();
    engine.attach(httpServer, { path: "/socket.io" });
    const io = new Server();
    io.bind(engine as never);
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const { socket, client } = await joinPair(running);
    client.on("q", (reply) => reply("yes"));
    expect(await io.to(socket.id).timeout(4_000).emitWithAck("q")).toEqual(["yes"]);
    expect(log).toEqual(["verify", "createTransport websocket"]);
    engine.close();
  });

  it("engine and eio are those of the last attach; bind leaves eio as it was", () => {
    const io = new Server();
    io.attach(createServer());
    const first = io.engine;
    io.attach(createServer());
    const second = io.engine;
    expect([second === first, internals(io).eio === second]).toEqual([false, true]);
    io.bind(first);
    expect([io.engine === first, internals(io).eio === second]).toEqual([true, true]);
    first.close();
    second.close();
  });

  it("an HTTP server is whatever has listen, listeners, removeAllListeners and on", async () => {
    const httpServer = createServer(answer("foreign"));
    const facade = {
      listen: () => {},
      listeners: (event: string) => httpServer.listeners(event),
      removeAllListeners: (event: string) => void httpServer.removeAllListeners(event),
      on: (event: string, listener: () => void) => void httpServer.on(event, listener),
    };
    const io = new Server(facade as never);
    expect(io.httpServer).toBe(facade);
    trackHttpServer(httpServer);
    const port = await listenOnFreePort(httpServer);
    expect((await request(port, { path: "/elsewhere" })).text).toBe("foreign");
    for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
      const running = describeRunning(io, httpServer, port);
      const { socket, client } = await joinPair(running, "/", { transports });
      await settleDown(socket, client);
      const closed = once(socket.conn, "close");
      client.disconnect();
      await closed;
    }
  });
});
