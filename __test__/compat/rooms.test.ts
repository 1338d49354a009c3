// Joining and leaving rooms, and who is in them: `socket.rooms` and the adapter's live Maps.

import { record, settleDown } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, joinPairs, startPair, startServer } from "../harness/servers";

describeBoth("rooms", (implementation) => {
  it("a socket starts in the room of its id alone", async () => {
    const { io, socket } = await startPair(implementation);
    expect(socket.rooms).toBeInstanceOf(Set);
    expect([...socket.rooms]).toEqual([socket.id]);
    expect([...(io.of("/").adapter.rooms.get(socket.id) as Set<string>)]).toEqual([socket.id]);
  });

  it("join and leave take effect at once and return undefined", async () => {
    const { io, socket } = await startPair(implementation);
    const { rooms, sids } = io.of("/").adapter;
    expect(socket.join("a")).toBeUndefined();
    expect(socket.join(["b", "c"])).toBeUndefined();
    expect([...socket.rooms]).toEqual([socket.id, "a", "b", "c"]);
    expect([...(rooms.get("b") as Set<string>)]).toEqual([socket.id]);
    expect(socket.leave("b")).toBeUndefined();
    expect(rooms.has("b")).toBe(false);
    expect([...(sids.get(socket.id) as Set<string>)]).toEqual([socket.id, "a", "c"]);
  });

  it("socket.rooms is live", async () => {
    const { socket } = await startPair(implementation);
    const { rooms } = socket;
    socket.join("later");
    expect(rooms.has("later")).toBe(true);
    socket.leave("later");
    expect(rooms.has("later")).toBe(false);
  });

  it('room names are not turned into strings: 42 is not "42"', async () => {
    const { io, socket } = await startPair(implementation);
    socket.join(42 as unknown as string);
    expect(socket.rooms.has(42 as unknown as string)).toBe(true);
    expect(socket.rooms.has("42")).toBe(false);
    expect(io.of("/").adapter.rooms.has("42")).toBe(false);
    socket.leave("42");
    expect(socket.rooms.size).toBe(2);
  });

  it("a room may be any value, and is compared as a Map compares its keys", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen = record(client);
    const expected: unknown[][] = [];
    const values = [Number.NaN, null, undefined, {}, Symbol("room"), true, 1n, -0, ""];
    for (const [index, value] of (values as never[]).entries()) {
      socket.join(value);
      io.to(value).emit("hit", index);
      expected.push(["hit", index]);
      io.except(value).emit("missed", index);
      socket.leave(value);
      io.to(value).emit("left", index);
    }
    socket.join([0, "1"] as never[]);
    for (const value of [-0, 1, "0", "null", "true", "NaN"] as never[]) {
      io.to(value).emit("other", String(value));
    }
    expected.push(["other", "0"]);
    await settleDown(socket, client);
    expect(seen.filter(([, value]) => value !== "text")).toEqual(expected);
  });

  it("a broadcast to a numeric room reaches its members and not those of the text room", async () => {
    const running = await startServer(implementation);
    const [number, text] = await joinPairs(running, 2);
    number?.socket.join(42 as unknown as string);
    text?.socket.join("42");
    const byNumber = once(number?.client as never, "hit");
    const byText = once(text?.client as never, "hit");
    running.io.to(42 as unknown as string).emit("hit", "number");
    running.io.to("42").emit("hit", "text");
    expect(await byNumber).toEqual(["number"]);
    expect(await byText).toEqual(["text"]);
  });

  it("joining twice and leaving an unknown room change nothing", async () => {
    const { socket } = await startPair(implementation);
    socket.join("a");
    socket.join("a");
    socket.leave("unknown");
    expect([...socket.rooms]).toEqual([socket.id, "a"]);
  });

  it("a socket may leave the room of its own id and is then out of reach of it", async () => {
    const { io, socket } = await startPair(implementation);
    socket.leave(socket.id);
    expect(socket.rooms.size).toBe(0);
    expect(await io.in(socket.id).fetchSockets()).toEqual([]);
    expect(await io.fetchSockets()).toEqual([socket]);
  });

  it("a room disappears with its last member", async () => {
    const running = await startServer(implementation);
    const [first, second] = await joinPairs(running, 2);
    const { rooms } = running.io.of("/").adapter;
    first?.socket.join("shared");
    second?.socket.join("shared");
    expect(rooms.get("shared")?.size).toBe(2);
    first?.socket.leave("shared");
    expect(rooms.get("shared")?.size).toBe(1);
    const left = once(second?.socket as never, "disconnect");
    second?.client.disconnect();
    await left;
    expect(rooms.has("shared")).toBe(false);
  });

  it("leaveAll empties everything", async () => {
    const { io, socket } = await startPair(implementation);
    socket.join(["a", "b"]);
    internals(socket).leaveAll();
    expect(socket.rooms.size).toBe(0);
    expect(io.of("/").adapter.rooms.size).toBe(0);
    expect(io.of("/").adapter.sids.size).toBe(0);
  });

  it("after a disconnection rooms is an empty Set, and join and leave are inert", async () => {
    const { io, socket, client } = await startPair(implementation);
    socket.join("before");
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(socket.rooms).toEqual(new Set());
    expect(socket.join("after")).toBeUndefined();
    socket.leave("before");
    expect(socket.rooms).toEqual(new Set());
    expect(io.of("/").adapter.rooms.size).toBe(0);
    expect(io.of("/").adapter.sids.size).toBe(0);
  });

  it("join in a disconnect listener leaves nothing behind", async () => {
    const { io, socket, client } = await startPair(implementation);
    const left = new Promise<void>((resolve) => {
      socket.on("disconnect", () => {
        socket.join("ghost");
        resolve();
      });
    });
    client.disconnect();
    await left;
    expect(io.of("/").adapter.rooms.has("ghost")).toBe(false);
    expect(io.of("/").adapter.sids.size).toBe(0);
  });

  it("the adapter tells of rooms in this order: create-room, join-room, leave-room, delete-room", async () => {
    const { io, socket } = await startPair(implementation);
    const told: unknown[][] = [];
    const { adapter } = io.of("/");
    for (const event of ["create-room", "join-room", "leave-room", "delete-room"]) {
      adapter.on(event, (...args: unknown[]) => told.push([event, ...args]));
    }
    socket.join("a");
    socket.join("a");
    socket.leave("a");
    expect(told).toEqual([
      ["create-room", "a"],
      ["join-room", "a", socket.id],
      ["leave-room", "a", socket.id],
      ["delete-room", "a"],
    ]);
  });

  it("the own room is told of at connection, and every room at disconnection in the order of joining", async () => {
    const running = await startServer(implementation);
    const { adapter } = running.io.of("/");
    const told: unknown[][] = [];
    for (const event of ["create-room", "join-room", "leave-room", "delete-room"]) {
      adapter.on(event, (...args: unknown[]) => told.push([event, ...args]));
    }
    const { socket, client } = await joinPair(running);
    socket.join("x");
    expect(told.splice(0)).toEqual([
      ["create-room", socket.id],
      ["join-room", socket.id, socket.id],
      ["create-room", "x"],
      ["join-room", "x", socket.id],
    ]);
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(told).toEqual([
      ["leave-room", socket.id, socket.id],
      ["delete-room", socket.id],
      ["leave-room", "x", socket.id],
      ["delete-room", "x"],
    ]);
  });

  it("rooms of two namespaces are apart", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const main = await joinPair(running);
    const other = await joinPair(running, "/n");
    main.socket.join("same");
    other.socket.join("same");
    const arrived = once(other.client, "hit");
    main.client.on("hit", () => {
      throw new Error("the room of the other namespace was reached");
    });
    running.io.of("/n").to("same").emit("hit");
    await arrived;
    expect(running.io.of("/").adapter.rooms.get("same")).toEqual(new Set([main.socket.id]));
    expect(running.io.of("/n").adapter.rooms.get("same")).toEqual(new Set([other.socket.id]));
  });

  it("join, emit to the room and leave in one tick: the member gets that one event", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen: string[] = [];
    client.onAny((event) => seen.push(event));
    io.to("r").emit("before");
    socket.join("r");
    io.to("r").emit("during");
    socket.leave("r");
    io.to("r").emit("after");
    const end = once(client, "end");
    socket.emit("end");
    await end;
    expect(seen).toEqual(["during", "end"]);
  });
});
