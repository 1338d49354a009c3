// The custom server of Next.js and its kind: one request handler for everything, and a WebSocket of the framework's own
// (hot reloading) on the same http server, accepted by an `upgrade` listener that leaves other paths alone.
"use strict";

const { createServer } = require("node:http");
const { json } = require("node:stream/consumers");
const { Server } = require("socket.io");
const { WebSocketServer } = require("ws");
const { listen, serve } = require("./parent.cjs");
const { chat } = require("./chat.cjs");

const handle = async (req, res) => {
  if (req.url === "/page") {
    res.writeHead(200, { "Content-Type": "text/plain" }).end("page");
  } else if (req.url === "/notify") {
    io.emit("notice", await json(req));
    res.writeHead(204).end();
  } else {
    res.writeHead(404).end();
  }
};
const httpServer = createServer(handle);
const hotReload = new WebSocketServer({ noServer: true });
const io = new Server(httpServer);
httpServer.on("upgrade", (req, socket, head) => {
  if (req.url === "/_next/webpack-hmr") {
    hotReload.handleUpgrade(req, socket, head, (webSocket) => webSocket.send("built"));
  }
});
const seen = chat(io);

listen(httpServer).then((port) =>
  serve(port, {
    seen: () => seen,
    close: () => {
      for (const webSocket of hotReload.clients) webSocket.terminate();
      return io.close();
    },
  }),
);
