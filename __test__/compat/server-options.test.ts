// Options of the server: accessors, precedence between constructor and attach, defaults, the adapter setter.

import { createServer } from "node:http";
import { Adapter, SessionAwareAdapter } from "socket.io-adapter";
import { record, settleDown } from "../harness/clients";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { request } from "../harness/raw-http";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startPair,
  startServer,
  track,
} from "../harness/servers";

const DEFAULTS = {
  upgrades: ["websocket"],
  pingInterval: 25_000,
  pingTimeout: 20_000,
  maxPayload: 1_000_000,
};

describeBoth("server options", (implementation) => {
  const { Server } = implementation;

  it("path() gives the path without its last slash and sets it", () => {
    const io = new Server();
    expect(io.path()).toBe("/socket.io");
    expect(io.path("/own/")).toBe(io);
    expect(io.path()).toBe("/own");
    expect(new Server({ path: "" }).path()).toBe("/socket.io");
  });

  it("path() set before attach is the one that is served", async () => {
    const httpServer = createServer();
    const io = track(new Server().path("/own"));
    io.attach(httpServer);
    await joinPair(describeRunning(io, httpServer, await listenOnFreePort(httpServer)), "/", {
      path: "/own",
    });
  });

  it("serveClient() gives and sets, and only false turns it off", () => {
    const io = new Server();
    expect(io.serveClient()).toBe(true);
    expect(io.serveClient(false)).toBe(io);
    expect(io.serveClient()).toBe(false);
    expect(new Server({ serveClient: undefined }).serveClient()).toBe(true);
  });

  it("connectTimeout() gives and sets, and falsy options are the default", () => {
    const io = new Server();
    expect(io.connectTimeout()).toBe(45_000);
    expect(io.connectTimeout(123)).toBe(io);
    expect(io.connectTimeout()).toBe(123);
    expect(new Server({ connectTimeout: 0 }).connectTimeout()).toBe(45_000);
  });

  it("listen and attach are the same and return the server", async () => {
    for (const method of ["listen", "attach"] as const) {
      const httpServer = createServer();
      const io = track(new Server());
      expect(io[method](httpServer)).toBe(io);
      await joinPair(describeRunning(io, httpServer, await listenOnFreePort(httpServer)));
    }
  });

  it("options of the constructor win over those of attach, which add to them", async () => {
    const httpServer = createServer();
    const io = track(new Server({ pingTimeout: 6_000, path: "/ctor" }));
    io.attach(httpServer, { pingTimeout: 1, pingInterval: 7_000, path: "/attach" });
    const port = await listenOnFreePort(httpServer);
    const open = await new PollingPeer(port, { path: "/ctor/" }).open();
    expect([open.pingTimeout, open.pingInterval]).toEqual([6_000, 7_000]);
  });

  it("a path given to attach alone is used", async () => {
    const httpServer = createServer();
    const io = track(new Server());
    io.attach(httpServer, { path: "/attach" });
    await joinPair(describeRunning(io, httpServer, await listenOnFreePort(httpServer)), "/", {
      path: "/attach",
    });
  });

  it("the defaults are those of socket.io", async () => {
    const { port } = await startServer(implementation);
    const { sid: _sid, ...open } = await new PollingPeer(port).open();
    expect(open).toEqual(DEFAULTS);
  });

  it("connectionStateRecovery: {} gets its defaults, and cleanupEmptyChildNamespaces becomes a boolean", () => {
    const io = new Server({ connectionStateRecovery: {} as never });
    expect(internals(io).opts.connectionStateRecovery).toEqual({
      maxDisconnectionDuration: 120_000,
      skipMiddlewares: true,
    });
    expect(internals(io).opts.cleanupEmptyChildNamespaces).toBe(false);
  });

  it("adapter() gives the constructor, not an instance", () => {
    const io = new Server();
    const ctor = io.adapter();
    expect(typeof ctor).toBe("function");
    expect(io.of("/").adapter).toBeInstanceOf(ctor as never);
  });

  it("adapter() is npm's class, that of recovery where there is recovery, and adapters say so of themselves", () => {
    for (const [options, expected] of [
      [{}, Adapter],
      [{ connectionStateRecovery: {} }, SessionAwareAdapter],
      [{ adapter: Adapter }, Adapter],
    ] as const) {
      const io = new Server(options as never);
      expect(io.adapter()).toBe(expected);
      expect(io.of("/").adapter.constructor).toBe(expected);
      expect(io.of("/").adapter).toBeInstanceOf(expected);
    }
  });

  for (const adapter of ["x", {}]) {
    it(`the adapter ${JSON.stringify(adapter)} is refused`, () => {
      const make = () => new Server({ adapter: adapter as never });
      expect(make).toThrow(new TypeError("this.server.adapter(...) is not a constructor"));
    });
  }

  it("adapter(X) replaces the adapter of every namespace and returns the server", async () => {
    const { io } = await startServer(implementation);
    const dynamic = io.of("/dynamic");
    const old = dynamic.adapter;
    const made: string[] = [];
    const Base = io.adapter() as any;
    class Own extends Base {
      constructor(nsp: any) {
        super(nsp);
        made.push(nsp.name);
      }
      init(): void {
        made.push("init");
      }
    }
    expect(io.adapter(Own as never)).toBe(io);
    expect(made).toEqual(["/", "init", "/dynamic", "init"]);
    expect(dynamic.adapter).toBeInstanceOf(Own);
    expect(dynamic.adapter).not.toBe(old);
    expect(io.adapter()).toBe(Own);
    io.of("/later");
    expect(made.slice(4)).toEqual(["/later", "init"]);
  });

  it("adapter may be a function that makes the instance", async () => {
    const Base = new Server().adapter() as any;
    const made: unknown[] = [];
    function factory(nsp: any): unknown {
      const adapter = new Base(nsp);
      made.push(adapter);
      return adapter;
    }
    const { io, socket, client } = await startPair(implementation, { adapter: factory as never });
    expect(io.of("/").adapter).toBe(made[0]);
    socket.join("r");
    const seen = record(client);
    io.to("r").emit("hit");
    await settleDown(socket, client);
    expect(seen).toEqual([["hit"]]);
  });

  it("an adapter whose init rejects does not break the server", async () => {
    const Base = new Server().adapter() as any;
    class Failing extends Base {
      async init(): Promise<void> {
        throw new Error("no backend");
      }
    }
    await startPair(implementation, { adapter: Failing as never });
  });

  it("sockets keep the adapter they were made with, operators use the new one", async () => {
    const { io, socket, client } = await startPair(implementation);
    const old = io.of("/").adapter;
    socket.join("old room");
    io.adapter(class extends (io.adapter() as any) {} as never);
    expect(internals(socket).adapter).toBe(old);
    expect(socket.rooms.has("old room")).toBe(true);
    const seen = record(client);
    io.to("old room").emit("to nobody");
    await settleDown(socket, client);
    expect(seen).toEqual([]);
    expect(await io.in("old room").fetchSockets()).toEqual([]);
  });

  it("undefined in the place of an option of the server layer is its default", async () => {
    const { io } = await startServer(implementation, {
      path: undefined,
      serveClient: undefined,
      adapter: undefined,
      parser: undefined,
      connectTimeout: undefined,
    });
    expect([io.path(), io.serveClient(), io.connectTimeout()]).toEqual([
      "/socket.io",
      true,
      45_000,
    ]);
    await joinPair(
      describeRunning(io, io.httpServer as never, (io.httpServer.address() as any).port),
    );
  });

  it("the constructor completes the very object that it is given, which is io.opts from then on", () => {
    const options: any = { connectionStateRecovery: { maxDisconnectionDuration: 5 } };
    const io = new Server(options);
    expect(internals(io).opts).toBe(options);
    expect(options).toMatchObject({
      connectionStateRecovery: { maxDisconnectionDuration: 5, skipMiddlewares: true },
      cleanupEmptyChildNamespaces: false,
    });
  });

  it("attach completes the very object that it is given, with the constructor's options and the path", () => {
    const options: any = { pingInterval: 7_000 };
    track(new Server({ pingTimeout: 6_000 })).attach(createServer(), options);
    expect(options).toMatchObject({
      pingInterval: 7_000,
      pingTimeout: 6_000,
      path: "/socket.io",
    });
  });

  it("serveClient(false) after attach changes nothing", async () => {
    const { io, port } = await startServer(implementation);
    io.serveClient(false);
    expect((await request(port, { path: "/socket.io/socket.io.js" })).status).toBe(200);
  });

  it("an adapter that is replaced is not closed", () => {
    const io = new Server();
    const closed: string[] = [];
    io.of("/").adapter.close = () => void closed.push("old");
    io.adapter(class extends (io.adapter() as any) {} as never);
    expect(closed).toEqual([]);
  });

  it("what the adapter's constructor or its init throws reaches the caller", () => {
    const Base = new Server().adapter() as any;
    class Constructor extends Base {
      constructor(nsp: unknown) {
        super(nsp);
        throw new Error("no adapter");
      }
    }
    class Init extends Base {
      init(): void {
        throw new Error("no backend");
      }
    }
    expect(() => new Server({ adapter: Constructor as never })).toThrow("no adapter");
    expect(() => new Server().adapter(Init as never)).toThrow("no backend");
    const io = new Server();
    internals(io)._adapter = Init;
    expect(() => io.of("/n")).toThrow("no backend");
  });

  it("what is false in the place of an option of the server layer is its default, but for serveClient", () => {
    for (const nothing of [false, 0, null, ""] as never[]) {
      const io = new Server({ adapter: nothing, parser: nothing, connectTimeout: nothing });
      expect([io.adapter(), io.connectTimeout()]).toEqual([Adapter, 45_000]);
      expect(io.encoder.encode({ type: 2, nsp: "/", data: ["x"] })).toEqual(['2["x"]']);
      expect(new Server({ serveClient: nothing }).serveClient()).toBe(nothing !== false);
      const recovery = new Server({ connectionStateRecovery: nothing });
      expect([recovery._opts.connectionStateRecovery, recovery.adapter()]).toEqual([
        nothing,
        Adapter,
      ]);
    }
    const io = new Server({ connectionStateRecovery: true as never });
    expect(io._opts.connectionStateRecovery).toEqual({
      maxDisconnectionDuration: 120_000,
      skipMiddlewares: true,
    });
    expect(io.adapter()).toBe(SessionAwareAdapter);
  });

  it("an accessor is set by undefined if it counts its arguments, and tells if it looks at them", () => {
    const io = new Server();
    expect(io.serveClient(undefined as never)).toBe(io);
    expect(io.serveClient()).toBeUndefined();
    expect(io.connectTimeout(undefined as never)).toBe(45_000);
    expect(io.connectTimeout(0)).toBe(io);
    expect(io.connectTimeout()).toBe(0);
    expect(() => io.path(undefined as never)).toThrow(TypeError);
    expect(io.path()).toBe("/socket.io");
  });

  it("one slash at the end of the path is taken off, and no more", () => {
    expect(new Server({ path: "/own//" }).path()).toBe("/own/");
  });
});
