// `onAny`, `onAnyOutgoing` and their families: order, arguments, and which packets they are told of.

import type { Socket } from "socket.io";
import { settleDown, settleUp } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { joinPair, startPair, startServer } from "../harness/servers";

/** The two families, whose methods differ by one word. */
const FAMILIES = ["Any", "AnyOutgoing"] as const;

type Listener = (...args: any[]) => void;

/** The methods of one family, so that both go through the same cases. */
function methods(socket: Socket, family: (typeof FAMILIES)[number]) {
  const of = (name: string) => (socket as any)[name].bind(socket);
  return {
    on: of(`on${family}`) as (listener: Listener) => Socket,
    prepend: of(`prepend${family}`) as (listener: Listener) => Socket,
    off: of(`off${family}`) as (listener?: Listener) => Socket,
    listeners: of(`listeners${family}`) as () => Listener[],
  };
}

describeBoth("catch-all listeners", (implementation) => {
  it("incoming ones get name, arguments and ack, with the socket as this, before plain listeners", async () => {
    const { socket, client } = await startPair(implementation);
    const log: unknown[] = [];
    socket.onAny(function (this: Socket, ...args) {
      log.push(this === socket, ...args.slice(0, 3), typeof args[3]);
      args[3]("answered by the catch-all");
    });
    const heard = once(socket, "q");
    socket.on("q", () => log.push("plain"));
    expect(await client.emitWithAck("q", 1, "two")).toBe("answered by the catch-all");
    await heard;
    expect(log).toEqual([true, "q", 1, "two", "function", "plain"]);
  });

  it("outgoing ones get name and arguments without the ack", async () => {
    const { socket } = await startPair(implementation);
    const seen: unknown[][] = [];
    socket.onAnyOutgoing((...args) => seen.push(args));
    socket.emit("q", 1, { a: 2 }, () => {});
    expect(seen).toEqual([["q", 1, { a: 2 }]]);
  });

  it("outgoing ones are told of every broadcast that reaches the socket", async () => {
    const running = await startServer(implementation);
    const { socket } = await joinPair(running);
    const sender = await joinPair(running);
    socket.join("r");
    const seen: unknown[][] = [];
    socket.onAnyOutgoing((...args) => seen.push(args));
    running.io.emit("all", 1);
    running.io.to("r").emit("room", 2);
    sender.socket.broadcast.emit("others", 3);
    running.io.except("r").emit("not for it");
    socket.broadcast.emit("not for itself");
    socket.send("text");
    expect(seen).toEqual([
      ["all", 1],
      ["room", 2],
      ["others", 3],
      ["message", "text"],
    ]);
  });

  it("outgoing ones are told of broadcasts that ask for acks, without the ack", async () => {
    const { io, socket } = await startPair(implementation);
    const seen: unknown[][] = [];
    socket.onAnyOutgoing((...args) => seen.push(args));
    io.timeout(5).emit("all", 1, () => {});
    io.to(socket.id)
      .timeout(5)
      .emit("room", 2, () => {});
    expect(seen).toEqual([
      ["all", 1],
      ["room", 2],
    ]);
  });

  it("outgoing ones see binary values, not placeholders", async () => {
    const { io, socket } = await startPair(implementation);
    const bytes = Buffer.from([1, 2]);
    const seen: any[][] = [];
    socket.onAnyOutgoing((...args) => seen.push(args));
    socket.emit("direct", bytes);
    io.emit("broadcast", { deep: bytes });
    expect(seen).toEqual([
      ["direct", bytes],
      ["broadcast", { deep: bytes }],
    ]);
    expect(seen[0]?.[1]).toBe(bytes);
  });

  it("outgoing ones are not told of acks, CONNECT and DISCONNECT", async () => {
    const running = await startServer(implementation);
    const seen: unknown[][] = [];
    running.io.use((socket, next) => {
      socket.onAnyOutgoing((...args) => seen.push(args));
      socket.on("q", (reply) => reply(1));
      next();
    });
    const { socket, client } = await joinPair(running);
    await client.emitWithAck("q");
    socket.disconnect();
    expect(seen).toEqual([]);
  });

  it("incoming ones are not told of acks and of the end", async () => {
    const { socket, client } = await startPair(implementation);
    const seen: unknown[][] = [];
    socket.onAny((...args) => seen.push(args));
    client.on("q", (reply) => reply(1));
    await socket.emitWithAck("q");
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(seen).toEqual([]);
  });

  for (const family of FAMILIES) {
    it(`on${family} and prepend${family} keep the order and return the socket`, async () => {
      const { socket, client } = await startPair(implementation);
      const { on, prepend } = methods(socket, family);
      const log: number[] = [];
      expect(on(() => log.push(2))).toBe(socket);
      on(() => log.push(3));
      expect(prepend(() => log.push(1))).toBe(socket);
      socket.emit("x");
      client.emit("x");
      await settleUp(client, socket);
      expect(log.slice(0, 3)).toEqual([1, 2, 3]);
    });

    it(`off${family} removes the first match only, or all`, async () => {
      const { socket } = await startPair(implementation);
      const { on, off, listeners } = methods(socket, family);
      const first = (): void => {};
      const second = (): void => {};
      on(first);
      on(second);
      on(first);
      expect(off(first)).toBe(socket);
      expect(listeners()).toEqual([second, first]);
      off(() => {});
      expect(listeners()).toHaveLength(2);
      expect(off()).toBe(socket);
      expect(listeners()).toEqual([]);
    });

    it(`listeners${family} is empty at first, and off${family} of nothing does no harm`, async () => {
      const { socket } = await startPair(implementation);
      const { off, listeners } = methods(socket, family);
      expect(listeners()).toEqual([]);
      expect(off(() => {})).toBe(socket);
      expect(off()).toBe(socket);
    });

    it(`a listener of ${family} may remove itself while it is told`, async () => {
      const { socket, client } = await startPair(implementation);
      const { on, off } = methods(socket, family);
      const log: string[] = [];
      const once = (): void => {
        log.push("once");
        off(once);
      };
      on(once);
      on(() => log.push("second"));
      if (family === "Any") {
        client.emit("x");
        await settleUp(client, socket);
      } else {
        socket.emit("x");
        socket.emit("y");
        await settleDown(socket, client);
      }
      expect(log.slice(0, 3)).toEqual(["once", "second", "second"]);
    });
  }

  it("incoming ones are told of events without any listener", async () => {
    const { socket, client } = await startPair(implementation);
    const seen: unknown[][] = [];
    socket.onAny((...args) => seen.push(args));
    client.emit("nobody listens", 1);
    await settleUp(client, socket);
    expect(seen[0]).toEqual(["nobody listens", 1]);
  });

  for (const family of FAMILIES) {
    it(`listeners${family} gives the array itself as long as there are listeners`, async () => {
      const { socket } = await startPair(implementation);
      const { on, listeners } = methods(socket, family);
      on(() => {});
      const before = listeners();
      on(() => {});
      expect(listeners()).toBe(before);
      expect(before).toHaveLength(2);
    });
  }
});
