// `npm run test:matrix`: the Jest suite on every Node line that the package supports. Each Node comes from the npm
// package `node` and stays in the system's folder for temporary files for the next run.
// The addon is built once: Node-API makes one binary serve all lines, and this is where that is proven.

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAll } from "./steps/build.mjs";
import { run, runNpm } from "./steps/command.mjs";
import { installPackages } from "./steps/install.mjs";
import { runScript, StepFailure, say, secondsSince, step } from "./steps/step.mjs";
import { runJest } from "./steps/suites.mjs";
import { requireNode } from "./steps/toolchain.mjs";

/** Every even line from the oldest of `engines` on. */
const NODE_LINES = [20, 22, 24, 26];
const CARRIERS = ["adopted", "bridge"];
const patterns = process.argv.slice(2);

await runScript(async () => {
  requireNode();
  await installPackages();
  await buildAll();
  const rows = [];
  for (const line of NODE_LINES) {
    const node = await installNode(line);
    const version = (await run(node, ["--version"], { stdout: "keep" })).output.trim();
    for (const carrier of CARRIERS) rows.push(await runRow(node, version, carrier));
  }
  console.table(rows);
  if (rows.some((row) => row.failed > 0)) process.exitCode = 1;
});

async function runRow(node, version, carrier) {
  const startedAt = performance.now();
  say(version, `Jest, carrier ${carrier} …`);
  const env = carrier === "adopted" ? {} : { SIO_RS_CARRIER: carrier };
  const name = `node-${version}-${carrier}`;
  const { passed, failed, skipped, fault = "" } = await runJest({ name, node, patterns, env });
  return { node: version, carrier, passed, failed, skipped, time: secondsSince(startedAt), fault };
}

/** @returns {Promise<string>} the path of the newest release of that line */
async function installNode(line) {
  const folder = join(tmpdir(), `sio-rs-node-${line}`);
  const binary = join(
    folder,
    "node_modules",
    "node",
    "bin",
    process.platform === "win32" ? "node.exe" : "node",
  );
  await step("node", `install Node ${line} into ${folder}`, async () => {
    const { ok } = await runNpm(
      ["install", "--prefix", folder, "--no-audit", "--no-fund", `node@${line}`],
      {
        stderr: "keep",
        stdout: "keep",
      },
    );
    if (!ok || !existsSync(binary)) {
      throw new StepFailure(
        `Node ${line} could not be installed`,
        `Check the network, delete ${folder} and run this again`,
      );
    }
  });
  return binary;
}
