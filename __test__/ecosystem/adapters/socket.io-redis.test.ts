// socket.io-redis 6.1, the name before @socket.io/redis-adapter: it brings socket.io-adapter 2.2, which writes through `socket.packet`.

import { createClient } from "redis";
import { redisForFile } from "../../harness/brokers";
import { describeClusters, heard } from "../../harness/clusters";
import { once } from "../../harness/events";
import { it } from "../../harness/implementations";
import { defineCases } from "./cases";

const broker = redisForFile();

defineCases(
  "socket.io-redis",
  { adapter: "socket.io-redis", broker },
  { allSocketsOfCluster: true, numericRooms: false, isModern: false },
);

describeClusters("socket.io-redis, faults", { adapter: "socket.io-redis", broker }, (cluster) => {
  it("a malformed request is an error event of each adapter, and nothing else", async () => {
    const members = await cluster.join();
    const errors = cluster.nodes.map(({ io }) => once(io.of("/").adapter, "error"));
    const stranger = createClient({ url: `redis://127.0.0.1:${broker.port}` });
    await stranger.connect();
    await stranger.publish("socket.io-request#/#", "{");
    await stranger.close();
    for (const [error] of await Promise.all(errors)) {
      expect(error).toBeInstanceOf(SyntaxError);
    }
    const [from] = cluster.nodes;
    expect(await heard(members, from, (io) => io.emit("x"))).toEqual(Array(3).fill([["x"]]));
  });

  it("what the old adapter cannot do is said at the call", async () => {
    const [{ io }] = cluster.nodes;
    expect(() => io.serverSideEmit("q")).toThrow(TypeError);
    expect(() => io.timeout(100).emit("q", () => {})).toThrow(TypeError);
  });
});
