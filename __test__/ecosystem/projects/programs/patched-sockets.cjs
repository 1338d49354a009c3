// Packages that replace methods of each socket: socketio-wildcard its `onevent`, socket.io-prometheus its `emit` and `on`.
"use strict";

const { createServer } = require("node:http");
const prometheus = require("prom-client");
const { Server } = require("socket.io");
const collectMetrics = require("socket.io-prometheus");
const wildcard = require("socketio-wildcard");
const { listen, serve } = require("./parent.cjs");

const httpServer = createServer();
const io = new Server(httpServer);
collectMetrics(io);
const seen = [];
io.on("connection", (socket) => {
  socket.on("question", (data, reply) => {
    socket.emit("direct", data);
    reply("answer");
  });
});

const wild = io.of("/wild");
wild.use(wildcard());
wild.on("connection", (socket) => {
  socket.on("*", (packet) => seen.push(packet.data.filter((part) => typeof part !== "function")));
  socket.on("known", (data, reply) => reply(data));
});

listen(httpServer).then((port) =>
  serve(port, {
    seen: () => seen,
    metrics: async () => {
      const metrics = await prometheus.register.getMetricsAsJSON();
      return Object.fromEntries(
        metrics.map(({ name, values }) => [
          name,
          values.map(({ value, labels }) => [labels.event ?? "", value]),
        ]),
      );
    },
    close: () => io.close(),
  }),
);
