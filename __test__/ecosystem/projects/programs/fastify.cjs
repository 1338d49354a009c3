// Fastify 5 with the plugin that fastify-socket.io is: a decoration, and two hooks that close it.
"use strict";

const Fastify = require("fastify");
const { Server } = require("socket.io");
const { serve } = require("./parent.cjs");
const { chat } = require("./chat.cjs");

const app = Fastify();
const io = new Server(app.server);
app.decorate("io", io);
app.addHook("preClose", (done) => {
  io.local.disconnectSockets(true);
  done();
});
app.addHook("onClose", (instance, done) => {
  instance.io.close();
  done();
});
app.get("/page", (_request, reply) => reply.type("text/plain").send("page"));
app.post("/notify", (request, reply) => {
  app.io.emit("notice", request.body);
  return reply.code(204).send();
});
const seen = chat(io);

app
  .listen({ port: 0, host: "127.0.0.1" })
  .then(() => serve(app.server.address().port, { seen: () => seen, close: () => app.close() }));
