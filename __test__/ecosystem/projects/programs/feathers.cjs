// A FeathersJS application over its socket.io transport: one service, and a channel for real-time events.
"use strict";

const { feathers } = require("@feathersjs/feathers");
const socketio = require("@feathersjs/socketio");
const { serve } = require("./parent.cjs");

const seen = [];
const messages = [];

const app = feathers();
app.configure(
  socketio({ pingInterval: 10_000 }, (io) => {
    io.use((socket, next) => {
      socket.feathers.user = socket.handshake.auth.user;
      next();
    });
  }),
);
app.use("messages", {
  async find() {
    return messages;
  },
  async get(id) {
    if (messages[id] === undefined) throw new Error(`no message ${id}`);
    return messages[id];
  },
  async create(data, { user, provider }) {
    const message = { ...data, by: user, provider };
    messages.push(message);
    return message;
  },
});
app.on("connection", (connection) => {
  seen.push(`connection of ${connection.user}`);
  app.channel("everybody").join(connection);
});
app.on("disconnect", (connection) => seen.push(`disconnect of ${connection.user}`));
app.publish(() => app.channel("everybody"));

app.listen(0, "127.0.0.1").then((server) => {
  const start = () =>
    serve(server.address().port, { seen: () => seen, close: () => app.io.close() });
  if (server.listening) start();
  else server.once("listening", start);
});
