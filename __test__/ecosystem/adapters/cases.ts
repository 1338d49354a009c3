// What every adapter has to do in a cluster of three servers, whichever package serves each of them. Each file of this
// folder runs these cases with its adapter. Broadcasts have a file of their own.

import type { RemoteSocket, Server } from "socket.io";
import { startFixture } from "../../harness/child";
import {
  type AdapterChoice,
  type Cluster,
  describeClusters,
  heard,
  type Node,
} from "../../harness/clusters";
import { deferred, eventually, once } from "../../harness/events";
import { describeBoth, it } from "../../harness/implementations";
import { internals } from "../../harness/internals";
import { defineAckCases, defineBroadcastCases } from "./broadcast-cases";
import { fromEach, type Members } from "./from-each";

/** What an adapter can do, where they differ. */
export interface Abilities {
  /** `allSockets()` asks the other servers, too. */
  allSocketsOfCluster: boolean;
  /** Rooms may have numbers for names. */
  numericRooms: boolean;
  /** Broadcasts with acks, `serverSideEmit`, `close()`: socket.io-adapter has them since 2.3 and 2.4. */
  isModern: boolean;
}

/** Registers the cases for an adapter. */
export function defineCases(suite: string, choice: AdapterChoice, abilities: Abilities): void {
  describeClusters(suite, choice, (cluster) => {
    defineBroadcastCases(cluster, abilities);
    defineSocketCases(cluster, abilities);
    defineNamespaceCases(cluster);
    if (abilities.isModern) {
      defineAckCases(cluster);
      defineServerSideCases(cluster);
      defineLeavingCase(cluster);
    }
  });
  describeBoth(`${suite}, process`, (implementation) => {
    it("a process ends by itself once server and clients are closed", async () => {
      const args = [choice.adapter, `${choice.broker.port}`];
      const { finished } = startFixture(implementation, "adapter-exit.cjs", args);
      expect(await finished).toMatchObject({ exitCode: 0, stdout: "closed\n", stderr: "" });
    });
  });
}

