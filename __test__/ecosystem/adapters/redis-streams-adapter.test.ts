// @socket.io/redis-streams-adapter, and connection state recovery with it: a client that loses one server goes on at another.

import type { Socket as ClientSocket } from "socket.io-client";
import { currentLink } from "../../../dist/link";
import { redisForFile } from "../../harness/brokers";
import { record } from "../../harness/clients";
import { type Cluster, describeClusters, type Node } from "../../harness/clusters";
import { eventually, once } from "../../harness/events";
import { it } from "../../harness/implementations";
import { internals } from "../../harness/internals";
import { defineCases } from "./cases";

const broker = redisForFile();
const choice = { adapter: "redis streams", broker };
const abilities = { allSocketsOfCluster: false, numericRooms: true, isModern: true };

defineCases("redis-streams-adapter", choice, abilities);

const RECOVERY = { connectionStateRecovery: { maxDisconnectionDuration: 20_000 } };

/** Ends the connection as a network would, and waits until the server knows. */
async function lose(client: ClientSocket, node: Node): Promise<void> {
  const socket = node.io.sockets.sockets.get(client.id as string);
  const left = once(socket as NonNullable<typeof socket>, "disconnect");
  client.io.engine.close();
  await left;
}

/** Connects again, to another server. */
async function comeBack(client: ClientSocket, node: Node): Promise<void> {
  internals(client.io).uri = node.url;
  const connected = once(client, "connect");
  client.connect();
  await connected;
}

/** Without the offset that recovery appends to each event. */
const withoutOffset = (events: any[][]): any[][] => events.map((event) => event.slice(0, -1));

describeClusters("recovery across servers", { ...choice, options: RECOVERY }, (cluster) => {
  for (const [lost, found] of [
    [0, 1],
    [1, 0],
    [1, 2],
  ] as const) {
    it(`what is missed of server ${lost} is told by server ${found}, to the same socket`, async () => {
      const [from, to] = [cluster.nodes[lost], cluster.nodes[found]];
      const members = await cluster.join();
      const { client, socket } = members[lost] as (typeof members)[0];
      const { id } = socket;
      socket.join(["r", "s"]);
      socket.data = { name: "alice", tags: ["a"] };
      const first = once(client, "first");
      socket.emit("first");
      expect(await first).toEqual([expect.stringMatching(/^\d+-\d+$/)]);

      await lose(client, from);
      const bytes = Buffer.from([1, 2]);
      await inTurn(cluster, [
        (io) => io.emit("for all", 1, bytes),
        (io) => io.to("r").emit("for the room"),
        (io) => io.except("s").emit("not for it"),
        (io) => io.to("elsewhere").emit("not for it either"),
        (io) => io.to(id).emit("for it alone"),
      ]);
      const missed = record(client);
      await comeBack(client, to);
      expect(client.recovered).toBe(true);
      expect(client.id).toBe(id);
      expect(withoutOffset(missed)).toEqual([
        ["for all", 1, bytes],
        ["for the room"],
        ["for it alone"],
      ]);
      const again = to.io.sockets.sockets.get(id) as typeof socket;
      expect(again.recovered).toBe(true);
      expect(again.data).toEqual({ name: "alice", tags: ["a"] });
      expect([...again.rooms]).toEqual([id, "r", "s"]);
      const next = once(client, "next");
      cluster.nodes[2].io.to("s").emit("next");
      await next;
    });
  }

  it("a session that nobody knows, or an offset that was never given, is a new one", async () => {
    const [member] = await cluster.join();
    const { client, node } = member as NonNullable<typeof member>;
    const { id } = client;
    const first = once(client, "first");
    node.io.emit("first");
    await first;
    await lose(client, node);
    internals(client)._lastOffset = "no offset";
    await comeBack(client, cluster.nodes[1]);
    expect(client.recovered).toBe(false);
    expect(client.id).not.toBe(id);
  });

  if (cluster.isWithSioRs) {
    it("a broadcast that is logged is one call to the core of each server", async () => {
      const members = await cluster.join("/", 4);
      const arrived = members.map(({ client }) => once(client, "x"));
      const before = currentLink().counters().broadcasts;
      cluster.nodes[1].io.emit("x", 1);
      await Promise.all(arrived);
      const sioRs = cluster.nodes.filter(({ implementation }) => implementation.name === "sio-rs");
      const calls = (): number => currentLink().counters().broadcasts - before;
      await eventually(() => calls() >= sioRs.length);
      expect(calls()).toBe(sioRs.length);
    });
  }

  it("an event that cannot be logged still reaches the server's own clients, without an offset", async () => {
    const members = await cluster.join();
    const { pub } = cluster.nodes[0].setup;
    await pub.del("socket.io");
    await pub.set("socket.io", "no stream");
    for (const { client, node } of members) {
      const arrived = once(client, "x");
      node.io.emit("x", 1);
      expect(await arrived).toEqual([1]);
    }
    await pub.del("socket.io");
  });
});

/** Lets the servers act one after the other, each when the word of the one before is in the stream. */
async function inTurn(cluster: Cluster, acts: ((io: Node["io"]) => unknown)[]): Promise<void> {
  for (const [at, act] of acts.entries()) {
    const node = cluster.nodes[at % 3] as Node;
    act(node.io);
    await node.setup.pub.ping();
  }
}
