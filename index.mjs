// What `import … from "sio-rs"` gives: socket.io's named exports, and the callable as default besides.

import io from "./index.js";

export const { Server, Namespace, Socket } = io;
export default io;
