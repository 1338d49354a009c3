// BroadcastOperator and the flags of a socket: immutability, what is consumed by what, compression.

import type { Socket } from "socket.io";
import { record, settleDown } from "../harness/clients";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, startPair, startServer } from "../harness/servers";

/** The compress flags of the packets that `emission` writes to the connection of `socket`. */
function compressFlags(socket: Socket, emission: () => unknown): unknown[] {
  const flags: unknown[] = [];
  const note = (packet: any): void => void flags.push(packet.options?.compress);
  socket.conn.on("packetCreate", note);
  emission();
  socket.conn.removeListener("packetCreate", note);
  return flags;
}

describeBoth("broadcast operator", (implementation) => {
  it("every method gives a new operator and leaves the old one as it was", async () => {
    const { io } = await startServer(implementation);
    const base = internals(io.to("a"));
    const derived = [
      base.to("b"),
      base.in("c"),
      base.except("d"),
      base.compress(false),
      base.volatile,
      base.local,
      base.timeout(100),
    ];
    expect([...base.rooms]).toEqual(["a"]);
    expect(base.exceptRooms.size).toBe(0);
    expect(base.flags).toEqual({});
    expect([...derived[0].rooms]).toEqual(["a", "b"]);
    expect([...derived[1].rooms]).toEqual(["a", "c"]);
    expect([...derived[2].exceptRooms]).toEqual(["d"]);
    expect(derived.slice(3).map(({ flags }) => flags)).toEqual([
      { compress: false },
      { volatile: true },
      { local: true },
      { timeout: 100 },
    ]);
    expect(new Set([base, ...derived]).size).toBe(8);
  });

  it("flags add up from step to step, the later of two winning, rooms and exceptions too", async () => {
    const { io } = await startServer(implementation);
    const operator = io
      .timeout(10)
      .volatile.to("a")
      .local.except("b")
      .compress(true)
      .in(["c", "a"])
      .except(["d"])
      .timeout(20)
      .compress(false);
    expect(internals(operator).flags).toEqual({
      timeout: 20,
      volatile: true,
      local: true,
      compress: false,
    });
    expect([...internals(operator).rooms]).toEqual(["a", "c"]);
    expect([...internals(operator).exceptRooms]).toEqual(["b", "d"]);
  });

  it("the namespace itself stays without rooms and flags", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen = record(client);
    io.to("room").emit("not for it");
    io.volatile.to("room");
    io.emit("for all");
    io.of("/").timeout(10);
    io.emit("for all again");
    await settleDown(socket, client);
    expect(seen).toEqual([["for all"], ["for all again"]]);
  });

  it("an operator may be used many times", async () => {
    const { io, socket, client } = await startPair(implementation);
    socket.join("r");
    const operator = io.to("r");
    const seen = record(client);
    for (let index = 0; index < 3; index += 1) {
      expect(operator.emit("n", index)).toBe(true);
    }
    await settleDown(socket, client);
    expect(seen).toEqual([
      ["n", 0],
      ["n", 1],
      ["n", 2],
    ]);
  });

  it("an operator sees rooms as they are at each emit", async () => {
    const { io, socket, client } = await startPair(implementation);
    const operator = io.to("r");
    const seen = record(client);
    operator.emit("before");
    socket.join("r");
    operator.emit("during");
    socket.leave("r");
    operator.emit("after");
    await settleDown(socket, client);
    expect(seen).toEqual([["during"]]);
  });

  it("an operator of a socket leaves that socket out from its start", async () => {
    const { socket } = await startPair(implementation);
    for (const operator of [
      socket.broadcast,
      socket.local,
      socket.to("a"),
      socket.in("a"),
      socket.except("b"),
    ]) {
      expect(internals(operator).exceptRooms.has(socket.id)).toBe(true);
    }
    expect([...internals(socket.except("b")).exceptRooms]).toEqual([socket.id, "b"]);
  });

  it("flags of a socket are taken by the next emit", async () => {
    const { socket } = await startPair(implementation);
    expect(socket.compress(false)).toBe(socket);
    expect(socket.volatile).toBe(socket);
    expect(socket.timeout(10)).toBe(socket);
    expect(internals(socket).flags).toEqual({ compress: false, volatile: true, timeout: 10 });
    socket.emit("x");
    expect(internals(socket).flags).toEqual({});
  });

  it("flags of a socket are taken by the next operator", async () => {
    const { socket } = await startPair(implementation);
    const operator = socket.compress(false).to("r");
    expect(internals(operator).flags).toEqual({ compress: false });
    expect(internals(socket).flags).toEqual({});
    expect(internals(socket.volatile.broadcast).flags).toEqual({ volatile: true });
    expect(internals(socket).flags).toEqual({});
  });

  it("packets are compressible unless compress(false) says otherwise", async () => {
    const pair = await startPair(implementation);
    const { io, socket } = pair;
    const other = await joinPair(pair);
    expect(compressFlags(socket, () => socket.emit("x"))).toEqual([true]);
    expect(compressFlags(socket, () => socket.compress(false).emit("x"))).toEqual([false]);
    expect(compressFlags(socket, () => socket.emit("x"))).toEqual([true]);
    expect(compressFlags(socket, () => socket.compress(true).emit("x"))).toEqual([true]);
    expect(compressFlags(socket, () => io.emit("x"))).toEqual([true]);
    expect(compressFlags(socket, () => io.compress(false).emit("x"))).toEqual([false]);
    expect(compressFlags(socket, () => other.socket.broadcast.emit("x"))).toEqual([true]);
    expect(compressFlags(socket, () => other.socket.compress(false).broadcast.emit("x"))).toEqual([
      false,
    ]);
  });

  it("after socket.compress(false).to(..) the socket's own emit is compressible again", async () => {
    const { socket } = await startPair(implementation);
    socket.compress(false).to("nobody").emit("x");
    expect(compressFlags(socket, () => socket.emit("x"))).toEqual([true]);
  });

  it("there is no broadcast on an operator, and no emitWithAck on server and namespace", async () => {
    const { io } = await startServer(implementation);
    expect(internals(io.to("r")).broadcast).toBeUndefined();
    expect(internals(io).emitWithAck).toBeUndefined();
    expect(internals(io.of("/")).emitWithAck).toBeUndefined();
  });

  it("an operator emits through its adapter, which may be watched", async () => {
    const { io, socket } = await startPair(implementation);
    const { adapter } = io.of("/");
    const calls: any[] = [];
    const { broadcast } = adapter;
    adapter.broadcast = function (packet, opts) {
      calls.push({ data: packet.data, rooms: [...opts.rooms], except: [...(opts.except ?? [])] });
      return broadcast.call(this, packet, opts);
    };
    io.to(["a", "b"]).except("c").emit("x", 1);
    socket.broadcast.emit("y");
    expect(calls).toEqual([
      { data: ["x", 1], rooms: ["a", "b"], except: ["c"] },
      { data: ["y"], rooms: [], except: [socket.id] },
    ]);
  });

  it("allSockets leaves exceptions out of account", async () => {
    const pair = await startPair(implementation);
    const { io, socket } = pair;
    const other = await joinPair(pair);
    other.socket.join("r");
    expect(await io.except("r").allSockets()).toEqual(new Set([socket.id, other.socket.id]));
  });

  it("allSockets of an operator without an adapter says what is missing", async () => {
    const { io } = await startServer(implementation);
    const Operator = internals(io.to("r")).constructor;
    expect(() => new Operator().allSockets()).toThrow(
      "No adapter for this namespace, are you trying to get the list of clients of a dynamic namespace?",
    );
  });
});
