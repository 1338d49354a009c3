// What `socket.emit`, `io.emit` and `send` carry, and what their return values are.

import type { EventEmitter } from "node:events";
import { record, settleDown, settleUp, TRANSPORTS } from "../harness/clients";
import { collect, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { joinPair, startPair } from "../harness/servers";

/** Names that neither side may emit (ERR, RES-A). */
const RESERVED_NAMES = [
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
];

const listenerOfX = (): void => {};

describeBoth("messaging", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`a thousand events keep their order over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const arrived = collect(client, "n", 1_000);
      for (let index = 0; index < 1_000; index += 1) {
        socket.emit("n", index);
      }
      expect((await arrived).map(([index]) => index)).toEqual(
        Array.from({ length: 1_000 }, (_, index) => index),
      );
    });

    it(`a thousand events of the client keep their order over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const arrived = collect(socket, "n", 1_000);
      for (let index = 0; index < 1_000; index += 1) {
        client.emit("n", index);
      }
      expect((await arrived).map(([index]) => index)).toEqual(
        Array.from({ length: 1_000 }, (_, index) => index),
      );
    });

    it(`large text arrives intact both ways over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const text = "sië😀 ".repeat(60_000);
      const up = once(socket, "large");
      client.emit("large", text);
      expect((await up)[0] === text).toBe(true);
      const down = once(client, "large");
      socket.emit("large", text);
      expect((await down)[0] === text).toBe(true);
    });
  }

  it("values arrive as JSON leaves them", async () => {
    const { socket, client } = await startPair(implementation);
    const down = once(client, "values");
    const values = [
      undefined,
      null,
      Number.NaN,
      new Date(0),
      new Map([[1, 2]]),
      -0,
      () => {},
      1e21,
      0.1,
      "tail",
    ];
    socket.emit("values", ...values);
    const expected = [null, null, null, "1970-01-01T00:00:00.000Z", {}, 0, null, 1e21, 0.1, "tail"];
    expect(await down).toEqual(expected);
  });

  it("strings of every kind arrive unchanged", async () => {
    const { socket, client } = await startPair(implementation);
    const strings = [
      "",
      "\u0000\u001e\u001f",
      '"\\/\b\f\n\r\t',
      "\u2028\u2029",
      "\u007f\u0080ÿ",
      "€ 漢字 😀",
      "</script>",
    ];
    socket.on("echo", (...args) => socket.emit("echo", ...args));
    const back = once(client, "echo");
    client.emit("echo", ...strings);
    expect(await back).toEqual(strings);
  });

  it("a lone surrogate arrives as JSON escapes it", async () => {
    const { socket, client } = await startPair(implementation);
    const down = once(client, "surrogate");
    socket.emit("surrogate", "a\ud800b", { "\udc00": 1 });
    expect(await down).toEqual(["a\ud800b", { "\udc00": 1 }]);
  });

  it("keys keep the order and the last of duplicates that JSON.parse gives", async () => {
    const { socket, client } = await startPair(implementation);
    const up = once(socket, "keys");
    client.emit("keys", { b: 1, 10: 2, a: 3, 2: 4 });
    const [object] = await up;
    expect(Object.keys(object)).toEqual(["2", "10", "b", "a"]);
  });

  it("an object may say with toJSON what is sent", async () => {
    const { socket, client } = await startPair(implementation);
    const down = once(client, "json");
    socket.emit("json", { toJSON: () => ({ replaced: true }) });
    expect(await down).toEqual([{ replaced: true }]);
  });

  it("a key called __proto__ arrives as an own property and pollutes nothing", async () => {
    const { socket, client } = await startPair(implementation);
    const up = once(socket, "proto");
    client.emit("proto", JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'));
    const [object] = await up;
    expect(Object.keys(object)).toEqual(["__proto__", "constructor"]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("an event needs no arguments", async () => {
    const { socket, client } = await startPair(implementation);
    const up = once(socket, "bare");
    client.emit("bare");
    expect(await up).toEqual([]);
  });

  it("an event name may be empty, a number, or anything that is not reserved", async () => {
    const { socket, client } = await startPair(implementation);
    const seen = record(client);
    for (const name of ["", "error", "connection", "message", "ping", "__proto__", "a,b[1]"]) {
      socket.emit(name, 1);
    }
    socket.emit(7 as unknown as string, 1);
    await settleDown(socket, client);
    expect(seen.map(([name]) => name)).toEqual([
      "",
      "error",
      "connection",
      "message",
      "ping",
      "__proto__",
      "a,b[1]",
      7,
    ]);
  });

  for (const name of RESERVED_NAMES) {
    it(`emitting "${name}" throws on sockets, namespaces and operators`, async () => {
      const { io, socket } = await startPair(implementation);
      const message = `"${name}" is a reserved event name`;
      expect(() => socket.emit(name)).toThrow(message);
      expect(() => io.emit(name)).toThrow(message);
      expect(() => io.to("room").emit(name)).toThrow(message);
      expect(() => socket.broadcast.emit(name)).toThrow(message);
    });
  }

  it("emit returns true, also before and after the connection", async () => {
    const { io, socket, client } = await startPair(implementation);
    expect(socket.emit("a")).toBe(true);
    expect(io.emit("a")).toBe(true);
    expect(io.to("nowhere").emit("a")).toBe(true);
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(socket.emit("a")).toBe(true);
  });

  it("what is emitted is a snapshot: later changes of the arguments are not sent", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen = record(client);
    const list = [1];
    socket.emit("direct", list);
    io.emit("broadcast", list);
    list.push(2);
    await settleDown(socket, client);
    expect(seen).toEqual([
      ["direct", [1]],
      ["broadcast", [1]],
    ]);
  });

  it("what JSON cannot encode is thrown to the caller of emit, and the connection goes on", async () => {
    const { io, socket, client } = await startPair(implementation);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(() => socket.emit("bad", 1n)).toThrow(TypeError);
    expect(() => io.emit("bad", 1n)).toThrow(TypeError);
    expect(() => socket.emit("bad", circular)).toThrow();
    await settleDown(socket, client);
  });

  it("send and write emit message and return their emitter", async () => {
    const { io, socket, client } = await startPair(implementation);
    const arrived = collect(client, "message", 6);
    expect(socket.send("socket", 1)).toBe(socket);
    expect(socket.write("socket", 2)).toBe(socket);
    expect(io.of("/").send("namespace", 1)).toBe(io.of("/"));
    expect(io.of("/").write("namespace", 2)).toBe(io.of("/"));
    expect(io.send("server", 1)).toBe(io);
    expect(io.write("server", 2)).toBe(io);
    expect(await arrived).toEqual([
      ["socket", 1],
      ["socket", 2],
      ["namespace", 1],
      ["namespace", 2],
      ["server", 1],
      ["server", 2],
    ]);
  });

  it("client.send arrives as message", async () => {
    const { socket, client } = await startPair(implementation);
    const up = once(socket, "message");
    client.send("text", { a: 1 });
    expect(await up).toEqual(["text", { a: 1 }]);
  });

  it("a broadcast between two direct emits keeps its place", async () => {
    const pair = await startPair(implementation);
    const { io, socket, client } = pair;
    await joinPair(pair);
    const seen = record(client);
    for (let round = 0; round < 50; round += 1) {
      socket.emit("direct", round);
      io.emit("broadcast", round);
    }
    await settleDown(socket, client);
    const expected = Array.from({ length: 50 }, (_, round) => [
      ["direct", round],
      ["broadcast", round],
    ]).flat();
    expect(seen).toEqual(expected);
  });

  it("plain listeners are called with the socket as this, in the order of their registration", async () => {
    const { socket, client } = await startPair(implementation);
    const calls: unknown[] = [];
    socket.on("who", function (this: unknown) {
      calls.push("second", this === socket);
    });
    socket.prependListener("who", () => calls.push("first"));
    client.emit("who");
    await settleUp(client, socket);
    expect(calls).toEqual(["first", "second", true]);
  });

  it("the other methods of EventEmitter work on a socket as well", async () => {
    const { socket, client } = await startPair(implementation);
    const calls: string[] = [];
    const listener = (name: string) => () => void calls.push(name);
    const [added, first, second] = [listener("added"), listener("first"), listener("second")];
    expect(socket.addListener("x", added)).toBe(socket);
    expect(socket.prependListener("x", first)).toBe(socket);
    expect(socket.prependOnceListener("x", second)).toBe(socket);
    expect(socket.listeners("x")).toEqual([second, first, added]);
    expect(socket.rawListeners("x").slice(1)).toEqual([first, added]);
    expect((socket.rawListeners("x")[0] as any).listener).toBe(second);
    expect(socket.setMaxListeners(64)).toBe(socket);
    expect(socket.getMaxListeners()).toBe(64);
    client.emit("x");
    await settleUp(client, socket);
    expect(calls).toEqual(["second", "first", "added"]);
    expect(socket.removeListener("x", first)).toBe(socket);
    expect(socket.listeners("x")).toEqual([added]);
    expect(socket.removeAllListeners()).toBe(socket);
    expect(socket.eventNames()).toEqual([]);
  });

  for (const [name, act] of [
    ["newListener", (emitter: EventEmitter) => emitter.on("x", () => {})],
    ["removeListener", (emitter: EventEmitter) => emitter.off("x", listenerOfX)],
  ] as const) {
    it(`whoever listens to ${name} of a socket or a namespace makes it throw, since emit refuses the name`, async () => {
      const { io, socket } = await startPair(implementation);
      for (const emitter of [socket, io.sockets] as unknown as EventEmitter[]) {
        emitter.on("x", listenerOfX);
        emitter.on(name, () => {});
        expect(() => act(emitter)).toThrow(`"${name}" is a reserved event name`);
      }
    });
  }

  it("once, off and removeAllListeners work as on any EventEmitter", async () => {
    const { socket, client } = await startPair(implementation);
    const calls: string[] = [];
    const removed = (): void => void calls.push("removed");
    socket.once("x", () => calls.push("once"));
    socket.on("x", removed);
    socket.off("x", removed);
    socket.on("y", removed);
    socket.removeAllListeners("y");
    client.emit("x");
    client.emit("x");
    client.emit("y");
    await settleUp(client, socket);
    expect(calls).toEqual(["once"]);
    expect(socket.listenerCount("x")).toBe(0);
    expect(socket.eventNames()).toContain("error");
  });
});
