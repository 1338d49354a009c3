// The chat demo as a process of its own, so that a test can end it and start it again.
// Arguments: the module to run the chat on, the port (0 for any). Tells its port to the parent.
"use strict";

const { createChat } = require("../../examples/chat/server.js");

const [, , modulePath, port] = process.argv;
const server = createChat(require(modulePath));
server.listen(Number(port), "127.0.0.1", () => process.send(server.address().port));
