// Static namespaces: names, identity, what is told of them, and what they keep apart.

import { EventEmitter } from "node:events";
import { record, settleDown } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, startPair, startServer } from "../harness/servers";

describeBoth("namespaces", (implementation) => {
  it("io.sockets is the namespace /, which always exists", async () => {
    const { io } = await startServer(implementation);
    expect(io.sockets).toBe(io.of("/"));
    expect(io.sockets).toBeInstanceOf(implementation.Namespace);
    expect(io.sockets.name).toBe("/");
    expect([...io._nsps.keys()]).toEqual(["/"]);
  });

  it("of() completes the name with a slash and gives the same namespace each time", async () => {
    const { io } = await startServer(implementation);
    expect(io.of("")).toBe(io.of("/"));
    expect(io.of("abc")).toBe(io.of("/abc"));
    expect(io.of("/abc").name).toBe("/abc");
    expect(io.of("/abc")).not.toBe(io.of("/ABC"));
  });

  it("a namespace knows its server, its sockets and its adapter", async () => {
    const { io } = await startServer(implementation);
    const nsp = io.of("/n");
    expect(nsp.server).toBe(io);
    expect(nsp.sockets).toBeInstanceOf(Map);
    expect(nsp.adapter.nsp).toBe(nsp);
    expect(nsp.adapter).not.toBe(io.of("/").adapter);
    expect(internals(nsp)._preConnectSockets).toBeInstanceOf(Map);
    expect(internals(nsp)._fns).toEqual([]);
  });

  it("each function given to of() is a connect listener", async () => {
    const running = await startServer(implementation);
    const calls: unknown[] = [];
    running.io.of("/n", (socket) => calls.push(1, socket.nsp.name));
    running.io.of("/n", (socket) => calls.push(2, socket.nsp.name));
    await joinPair(running, "/n");
    expect(calls).toEqual([1, "/n", 2, "/n"]);
  });

  it("new_namespace is emitted inside of of(), once, for every namespace but /", async () => {
    const { io } = await startServer(implementation);
    const created: unknown[] = [];
    io.on("new_namespace", (nsp) => created.push(nsp, io._nsps.has(nsp.name)));
    io.of("/");
    const nsp = io.of("/fresh");
    io.of("/fresh");
    expect(created).toEqual([nsp, true]);
  });

  it("one client may join several namespaces over one connection", async () => {
    const running = await startServer(implementation);
    running.io.of("/a");
    running.io.of("/b");
    const { client, socket } = await joinPair(running);
    const other = client.io.socket("/a");
    const third = client.io.socket("/b");
    await Promise.all([once(other, "connect"), once(third, "connect")]);
    expect(running.io.engine.clientsCount).toBe(1);
    const sockets = internals(socket.client).nsps as Map<string, unknown>;
    expect([...sockets.keys()]).toEqual(["/", "/a", "/b"]);
    expect(new Set([client.id, other.id, third.id]).size).toBe(3);
    expect(running.io.of("/a").sockets.get(other.id as string)?.client).toBe(socket.client);
  });

  it("events of one namespace do not reach another", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const { client, socket } = await joinPair(running);
    const other = client.io.socket("/n");
    await once(other, "connect");
    const seen = record(client);
    const seenByOther = record(other);
    running.io.emit("main");
    running.io.of("/n").emit("other");
    const otherSocket = running.io.of("/n").sockets.get(other.id as string);
    await settleDown(socket, client);
    await settleDown(otherSocket as never, other);
    expect(seen).toEqual([["main"]]);
    expect(seenByOther).toEqual([["other"]]);
  });

  it('an unknown namespace is refused with "Invalid namespace", and the connection stays', async () => {
    const running = await startServer(implementation);
    const { client, socket } = await joinPair(running);
    const unknown = client.io.socket("/unknown");
    const error = await onceValue<Error>(unknown, "connect_error");
    expect(error.message).toBe("Invalid namespace");
    expect(unknown.connected).toBe(false);
    await settleDown(socket, client);
    expect(running.io._nsps.has("/unknown")).toBe(false);
  });

  it("a refused namespace can be joined once it exists", async () => {
    const running = await startServer(implementation);
    const { client } = await joinPair(running);
    const late = client.io.socket("/late");
    await once(late, "connect_error");
    running.io.of("/late");
    const connected = once(late, "connect");
    late.connect();
    await connected;
  });

  for (const name of [
    "/with space",
    "/ünïcode/漢字",
    "/yjs|doc",
    "/a/b/c",
    "/q?x=1&y",
    "/[1]\"'{}",
    "/__proto__",
  ]) {
    it(`${name} is a name like any other`, async () => {
      const running = await startServer(implementation);
      const { client } = await joinPair(running);
      const nsp = running.io.of(name);
      nsp.on("connection", (socket) => socket.on("q", (reply) => reply(socket.nsp.name)));
      const other = client.io.socket(name);
      expect(await other.emitWithAck("q")).toBe(name);
    });
  }

  it("disconnecting from one namespace leaves the others", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const { client, socket } = await joinPair(running);
    const other = client.io.socket("/n");
    await once(other, "connect");
    const otherSocket = running.io.of("/n").sockets.get(other.id as string) as never;
    const left = onceValue(otherSocket, "disconnect");
    other.disconnect();
    expect(await left).toBe("client namespace disconnect");
    await settleDown(socket, client);
    expect([...internals(socket.client).nsps.keys()]).toEqual(["/"]);
  });

  it("use and emit of the server are those of the namespace /", async () => {
    const { io, socket, client } = await startPair(implementation);
    expect(io.use((_socket, next) => next())).toBe(io);
    expect(internals(io.of("/"))._fns).toHaveLength(1);
    const seen = record(client);
    io.of("/").emit("same");
    await settleDown(socket, client);
    expect(seen).toEqual([["same"]]);
  });

  it("the emitter methods of the server act on / and return it", async () => {
    const { io } = await startServer(implementation);
    const listener = (): void => {};
    for (const method of [
      "on",
      "once",
      "addListener",
      "prependListener",
      "prependOnceListener",
    ] as const) {
      expect((io as any)[method]("custom", listener)).toBe(io.sockets);
    }
    expect(io.listenerCount("custom")).toBe(5);
    expect(io.sockets.listenerCount("custom")).toBe(5);
    expect(io.listeners("custom")).toHaveLength(5);
    expect(io.eventNames()).toEqual(io.sockets.eventNames());
    expect(io.off("custom", listener)).toBe(io.sockets);
    expect(io.removeAllListeners("custom")).toBe(io.sockets);
    expect(io.sockets.listenerCount("custom")).toBe(0);
    expect(io.setMaxListeners(64)).toBe(io.sockets);
    expect(io.sockets.getMaxListeners()).toBe(64);
  });

  it("each method of EventEmitter is one of the server's own, on its prototype", async () => {
    const { io } = await startServer(implementation);
    const methods = Object.entries(EventEmitter.prototype).filter(
      ([, value]) => typeof value === "function",
    );
    for (const [name] of methods) {
      expect([name, Object.hasOwn(implementation.Server.prototype, name)]).toEqual([name, true]);
    }
    const listener = (): void => {};
    io.once("custom", listener);
    expect(io.rawListeners("custom")).toEqual(io.sockets.rawListeners("custom"));
    expect((io.rawListeners("custom")[0] as { listener?: unknown }).listener).toBe(listener);
    expect(io.removeListener("custom", listener)).toBe(io.sockets);
    expect(io.sockets.listenerCount("custom")).toBe(0);
  });

  it("a socket is counted in nsp.sockets from connection to disconnect", async () => {
    const running = await startServer(implementation);
    const nsp = running.io.of("/n");
    const { client, socket } = await joinPair(running, "/n");
    expect([...nsp.sockets.keys()]).toEqual([socket.id]);
    expect(await nsp.allSockets()).toEqual(new Set([socket.id]));
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(nsp.sockets.size).toBe(0);
  });
});
