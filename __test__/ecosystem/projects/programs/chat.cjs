// What every web framework's program does with its Server; only the way in differs.
"use strict";

/** @param {import("socket.io").Server} io */
exports.chat = (io) => {
  const seen = [];
  io.on("connection", (socket) => {
    seen.push(`connection over ${socket.conn.transport.name}`);
    socket.conn.on("upgrade", (transport) => seen.push(`upgrade to ${transport.name}`));
    socket.on("echo", (value, bytes, reply) => reply(value, bytes));
    socket.on("say", (text) => socket.broadcast.emit("said", text));
    socket.on("disconnect", (reason) => seen.push(`disconnect: ${reason}`));
  });
  return seen;
};
