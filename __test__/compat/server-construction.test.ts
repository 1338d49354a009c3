// The forms of `new Server`, what its first argument may be, and the properties that are there before and after attaching.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { request } from "../harness/raw-http";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startServer,
  track,
  trackHttpServer,
} from "../harness/servers";

const EXPRESS_MISTAKE =
  "You are trying to attach socket.io to an express request handler function. Please pass a http.Server instance.";

describeBoth("server construction", (implementation) => {
  const { Server } = implementation;

  it("without arguments it is attached to nothing and has the namespace /", () => {
    const io = new Server();
    expect(io.engine).toBeUndefined();
    expect(io.httpServer).toBeUndefined();
    expect(io.of("/")).toBe(io.sockets);
  });

  it("with null or undefined in the place of the server it takes the options", () => {
    for (const nothing of [null, undefined]) {
      const io = new Server(nothing as never, { path: "/own" });
      expect(io.path()).toBe("/own");
      expect(io.engine).toBeUndefined();
    }
  });

  it("an object that does not listen is the options", () => {
    const io = new Server({ path: "/own", serveClient: false, connectTimeout: 1_000 });
    expect([io.path(), io.serveClient(), io.connectTimeout()]).toEqual(["/own", false, 1_000]);
    expect(io.engine).toBeUndefined();
  });

  it("options may have a null prototype", async () => {
    const options = Object.assign(Object.create(null), { path: "/own" });
    const httpServer = createServer();
    const io = track(new Server(httpServer, options));
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    await joinPair(running, "/", { path: "/own" });
  });

  it("a port makes an HTTP server that listens, 0 for any free one", async () => {
    const io = track(new Server(0, { path: "/own" }));
    const { httpServer } = io;
    if (!httpServer.listening) {
      await once(httpServer, "listening");
    }
    const { port } = httpServer.address() as AddressInfo;
    await joinPair(describeRunning(io, httpServer as never, port), "/", { path: "/own" });
    const foreign = await request(port, { path: "/elsewhere" });
    expect([foreign.status, foreign.text]).toEqual([404, ""]);
  });

  it("a port may be given as a numeric string", async () => {
    const io = track(new Server("0" as never));
    const { httpServer } = io;
    if (!httpServer.listening) {
      await once(httpServer, "listening");
    }
    await joinPair(
      describeRunning(io, httpServer as never, (httpServer.address() as AddressInfo).port),
    );
  });

  it("a port that is in use is told by an error event of httpServer", async () => {
    const taken = trackHttpServer(createServer());
    const listening = once(taken, "listening");
    taken.listen(0);
    await listening;
    const io = track(new Server((taken.address() as AddressInfo).port));
    const [error] = await once(io.httpServer, "error");
    expect(error.code).toBe("EADDRINUSE");
  });

  it("an Express app or any other function is refused with a hint", () => {
    const app = () => {};
    expect(() => new Server(app as never)).toThrow(EXPRESS_MISTAKE);
    expect(() => new Server().attach(app as never)).toThrow(EXPRESS_MISTAKE);
    expect(() => new Server().listen(app as never)).toThrow(EXPRESS_MISTAKE);
  });

  it("engine and eio are the Engine.IO server once it is attached", async () => {
    const { io, httpServer } = await startServer(implementation);
    expect(io.engine).toBeDefined();
    expect(internals(io).eio).toBe(io.engine);
    expect(io.httpServer).toBe(httpServer);
    expect(io.engine.clientsCount).toBe(0);
    expect(typeof (io.engine as any).handleRequest).toBe("function");
    expect(typeof (io.engine as any).handleUpgrade).toBe("function");
    expect((io.engine as any).ws).toBeTruthy();
  });

  it("opts and _opts are the options of the constructor", () => {
    const io = new Server({ path: "/own", pingTimeout: 5 });
    expect(internals(io).opts).toMatchObject({ path: "/own", pingTimeout: 5 });
    expect(io._opts).toBe(internals(io).opts);
  });

  it("what adapters and frameworks reach for is there", async () => {
    const { io } = await startServer(implementation);
    const inside = internals(io);
    expect(inside.encoder.encode({ type: 2, nsp: "/", data: ["x"] })).toEqual(['2["x"]']);
    expect(inside._parser).toBeDefined();
    expect(inside._nsps).toBeInstanceOf(Map);
    expect(inside.parentNsps).toBeInstanceOf(Map);
    expect(inside.parentNamespacesFromRegExp).toBeInstanceOf(Map);
    expect(inside._path).toBe("/socket.io");
    expect(inside._connectTimeout).toBe(45_000);
    expect(inside._serveClient).toBe(true);
    for (const method of ["attachServe", "serve", "initEngine", "_checkNamespace"]) {
      expect(typeof inside[method]).toBe("function");
    }
    expect(typeof (Server as any).sendFile).toBe("function");
  });

  it("while the adapter of / is made, encoder and opts are there, sockets and nsp.adapter are not", () => {
    const seen: unknown[] = [];
    const Base = internals(new Server().of("/").adapter).constructor;
    class Probe extends Base {
      constructor(nsp: any) {
        super(nsp);
        const { server } = nsp;
        seen.push(typeof server.encoder.encode, server.opts.path, server.sockets, nsp.adapter);
      }
      init(): void {
        seen.push("init");
      }
    }
    new Server({ path: "/own", adapter: Probe as never });
    expect(seen).toEqual(["function", "/own", undefined, undefined, "init"]);
  });

  it("several servers live in one process, and even one HTTP server", async () => {
    const httpServer = createServer();
    const first = track(new Server(httpServer, { path: "/first" }));
    const second = track(new Server(httpServer, { path: "/second" }));
    const port = await listenOnFreePort(httpServer);
    await joinPair(describeRunning(first, httpServer, port), "/", { path: "/first" });
    await joinPair(describeRunning(second, httpServer, port), "/", {
      path: "/second",
      transports: ["polling"],
    });
    expect([first.engine.clientsCount, second.engine.clientsCount]).toEqual([1, 1]);
  });

  it("an object whose listen is false is the options", () => {
    const io = new Server({ path: "/own", listen: false } as never);
    expect([io.path(), io.engine]).toEqual(["/own", undefined]);
  });

  it("a text that is no number is no server", () => {
    const message = "server.listeners is not a function";
    expect(() => new Server("/tmp/a-pipe" as never)).toThrow(new TypeError(message));
    expect(() => new Server().listen("3000x" as never)).toThrow(new TypeError(message));
  });

  it("whatever equals a number is a port", async () => {
    for (const port of [0n, "", " 0 ", "0x0", false]) {
      const io = track(new Server().listen(port as never));
      const { httpServer } = io;
      if (!httpServer.listening) {
        await once(httpServer, "listening");
      }
      expect((httpServer.address() as AddressInfo).port).toBeGreaterThan(0);
    }
  });
});
