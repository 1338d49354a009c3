// @socket.io/redis-emitter: a process without a server speaks to the clients of a cluster, over either adapter that understands it.

import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { redisForFile } from "../../harness/brokers";
import { BARRIER, record } from "../../harness/clients";
import { type Cluster, describeClusters, type Member } from "../../harness/clusters";
import { deferred, eventually, once } from "../../harness/events";
import { it } from "../../harness/implementations";

// Before Redis is ended: hooks run in the order in which they stand.
afterAll(() => client.close());

const broker = redisForFile();

let client: ReturnType<typeof createClient>;
let emitter: Emitter;

beforeAll(async () => {
  client = createClient({ url: `redis://127.0.0.1:${broker.port}` });
  await client.connect();
  emitter = new Emitter(client);
});

/** What each member gets of what `act` makes the emitter send. */
async function heard(members: Member[], act: () => unknown): Promise<any[][][]> {
  const records = members.map((member) => record(member.client));
  act();
  const arrived = members.map((member) => once(member.client, BARRIER));
  emitter.emit(BARRIER);
  await Promise.all(arrived);
  return records;
}

function defineEmitterCases(cluster: Cluster): void {
  const join = async (): Promise<Member[]> => {
    const members = await cluster.join();
    members[0]?.socket.join(["r", "s"]);
    members[1]?.socket.join("r");
    return members;
  };

  it("its events reach all, a room, and all but a room", async () => {
    const members = await join();
    const bytes = Buffer.from([1, 2]);
    const events = await heard(members, () => {
      emitter.emit("all", 1, { bytes });
      emitter.to("r").emit("room");
      emitter.except("s").emit("except");
      emitter.to("r").except("s").emit("both");
    });
    const all = ["all", 1, { bytes }];
    expect(events).toEqual([
      [all, ["room"]],
      [all, ["room"], ["except"], ["both"]],
      [all, ["except"]],
    ]);
  });

  it("its events reach the namespace that it names", async () => {
    for (const { io } of cluster.nodes) {
      io.of("/emitted");
    }
    const others = await cluster.join("/emitted");
    await cluster.knowEachOther("/emitted");
    const arrived = others.map((member) => once(member.client, "x"));
    const events = await heard(await join(), () => emitter.of("/emitted").emit("x"));
    await Promise.all(arrived);
    expect(events).toEqual([[], [], []]);
  });

  it("it makes sockets join, leave and disconnect", async () => {
    const members = await join();
    const becomes = (expected: boolean[]): Promise<void> =>
      eventually(() => `${members.map(({ socket }) => socket.rooms.has("t"))}` === `${expected}`);
    emitter.in("r").socketsJoin("t");
    await becomes([true, true, false]);
    emitter.in("s").socketsLeave("t");
    await becomes([false, true, false]);
    const gone = members.slice(0, 2).map((member) => once(member.client, "disconnect"));
    emitter.in("r").disconnectSockets(true);
    expect((await Promise.all(gone)).map(([reason]) => reason)).toEqual(
      Array(2).fill("io server disconnect"),
    );
    expect(members[2]?.client.connected).toBe(true);
  });
}

const choice = { adapter: "redis-adapter with redis", broker };

describeClusters("redis-emitter", choice, (cluster) => {
  defineEmitterCases(cluster);

  it("its serverSideEmit reaches every server", async () => {
    const seen = cluster.nodes.map(({ io }) => {
      const { promise, resolve } = deferred<unknown[]>();
      io.once("word", (...args: unknown[]) => resolve(args));
      return promise;
    });
    emitter.serverSideEmit("word", 1, "two");
    expect(await Promise.all(seen)).toEqual(Array(3).fill([1, "two"]));
  });
});

describeClusters(
  "redis-emitter to socket.io-redis",
  { ...choice, adapter: "socket.io-redis" },
  defineEmitterCases,
);
