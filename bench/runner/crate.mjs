// Builds a crate of the bench. Cargo's own output goes to standard error: standard output is for the table.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

/**
 * Builds what is in this folder, in release mode, to `target/release`; `options` are more of cargo's.
 *
 * @returns why it could not be built; undefined if it was
 */
export function buildCrate(folder, ...options) {
  const args = ["build", "--release", ...options, "--manifest-path", join(folder, "Cargo.toml")];
  console.error(`bench: cargo ${args.join(" ")}`);
  const { status, error } = spawnSync("cargo", args, {
    stdio: ["ignore", 2, 2],
    // Beside its sources, wherever the environment would have builds go.
    env: { ...process.env, CARGO_TARGET_DIR: join(folder, "target") },
  });
  if (error) return `cannot run cargo: ${error.message}`;
  return status === 0 ? undefined : "it does not build, see above";
}
