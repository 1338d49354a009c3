// @socket.io/postgres-adapter: LISTEN and NOTIFY, and a table for what is larger than a notification may be.

import { postgresForFile } from "../../harness/brokers";
import { describeClusters } from "../../harness/clusters";
import { deferred, once } from "../../harness/events";
import { it } from "../../harness/implementations";
import { defineCases } from "./cases";
import { fromEach } from "./from-each";

const broker = postgresForFile();
const choice = { adapter: "postgres", broker };

defineCases("postgres-adapter", choice, {
  allSocketsOfCluster: false,
  numericRooms: true,
  isModern: true,
});

describeClusters("postgres-adapter, its table and its servers", choice, (cluster) => {
  const LARGE = [
    ["text", "ü".repeat(6_000)],
    ["bytes", Buffer.alloc(20_000, 7)],
  ] as const;
  for (const [what, payload] of LARGE) {
    fromEach(cluster, `large ${what} go through the table`, async (from, members) => {
      const stored = async (): Promise<number> => {
        const { rows } = await from.setup.pool.query("SELECT count(*) FROM socket_io_attachments");
        return Number(rows[0].count);
      };
      const before = await stored();
      for (const { client } of members) {
        client.on("q", (value, ack) => ack(value));
      }
      const answers = await from.io.timeout(4_000).emitWithAck("q", payload);
      // As texts: Jest compares bytes one by one.
      expect(answers.map(String)).toEqual(Array(3).fill(String(payload)));
      expect(answers.map(Buffer.isBuffer)).toEqual(Array(3).fill(Buffer.isBuffer(payload)));
      // The question, and the answers of the two other servers.
      expect((await stored()) - before).toBe(3);
    });
  }

  fromEach(
    cluster,
    "without its table a broadcast with bytes still reaches the server's own clients",
    async (from, members, own) => {
      await from.setup.pool.query("ALTER TABLE socket_io_attachments RENAME TO elsewhere");
      try {
        const arrived = once((members[own] as (typeof members)[0]).client, "x");
        from.io.emit("x", Buffer.from([1]));
        expect(await arrived).toEqual([Buffer.from([1])]);
      } finally {
        await from.setup.pool.query("ALTER TABLE elsewhere RENAME TO socket_io_attachments");
      }
    },
  );

  it("a server that leaves is no longer waited for", async () => {
    const [first, second, leaving] = cluster.nodes;
    const asked = deferred();
    second.io.on("q", (ack: (answer: string) => void) => ack("here"));
    leaving.io.on("q", () => asked.resolve());
    const answers = first.io.serverSideEmitWithAck("q");
    await asked.promise;
    await leaving.io.close();
    expect(await answers).toEqual(["here"]);
  });
});
