// The adapter by itself, as derived classes and upstream's own tests use it: without a server, its Maps, its selection of targets, and what it
// hands to the client of each.

import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPairs, startPair, startServer } from "../harness/servers";

describeBoth("adapter base", (implementation) => {
  /** The default adapter with nothing around it but a server without an encoder. */
  const bare = (): any =>
    new (new implementation.Server().adapter() as any)({ server: { encoder: null } });

  it("it is made without a server's namespace, and keeps its Maps", () => {
    const adapter = bare();
    adapter.addAll("s1", new Set(["a", "b"]));
    adapter.addAll("s2", new Set(["a"]));
    expect(adapter.rooms).toEqual(
      new Map([
        ["a", new Set(["s1", "s2"])],
        ["b", new Set(["s1"])],
      ]),
    );
    adapter.del("s1", "a");
    expect([...adapter.sids.get("s1")]).toEqual(["b"]);
    expect(adapter.rooms.get("a")).toEqual(new Set(["s2"]));
  });

  it("an empty set of rooms makes a socket known all the same", () => {
    const adapter = bare();
    adapter.addAll("s1", new Set());
    expect(adapter.sids).toEqual(new Map([["s1", new Set()]]));
    expect(adapter.rooms.size).toBe(0);
  });

  it("delAll leaves the rooms in the order of joining, and knows nothing of strangers", () => {
    const adapter = bare();
    const left: unknown[] = [];
    adapter.on("leave-room", (room: unknown, id: unknown) => left.push([room, id]));
    adapter.addAll("s1", new Set(["b", "a", "c"]));
    adapter.delAll("stranger");
    expect(left).toEqual([]);
    adapter.delAll("s1");
    expect(left).toEqual([
      ["b", "s1"],
      ["a", "s1"],
      ["c", "s1"],
    ]);
    expect([adapter.sids.size, adapter.rooms.size]).toEqual([0, 0]);
  });

  it("del of a room or a socket that it does not know changes nothing", () => {
    const adapter = bare();
    adapter.addAll("s1", new Set(["a"]));
    adapter.del("s1", "b");
    adapter.del("stranger", "a");
    expect(adapter.rooms).toEqual(new Map([["a", new Set(["s1"])]]));
  });

  it("computeExceptSids gives the members of all rooms", () => {
    const adapter = bare();
    adapter.addAll("s1", new Set(["a"]));
    adapter.addAll("s2", new Set(["b"]));
    adapter.addAll("s3", new Set(["c"]));
    expect(adapter.computeExceptSids(new Set(["a", "b", "none"]))).toEqual(new Set(["s1", "s2"]));
    expect(adapter.computeExceptSids(undefined)).toEqual(new Set());
  });

  it("targets come room by room, each once, members in the order of joining", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 4);
    const [a, b, c, d] = pairs.map(({ socket }) => socket) as any[];
    for (const socket of [c, a]) socket.join("first");
    for (const socket of [b, c, d]) socket.join("second");
    d.join("left out");
    const { adapter } = running.io.of("/");
    const asked: unknown[] = [];
    internals(adapter).apply(
      { rooms: new Set(["first", "second"]), except: new Set(["left out"]) },
      (socket: unknown) => asked.push(socket),
    );
    expect(asked).toEqual([c, a, b]);
    const written: unknown[] = [];
    for (const socket of [a, b, c, d]) {
      socket.onAnyOutgoing((name: string) => written.push([name, socket.id]));
    }
    running.io.to(["first", "second"]).except("left out").emit("x");
    running.io.emit("y");
    expect(written).toEqual([
      ["x", c.id],
      ["x", a.id],
      ["x", b.id],
      ...[a, b, c, d].map(({ id }) => ["y", id]),
    ]);
  });

  it("the packet of a broadcast has a prepared frame: header and payload", async () => {
    const { io, socket } = await startPair(implementation);
    const frames: unknown[] = [];
    socket.conn.on("packetCreate", ({ options }: any) => frames.push(options.wsPreEncodedFrame));
    const { adapter } = io.of("/");
    internals(adapter).encoder = { encode: () => ["123"] };
    io.emit("whatever");
    expect(frames).toEqual([[Buffer.from([0x81, 4]), Buffer.from("4123")]]);
  });

  it("a broadcast is encoded once, and without a prepared frame if it has attachments", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 2);
    const { adapter } = running.io.of("/");
    const { encoder } = internals(adapter);
    const encoded: unknown[] = [];
    internals(adapter).encoder = {
      encode: (packet: { nsp: string }) => {
        encoded.push(packet.nsp);
        return encoder.encode(packet);
      },
    };
    const written: unknown[] = [];
    for (const { socket } of pairs) {
      socket.conn.on("packetCreate", ({ data, options }: any) => {
        written.push([Buffer.isBuffer(data), options.wsPreEncodedFrame?.length]);
      });
    }
    running.io.emit("text");
    running.io.emit("bytes", Buffer.from([1]));
    expect(encoded).toEqual(["/", "/"]);
    expect(written).toEqual([
      ...Array(2).fill([false, 2]),
      ...Array(2)
        .fill([
          [false, undefined],
          [true, undefined],
        ])
        .flat(),
    ]);
  });

  it("sockets that a broadcast writes to are given its flags and the encoded packet alone", async () => {
    const { io, socket } = await startPair(implementation);
    const client = internals(socket.client);
    const calls: any[][] = [];
    // Watched, so that the broadcast comes by here.
    socket.onAnyOutgoing(() => {});
    client.writeToEngine = (...args: unknown[]) => calls.push(args);
    io.volatile.compress(false).emit("x", 1);
    const [encoded, options] = calls[0] as any[];
    expect([calls.length, encoded]).toEqual([1, ['2["x",1]']]);
    const { wsPreEncodedFrame, ...rest } = options;
    expect(rest).toEqual({ preEncoded: true, volatile: true, compress: false });
    expect(wsPreEncodedFrame).toHaveLength(2);
  });

  it("an adapter of another copy of socket.io-adapter works", async () => {
    let Other: any;
    jest.isolateModules(() => {
      Other = require("socket.io-adapter").Adapter;
    });
    expect(Other).not.toBe(require("socket.io-adapter").Adapter);
    const { io, socket, client } = await startPair(implementation, { adapter: Other });
    socket.join("r");
    client.on("q", (reply) => reply("yes"));
    expect(await io.to("r").timeout(4_000).emitWithAck("q")).toEqual(["yes"]);
    expect(await io.in("r").fetchSockets()).toEqual([socket]);
  });
});
