// What the tests of __test__/ecosystem/projects need and node_modules must not hold: the frameworks and tools that
// people use with socket.io, installed once beside npm's socket.io and once with sio-rs in its place (packed as it would be
// published, put there by npm's `overrides`); the Python client; the Rust client.
// All of it lies outside of the checkout, so that no package that is missing there is found in node_modules here,
// and stays for the next run. Each part that cannot be had is an answer, not an exception.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, run, runNpm } from "./command.mjs";
import { StepFailure, step } from "./step.mjs";

const SOURCE = join(ROOT, "__test__", "ecosystem", "projects");
const MANIFEST = "package.json";
const LOCK = "package-lock.json";

/** Its binary is asked to cargo, which knows itself whether it has to compile. */
const RUST_CLIENT = join(SOURCE, "rust-client", "Cargo.toml");

/** Two checkouts may be tested at once. */
const BASE = join(tmpdir(), `sio-rs-projects-${hashOf(ROOT).slice(0, 8)}`);

const NPM_INSTALL = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];

/** Scripts are not run: sio-rs has to work as it is unpacked. */
const PACK = ["pack", "--ignore-scripts", "--silent", "--pack-destination"];

/**
 * @typedef {object} Projects
 * @property {Record<string, string>} env names for the tests where each part is; a part that is not there has none
 * @property {{part: string, wayOut: string}[]} missing
 */

/** @returns {Promise<Projects>} */
export async function installProjects() {
  const projects = { env: {}, missing: [] };
  mkdirSync(BASE, { recursive: true });
  const parts = [
    ["npm packages", "SIO_RS_PROJECTS", installNodeProjects],
    ["python3", "SIO_RS_PYTHON", installPython],
    ["rust_socketio", "SIO_RS_RUST_CLIENT", buildRustClient],
  ];
  for (const [part, variable, install] of parts) {
    try {
      projects.env[variable] = await install();
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      projects.missing.push({ part, wayOut: error.message });
    }
  }
  return projects;
}

async function installNodeProjects() {
  const manifest = readFileSync(join(SOURCE, MANIFEST), "utf8");
  const lock = readFileSync(join(SOURCE, LOCK), "utf8");
  await unlessStamped("socket.io", hashOf(manifest, lock), (folder) =>
    step("projects", `install the frameworks beside socket.io into ${folder}`, async () => {
      writeFileSync(join(folder, MANIFEST), manifest);
      writeFileSync(join(folder, LOCK), lock);
      await npm("ci", folder);
    }),
  );

  const tarball = await packSioRs();
  await unlessStamped("sio-rs", hashOf(manifest, lock, tarball), (folder) =>
    step("projects", `install the frameworks beside sio-rs into ${folder}`, async () => {
      const dependency = `file:../${tarball}`;
      writeFileSync(join(folder, MANIFEST), withDependency(manifest, dependency));
      writeFileSync(join(folder, LOCK), withoutSocketIO(lock));
      await npm("install", folder);
      refuseAnySocketIO(folder);
    }),
  );
  return BASE;
}

/** A tarball is named by its content, because npm takes one of the same name for the same. */
async function packSioRs() {
  const folder = join(BASE, "packed");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const env = { SIO_RS_SKIP_BUILD: "1" };
  const { ok, output } = await runNpm([...PACK, folder], { env, stdout: "keep", stderr: "keep" });
  const packed = readdirSync(folder)[0];
  if (!ok || packed === undefined) {
    throw new StepFailure(
      `npm pack failed: ${lastLine(output)}`,
      "Run `npm pack` to see all of it",
    );
  }
  const name = `sio-rs-${hashOf(readFileSync(join(folder, packed))).slice(0, 16)}.tgz`;
  for (const old of readdirSync(BASE).filter((file) => file.endsWith(".tgz"))) {
    if (old !== name) rmSync(join(BASE, old));
  }
  copyFileSync(join(folder, packed), join(BASE, name));
  return name;
}

/** What a user writes: the other package under the old name. `overrides` follows it by `$socket.io`. */
function withDependency(manifest, dependency) {
  const parsed = JSON.parse(manifest);
  parsed.dependencies["socket.io"] = dependency;
  return JSON.stringify(parsed, null, 2);
}

