// Broadcasts, as every adapter has to do them in a cluster of three servers, whichever package serves each of them.
// Run by the files of this folder through cases.ts.

import type { Server } from "socket.io";
import { currentLink } from "../../../dist/link";
import { type Cluster, heard, type Member, type Node } from "../../harness/clusters";
import { collect, eventually, once, onceValue } from "../../harness/events";
import { it } from "../../harness/implementations";
import { internals } from "../../harness/internals";
import { fromEach } from "./from-each";

/** An event with what a message between servers may lose. */
const EVENT: [string, ...unknown[]] = ["x", 1.5, { text: "grüße 🦀", list: [null, true, ""] }];

/** Whom a broadcast has to reach: positions of servers, given the position of the sender. */
type Expected = (own: number) => number[];

const BROADCASTS: [string, (io: Server, members: Member[], own: number) => unknown, Expected][] = [
  ["the clients of every server", (io) => io.emit(...EVENT), () => [0, 1, 2]],
  ["a room", (io) => io.to("r").emit(...EVENT), () => [0, 1]],
  ["a socket by its id", (io, [, , far]) => io.to(idOf(far)).emit(...EVENT), () => [2]],
  ["each socket of several rooms once", (io) => io.to(["r", "of 0"]).emit(...EVENT), () => [0, 1]],
  ["all but a room", (io) => io.except("of 0").emit(...EVENT), () => [1, 2]],
  [
    "a room but for another",
    (io) =>
      io
        .to("r")
        .except("of 0")
        .emit(...EVENT),
    () => [1],
  ],
  ["a room whose name is a number", (io) => io.to(42 as any).emit(...EVENT), () => [1]],
  ["a room whose name is the text of a number", (io) => io.to("42").emit(...EVENT), () => [2]],
  ["nobody in a room that is empty", (io) => io.to("nobody").emit(...EVENT), () => []],
  ["the sender's server alone with local", (io) => io.local.emit(...EVENT), (own) => [own]],
  ["idle clients with volatile", (io) => io.volatile.emit(...EVENT), () => [0, 1, 2]],
  ["all without compression", (io) => io.compress(false).emit(...EVENT), () => [0, 1, 2]],
  [
    "all but the socket that broadcasts",
    (_io, members, own) => members[own]?.socket.broadcast.emit(...EVENT),
    (own) => [0, 1, 2].filter((index) => index !== own),
  ],
  [
    "the others of a room from a socket in it",
    (_io, members, own) => members[own]?.socket.to("r").emit(...EVENT),
    (own) => [1 - own],
  ],
];

function idOf(member: Member | undefined): string {
  return member?.socket.id as string;
}

/** Registers the cases. */
export function defineBroadcastCases(
  cluster: Cluster,
  { numericRooms }: { numericRooms: boolean },
): void {
  for (const [whom, act, expected] of BROADCASTS) {
    if (whom.endsWith("is a number") && !numericRooms) {
      continue;
    }
    fromEach(cluster, `a broadcast reaches ${whom}`, async (from, members, own) => {
      members[0].socket.join(["r", "of 0"]);
      members[1].socket.join(["r", 42 as any]);
      members[2].socket.join("42");
      const events = await heard(members, from, (io) => act(io, members, own));
      const targets = expected(own);
      expect(events).toEqual(members.map((_member, at) => (targets.includes(at) ? [EVENT] : [])));
    });
  }

  fromEach(cluster, "bytes arrive as bytes on every server", async (from, members) => {
    const arrived = members.map(({ client }) => once(client, "x"));
    const bytes = Buffer.from([0, 1, 255]);
    from.io.emit("x", bytes, { nested: [bytes, "text"] });
    const expected = [bytes, { nested: [bytes, "text"] }];
    expect(await Promise.all(arrived)).toEqual([expected, expected, expected]);
  });

  fromEach(cluster, "broadcasts arrive in the order of the calls", async (from, members) => {
    for (const { socket } of members) {
      socket.join("r");
    }
    const events = await heard(members, from, (io) => {
      for (let n = 0; n < 40; n += 2) {
        io.emit("n", n);
        io.to("r").emit("n", n + 1);
      }
    });
    const expected = Array.from({ length: 40 }, (_none, n) => ["n", n]);
    expect(events).toEqual([expected, expected, expected]);
  });

  fromEach(
    cluster,
    "what is sent before a room is left arrives on the other servers, and nothing after",
    async (from, members, own) => {
      for (const { socket } of members) {
        socket.join("r");
      }
      const events = await heard(members, from, (io) => {
        io.to("r").emit("before");
        io.socketsLeave("r");
        io.to("r").emit("after");
      });
      // redis-adapter hands a command to itself by way of Redis, too, but its own broadcasts directly.
      const others = events.filter((_events, at) => at !== own);
      expect(others).toEqual([[["before"]], [["before"]]]);
    },
  );

  fromEach(
    cluster,
    "an event before disconnectSockets arrives before the disconnection",
    async (from, members) => {
      const ends = members.map(async ({ client }) => {
        const seen: unknown[] = [];
        client.on("bye", () => seen.push("bye"));
        const gone = await onceValue(client, "disconnect");
        return [...seen, gone];
      });
      from.io.emit("bye");
      from.io.disconnectSockets(true);
      expect(await Promise.all(ends)).toEqual(Array(3).fill(["bye", "io server disconnect"]));
    },
  );

  if (cluster.isWithSioRs) {
    defineFanOutCase(cluster);
  }
}

