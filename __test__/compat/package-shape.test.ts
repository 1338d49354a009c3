// What `require()` and `import` give: a callable with three classes, and how those classes are related.

import { EventEmitter } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { basename, dirname, join } from "node:path";
import { runModule } from "../harness/child";
import { describeBoth, it } from "../harness/implementations";
import { describeRunning, joinPair, listenOnFreePort, startPair, track } from "../harness/servers";

describeBoth("package shape", (implementation) => {
  const { callable, Server, Namespace, Socket } = implementation;

  it("module.exports is a function of two parameters with Server, Namespace and Socket", () => {
    expect(typeof callable).toBe("function");
    expect(callable).toHaveLength(2);
    expect(Object.keys(callable).sort()).toEqual(["Namespace", "Server", "Socket"]);
    const exported = callable as unknown as Record<string, unknown>;
    expect([exported.default, exported.__esModule, exported.BroadcastOperator]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("calling it without new gives a Server", async () => {
    const httpServer = createServer();
    const io = track(callable(httpServer, { path: "/own" }));
    expect(io).toBeInstanceOf(Server);
    expect(io.path()).toBe("/own");
    expect(io.httpServer).toBe(httpServer);
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    await joinPair(running, "/", { path: "/own" });
  });

  it("calling it with options alone, or nothing, attaches to nothing", () => {
    const call = callable as unknown as (options?: object) => InstanceType<typeof Server>;
    expect(call().engine).toBeUndefined();
    const io = call({ path: "/own" });
    expect(io).toBeInstanceOf(Server);
    expect(io.path()).toBe("/own");
    expect(io.engine).toBeUndefined();
  });

  it("Server, Namespace and Socket are Node's EventEmitters", async () => {
    const { io, socket } = await startPair(implementation);
    expect(io).toBeInstanceOf(EventEmitter);
    expect(io.sockets).toBeInstanceOf(EventEmitter);
    expect(io.sockets).toBeInstanceOf(Namespace);
    expect(socket).toBeInstanceOf(EventEmitter);
    expect(socket).toBeInstanceOf(Socket);
    expect(io.of(/^\/x/)).toBeInstanceOf(Namespace);
    expect(io.of("/").adapter).toBeInstanceOf(EventEmitter);
  });

  it("Server can be extended, and its methods replaced on the prototype", async () => {
    class Own extends Server {
      extra = "own";
      greet(): string {
        return `hello from ${this.path()}`;
      }
    }
    const io = track(new Own());
    expect(io).toBeInstanceOf(Server);
    expect([io.extra, io.greet()]).toEqual(["own", "hello from /socket.io"]);

    const { on } = Server.prototype;
    const calls: unknown[] = [];
    Server.prototype.on = function (this: unknown, ...args: any[]) {
      calls.push(args[0]);
      return (on as any).apply(this, args);
    } as never;
    try {
      io.on("connection", () => {});
    } finally {
      Server.prototype.on = on;
    }
    expect(calls).toEqual(["connection"]);
  });

  it("methods of Socket that are replaced on the prototype are used", async () => {
    const prototype = Socket.prototype as any;
    const { onevent, emit } = prototype;
    const log: string[] = [];
    prototype.onevent = function (packet: any) {
      log.push(`onevent ${packet.data[0]}`);
      return onevent.call(this, packet);
    };
    prototype.emit = function (...args: any[]) {
      log.push(`emit ${args[0]}`);
      return emit.apply(this, args);
    };
    try {
      const { socket, client } = await startPair(implementation);
      socket.on("q", (reply) => reply("answer"));
      expect(await client.emitWithAck("q")).toBe("answer");
      socket.emit("out");
    } finally {
      Object.assign(prototype, { onevent, emit });
    }
    expect(log).toEqual(["onevent q", "emit out"]);
  });

  it("an onevent that is replaced on one socket is used, with an ack that it makes itself", async () => {
    const { socket, client } = await startPair(implementation);
    const patched = socket as any;
    const { onevent } = patched;
    patched.onevent = function (packet: any) {
      if (packet.data[0] === "by hand") {
        patched.ack(packet.id)("from the patch", packet.data[1]);
      } else {
        onevent.call(this, packet);
      }
    };
    expect(await client.emitWithAck("by hand", 1)).toBe("from the patch");
    socket.on("q", (reply) => reply("from the listener"));
    expect(await client.emitWithAck("q")).toBe("from the listener");
  });

  it("an onevent that is replaced may change the packet, and call the one before it as often as it likes", async () => {
    const { socket, client } = await startPair(implementation);
    const patched = socket as any;
    const { onevent } = patched;
    patched.onevent = function (packet: any) {
      const data = [...packet.data];
      onevent.call(this, packet);
      packet.data = ["*", ...data];
      onevent.call(this, packet);
    };
    const calls: unknown[] = [];
    socket.on("q", (value) => calls.push(["q", value]));
    socket.on("*", (name, value, reply) => {
      calls.push(["*", name, value]);
      reply("from the second call");
    });
    expect(await client.emitWithAck("q", 1)).toBe("from the second call");
    expect(calls).toEqual([
      ["q", 1],
      ["*", "q", 1],
    ]);
  });

  it("incoming events do not pass through an emit that is replaced on one socket", async () => {
    const { socket, client } = await startPair(implementation);
    const emitted: unknown[] = [];
    const { emit } = socket;
    socket.emit = ((...args: [string]) => {
      emitted.push(args[0]);
      return emit.apply(socket, args);
    }) as never;
    socket.on("q", (reply) => {
      socket.emit("out");
      reply(1);
    });
    await client.emitWithAck("q");
    expect(emitted).toEqual(["out"]);
  });

  it("the ES module entry exports the same three classes by name", async () => {
    const { stdout, exitCode } = await runModule(
      implementation,
      (specifier) => `
        import { createRequire } from "node:module";
        import * as entry from ${JSON.stringify(specifier)};
        const required = createRequire(import.meta.url)(process.env.MODULE_PATH);
        for (const name of ["Server", "Namespace", "Socket"]) {
          if (entry[name] !== required[name]) throw new Error(name + " differs");
        }
        console.log(new entry.Server().path());
      `,
    );
    expect([exitCode, stdout]).toEqual([0, "/socket.io\n"]);
  });

  it("onack and ondisconnect that are replaced on one socket are used, and other packets are ignored", async () => {
    const { socket, client } = await startPair(implementation);
    const patched = socket as any;
    const { onack, ondisconnect } = patched;
    const log: unknown[] = [];
    patched.onack = function (packet: any) {
      log.push("onack", packet.data);
      onack.call(this, packet);
    };
    const gone = new Promise<void>((resolve) => {
      patched.ondisconnect = function () {
        log.push("ondisconnect");
        ondisconnect.call(this);
        resolve();
      };
    });
    client.on("q", (reply) => reply("answer"));
    expect(await socket.emitWithAck("q")).toBe("answer");
    patched._onpacket({ type: 0, nsp: "/" });
    expect(socket.connected).toBe(true);
    client.disconnect();
    await gone;
    expect(log).toEqual(["onack", ["answer"], "ondisconnect"]);
  });

  it("ack and emit that are replaced on one socket are used by what builds on them", async () => {
    const { socket, client } = await startPair(implementation);
    const patched = socket as any;
    const log: unknown[] = [];
    for (const method of ["ack", "emit", "packet", "run", "dispatch", "_onpacket"]) {
      const replaced = patched[method];
      patched[method] = function (...args: unknown[]) {
        log.push(method);
        return replaced.apply(this, args);
      };
    }
    socket.on("q", (reply) => reply("server"));
    client.on("q", (reply) => reply("client"));
    expect(await client.emitWithAck("q")).toBe("server");
    expect(log.splice(0)).toEqual(["_onpacket", "ack", "dispatch", "run", "packet"]);
    expect(await socket.emitWithAck("q")).toBe("client");
    expect(log.splice(0)).toEqual(["emit", "packet", "_onpacket"]);
    socket.send("text");
    socket.write("text");
    expect(log).toEqual(["emit", "packet", "emit", "packet"]);
  });

  it("operators, clients and sockets of other servers are no emitters", async () => {
    const { io, socket } = await startPair(implementation);
    const { RemoteSocket } = require(join(distOf(implementation.modulePath), "broadcast-operator"));
    const remote = new RemoteSocket(io.sockets.adapter, { id: "id", rooms: [], handshake: {} });
    for (const plain of [io.to("r"), socket.broadcast, socket.client, remote]) {
      expect(plain).not.toBeInstanceOf(EventEmitter);
    }
  });

  it("every class is extended by ordinary classes, and every instance takes any property", async () => {
    const { io, socket } = await startPair(implementation);
    const parent = io.of(/^\/x/);
    expect(Object.getPrototypeOf(parent.constructor)).toBe(Namespace);
    class OwnNamespace extends Namespace {
      readonly operator = "own";
    }
    const own = new OwnNamespace(io, "/own");
    expect([own.operator, own.name, own.to("room").emit("event")]).toEqual(["own", "/own", true]);
    class OwnAdapter extends (io.sockets.adapter.constructor as new (nsp: unknown) => object) {
      readonly served = "own";
    }
    const adapter = new OwnAdapter(io.sockets) as unknown as { served: string; nsp: unknown };
    expect(adapter.served).toBe("own");
    expect(adapter.nsp).toBe(io.sockets); // which a comparison by content would walk through for a minute
    const key = Symbol("mine");
    const objects = [io, io.sockets, parent, socket, socket.client, socket.conn, io.to("r")];
    for (const object of [...objects, io.sockets.adapter, io.engine, socket.conn.transport]) {
      expect(Object.isExtensible(object)).toBe(true);
      expect(Object.assign(object, { mine: 1, [key]: 2 })).toMatchObject({ mine: 1, [key]: 2 });
      expect(JSON.stringify(Object.keys(object))).toContain("mine");
      expect(Reflect.deleteProperty(object, "mine")).toBe(true);
    }
  });

  it("the bundles of the client are found from the entry, as programs look for them", () => {
    const root = join(distOf(implementation.modulePath), "..");
    const { main, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const entry of [main, exports["."].require]) {
      expect(existsSync(join(root, dirname(entry), "..", "client-dist", "socket.io.js"))).toBe(
        true,
      );
    }
  });
});

/** The folder of compiled files, which both packages call so. */
function distOf(modulePath: string): string {
  return basename(dirname(modulePath)) === "dist"
    ? dirname(modulePath)
    : join(dirname(modulePath), "dist");
}