function defineSocketCases(cluster: Cluster, { allSocketsOfCluster }: Abilities): void {
  const areIn = (members: Members, room: string): boolean[] =>
    members.map(({ socket }) => socket.rooms.has(room));
  const becomes = (members: Members, room: string, expected: boolean[]): Promise<void> =>
    eventually(
      () => `${areIn(members, room)}` === `${expected}`,
      `the sockets in ${room} were never ${expected}`,
    );

  fromEach(cluster, "sockets of every server join and leave rooms", async ({ io }, members) => {
    io.socketsJoin(["a", "b"]);
    await becomes(members, "b", [true, true, true]);
    io.in(members[2].socket.id).socketsJoin("c");
    await becomes(members, "c", [false, false, true]);
    io.except("c").socketsLeave("a");
    await becomes(members, "a", [false, false, true]);
    io.in(["a", "b"]).socketsLeave(["b", "c"]);
    await becomes(members, "b", [false, false, false]);
    await becomes(members, "c", [false, false, false]);
  });

  fromEach(cluster, "sockets of other servers are disconnected", async (from, members, own) => {
    const [other, far] = [members[(1 - own) as 0 | 1], members[2]];
    const ends = [once(other.client, "disconnect"), once(far.client, "disconnect")];
    const closed = once(far.client.io.engine, "close");
    from.io.in(other.socket.id).disconnectSockets();
    from.io.in(far.socket.id).disconnectSockets(true);
    expect((await Promise.all(ends)).map(([reason]) => reason)).toEqual(
      Array(2).fill("io server disconnect"),
    );
    await closed;
    expect(members[own as 0 | 1].client.connected).toBe(true);
  });

  fromEach(cluster, "sockets of every server are fetched", async ({ io }, members, own) => {
    members[0].socket.data.name = "alice";
    members[1].socket.data = new Proxy({ name: "bob" }, {});
    (members[2].socket as { data: unknown }).data = "carol";
    members[2].socket.join(["r", 42 as any]);
    members[own as 0 | 1].socket.join("own");
    const sockets = await io.fetchSockets();
    const byId = new Map(sockets.map((socket) => [socket.id, socket]));
    const inOrder = members.map(({ socket }) => byId.get(socket.id) as RemoteSocket<any, any>);
    expect(sockets).toHaveLength(3);
    expect(inOrder.map(({ data }) => data)).toEqual([{ name: "alice" }, { name: "bob" }, "carol"]);
    const far = inOrder[2];
    expect([...(far?.rooms ?? [])]).toEqual([members[2].socket.id, "r", 42]);
    expect(far?.handshake).toEqual(JSON.parse(JSON.stringify(members[2].socket.handshake)));
    const idsOf = async (operator: Pick<Server, "fetchSockets">): Promise<string[]> =>
      (await operator.fetchSockets()).map(({ id }) => id);
    expect(await idsOf(io.in("r"))).toEqual([members[2].socket.id]);
    expect(await idsOf(io.except(["r", "own"]))).toEqual([members[(1 - own) as 0 | 1].socket.id]);
    expect(await idsOf(io.local)).toEqual([members[own as 0 | 1].socket.id]);
  });

  fromEach(cluster, "a socket of another server is used from afar", async ({ io }, members) => {
    const { client, socket } = members[2];
    const [remote] = await io.in(socket.id).fetchSockets();
    remote?.join(["a", "b"]);
    await becomes(members, "b", [false, false, true]);
    remote?.leave("a");
    await becomes(members, "a", [false, false, false]);
    const arrived = once(client, "x");
    remote?.emit("x", 1, Buffer.from([2]));
    expect(await arrived).toEqual([1, Buffer.from([2])]);
    const gone = once(client, "disconnect");
    expect(remote?.disconnect(true)).toBe(remote);
    expect((await gone)[0]).toBe("io server disconnect");
  });

  fromEach(
    cluster,
    "allSockets has the ids of those whom the adapter asks",
    async ({ io }, members, own) => {
      members[2].socket.join("r");
      members[own as 0 | 1].socket.join("r");
      const expected = [own, 2].map((at) => members[at as 0 | 1 | 2].socket.id);
      const ids = await io.in("r").allSockets();
      expect([...ids].sort()).toEqual(expected.slice(0, allSocketsOfCluster ? 2 : 1).sort());
    },
  );
}

function defineNamespaceCases(cluster: Cluster): void {
  it("broadcasts stay in their namespace", async () => {
    for (const { io } of cluster.nodes) {
      io.of("/other");
    }
    const others = await cluster.join("/other");
    await cluster.knowEachOther("/other");
    const members = await cluster.join();
    const [from] = cluster.nodes;
    const events = await heard(others, from, async (io) => {
      await heard(members, from, () => io.emit("to the main one"));
      io.of("/other").emit("to the other one");
    });
    expect(events).toEqual(Array(3).fill([["to the other one"]]));
    expect(await heard(members, from, (io) => io.of("/other").emit("x"))).toEqual([[], [], []]);
  });

  it("a dynamic namespace spans the servers, closes its adapters when it is empty, and may come again", async () => {
    for (const { io } of cluster.nodes) {
      io.of(/^\/dynamic-\d$/);
    }
    for (let round = 0; round < 2; round++) {
      const members = await cluster.join("/dynamic-1");
      await cluster.knowEachOther("/dynamic-1");
      const closes = cluster.nodes.map(({ io }) =>
        jest.spyOn(io.of("/dynamic-1").adapter, "close"),
      );
      for (const from of cluster.nodes) {
        const events = await heard(members, from, (io) => io.of("/dynamic-1").emit("x", round));
        expect(events).toEqual(Array(3).fill([["x", round]]));
      }
      for (const { client } of members) {
        client.disconnect();
      }
      const isGone = ({ io }: Node) => !internals(io)._nsps.has("/dynamic-1");
      await eventually(() => cluster.nodes.every(isGone), "the namespaces stayed");
      expect(closes.map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1]);
    }
  });

  it("a middleware's emits reach the newcomer before it is connected, and the others on every server", async () => {
    for (const { io } of cluster.nodes) {
      io.of("/guarded").use((socket, next) => {
        socket.emit("welcome");
        socket.broadcast.emit("announced", socket.handshake.auth.name);
        next();
      });
    }
    const members = await cluster.join("/guarded");
    await cluster.knowEachOther("/guarded");
    for (const from of cluster.nodes) {
      const announced = members.map(({ client }) => once(client, "announced"));
      const newcomer = from.connect("/guarded", { auth: { name: from.url } });
      const order: string[] = [];
      newcomer.on("welcome", () => order.push("welcome"));
      newcomer.on("connect", () => order.push("connect"));
      await once(newcomer, "connect");
      expect(order).toEqual(["welcome", "connect"]);
      expect(await Promise.all(announced)).toEqual(Array(3).fill([from.url]));
    }
  });
}

