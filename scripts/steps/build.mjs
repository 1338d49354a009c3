// The three things a checkout needs before it can be required: the addon (Rust), dist/ (TypeScript) and
// client-dist/ (the browser bundles of socket.io-client). Each is left alone while its inputs are unchanged.

import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { ROOT, run } from "./command.mjs";
import { unlessFresh } from "./freshness.mjs";
import { ADDON_FILE } from "./platform.mjs";
import { StepFailure, say, step } from "./step.mjs";
import { requireRust } from "./toolchain.mjs";

/** Where npm installs the compiler; absent in a folder installed without devDependencies. */
const TYPESCRIPT = join(ROOT, "node_modules", "typescript", "bin", "tsc");

/** The bundles that `serveClient` serves, each with its source map. */
export const CLIENT_BUNDLES = [
  "socket.io.js",
  "socket.io.min.js",
  "socket.io.msgpack.min.js",
  "socket.io.esm.min.js",
].flatMap((bundle) => [bundle, `${bundle}.map`]);
/** Where npm installs them. */
export const CLIENT_SOURCE = join("node_modules", "socket.io-client", "dist");

/** What cargo calls a loadable library on each platform. */
const LIBRARY_EXTENSIONS = new Set([".so", ".dylib", ".dll"]);

export async function buildAll() {
  await buildAddon();
  await buildTypeScript();
  await copyClient();
}

export async function buildAddon() {
  const inputs = ["Cargo.toml", "Cargo.lock", "src", "binding"];
  await buildUnlessFresh("addon", { inputs, outputs: [ADDON_FILE] }, () =>
    step(
      "addon",
      "compile the Rust core and its binding to Node (cargo, release; minutes the first time)",
      async () => {
        await requireRust();
        const library = await compileLibrary(["build", "--release"]);
        replaceFile(library, join(ROOT, ADDON_FILE));
        return ADDON_FILE;
      },
    ),
  );
}

/**
 * Compiles the binding.
 *
 * @param {string[]} command of cargo, with what is particular to it
 * @param {Record<string, string>} [env]
 * @returns {Promise<string>} the path of the loadable library
 */
export async function compileLibrary(command, env = {}) {
  const args = [...command, "--package", "sio-binding", "--message-format=json-render-diagnostics"];
  const { ok, output } = await run("cargo", args, { stdout: "keep", env });
  if (!ok) {
    throw new StepFailure(
      "cargo build failed, its own lines above say why",
      "If it misses a linker: `apt-get install gcc libc6-dev` (Debian), `xcode-select --install` (macOS)",
    );
  }
  return libraryIn(output);
}

/**
 * The addon that tests can have panic (`fault-injection`), without optimisations: its crates are those that `cargo test` has compiled.
 *
 * @returns {Promise<string>} its path, apart from the addon that anybody loads by default
 */
export async function buildFaultyAddon() {
  await requireRust();
  const library = await compileLibrary(["build", "--features", "fault-injection"]);
  const addon = join(ROOT, ".test-output", "sio-rs.faulty.node");
  mkdirSync(dirname(addon), { recursive: true });
  replaceFile(library, addon);
  return addon;
}

/** Whether dist/ can be made here at all. */
export function hasTypeScript() {
  return existsSync(TYPESCRIPT);
}

export async function buildTypeScript() {
  const inputs = ["lib", "tsconfig.json", "package-lock.json"];
  await buildUnlessFresh("typescript", { inputs, outputs: ["dist"] }, () =>
    step("typescript", "compile lib/ to dist/ (tsc)", async () => {
      const { ok, output } = await run(process.execPath, [TYPESCRIPT, "--listEmittedFiles"], {
        stdout: "keep",
      });
      const lines = output.split("\n").map((line) => line.trim());
      const emitted = lines
        .filter((line) => line.startsWith("TSFILE: "))
        .map((line) => line.slice("TSFILE: ".length));
      if (!ok) {
        console.log(lines.filter((line) => !line.startsWith("TSFILE: ")).join("\n"));
        throw new StepFailure(
          "tsc found the errors above",
          "Correct them in lib/ and run this again",
        );
      }
      removeAllBut(join(ROOT, "dist"), new Set(emitted.map((file) => join(file))));
      return `${emitted.length} files`;
    }),
  );
}

export async function copyClient() {
  const inputs = CLIENT_BUNDLES.map((file) => join(CLIENT_SOURCE, file));
  await buildUnlessFresh("client", { inputs, outputs: ["client-dist"] }, () =>
    step("client", "copy the bundles of socket.io-client to client-dist/", async () => {
      if (!existsSync(join(ROOT, CLIENT_SOURCE))) {
        throw new StepFailure(
          "socket.io-client is not installed",
          "Run `npm ci` and then this again",
        );
      }
      mkdirSync(join(ROOT, "client-dist"), { recursive: true });
      for (const file of CLIENT_BUNDLES) {
        copyFileSync(join(ROOT, CLIENT_SOURCE, file), join(ROOT, "client-dist", file));
      }
    }),
  );
}

async function buildUnlessFresh(name, paths, work) {
  if (!(await unlessFresh(name, paths, work))) say(name, "up to date");
}

/** Cargo tells the path of each artifact; target folders move (CARGO_TARGET_DIR), so it is not guessed. */
function libraryIn(cargoMessages) {
  const library = cargoMessages
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter(
      (message) => message.reason === "compiler-artifact" && message.target.name === "sio_binding",
    )
    .flatMap((message) => message.filenames)
    .find((file) => LIBRARY_EXTENSIONS.has(extname(file)));
  if (library === undefined) {
    throw new StepFailure(
      "cargo made no loadable library named sio_binding",
      'Look at [lib] in binding/Cargo.toml: crate-type must hold "cdylib"',
    );
  }
  return library;
}

/** By rename, so that a process that has the old addon loaded keeps it whole. */
function replaceFile(source, target) {
  const next = `${target}.next`;
  copyFileSync(source, next);
  try {
    renameSync(next, target);
  } catch (error) {
    rmSync(next);
    throw new StepFailure(
      `${target} cannot be replaced (${error.code})`,
      "End the processes that have it loaded and run this again",
    );
  }
}

/** A module that was deleted from lib/ must not live on in dist/. */
function removeAllBut(folder, kept) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      removeAllBut(path, kept);
      if (readdirSync(path).length === 0) rmSync(path, { recursive: true });
    } else if (!kept.has(path)) {
      rmSync(path);
    }
  }
}
