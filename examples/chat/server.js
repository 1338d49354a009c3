// The chat demo: one page and the server behind it, on plain node:http. `npm run demo` starts it, and so does
// `node examples/chat/server.js`; PORT chooses the port.
// Nothing in it knows which server it runs on: `createChat(require("socket.io"))` is the same chat.
"use strict";

const http = require("node:http");
const { MAX_IMAGE_BYTES, openChat } = require("./chat.js");
const { servePage } = require("./page.js");

const DEFAULT_PORT = 3000;

/** A message is an image and a few words around it; more than that, and the server ends the session. */
const MAX_MESSAGE_BYTES = MAX_IMAGE_BYTES + 1_024;

/**
 * @param {{Server: typeof import("socket.io").Server}} socketIo the module to run on
 * @returns {import("node:http").Server} not yet listening
 */
function createChat({ Server }) {
  const httpServer = http.createServer(servePage);
  openChat(new Server(httpServer, { maxHttpBufferSize: MAX_MESSAGE_BYTES }));
  return httpServer;
}

function main() {
  const port = Number(process.env.PORT || DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    return fail(`PORT must be a number from 0 to 65535, not "${process.env.PORT}".`);
  }
  // In an application this is require("sio-rs").
  const server = createChat(require("../.."));
  server.on("error", (error) =>
    fail(
      error.code === "EADDRINUSE"
        ? `Port ${port} is in use. Choose another one: PORT=${port + 1} npm run demo`
        : `The server cannot listen on port ${port}: ${error.message}`,
    ),
  );
  server.listen(port, () => {
    console.log(`The chat is open: http://localhost:${server.address().port} (Ctrl-C ends it)`);
  });
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

if (require.main === module) main();

module.exports = { createChat };
