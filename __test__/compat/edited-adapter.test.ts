// Broadcasts after somebody has reached into the adapter in memory, or has wrapped what broadcasts call: the Maps and the methods decide
// who gets what, as they are at that moment.

import type { Socket } from "socket.io";
import { record, settleDown } from "../harness/clients";
import { eventually, once } from "../harness/events";
import {
  describeBoth,
  type Implementation,
  it,
  loadImplementation,
} from "../harness/implementations";
import { joinPair, joinPairs, type Pair, startServer } from "../harness/servers";

/** Two clients, what they have got, and the adapter's insides. */
async function startTwo(implementation: Implementation) {
  const running = await startServer(implementation);
  const pairs = (await joinPairs(running, 2)) as [Pair, Pair];
  const records = pairs.map(({ client }) => record(client));
  const received = async (): Promise<unknown[][]> => {
    for (const { socket, client } of pairs) {
      await settleDown(socket, client);
    }
    return records.map((events) => events.splice(0).map(([name]) => name));
  };
  const [first, second] = pairs.map(({ socket }) => socket) as [Socket, Socket];
  return { ...running, first, second, received, adapter: running.io.of("/").adapter as any };
}

describeBoth("an adapter in memory that was edited", (implementation) => {
  it("knows rooms that were joined while its events were muted", async () => {
    const { io, first, second, received, adapter } = await startTwo(implementation);
    second.join("r");
    adapter.emit = () => false;
    first.join(["r", "muted"]);
    delete adapter.emit;
    io.to("r").emit("r");
    io.to("muted").emit("muted");
    expect(await received()).toEqual([["r", "muted"], ["r"]]);
  });

  it("takes no join from an event that somebody else emits", async () => {
    const { io, first, received, adapter } = await startTwo(implementation);
    adapter.emit("join-room", "r", first.id);
    io.to("r").emit("r");
    expect(await received()).toEqual([[], []]);
  });

  it("excludes whom an overridden computeExceptSids names", async () => {
    const { io, second, received, adapter } = await startTwo(implementation);
    adapter.computeExceptSids = () => new Set([second.id]);
    io.except("nobody").emit("a");
    expect(await received()).toEqual([["a"], []]);
  });

  it("calls an overridden del and delAll, and follows the Maps that they leave", async () => {
    const { io, first, second, received, adapter } = await startTwo(implementation);
    io.socketsJoin(["r", "s"]);
    adapter.del = function (id: string, room: string) {
      this.rooms.get(room).delete(id);
      this.sids.get(id).delete(room);
    };
    first.leave("r");
    io.to("r").emit("r");
    adapter.delAll = function (id: string) {
      for (const room of this.sids.get(id) ?? []) {
        this.rooms.get(room).delete(id);
      }
      this.sids.delete(id);
    };
    (second as any).leaveAll();
    io.to("s").emit("s");
    io.emit("all");
    expect(await received()).toEqual([["s", "all"], ["r"]]);
  });

  it("has the rooms that were written into its Maps", async () => {
    const { io, second, received, adapter } = await startTwo(implementation);
    adapter.rooms.set("r", new Set([second.id]));
    io.to("r").emit("r");
    expect(await received()).toEqual([[], ["r"]]);
  });

  it("has lost who was deleted from its Maps, also for later rooms", async () => {
    const { io, first, second, received, adapter } = await startTwo(implementation);
    io.socketsJoin("r");
    adapter.rooms.get("r").delete(second.id);
    adapter.sids.get(second.id).delete("r");
    io.to("r").emit("r");
    first.leave("r");
    first.join("later");
    io.to("later").emit("later");
    expect(await received()).toEqual([["r", "later"], []]);
  });

  it("has lost a room that was deleted from its Map", async () => {
    const { io, received, adapter } = await startTwo(implementation);
    io.socketsJoin("r");
    adapter.rooms.delete("r");
    io.to("r").emit("r");
    expect(await received()).toEqual([[], []]);
  });

  it("reaches nobody who was hidden from the namespace's sockets", async () => {
    const { io, second, received } = await startTwo(implementation);
    const { sockets } = io.of("/");
    sockets.delete(second.id);
    io.emit("a");
    io.to(second.id).emit("b");
    sockets.set(second.id, second as any);
    expect(await received()).toEqual([["a"], []]);
  });

  it("starts anew with Maps that replace its own", async () => {
    const { io, received, adapter } = await startTwo(implementation);
    io.socketsJoin("r");
    adapter.rooms = new Map();
    adapter.sids = new Map();
    io.emit("a");
    io.to("r").emit("r");
    expect(await received()).toEqual([[], []]);
  });
});

