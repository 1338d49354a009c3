// What `import … from "sio-rs/engine"` gives: engine.io's named exports.

import engine from "./engine.js";

export const { Server, Socket, Transport, transports, listen, attach, parser, protocol, uServer } =
  engine;