function defineServerSideCases(cluster: Cluster): void {
  /** Listens on all servers until `run` is done; a listener gets the position of its server. */
  const listening = async (
    listener: (at: number, ...args: any[]) => void,
    run: () => Promise<void>,
  ): Promise<void> => {
    for (const [at, { io }] of cluster.nodes.entries()) {
      io.on("q", (...args: any[]) => listener(at, ...args));
    }
    try {
      await run();
    } finally {
      for (const { io } of cluster.nodes) {
        io.removeAllListeners("q");
      }
    }
  };

  fromEach(cluster, "serverSideEmit reaches the other servers", async ({ io }, _members, own) => {
    const seen: unknown[] = [];
    const both = deferred();
    const listener = (...call: unknown[]): void => void (seen.push(call) === 2 && both.resolve());
    await listening(listener, async () => {
      expect(io.serverSideEmit("q", 1, { deep: ["x"] })).toBe(true);
      await both.promise;
    });
    const others = [0, 1, 2].filter((at) => at !== own);
    expect(seen.sort()).toEqual(others.map((at) => [at, 1, { deep: ["x"] }]));
  });

  fromEach(cluster, "the other servers answer serverSideEmit", async ({ io }, _members, own) => {
    await listening(
      (at, argument, ack) => ack(argument * at),
      async () => {
        const answers = await io.serverSideEmitWithAck("q", 10);
        expect(answers.sort()).toEqual([0, 10, 20].filter((answer) => answer !== own * 10));
      },
    );
  });

  fromEach(
    cluster,
    "a server that does not answer leaves an error with the other answers",
    async ({ io }) => {
      const result = deferred<any>();
      const silent = 2;
      jest.useFakeTimers({
        doNotFake: [
          "setImmediate",
          "nextTick",
          "queueMicrotask",
          "setInterval",
          "Date",
          "performance",
          "hrtime",
        ],
      });
      try {
        await listening(
          (at, question, ack) => (at !== silent || question === "again") && ack(at),
          async () => {
            io.serverSideEmit("q", "first", (error: Error, answers: unknown[]) =>
              result.resolve({ message: error.message, answers }),
            );
            // When the answers to a later question are there, so are those to the first.
            await io.serverSideEmitWithAck("q", "again");
            jest.advanceTimersByTime(5_000);
          },
        );
      } finally {
        jest.useRealTimers();
      }
      const { message, answers } = await result.promise;
      expect(message).toMatch(/timeout reached/);
      expect(answers).toHaveLength(1);
    },
  );

  it("a server that is alone in a namespace waits for no answer", async () => {
    const alone = cluster.nodes[1].io.of("/alone");
    expect(await alone.serverSideEmitWithAck("q")).toEqual([]);
  });
}

/** The last of the cases: one server of the cluster is closed in it. */
function defineLeavingCase(cluster: Cluster): void {
  it("a server that is closed closes its adapter, and the others go on without it", async () => {
    const [first, second, leaving] = cluster.nodes;
    const members = await cluster.join();
    const close = jest.spyOn(leaving.io.of("/").adapter, "close");
    await leaving.io.close();
    expect(close).toHaveBeenCalledTimes(1);
    await cluster.count([first, second], 2);
    expect(await first.io.fetchSockets()).toHaveLength(2);
    const events = await heard(members.slice(0, 2), second, (io) => io.emit("x"));
    expect(events).toEqual([[["x"]], [["x"]]]);
  });
}
