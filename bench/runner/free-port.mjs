// A port for a server under test.

import { createServer } from "node:net";

/** Ports below the kernel's range for outgoing connections, of which the load makes 10,000. */
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_000;

/** A port that nobody listens on. */
export async function freePort() {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST_PORT} and ${HIGHEST_PORT}`);
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
