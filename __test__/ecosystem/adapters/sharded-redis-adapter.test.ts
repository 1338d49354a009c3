// The sharded adapter of @socket.io/redis-adapter: Redis 7's sharded pub/sub, with a subscription for each room and with one for all.

import { redisForFile } from "../../harness/brokers";
import { describeClusters, heard } from "../../harness/clusters";
import { once } from "../../harness/events";
import { it } from "../../harness/implementations";
import { defineCases } from "./cases";

const broker = redisForFile();
const abilities = { allSocketsOfCluster: false, numericRooms: true, isModern: true };

for (const mode of ["dynamic", "static"]) {
  const adapter = `sharded, ${mode}`;
  defineCases(`sharded redis-adapter, ${mode}`, { adapter, broker }, abilities);
}

describeClusters(
  "sharded redis-adapter, faults",
  { adapter: "sharded, dynamic", broker },
  (cluster) => {
    it("what is no message of a server is ignored", async () => {
      const members = await cluster.join();
      const [from] = cluster.nodes;
      const channel = "socket.io#/#";
      for (const message of ["", "{", "null", "\xc1", '{"uid":"x","type":99,"nsp":"/"}']) {
        await from.setup.pub.sPublish(channel, message);
      }
      expect(await heard(members, from, (io) => io.emit("x"))).toEqual(Array(3).fill([["x"]]));
    });

    it("a broadcast that cannot be published still reaches the server's own clients", async () => {
      for (const { client, node } of await cluster.join()) {
        await node.setup.pub.close();
        const arrived = once(client, "x");
        node.io.emit("x", 1);
        expect(await arrived).toEqual([1]);
      }
    });
  },
);