// socket.io has no core to look into.
describe("the core", () => {
  test("has nothing of sockets that are gone, whatever an overridden delAll does", async () => {
    const { adapter, io, first, second } = await startTwo(loadImplementation("sio-rs"));
    const { currentLink } = require("../../dist/link");
    const members = (): number => currentLink().counters().members;
    await eventually(() => members() >= 2, "the core does not know the sockets");
    const before = members();
    adapter.delAll = () => {};
    first.disconnect();
    second.disconnect();
    expect(io.sockets.sockets.size).toBe(0);
    await eventually(() => members() <= before - 2, "the core holds sockets that are gone");
  });
});

/** Two clients whose sockets a middleware gives the same id. */
async function startNamesakes(implementation: Implementation) {
  const running = await startServer(implementation);
  const { io } = running;
  io.use((socket, next) => {
    (socket as { id: string }).id = "user";
    next();
  });
  const earlier = await joinPair(running);
  const later = await joinPair(running);
  return { io, earlier, later };
}

describeBoth("two sockets of one id", (implementation) => {
  it("the later one gets what is sent to the id, its rooms and everybody", async () => {
    const { io, earlier, later } = await startNamesakes(implementation);
    const [earlierRecord, laterRecord] = [record(earlier.client), record(later.client)];
    later.socket.join("r");
    io.emit("all");
    io.to("r").emit("room");
    io.to("user").emit("id");
    await settleDown(later.socket, later.client);
    await settleDown(earlier.socket, earlier.client);
    expect(earlierRecord).toEqual([]);
    expect(laterRecord.map(([name]) => name)).toEqual(["all", "room", "id"]);
  });

  it("the end of the earlier one takes the later one's rooms, and a listener on it changes nobody's place", async () => {
    const { io, earlier, later } = await startNamesakes(implementation);
    const laterRecord = record(later.client);
    earlier.socket.onAnyOutgoing(() => {});
    io.emit("before");
    const gone = once(earlier.socket, "disconnect");
    earlier.client.disconnect();
    await gone;
    io.emit("after");
    await settleDown(later.socket, later.client);
    expect(laterRecord.map(([name]) => name)).toEqual(["before"]);
  });
});

describeBoth("wrapped methods that a broadcast calls", (implementation) => {
  /** Wraps a method so that its calls are counted, and gives the counts before and after a broadcast and a direct emit. */
  async function countCalls(owner: (pair: { socket: Socket }) => any, name: string) {
    const running = await startServer(implementation);
    const pair = await joinPair(running);
    const target = owner(pair);
    const original = target[name];
    let calls = 0;
    target[name] = function (this: unknown, ...args: unknown[]) {
      calls += 1;
      return original.apply(this, args);
    };
    try {
      running.io.emit("a");
      running.io.to(pair.socket.id).emit("b");
      pair.socket.emit("c");
    } finally {
      target[name] = original;
    }
    await settleDown(pair.socket, pair.client);
    return calls;
  }

  it("writeToEngine of one client, wrapped after it has connected", async () => {
    expect(await countCalls(({ socket }) => socket.client, "writeToEngine")).toBe(3);
  });

  it("notifyOutgoingListeners of one socket", async () => {
    expect(await countCalls(({ socket }) => socket, "notifyOutgoingListeners")).toBe(3);
  });

  it("write of one session", async () => {
    expect(await countCalls(({ socket }) => socket.conn, "write")).toBe(3);
  });

  it("write of all sessions", async () => {
    expect(await countCalls(({ socket }) => Object.getPrototypeOf(socket.conn), "write")).toBe(3);
  });

  it("writeToEngine with one array that is filled anew for each client", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 3);
    const records = pairs.map(({ client }) => record(client));
    const encoded = [""];
    const options = { preEncoded: true };
    for (const [index, { socket }] of pairs.entries()) {
      encoded[0] = `2["secret",${index}]`;
      (socket.client as any).writeToEngine(encoded, options);
    }
    for (const { socket, client } of pairs) {
      await settleDown(socket, client);
    }
    expect(records).toEqual([[["secret", 0]], [["secret", 1]], [["secret", 2]]]);
  });
});
