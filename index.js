// What `require("sio-rs")` gives: the callable of dist/, with Server, Namespace and Socket on it.
"use strict";

module.exports = require("./dist/index.js");
