// The sharded adapter of @socket.io/redis-adapter: Redis 7's sharded pub/sub, with a subscription for each room and with one for all.

import { redisForFile } from "../../harness/brokers";
import { defineCases } from "./cases";

const broker = redisForFile();
const abilities = { allSocketsOfCluster: false, numericRooms: true, isModern: true };

for (const mode of ["dynamic", "static"]) {
  const adapter = `sharded, ${mode}`;
  defineCases(`sharded redis-adapter, ${mode}`, { adapter, broker }, abilities);
}
