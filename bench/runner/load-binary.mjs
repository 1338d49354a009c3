// The load generator's binary, built when it is missing or older than its sources.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CRATE = fileURLToPath(new URL("../load/", import.meta.url));
const BINARY = join(CRATE, "target/release/sio-load");

/** The path of a binary that is up to date. */
export function loadBinary() {
  if (!existsSync(BINARY) || statSync(BINARY).mtimeMs < newestSource()) build();
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

function build() {
  const command = ["build", "--release", "--manifest-path", join(CRATE, "Cargo.toml")];
  console.error(`bench: building the load generator: cargo ${command.join(" ")}`);
  // Cargo's own output goes to standard error: standard output is for the table.
  const { status, error } = spawnSync("cargo", command, {
    stdio: ["ignore", 2, 2],
    // Beside its sources, wherever the environment would have builds go.
    env: { ...process.env, CARGO_TARGET_DIR: join(CRATE, "target") },
  });
  if (error) throw new Error(`cannot run cargo: ${error.message}`);
  if (status !== 0) throw new Error("the load generator does not build");
}
