// What the server layer does better than socket.io where nobody can rely on the difference: it is lenient where socket.io throws, and
// does once what was asked twice. sio-rs alone; docs/compatibility.md has a line for each that users may notice.

import { createServer } from "node:http";
import type { Server, Socket } from "socket.io";
import { runModule, startFixture } from "../harness/child";
import { openClient } from "../harness/clients";
import { eventually, nextTurn, once, onceValue } from "../harness/events";
import { type Implementation, loadImplementation } from "../harness/implementations";
import { internals } from "../harness/internals";
import { RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startServer, track } from "../harness/servers";

const sioRs: Implementation = loadImplementation("sio-rs");

describe("improvements", () => {
  test("close() of a server that was never attached resolves and calls back", async () => {
    const io = new sioRs.Server();
    const calls: unknown[][] = [];
    await io.close((...args) => calls.push(args));
    expect(calls).toEqual([[]]);
  });

  test("the callable may be called with new", () => {
    const Callable = sioRs.callable as unknown as new (options: object) => Server;
    expect(new Callable({ path: "/own" }).path()).toBe("/own");
  });

  test("the ES module has the callable as its default export", async () => {
    const { stdout } = await runModule(
      sioRs,
      (specifier) => `
        import io, { Server } from ${JSON.stringify(specifier)};
        console.log(io() instanceof Server, io.Server === Server);
      `,
    );
    expect(stdout).toBe("true true\n");
  });

  test("options of another realm or without a prototype are options", () => {
    const foreign = require("node:vm").runInNewContext('({ path: "/own" })');
    for (const options of [foreign, Object.assign(Object.create(null), { path: "/own" })]) {
      const io = new sioRs.Server(options);
      expect([io.path(), io.engine]).toEqual(["/own", undefined]);
    }
  });

  test("undefined in the place of an option of the engine is its default", async () => {
    const io = track(
      new sioRs.Server(createServer(), { pingTimeout: undefined, pingInterval: undefined }),
    );
    expect(internals(io.engine).opts).toMatchObject({ pingTimeout: 20_000, pingInterval: 25_000 });
  });

  test("a middleware that calls next twice lets the socket in once", async () => {
    const running = await startServer(sioRs);
    const connections: string[] = [];
    running.io.use((_socket, next) => {
      next();
      next();
    });
    running.io.on("connection", ({ id }) => connections.push(id));
    const { socket } = await joinPair(running);
    await nextTurn();
    expect(connections).toEqual([socket.id]);
  });

  test("a middleware that refuses after it has let the socket in changes nothing", async () => {
    const running = await startServer(sioRs);
    running.io.use((_socket, next) => {
      next();
      next(new Error("too late"));
    });
    const client = running.connect();
    const errors: unknown[] = [];
    client.on("connect_error", (error) => errors.push(error));
    await once(client, "connect");
    await nextTurn();
    expect([errors, running.io.sockets.sockets.size]).toEqual([[], 1]);
  });

  test("a socket whose middleware never calls next is forgotten with its client", async () => {
    const running = await startServer(sioRs, { cleanupEmptyChildNamespaces: true });
    const { io } = running;
    io.of(/^\/child$/).use(() => {});
    const sockets: Socket[] = [];
    const nexts: (() => void)[] = [];
    const waits = (socket: Socket, next: () => void): void => {
      socket.join("room");
      sockets.push(socket);
      nexts.push(next);
    };
    io.use(waits);
    io.of("/other").use(waits);
    const connections: string[] = [];
    io.on("connection", ({ id }) => connections.push(id));

    const peer = await RawWebSocket.open(running.port);
    await peer.expectText(/^0\{/);
    for (const packet of ["40", "40/other,", "40/child,"]) peer.send(packet);
    await eventually(() => sockets.length === 2 && io._nsps.has("/child"));
    const spaces = [io.sockets, io.of("/other")].map((nsp) => internals(nsp));
    expect(spaces.map((nsp) => nsp._preConnectSockets.size)).toEqual([1, 1]);
    const [{ conn }] = sockets;
    const ended = once(conn, "close");
    peer.stream.destroy();
    await ended;
    expect(spaces.map((nsp) => nsp._preConnectSockets.size)).toEqual([0, 0]);
    expect(spaces.map((nsp) => [nsp.adapter.rooms.size, nsp.adapter.sids.size])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(io._nsps.has("/child")).toBe(false);

    for (const next of nexts) next();
    await nextTurn();
    expect([connections, spaces.map((nsp) => nsp.sockets.size)]).toEqual([[], [0, 0]]);
  });

  test("events and acknowledgements of more arguments than a call takes end their client alone", async () => {
    const running = await startServer(sioRs);
    const { socket: bystander } = await joinPair(running);
    const elements = "1,".repeat(450_000);
    for (const packet of [
      `42["a",${elements}1]`,
      `430[${elements}1]`,
      `42["a",${"1,".repeat(10_000)}1]`,
    ]) {
      const joined = onceValue(running.io, "connection");
      const peer = await RawWebSocket.join(running.port);
      const socket = await joined;
      socket.on("a", () => {});
      socket.emit("asked", () => {});
      const left = onceValue(socket, "disconnect");
      peer.send(packet);
      expect(await left).toBe("forced close");
    }
    expect(bystander.connected).toBe(true);
  });

  test("events of ten thousand arguments are delivered", async () => {
    const running = await startServer(sioRs);
    const { socket, client } = await joinPair(running);
    const heard = new Promise((resolve) => socket.on("a", (...args) => resolve(args.length)));
    client.emit("a", ...Array.from({ length: 9_999 }, () => 1));
    expect(await heard).toBe(9_999);
  });

  test("timers have their turns while events come faster than listeners take them", async () => {
    const child = startFixture(sioRs, "server.cjs", ["slow listeners"]);
    const client = openClient(`http://127.0.0.1:${await child.nextLine()}`);
    await once(client, "connect");
    for (let index = 0; index < 20_000; index += 1) {
      client.emit("n");
    }
    const most = await new Promise<number>((resolve) => {
      client.emit("waited", resolve);
    });
    // No more than came in one read, and perhaps a small one before it: a frame with mask and `42["n"]` has 13 bytes.
    const inOneRead = (64 * 1024) / 13;
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(1.5 * inOneRead);
  }, 30_000);
});
