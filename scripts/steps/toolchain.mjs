// The programs a build needs, and whether they are new enough: Node (`engines` of package.json) and
// Rust (`rust-version` of Cargo.toml). Those two files alone say which versions are wanted.

import { readFileSync } from "node:fs";
import { ROOT, run } from "./command.mjs";
import { StepFailure } from "./step.mjs";

/** Fails when the Node that runs this script is older than the package allows. */
export function requireNode() {
  const wanted = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")).engines.node.replace(
    ">=",
    "",
  );
  if (isOlder(process.versions.node, wanted)) {
    throw new StepFailure(
      `Node ${process.versions.node} is too old, ${wanted} or newer is needed`,
      "Install a newer one from https://nodejs.org and run this again",
    );
  }
}

/** Fails when cargo or rustc is missing, cannot run or is older than the crates allow. */
export async function requireRust() {
  const wanted = /^rust-version = "([\d.]+)"/m.exec(readFileSync(`${ROOT}Cargo.toml`, "utf8"))[1];
  for (const program of ["cargo", "rustc"]) {
    const { ok, missing, output } = await run(program, ["--version"], {
      stdout: "keep",
      stderr: "keep",
    });
    if (missing) {
      throw new StepFailure(
        `${program} was not found`,
        `Install Rust ${wanted} or newer from https://rustup.rs, open a new terminal and run this again`,
      );
    }
    if (!ok) {
      throw new StepFailure(
        `${program} does not run (${output.trim().split("\n")[0]})`,
        "Run `rustup default stable` and then this again",
      );
    }
    const found = /\d+\.\d+\.\d+/.exec(output)?.[0] ?? "0";
    if (isOlder(found, wanted)) {
      throw new StepFailure(
        `${program} ${found} is too old, ${wanted} or newer is needed`,
        "Run `rustup update stable` and then this again",
      );
    }
  }
}

/** The target that rustc compiles for when none is named. */
export async function hostOfRust() {
  const { output } = await run("rustc", ["-vV"], { stdout: "keep", stderr: "keep" });
  return /^host: (.+)$/m.exec(output)[1];
}

/** Compares dotted versions number by number; a part that is not given counts as 0. */
function isOlder(found, wanted) {
  const foundParts = found.split(".").map(Number);
  for (const [index, wantedPart] of wanted.split(".").map(Number).entries()) {
    const foundPart = foundParts[index] ?? 0;
    if (foundPart !== wantedPart) return foundPart < wantedPart;
  }
  return false;
}
