// What `require("sio-rs/engine")` gives: engine.io's exports, for servers without the Socket.IO layer.
"use strict";

module.exports = require("./dist/engine/index.js");
