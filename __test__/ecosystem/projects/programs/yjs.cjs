// y-socket.io: documents of Yjs kept the same by a Server whose namespaces are named by a pattern with a bar in it.
"use strict";

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { SocketIOProvider } = require("y-socket.io");
const { YSocketIO } = require("y-socket.io/dist/server");
const Y = require("yjs");
const { listen, serve } = require("./parent.cjs");

const httpServer = createServer();
const io = new Server(httpServer);
const documents = new YSocketIO(io, { authenticate: ({ auth }) => auth.token === "valid" });
documents.initialize();
const providers = [];

const open = (url, token) => {
  const doc = new Y.Doc();
  const provider = new SocketIOProvider(url, "paper", doc, {
    auth: { token },
    autoConnect: true,
    disableBc: true,
  });
  providers.push(provider);
  return { doc, provider };
};
const textOf = ({ doc }) => doc.getText("text").toString();
const reads = (peer, text) =>
  new Promise((resolve) => {
    const look = () => textOf(peer) === text && resolve();
    peer.doc.on("update", look);
    look();
  });

listen(httpServer).then((port) => {
  const url = `http://127.0.0.1:${port}`;
  serve(port, {
    converge: async () => {
      const ada = open(url, "valid");
      ada.doc.getText("text").insert(0, "hello");
      const grace = open(url, "valid");
      await reads(grace, "hello");
      grace.doc.getText("text").insert(5, " world");
      await reads(ada, "hello world");
      return [textOf(grace), [...documents.documents.keys()]];
    },
    refused: () =>
      new Promise((resolve) => {
        open(url, "wrong").provider.socket.on("connect_error", ({ message }) => resolve(message));
      }),
    close: () => {
      for (const provider of providers) provider.destroy();
      return io.close();
    },
  });
});
