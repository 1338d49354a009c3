// Serves the files of public/. The client's own bundle, /socket.io/socket.io.js, is served by the
// socket.io server, and so are all requests below /socket.io/: they never come here.
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const FILES = new Map([
  ["/", load("index.html", "text/html")],
  ["/style.css", load("style.css", "text/css")],
  ["/app.mjs", load("app.mjs", "text/javascript")],
  ["/view.mjs", load("view.mjs", "text/javascript")],
]);

const HEADERS = {
  "Cache-Control": "no-cache",
  // Everything comes from here; pictures are made of the bytes that a socket received.
  "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:",
  "X-Content-Type-Options": "nosniff",
};

/** @type {import("node:http").RequestListener} */
function servePage(request, response) {
  const file = FILES.get(request.url.split("?")[0]);
  if (file === undefined) {
    response.writeHead(404, { "Content-Type": "text/plain" }).end("There is no such page.\n");
  } else {
    response.writeHead(200, { ...HEADERS, "Content-Type": file.type }).end(file.content);
  }
}

function load(name, type) {
  return { type: `${type}; charset=utf-8`, content: readFileSync(join(__dirname, "public", name)) };
}

module.exports = { servePage };
