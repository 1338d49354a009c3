// fetchSockets, socketsJoin, socketsLeave, disconnectSockets and allSockets, on the server, namespaces and operators.

import type { Server, Socket } from "socket.io";
import { collect, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPairs, startServer } from "../harness/servers";

/** Three sockets: the first in room a, the second in a and b, the third in b. */
async function startTrio(implementation: Implementation) {
  const running = await startServer(implementation);
  const pairs = await joinPairs(running, 3);
  const sockets = pairs.map(({ socket }) => socket) as [Socket, Socket, Socket];
  sockets[0].join("a");
  sockets[1].join(["a", "b"]);
  sockets[2].join("b");
  return { ...running, pairs, sockets };
}

/** Selections that server, namespace and operators offer, and the indexes of those whom they name. */
const SELECTIONS: [string, (io: Server, sockets: Socket[]) => any, number[]][] = [
  ["io", (io) => io, [0, 1, 2]],
  ["io.of", (io) => io.of("/"), [0, 1, 2]],
  ["io.in(room)", (io) => io.in("a"), [0, 1]],
  ["io.in of two rooms", (io) => io.in(["a", "b"]), [0, 1, 2]],
  ["io.except(room)", (io) => io.except("a"), [2]],
  ["io.in(room).except(room)", (io) => io.in("a").except("b"), [0]],
  ["io.in(id)", (io, sockets) => io.in(sockets[2]?.id as string), [2]],
  ["io.local", (io) => io.local, [0, 1, 2]],
  ["socket.broadcast", (_io, sockets) => sockets[0]?.broadcast, [1, 2]],
  ["socket.to(room)", (_io, sockets) => sockets[0]?.to("a"), [1]],
  ["io.in of an empty room", (io) => io.in("nobody"), []],
];