/** Registers the cases of broadcasts with acknowledgements. */
export function defineAckCases(cluster: Cluster): void {
  const answerAll = (members: Member[]): void => {
    for (const [index, { client }] of members.entries()) {
      client.on("q", (...args) => args.at(-1)(index));
    }
  };

  fromEach(
    cluster,
    "nothing of a broadcast with acks stays when it is done",
    async (from, members) => {
      answerAll(members);
      await from.io.timeout(200).emitWithAck("q");
      // An adapter keeps a request for the whole time that it may take, so this case has to come first.
      const pending = (node: Node) => internals(node.io.of("/").adapter).ackRequests?.size ?? 0;
      await eventually(() => cluster.nodes.every((node) => pending(node) === 0));
      expect(members.map(({ socket }) => internals(socket).acks.size)).toEqual([0, 0, 0]);
    },
  );

  fromEach(
    cluster,
    "every client of every server acknowledges a broadcast",
    async (from, members) => {
      answerAll(members);
      const answers = await from.io.timeout(4_000).emitWithAck("q", "a");
      expect(answers.sort()).toEqual([0, 1, 2]);
    },
  );

  fromEach(cluster, "bytes arrive with a question and with its answers", async (from, members) => {
    for (const { client } of members) {
      client.on("q", (bytes: Buffer, ack) => ack(Buffer.from([...bytes, 3])));
    }
    const answers = await from.io.timeout(4_000).emitWithAck("q", Buffer.from([1, 2]));
    expect(answers.map((answer: Buffer) => [...answer])).toEqual(Array(3).fill([1, 2, 3]));
  });

  fromEach(cluster, "only the targets of a broadcast are waited for", async (from, members) => {
    answerAll(members);
    members[0].socket.join("r");
    members[2].socket.join("r");
    const { io } = from;
    expect((await io.to("r").timeout(4_000).emitWithAck("q")).sort()).toEqual([0, 2]);
    expect(await io.except("r").timeout(4_000).emitWithAck("q")).toEqual([1]);
    expect(await io.to("nobody").timeout(4_000).emitWithAck("q")).toEqual([]);
  });

  fromEach(
    cluster,
    "after the timeout the answers so far come with the error",
    async (from, members) => {
      answerAll(members);
      const silent = members[1];
      silent.client.removeAllListeners("q");
      const asked = once(silent.client, "q");
      const result = from.io
        .timeout(300)
        .emitWithAck("q")
        .catch((error: Error & { responses: number[] }) => error);
      const late = (await asked).at(-1);
      const error = (await result) as Error & { responses: number[] };
      expect(error.message).toBe("operation has timed out");
      expect(error.responses.sort()).toEqual([0, 2]);
      // The late answer is nobody's business any more.
      late("late");
      expect(await from.io.to(idOf(members[0])).timeout(4_000).emitWithAck("q")).toEqual([0]);
    },
  );
}

/** Every adapter writes to its sockets one by one; the core is asked once. */
function defineFanOutCase(cluster: Cluster): void {
  const send: [string, (io: Server) => unknown][] = [
    ["a text", (io) => io.emit("x", "text")],
    ["bytes", (io) => io.emit("x", Buffer.from([1, 2]))],
    ["a room without another", (io) => io.to("r").except("s").emit("x")],
    ["a volatile event", (io) => io.volatile.emit("x")],
  ];
  for (const [what, act] of send) {
    it(`a broadcast of ${what} is one call to the core of each server`, async () => {
      for (const from of cluster.nodes.slice(0, 2)) {
        const members = await cluster.join("/", 4);
        for (const [index, { socket }] of members.entries()) {
          socket.join(index % 4 === 3 ? ["r", "s"] : "r");
        }
        await heard(members, from, () => {});
        const before = currentLink().counters().broadcasts;
        const targets = members.filter(
          ({ socket }) => !what.includes("room") || !socket.rooms.has("s"),
        );
        const arrived = targets.map(({ client }) => collect(client, "x", 1));
        act(from.io);
        await Promise.all(arrived);
        const sioRs = cluster.nodes.filter(
          ({ implementation }) => implementation.name === "sio-rs",
        );
        // Of several shards the one that counts may be behind the one that delivers.
        const calls = (): number => currentLink().counters().broadcasts - before;
        await eventually(() => calls() >= sioRs.length);
        expect(calls()).toBe(sioRs.length);
        for (const { client } of members) {
          client.disconnect();
        }
      }
    });
  }
}
