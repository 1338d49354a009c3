// Express 5 beside a Server on one http server, as its documentation shows.
"use strict";

const { createServer } = require("node:http");
const express = require("express");
const { Server } = require("socket.io");
const { listen, serve } = require("./parent.cjs");
const { chat } = require("./chat.cjs");

const app = express();
const httpServer = createServer(app);
const io = new Server(httpServer);
app.use(express.json());
app.get("/page", (_req, res) => res.type("text/plain").send("page"));
app.post("/notify", (req, res) => {
  io.emit("notice", req.body);
  res.sendStatus(204);
});
const seen = chat(io);

listen(httpServer).then((port) => serve(port, { seen: () => seen, close: () => io.close() }));