describeBoth("utility methods", (implementation) => {
  for (const [name, select, members] of SELECTIONS) {
    it(`${name} fetches its sockets, which are the very objects`, async () => {
      const { io, sockets } = await startTrio(implementation);
      const fetched: unknown[] = await select(io, sockets).fetchSockets();
      expect(fetched).toHaveLength(members.length);
      for (const index of members) {
        expect(fetched.some((socket) => socket === sockets[index])).toBe(true);
      }
    });

    it(`${name} makes its sockets join and leave at once`, async () => {
      const { io, sockets } = await startTrio(implementation);
      expect(select(io, sockets).socketsJoin("one")).toBeUndefined();
      select(io, sockets).socketsJoin(["two", "three"]);
      const joined = sockets.map(({ rooms }) =>
        ["one", "two", "three"].every((room) => rooms.has(room)),
      );
      expect(joined).toEqual([0, 1, 2].map((index) => members.includes(index)));
      expect(select(io, sockets).socketsLeave("one")).toBeUndefined();
      select(io, sockets).socketsLeave(["two", "three"]);
      expect(sockets.some(({ rooms }) => rooms.has("one") || rooms.has("three"))).toBe(false);
    });

    it(`${name} disconnects its sockets and no others`, async () => {
      const { io, sockets } = await startTrio(implementation);
      const reasons: unknown[] = [];
      for (const socket of sockets) {
        socket.on("disconnect", (reason) => reasons.push(reason));
      }
      expect(select(io, sockets).disconnectSockets()).toBeUndefined();
      expect(sockets.map(({ connected }) => connected)).toEqual(
        [0, 1, 2].map((index) => !members.includes(index)),
      );
      expect(reasons).toEqual(members.map(() => "server namespace disconnect"));
      expect(io.engine.clientsCount).toBe(3);
    });
  }

  it("disconnectSockets(true) closes the connections, after what was emitted before", async () => {
    const { io, pairs } = await startTrio(implementation);
    const seen = Promise.all(pairs.map(({ client }) => collect(client, "bye", 1)));
    const there = Promise.all(pairs.map(({ client }) => onceValue(client, "disconnect")));
    const closed = Promise.all(pairs.map(({ socket }) => onceValue(socket.conn, "close")));
    io.emit("bye");
    io.disconnectSockets(true);
    await seen;
    expect(await there).toEqual(Array(3).fill("io server disconnect"));
    expect(await closed).toEqual(Array(3).fill("forced close"));
    expect(io.engine.clientsCount).toBe(0);
  });

  it("socketsLeave of the rooms that are selected by", async () => {
    const { io, sockets } = await startTrio(implementation);
    io.in("a").socketsLeave("a");
    expect(sockets.map(({ rooms }) => rooms.has("a"))).toEqual([false, false, false]);
    expect(io.of("/").adapter.rooms.has("a")).toBe(false);
  });

  it("allSockets gives the ids, in all or in rooms", async () => {
    const { io, sockets } = await startTrio(implementation);
    const [first, second, third] = sockets.map(({ id }) => id);
    expect(await io.allSockets()).toEqual(new Set([first, second, third]));
    expect(await io.in("a").allSockets()).toEqual(new Set([first, second]));
    expect(await io.of("/").in(["a", "b"]).allSockets()).toEqual(new Set([first, second, third]));
    expect(await io.in("nobody").allSockets()).toEqual(new Set());
  });

  it("fetched sockets tell id, handshake, rooms and data, and can be spoken to", async () => {
    const { io, sockets, pairs } = await startTrio(implementation);
    sockets[2].data.name = "third";
    const [fetched] = await io.in(sockets[2].id).fetchSockets();
    expect(fetched?.id).toBe(sockets[2].id);
    expect(fetched?.handshake).toBe(sockets[2].handshake);
    expect([...(fetched?.rooms ?? [])]).toEqual([sockets[2].id, "b"]);
    expect(fetched?.data).toEqual({ name: "third" });
    const arrived = onceValue(pairs[2]?.client as never, "hello");
    fetched?.emit("hello", 1);
    expect(await arrived).toBe(1);
  });

  /** What the server is asked, what the namespace is asked then, and what comes back; nothing worth a look unless that is said. */
  const FORWARDED: [
    method: string,
    args: unknown[],
    asked?: unknown[],
    returned?: "the answer" | "the server" | "nothing",
  ][] = [
    ["to", ["room"]],
    ["in", [["a", "b"]]],
    ["except", ["room"]],
    ["compress", [false]],
    ["timeout", [5]],
    ["fetchSockets", []],
    ["socketsJoin", ["room"], ["socketsJoin", "room"], "nothing"],
    ["socketsLeave", [["a"]], ["socketsLeave", ["a"]], "nothing"],
    ["disconnectSockets", [true], ["disconnectSockets", true], "nothing"],
    ["allSockets", []],
    ["serverSideEmit", ["event", 1]],
    ["serverSideEmitWithAck", ["event", 1]],
    ["emit", ["event", 1]],
    ["listeners", ["connection"]],
    ["send", [1, 2], ["emit", "message", 1, 2], "the server"],
    ["write", [1, 2], ["emit", "message", 1, 2], "the server"],
    ["use", [() => {}], undefined, "the server"],
  ];
  for (const [method, args, asked = [method, ...args], returned = "the answer"] of FORWARDED) {
    it(`${method} of the server is that of the namespace /, with its arguments`, async () => {
      const { io } = await startServer(implementation);
      const calls: unknown[] = [];
      const answer = {};
      for (const name of new Set([method, "emit"])) {
        internals(io.sockets)[name] = (...given: unknown[]) => {
          calls.push([name, ...given]);
          return answer;
        };
      }
      const value = internals(io)[method](...args);
      expect(calls).toEqual([asked]);
      if (returned !== "nothing") {
        expect(value).toBe(returned === "the answer" ? answer : io);
      }
    });
  }

  for (const getter of ["volatile", "local"]) {
    it(`${getter} of the server is that of the namespace /`, async () => {
      const { io } = await startServer(implementation);
      const answer = {};
      Object.defineProperty(io.sockets, getter, { get: () => answer });
      expect(internals(io)[getter]).toBe(answer);
    });
  }
});
