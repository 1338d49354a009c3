// socket.io-redis 6.1, the name before @socket.io/redis-adapter: it brings socket.io-adapter 2.2, which writes through `socket.packet`.

import { redisForFile } from "../../harness/brokers";
import { defineCases } from "./cases";

const broker = redisForFile();

defineCases(
  "socket.io-redis",
  { adapter: "socket.io-redis", broker },
  { allSocketsOfCluster: true, numericRooms: false, isModern: false },
);
