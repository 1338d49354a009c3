// The adapter as third parties see it: npm's base class under ours, its methods, live Maps, and subclasses that change it.

import { EventEmitter } from "node:events";
import { Adapter } from "socket.io-adapter";
import { record, settleDown, TRANSPORTS } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, startPair, startServer } from "../harness/servers";

/** npm's class, which every third-party adapter extends, in a constructor that takes whatever namespace there is. */
const NpmAdapter = Adapter as unknown as new (nsp: unknown) => Adapter;

describeBoth("adapter", (implementation) => {
  it("the default adapter is an EventEmitter with the Maps and methods of socket.io-adapter", async () => {
    const { io } = await startServer(implementation);
    const adapter = internals(io.of("/").adapter);
    expect(adapter).toBeInstanceOf(EventEmitter);
    expect(adapter.rooms).toBeInstanceOf(Map);
    expect(adapter.sids).toBeInstanceOf(Map);
    expect(adapter.nsp).toBe(io.of("/"));
    expect(adapter.encoder).toBe(internals(io).encoder);
    for (const method of [
      ...["init", "close", "serverCount", "addAll", "del", "delAll", "broadcast"],
      ...["broadcastWithAck", "sockets", "socketRooms", "fetchSockets", "addSockets", "delSockets"],
      ...["disconnectSockets", "serverSideEmit", "persistSession", "restoreSession"],
      ...["apply", "computeExceptSids", "_del", "_encode"],
    ]) {
      expect(typeof adapter[method]).toBe("function");
    }
    expect(await adapter.serverCount()).toBe(1);
    expect(adapter.restoreSession("pid", "offset")).toBeNull();
  });

  it("npm's own Adapter may be given, and works over every transport", async () => {
    for (const { transports } of TRANSPORTS) {
      const pair = await startPair(
        implementation,
        { adapter: NpmAdapter as never },
        { transports },
      );
      const { io, socket, client } = pair;
      expect(io.of("/").adapter).toBeInstanceOf(Adapter);
      socket.join("r");
      const seen = record(client);
      io.emit("all", 1);
      io.to("r").emit("room", Buffer.from([2]));
      io.except("r").emit("others");
      await settleDown(socket, client);
      expect(seen).toEqual([
        ["all", 1],
        ["room", Buffer.from([2])],
      ]);
    }
  });

  it("a broadcast of npm's Adapter and direct emits keep their order", async () => {
    const { io, socket, client } = await startPair(implementation, {
      adapter: NpmAdapter as never,
    });
    const seen = record(client);
    for (let index = 0; index < 30; index += 1) {
      socket.emit("direct", index);
      io.emit("broadcast", index);
      io.to(socket.id).emit("room", index, Buffer.from([index]));
    }
    await settleDown(socket, client);
    const expected = Array.from({ length: 30 }, (_, index) => [
      ["direct", index],
      ["broadcast", index],
      ["room", index, Buffer.from([index])],
    ]).flat();
    expect(seen).toEqual(expected);
  });

  it("volatile broadcasts of npm's Adapter are dropped when the transport is busy", async () => {
    const { io, socket, client } = await startPair(implementation, {
      adapter: NpmAdapter as never,
    });
    await settleDown(socket, client);
    await new Promise((resolve) => setImmediate(resolve));
    const seen = record(client);
    io.emit("regular");
    io.volatile.emit("volatile");
    await new Promise((resolve) => setImmediate(resolve));
    await settleDown(socket, client);
    expect(seen).toEqual([["regular"]]);
  });

  it("a subclass that overrides broadcast sees packet and options, and its super sends", async () => {
    const packets: any[] = [];
    class Watching extends NpmAdapter {
      override broadcast(packet: any, opts: any): void {
        packets.push(packet.type, [...packet.data], opts.flags?.compress);
        super.broadcast(packet, opts);
      }
    }
    const { io, socket, client } = await startPair(implementation, { adapter: Watching as never });
    const seen = record(client);
    io.compress(false).emit("x", 1);
    await settleDown(socket, client);
    expect(packets).toEqual([2, ["x", 1], false]);
    expect(seen).toEqual([["x", 1]]);
  });

  it("a subclass of the default adapter that overrides broadcast is asked, and may keep silent", async () => {
    const Default = new implementation.Server().adapter() as unknown as typeof NpmAdapter;
    class Silent extends Default {
      override broadcast(packet: any, opts: any): void {
        if (packet.data[0] !== "secret") {
          super.broadcast(packet, opts);
        }
      }
    }
    const { io, socket, client } = await startPair(implementation, { adapter: Silent as never });
    const seen = record(client);
    io.emit("secret");
    io.emit("open");
    await settleDown(socket, client);
    expect(seen).toEqual([["open"]]);
  });

  it("a broadcast that is replaced on the adapter itself is used", async () => {
    const { io, socket, client } = await startPair(implementation);
    const adapter = internals(io.of("/").adapter);
    const { broadcast } = adapter;
    adapter.broadcast = (packet: any, opts: any) => {
      packet.data.push("stamped");
      broadcast.call(adapter, packet, opts);
    };
    const seen = record(client);
    io.emit("x");
    socket.emit("direct");
    await settleDown(socket, client);
    expect(seen).toEqual([["x", "stamped"], ["direct"]]);
  });

  it("a subclass that overrides addAll and del is told of every join and leave", async () => {
    const Default = new implementation.Server().adapter() as unknown as typeof NpmAdapter;
    const log: unknown[] = [];
    class Telling extends Default {
      override addAll(id: string, rooms: Set<string>): void {
        log.push("addAll", [...rooms]);
        super.addAll(id, rooms);
      }
      override del(id: string, room: string): void {
        log.push("del", room);
        super.del(id, room);
      }
    }
    const { io, socket, client } = await startPair(implementation, { adapter: Telling as never });
    log.length = 0;
    socket.join(["a", "b"]);
    socket.leave("a");
    expect(log).toEqual(["addAll", ["a", "b"], "del", "a"]);
    const hit = once(client, "hit");
    io.to("b").emit("hit");
    await hit;
  });

  it("rooms that are changed through the adapter count for broadcasts", async () => {
    const { io, socket, client } = await startPair(implementation);
    const { adapter } = io.of("/");
    adapter.addAll(socket.id, new Set(["by hand"]));
    const seen = record(client);
    io.to("by hand").emit("one");
    adapter.del(socket.id, "by hand");
    io.to("by hand").emit("two");
    await settleDown(socket, client);
    expect(seen).toEqual([["one"]]);
    expect(socket.rooms.has("by hand")).toBe(false);
  });

  it("during create-room the sid already has the room, and the room has nobody", async () => {
    const { io, socket } = await startPair(implementation);
    const { adapter } = io.of("/");
    const seen: unknown[] = [];
    adapter.on("create-room", (room) => {
      seen.push(room, adapter.sids.get(socket.id)?.has(room), adapter.rooms.get(room)?.size);
    });
    socket.join("r");
    expect(seen).toEqual(["r", true, 0]);
  });

  it("a listener of leave-room may leave again without harm", async () => {
    const { io, socket } = await startPair(implementation);
    const { adapter } = io.of("/");
    socket.join("r");
    adapter.on("leave-room", (room, id) => adapter.del(id, room));
    socket.leave("r");
    expect(adapter.rooms.has("r")).toBe(false);
  });

  it("sockets, socketRooms and fetchSockets answer from the Maps", async () => {
    const { io, socket } = await startPair(implementation);
    const { adapter } = io.of("/");
    socket.join("r");
    expect(await adapter.sockets(new Set(["r"]))).toEqual(new Set([socket.id]));
    expect(await adapter.sockets(new Set())).toEqual(new Set([socket.id]));
    expect(adapter.socketRooms(socket.id)).toBe(socket.rooms);
    expect(adapter.socketRooms("unknown")).toBeUndefined();
    expect(await adapter.fetchSockets({ rooms: new Set(["r"]) })).toEqual([socket]);
  });

  it("broadcast works without except and flags, as some adapters call it", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen = record(client);
    internals(io.of("/").adapter).broadcast(
      { type: 2, nsp: "/", data: ["x", Buffer.from([1])] },
      { rooms: new Set() },
    );
    await settleDown(socket, client);
    expect(seen).toEqual([["x", Buffer.from([1])]]);
  });

  it("broadcastWithAck counts at once and answers per client", async () => {
    const { io, client } = await startPair(implementation);
    client.on("q", (reply) => reply("yes"));
    const counts: number[] = [];
    const answered = new Promise((resolve) => {
      internals(io.of("/").adapter).broadcastWithAck(
        { type: 2, nsp: "/", data: ["q"] },
        { rooms: new Set(), except: new Set(), flags: {} },
        (count: number) => counts.push(count),
        resolve,
      );
    });
    expect(counts).toEqual([1]);
    expect(await answered).toBe("yes");
  });

  it("a socket.client.writeToEngine of one encoded packet for many clients reaches them all", async () => {
    const running = await startServer(implementation);
    const pairs = [
      await joinPair(running),
      await joinPair(running, "/", { transports: ["polling"] }),
      await joinPair(running),
    ];
    const seen = pairs.map(({ client }) => record(client));
    const encoded = internals(running.io).encoder.encode({ type: 2, nsp: "/", data: ["x", 1] });
    const options = { preEncoded: true, volatile: undefined, compress: undefined };
    for (const { socket } of pairs) {
      internals(socket.client).writeToEngine(encoded, options);
    }
    await Promise.all(pairs.map(({ socket, client }) => settleDown(socket, client)));
    expect(seen).toEqual([[["x", 1]], [["x", 1]], [["x", 1]]]);
  });

  it("an old adapter may send through socket.packet with preEncoded", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen = record(client);
    const encoded = internals(io).encoder.encode({ type: 2, nsp: "/", data: ["old"] });
    internals(socket).packet(encoded, { preEncoded: true });
    await settleDown(socket, client);
    expect(seen).toEqual([["old"]]);
  });

  it("an adapter whose methods answer later delays join, and nothing else", async () => {
    class Async extends NpmAdapter {
      override async addAll(id: string, rooms: Set<string>): Promise<void> {
        await undefined;
        super.addAll(id, rooms);
      }
    }
    const { socket } = await startPair(implementation, { adapter: Async as never });
    const joining = socket.join("r");
    expect(joining).toBeInstanceOf(Promise);
    expect(socket.rooms.has("r")).toBe(false);
    await joining;
    expect(socket.rooms.has("r")).toBe(true);
  });

  it("a socket in no room at all still gets what is for everybody", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen = record(client);
    socket.leave(socket.id);
    io.emit("all");
    await settleDown(socket, client);
    expect(seen).toEqual([["all"]]);
  });
});
