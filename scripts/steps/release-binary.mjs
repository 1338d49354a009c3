// The binary of a platform package, as it is published: on Linux it is linked by Zig, against the oldest glibc that the table
// names or against musl, and its debug symbols are taken into a file of their own; on macOS and Windows the compiler makes
// that file itself. Each is built on its own system and processor.

import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { compileLibrary } from "./build.mjs";
import { ROOT, run } from "./command.mjs";
import { compareVersions, newestGlibc } from "./glibc.mjs";
import { assemblePlatform, PACKAGES } from "./packages.mjs";
import { StepFailure, step } from "./step.mjs";
import { requireRust } from "./toolchain.mjs";
import { installZig } from "./zig.mjs";

/** Debuggers take a file from here for a binary that names it. */
export const SYMBOLS = join(PACKAGES, "symbols");

/**
 * Makes `npm/<platform>/` with the binary, and the symbols in `npm/symbols/`.
 *
 * @param {import("./packages.mjs").Platform} platform
 * @returns {Promise<string>} the folder of the package
 */
export async function buildPlatformPackage(platform) {
  await requireRust();
  const tools = platform.os === "linux" ? await installZig() : {};
  let folder;
  await step("release", `compile the binary of ${platform.name} (minutes)`, async () => {
    const library = await compile(platform, tools);
    mkdirSync(SYMBOLS, { recursive: true });
    const binary =
      platform.os === "linux" ? await split(platform, library) : keep(platform, library);
    await refuseNewerGlibc(platform, binary);
    folder = assemblePlatform(platform, binary);
    return folder;
  });
  return folder;
}

function compile({ os, libc, target, glibc }, tools) {
  const oldest = glibc === undefined ? "" : `.${glibc}`;
  const command = os === "linux" ? "zigbuild" : "build";
  return compileLibrary(
    [command, "--locked", "--profile", "published", "--target", `${target}${oldest}`],
    {
      ...tools,
      // Rust links musl into programs; a library has to take that of the process which loads it.
      ...(libc === "musl" ? { RUSTFLAGS: "-C target-feature=-crt-static" } : {}),
      ...(os === "darwin" ? { CARGO_PROFILE_PUBLISHED_SPLIT_DEBUGINFO: "packed" } : {}),
    },
  );
}

/** The binary names the file of its symbols, and a checksum of it. */
async function split({ name }, library) {
  const symbols = join(SYMBOLS, `sio-rs.${name}.debug`);
  const binary = join(ROOT, "target", `sio-rs.${name}.stripped.node`);
  await objcopy(["--only-keep-debug", library, symbols]);
  await objcopy(["--strip-all", `--add-gnu-debuglink=${symbols}`, library, binary]);
  return binary;
}

/** What the compiler put beside the library. */
function keep({ os, name }, library) {
  const folder = dirname(library);
  const made = os === "darwin" ? `${basename(library)}.dSYM` : "sio_binding.pdb";
  const symbols = join(SYMBOLS, os === "darwin" ? `sio-rs.${name}.dSYM` : `sio-rs.${name}.pdb`);
  if (!existsSync(join(folder, made))) {
    throw new StepFailure(`cargo made no ${made}`, "Look at [profile.published] in Cargo.toml");
  }
  rmSync(symbols, { recursive: true, force: true });
  cpSync(join(folder, made), symbols, { recursive: true });
  const binary = join(ROOT, "target", `sio-rs.${name}.node`);
  copyFileSync(library, binary);
  return binary;
}

async function refuseNewerGlibc({ name, glibc }, binary) {
  if (glibc === undefined) return;
  const needed = await newestGlibc(binary);
  if (needed !== undefined && compareVersions(needed, glibc) > 0) {
    throw new StepFailure(
      `The binary of ${name} needs glibc ${needed}, and ${glibc} is promised`,
      "See `objdump -T`, and whether Zig linked it",
    );
  }
}

async function objcopy(args) {
  const { ok, missing, output } = await run("objcopy", args, { stdout: "keep", stderr: "keep" });
  if (missing || !ok) {
    throw new StepFailure(
      missing ? "objcopy was not found" : `objcopy failed: ${output.trim()}`,
      "It is in binutils (Debian: `apt-get install binutils`)",
    );
  }
}