/** npm applies an override only to what its lock file does not name yet. */
function withoutSocketIO(lock) {
  const parsed = JSON.parse(lock);
  delete parsed.packages["node_modules/socket.io"];
  return JSON.stringify(parsed, null, 2);
}

/** An override that missed one dependant would test socket.io and call it sio-rs. */
function refuseAnySocketIO(folder) {
  const { packages } = JSON.parse(readFileSync(join(folder, LOCK), "utf8"));
  const others = Object.entries(packages).filter(
    ([path, { name }]) => path.endsWith("node_modules/socket.io") && name !== "sio-rs",
  );
  if (others.length > 0) {
    throw new StepFailure(
      `npm left socket.io itself at ${others.map(([path]) => path).join(", ")}`,
      `Delete ${folder} and run this again`,
    );
  }
}

async function npm(command, folder) {
  const { ok, missing, output } = await runNpm([command, "--prefix", folder, ...NPM_INSTALL], {
    stdout: "keep",
    stderr: "keep",
  });
  if (missing) {
    throw new StepFailure("npm was not found", "It comes with Node: https://nodejs.org");
  }
  if (!ok) {
    throw new StepFailure(
      `npm ${command} failed: ${firstError(output)}`,
      `Check the network, delete ${folder} and run this again`,
    );
  }
}

/** @returns {Promise<string>} the interpreter that has the packages of requirements.txt */
async function installPython() {
  const requirements = join(SOURCE, "requirements.txt");
  const bin = process.platform === "win32" ? "Scripts" : "bin";
  await unlessStamped("python", hashOf(readFileSync(requirements)), (folder) =>
    step("projects", `install the Python client into ${folder}`, async () => {
      const pip = join(folder, bin, "pip");
      await python("python3", ["-m", "venv", "--clear", folder]);
      await python(pip, ["install", "--quiet", "--requirement", requirements]);
    }),
  );
  return join(BASE, "python", bin, "python");
}

async function python(program, args) {
  const { ok, missing, output } = await run(program, args, { stdout: "keep", stderr: "keep" });
  if (missing) {
    throw new StepFailure(`${program} was not found`, "Debian: `apt-get install python3-venv`");
  }
  if (!ok) {
    throw new StepFailure(
      `${program} ${args.join(" ")} failed: ${lastLine(output)}`,
      "It needs PyPI and venv (Debian: `apt-get install python3-venv`)",
    );
  }
}

/** @returns {Promise<string>} the program that rust-client/ makes */
async function buildRustClient() {
  let binary;
  await step("projects", "compile the Rust client (minutes the first time)", async () => {
    const target = join(BASE, "rust-target");
    const manifest = ["--manifest-path", RUST_CLIENT];
    const args = ["build", "--locked", "--quiet", ...manifest, "--target-dir", target];
    const { ok, missing, output } = await run("cargo", args, { stdout: "keep", stderr: "keep" });
    if (missing)
      throw new StepFailure("cargo was not found", "Install Rust from https://rustup.rs");
    if (!ok) {
      throw new StepFailure(
        `cargo build failed: ${firstError(output)}`,
        "It needs crates.io and OpenSSL (Debian: `apt-get install libssl-dev pkg-config`)",
      );
    }
    const extension = process.platform === "win32" ? ".exe" : "";
    binary = join(target, "debug", `rust-client${extension}`);
  });
  return binary;
}

/** Runs `work` on the folder of that name unless the last run made it of the same inputs; what is left of an older one may be kept. */
async function unlessStamped(name, inputs, work) {
  const folder = join(BASE, name);
  const stamp = join(BASE, `${name}.stamp`);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === inputs) return;
  rmSync(stamp, { force: true });
  mkdirSync(folder, { recursive: true });
  await work(folder);
  writeFileSync(stamp, inputs);
}

function hashOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
}

function lastLine(output) {
  return output.trim().split("\n").at(-1);
}

function firstError(output) {
  return output.split("\n").find((line) => /error/i.test(line)) ?? lastLine(output);
}
