// `npm run demo`: installs, builds and starts the chat example on PORT, 3000 if it is not set. Ctrl-C ends it.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { buildAll } from "./steps/build.mjs";
import { ROOT } from "./steps/command.mjs";
import { installPackages } from "./steps/install.mjs";
import { runScript } from "./steps/step.mjs";
import { requireNode } from "./steps/toolchain.mjs";

await runScript(async () => {
  requireNode();
  await installPackages();
  await buildAll();
  process.exitCode = await serveChat();
});

/** Ends when the server does, with its exit code. The server itself prints its address, or why it has none. */
function serveChat() {
  const server = spawn(process.execPath, [join(ROOT, "examples", "chat", "server.js")], {
    stdio: "inherit",
  });
  // A terminal sends Ctrl-C to the server as well; whoever sends a signal to this process alone means both.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.kill(signal));
  return new Promise((resolve) => {
    server.on("exit", (code, signal) => resolve(signal ? 0 : code));
  });
}
