// The server of churn.mjs: rooms and acks, and on demand an account of everything that counts connections.
"use strict";

const { createServer } = require("node:http");
const { readdirSync } = require("node:fs");
const { Server } = require("..");
const { currentLink } = require("../dist/link.js");

const httpServer = createServer();
const io = new Server(httpServer);

io.on("connection", (socket) => {
  socket.on("join", (room, reply) => {
    socket.join(room);
    io.to(room).emit("joined", socket.id);
    reply(room);
  });
});

/** What is open at this moment; all of it has to be back at its first value in the end. */
async function account() {
  const { rooms, sids } = io.of("/").adapter;
  const streams = await new Promise((resolve, reject) => {
    httpServer.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
  const { broadcasts, ...core } = currentLink().counters();
  return {
    "engine.clientsCount": io.engine.clientsCount,
    "nsp.sockets": io.sockets.sockets.size,
    "adapter.rooms": rooms.size,
    "adapter.sids": sids.size,
    "http server streams (husks)": streams,
    ...Object.fromEntries(Object.entries(core).map(([name, count]) => [`core ${name}`, count])),
    "open descriptors": readdirSync("/proc/self/fd").length,
    "resident MiB": Math.round(process.memoryUsage().rss / 2 ** 20),
  };
}

httpServer.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  process.send({ port: httpServer.address().port });
});
process.on("message", async () => process.send(await account()));
process.on("disconnect", () => process.exit());
