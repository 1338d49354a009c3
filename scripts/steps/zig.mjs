// cargo-zigbuild and the Zig that it links with, of the versions in scripts/requirements.txt. Both come from PyPI and lie in the
// folder for temporary files (450 MB), unless cargo-zigbuild is in the search path already.
// Zig knows the symbols of every glibc, so a binary is linked against an old one on any machine.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT, run } from "./command.mjs";
import { StepFailure, step } from "./step.mjs";

const REQUIREMENTS = join(ROOT, "scripts", "requirements.txt");

/** @returns {Promise<Record<string, string>>} the environment in which `cargo zigbuild` works */
export async function installZig() {
  const found = await run("cargo-zigbuild", ["--version"], { stdout: "keep", stderr: "keep" });
  if (found.ok) return {};

  const wanted = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex");
  const folder = join(tmpdir(), `sio-rs-zig-${wanted.slice(0, 8)}`);
  const bin = join(folder, "bin");
  const stamp = join(folder, "installed");
  if (!existsSync(stamp)) {
    mkdirSync(folder, { recursive: true });
    await step("zig", `install cargo-zigbuild and Zig into ${folder}`, async () => {
      await python("python3", ["-m", "venv", "--clear", folder]);
      await python(join(bin, "pip"), ["install", "--quiet", "--requirement", REQUIREMENTS]);
      writeFileSync(stamp, "");
    });
  }
  return { PATH: `${bin}${delimiter}${process.env.PATH}` };
}

async function python(program, args) {
  const { ok, missing, output } = await run(program, args, { stdout: "keep", stderr: "keep" });
  if (missing || !ok) {
    throw new StepFailure(
      missing
        ? `${program} was not found`
        : `${program} failed: ${output.trim().split("\n").at(-1)}`,
      "It needs PyPI and venv (Debian: `apt-get install python3-venv`)",
    );
  }
}
