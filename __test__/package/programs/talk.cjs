// The chat of examples/, beside this file as in the checkout, and two people in it: one over WebSocket, one who begins with
// polling. Runs on the module that `main` of package.json names. Prints what was seen as one line of JSON and has to end by itself.
"use strict";

const { once } = require("node:events");
const { io } = require("socket.io-client");
const socketIO = require("./implementation.cjs");
const { createChat } = require("./examples/chat/server.js");

/** What hangs is a failure. */
const LIMIT_MS = 20_000;

const PICTURE = { type: "image/png", bytes: Buffer.from([137, 80, 78, 71, 0, 255]) };

async function main() {
  const server = createChat(socketIO).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;

  const page = await fetch(`${url}/`);
  const bundle = await fetch(`${url}/socket.io/socket.io.min.js`);
  const ada = await enter(url, "Ada", { transports: ["websocket"] });
  const bob = await enter(url, "Bob", {});

  const message = received(bob, "message");
  const answer = await ada.emitWithAck("message", "hello");
  const image = received(ada, "image");
  await bob.emitWithAck("image", PICTURE);
  const seen = {
    page: page.status,
    bundle: [bundle.status, (await bundle.text()).includes("Socket.IO")],
    answer,
    message: await message,
    image: (await image).bytes.equals(PICTURE.bytes),
  };

  const left = received(bob, "notice");
  ada.disconnect();
  seen.notice = await left;
  bob.disconnect();
  server.close();
  server.closeAllConnections();
  return seen;
}

async function enter(url, name, options) {
  const socket = io(url, { ...options, auth: { name, room: "lobby" }, reconnection: false });
  await received(socket, "connect");
  return socket;
}

/** The first argument of the next event of that name. */
async function received(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once("connect_error", reject);
  });
}

const limit = setTimeout(() => {
  console.error(`nothing after ${LIMIT_MS} ms`);
  process.exit(1);
}, LIMIT_MS);
main().then(
  (seen) => {
    clearTimeout(limit);
    console.log(JSON.stringify(seen));
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
