// @socket.io/redis-adapter over the clients of both packages for Redis.

import msgpackParser from "socket.io-msgpack-parser";
import { redisForFile } from "../../harness/brokers";
import { describeClusters } from "../../harness/clusters";
import { once } from "../../harness/events";
import { it } from "../../harness/implementations";
import { internals } from "../../harness/internals";
import { defineCases } from "./cases";
import { fromEach } from "./from-each";

const broker = redisForFile();
const abilities = { allSocketsOfCluster: false, numericRooms: true, isModern: true };

for (const client of ["redis", "ioredis"]) {
  const adapter = `redis-adapter with ${client}`;
  defineCases(adapter, { adapter, broker }, abilities);
}

const msgpack = {
  adapter: "redis-adapter with redis",
  broker,
  options: { parser: msgpackParser },
  clientOptions: { parser: msgpackParser },
};

describeClusters("redis-adapter and socket.io-msgpack-parser", msgpack, (cluster) => {
  fromEach(cluster, "a broadcast and its acknowledgements pass", async ({ io }, members) => {
    const bytes = Buffer.from([1, 2, 3]);
    for (const { client } of members) {
      client.on("q", (...args) => args.pop()(args));
    }
    const answers = await io.timeout(4_000).emitWithAck("q", "text", { bytes });
    expect(answers).toEqual(Array(3).fill(["text", { bytes }]));
  });
});

// Of the two packages it is ioredis that keeps answers and questions together when commands wait for a new connection.
const restarted = { adapter: "redis-adapter with ioredis", broker };

describeClusters("redis-adapter and its Redis", restarted, (cluster) => {
  fromEach(cluster, "allRooms has the rooms of every server", async ({ io }, members) => {
    for (const [index, { socket }] of members.entries()) {
      socket.join(["all", `of ${index}`]);
    }
    const ids = members.map(({ socket }) => socket.id);
    const rooms: Set<string> = await internals(io.of("/").adapter).allRooms();
    expect([...rooms].sort()).toEqual(["all", "of 0", "of 1", "of 2", ...ids].sort());
  });

  it("while Redis is away a server goes on alone, and with the others when it is back", async () => {
    const members = await cluster.join();
    const [first, second] = cluster.nodes;
    const clients = cluster.nodes.flatMap(({ setup }) => [setup.pub, setup.sub]);
    const lost = clients.map((client) => once(client, "reconnecting"));
    const found = clients.map((client) => once(client, "ready"));
    const restarting = broker.restart();
    await Promise.all(lost);
    const own = once((members[1] as (typeof members)[0]).client, "alone");
    second.io.emit("alone");
    await own;
    await restarting;
    await Promise.all(found);
    await cluster.knowEachOther("/");
    const all = members.map(({ client }) => once(client, "together"));
    first.io.emit("together");
    await Promise.all(all);
  });
});
