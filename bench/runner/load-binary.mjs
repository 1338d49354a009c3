// The load generator's binary, built when it is missing or older than its sources.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildCrate } from "./crate.mjs";

const CRATE = fileURLToPath(new URL("../load/", import.meta.url));
const BINARY = join(CRATE, "target/release/sio-load");

/** The path of a binary that is up to date. */
export function loadBinary() {
  if (!existsSync(BINARY) || statSync(BINARY).mtimeMs < newestSource()) {
    const fault = buildCrate(CRATE);
    if (fault !== undefined) throw new Error(`the load generator: ${fault}`);
  }
  return BINARY;
}

function newestSource() {
  const sources = readdirSync(join(CRATE, "src"), { recursive: true }).map((name) =>
    join(CRATE, "src", name),
  );
  const manifests = ["Cargo.toml", "Cargo.lock"]
    .map((name) => join(CRATE, name))
    .filter(existsSync);
  return Math.max(...[...sources, ...manifests].map((path) => statSync(path).mtimeMs));
}
