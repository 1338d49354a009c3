// Koa 3: its callback in a plain http server.
"use strict";

const { createServer } = require("node:http");
const { json } = require("node:stream/consumers");
const Koa = require("koa");
const { Server } = require("socket.io");
const { listen, serve } = require("./parent.cjs");
const { chat } = require("./chat.cjs");

const app = new (Koa.default ?? Koa)();
app.use(async (context) => {
  if (context.path === "/page") {
    context.type = "text/plain";
    context.body = "page";
  } else if (context.path === "/notify") {
    io.emit("notice", await json(context.req));
    context.status = 204;
  }
});
const httpServer = createServer(app.callback());
const io = new Server(httpServer);
const seen = chat(io);

listen(httpServer).then((port) => serve(port, { seen: () => seen, close: () => io.close() }));
