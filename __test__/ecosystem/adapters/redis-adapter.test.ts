// @socket.io/redis-adapter over the clients of both packages for Redis.

import { redisForFile } from "../../harness/brokers";
import { defineCases } from "./cases";

const broker = redisForFile();
const abilities = { allSocketsOfCluster: false, numericRooms: true, isModern: true };

for (const client of ["redis", "ioredis"]) {
  const adapter = `redis-adapter with ${client}`;
  defineCases(adapter, { adapter, broker }, abilities);
}
