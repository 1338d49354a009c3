// Who receives a broadcast: the whole namespace, rooms, all but some, all but the sender.

import type { Server, Socket } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { record, settleDown, TRANSPORTS } from "../harness/clients";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { joinPair, type Running, startServer } from "../harness/servers";

interface Member {
  name: string;
  socket: Socket;
  client: ClientSocket;
  seen: any[][];
}

interface Group extends Running {
  members: Record<"a" | "b" | "c" | "d", Member>;
  /** The names of those that got `hit`, in alphabetical order, and how often. */
  hits(): Promise<string[]>;
}

/** Four clients: a is in room 1, b in 1 and 2, c in 2, d in none. */
async function startGroup(
  implementation: Implementation,
  transports = ["websocket"],
): Promise<Group> {
  const running = await startServer(implementation);
  const memberOf: Record<string, string[]> = { a: ["1"], b: ["1", "2"], c: ["2"], d: [] };
  const members = {} as Group["members"];
  for (const [name, rooms] of Object.entries(memberOf)) {
    const { socket, client } = await joinPair(running, "/", { transports });
    socket.join(rooms);
    members[name as "a"] = { name, socket, client, seen: record(client) };
  }
  const hits = async (): Promise<string[]> => {
    const all = Object.values(members);
    await Promise.all(all.map(({ socket, client }) => settleDown(socket, client)));
    return all.flatMap(({ name, seen }) => seen.map(() => name));
  };
  return { ...running, members, hits };
}

type Emission = (io: Server, members: Group["members"]) => unknown;

/** Each emission, what it is called in a sentence, and who gets it. */
const EMISSIONS: [string, Emission, string][] = [
  ["io.emit reaches everybody", (io) => io.emit("hit"), "abcd"],
  ["io.to(room) reaches its members", (io) => io.to("1").emit("hit"), "ab"],
  ["io.in is the same as io.to", (io) => io.in("1").emit("hit"), "ab"],
  [
    "io.to of two rooms reaches both, and members of both once",
    (io) => io.to("1").to("2").emit("hit"),
    "abc",
  ],
  ["io.to of an array is the same", (io) => io.to(["1", "2"]).emit("hit"), "abc"],
  ["io.to of an empty room reaches nobody", (io) => io.to("empty").emit("hit"), ""],
  ["io.to of an empty array reaches everybody", (io) => io.to([]).emit("hit"), "abcd"],
  ["io.except reaches all others", (io) => io.except("1").emit("hit"), "cd"],
  ["io.except of an array takes out all of them", (io) => io.except(["1", "2"]).emit("hit"), "d"],
  ["io.to(..).except(..) is the difference", (io) => io.to("1").except("2").emit("hit"), "a"],
  ["io.except(..).to(..) is the same", (io) => io.except("2").to("1").emit("hit"), "a"],
  ["except takes a socket id", (io, { a }) => io.except(a.socket.id).emit("hit"), "bcd"],
  ["to takes a socket id", (io, { c }) => io.to(c.socket.id).emit("hit"), "c"],
  [
    "to a socket id and a room of it delivers once",
    (io, { b }) => io.to([b.socket.id, "1"]).emit("hit"),
    "ab",
  ],
  ["io.local.emit reaches everybody here", (io) => io.local.emit("hit"), "abcd"],
  ["io.compress(false).emit reaches everybody", (io) => io.compress(false).emit("hit"), "abcd"],
  ["io.volatile.emit reaches those who are idle", (io) => io.volatile.emit("hit"), "abcd"],
  [
    "socket.broadcast reaches all but the sender",
    (_io, { a }) => a.socket.broadcast.emit("hit"),
    "bcd",
  ],
  ["socket.local reaches all but the sender", (_io, { a }) => a.socket.local.emit("hit"), "bcd"],
  ["socket.to(room) leaves the sender out", (_io, { a }) => a.socket.to("1").emit("hit"), "b"],
  ["socket.in is the same as socket.to", (_io, { a }) => a.socket.in("1").emit("hit"), "b"],
  ["socket.to of a room it is not in", (_io, { d }) => d.socket.to(["1", "2"]).emit("hit"), "abc"],
  [
    "socket.except(room) leaves the sender out too",
    (_io, { d }) => d.socket.except("1").emit("hit"),
    "c",
  ],
  ["socket.broadcast.to(room)", (_io, { b }) => b.socket.broadcast.to("2").emit("hit"), "c"],
  [
    "socket.broadcast.except(room)",
    (_io, { c }) => c.socket.broadcast.except("1").emit("hit"),
    "d",
  ],
  ["socket.to(own id) reaches nobody", (_io, { a }) => a.socket.to(a.socket.id).emit("hit"), ""],
  [
    "socket.to(id) is a private message",
    (_io, { a, d }) => a.socket.to(d.socket.id).emit("hit"),
    "d",
  ],
  ["socket.emit reaches that one", (_io, { c }) => c.socket.emit("hit"), "c"],
];

describeBoth("broadcast", (implementation) => {
  for (const [sentence, emission, expected] of EMISSIONS) {
    it(sentence, async () => {
      const group = await startGroup(implementation);
      emission(group.io, group.members);
      expect((await group.hits()).join("")).toBe(expected);
    });
  }

  for (const { label, transports } of TRANSPORTS) {
    it(`rooms and exceptions hold over ${label}`, async () => {
      const group = await startGroup(implementation, transports);
      group.io.to("1").to("2").except("none").emit("hit");
      group.members.d.socket.broadcast.emit("hit");
      expect((await group.hits()).join("")).toBe("aabbcc");
    });
  }

  it("clients of all transports receive the same broadcast", async () => {
    const running = await startServer(implementation);
    const seen: any[][][] = [];
    const pairs = [];
    for (const { transports } of TRANSPORTS) {
      const pair = await joinPair(running, "/", { transports });
      seen.push(record(pair.client));
      pairs.push(pair);
    }
    running.io.emit("all", { text: "é😀" }, Buffer.from([0, 255]));
    await Promise.all(pairs.map(({ socket, client }) => settleDown(socket, client)));
    for (const events of seen) {
      expect(events).toEqual([["all", { text: "é😀" }, Buffer.from([0, 255])]]);
    }
  });

  it("a broadcast does not reach a socket that has left its namespace", async () => {
    const group = await startGroup(implementation);
    const { a } = group.members;
    a.socket.disconnect();
    group.io.emit("hit");
    const { b } = group.members;
    await settleDown(b.socket, b.client);
    expect(a.seen).toEqual([]);
    expect(b.seen).toEqual([["hit"]]);
  });

  it("a broadcast in a disconnecting listener reaches the others of the room", async () => {
    const group = await startGroup(implementation);
    const { a, b } = group.members;
    a.socket.on("disconnecting", () => a.socket.to("1").emit("left"));
    a.socket.disconnect();
    await settleDown(b.socket, b.client);
    expect(b.seen).toEqual([["left"]]);
  });

  it("broadcasts of several emitters arrive in the order of emission", async () => {
    const group = await startGroup(implementation);
    const { b, d } = group.members;
    for (let round = 0; round < 20; round += 1) {
      group.io.emit("hit", round, "io");
      group.io.to("1").emit("hit", round, "room");
      d.socket.broadcast.emit("hit", round, "broadcast");
      b.socket.emit("hit", round, "direct");
    }
    await settleDown(b.socket, b.client);
    const expected = Array.from({ length: 20 }, (_, round) =>
      ["io", "room", "broadcast", "direct"].map((kind) => ["hit", round, kind]),
    ).flat();
    expect(b.seen).toEqual(expected);
  });
});
