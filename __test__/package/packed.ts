// sio-rs packed as it would be published, and programs run as users run them: in folders outside of the checkout, with a search
// path on which there is Node and no Rust.

import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import type { Manifest, Published } from "./registry";

export const ROOT = join(__dirname, "..", "..");

/** An installation, with the registry at its other end. */
export const INSTALL_LIMIT_MS = 120_000;

/** A program that talks with itself. */
const PROGRAM_LIMIT_MS = 30_000;

/** A platform package to be tested instead of one with the local build; set by `npm run test:release`. */
export const RELEASED = process.env.SIO_RS_PLATFORM_PACKAGE;

/** What became of a program. */
export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** What `npm pack` makes of a folder. */
export interface Tarball extends Published {
  tarball: string;
  /** Paths within the package, with their sizes in bytes. */
  files: Map<string, number>;
}

const temporaryFolders: string[] = [];

afterAll(() => {
  for (const folder of temporaryFolders) {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A folder outside of the checkout that ends with the tests of the file. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "sio-rs-package-")));
  temporaryFolders.push(folder);
  return folder;
}

/** Makes the two packages below `folder` and packs them. */
export async function packSioRs(folder: string): Promise<{ root: Tarball; platform: Tarball }> {
  const made = await run(process.execPath, ["scripts/package.mjs", "local", folder], ROOT);
  if (made.code !== 0) {
    throw new Error(`the packages could not be made: ${made.stdout}${made.stderr}`);
  }
  const platform = RELEASED ?? join(folder, platformName());
  return {
    root: await pack(join(folder, "sio-rs"), folder),
    platform: await pack(platform, folder),
  };
}

async function pack(source: string, folder: string): Promise<Tarball> {
  const args = ["pack", "--json", "--pack-destination", folder];
  const { code, stdout, stderr } = await npm(args, source);
  if (code !== 0) {
    throw new Error(`npm pack failed in ${source}: ${stderr}`);
  }
  // npm 12 gives an object by name, older ones a list.
  const [packed] = Object.values(JSON.parse(stdout)) as {
    filename: string;
    files: { path: string; size: number }[];
  }[];
  if (packed === undefined) {
    throw new Error(`npm pack told of no file: ${stdout}`);
  }
  return {
    manifest: readManifest(source),
    tarball: join(folder, basename(packed.filename)),
    files: new Map(packed.files.map(({ path, size }) => [path, size])),
  };
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** The name of this platform, by the loader itself. */
export function platformName(): string {
  return require("../../dist/native").platformName();
}

/** A project with the chat of `examples/` and two people who talk; `implementation` is the module that it runs on. */
export function writeProject(folder: string, implementation: string, registry: string): void {
  mkdirSync(folder, { recursive: true });
  cpSync(join(ROOT, "examples"), join(folder, "examples"), { recursive: true });
  cpSync(join(__dirname, "programs"), folder, { recursive: true });
  const files = {
    "package.json": JSON.stringify({ private: true, main: "implementation.cjs" }),
    // pnpm 11 and newer read their settings elsewhere, the registry still here.
    ".npmrc": `registry=${registry}\n`,
    "implementation.cjs": `module.exports = require("${implementation}");\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text);
  }
}

/** What the chat's two people have to see. */
export const TALK = {
  page: 200,
  bundle: [200, true],
  answer: {},
  message: { from: { id: expect.any(String), name: "Ada" }, text: "hello" },
  image: true,
  notice: "Ada left",
};

/** Runs the chat; what its people saw. A failure shows what the program said. */
export async function talk(folder: string, program = "talk.cjs", node?: string): Promise<unknown> {
  const { code, stdout, stderr } = await run(node ?? process.execPath, [program], folder);
  if (code !== 0) {
    throw new Error(`${program} ended with ${code}: ${stderr}`);
  }
  return JSON.parse(stdout);
}

/** Runs npm on this Node. */
export function npm(
  args: string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
  limitMs = INSTALL_LIMIT_MS,
): Promise<Outcome> {
  return run(process.execPath, [npmProgram(), ...args], cwd, env, limitMs);
}

/** The registry that npm is set to. */
export async function upstreamRegistry(): Promise<string> {
  return (await npm(["config", "get", "registry"], ROOT)).stdout.trim();
}

/** npm as a file that Node can run: what `npm` in the search path links to. */
function npmProgram(): string {
  const given = process.env.npm_execpath;
  if (given?.endsWith(".js")) {
    return given;
  }
  const found = spawnSync(process.platform === "win32" ? "where" : "which", ["npm"]);
  const command = found.stdout.toString().split("\n")[0]?.trim() as string;
  return process.platform === "win32"
    ? join(dirname(command), "node_modules", "npm", "bin", "npm-cli.js")
    : realpathSync(command);
}

let pathWithoutRust: string | undefined;

/** Node and a shell, and nothing else. Windows has no links that an ordinary user may make: there it is Node's own folder. */
function searchPath(): string {
  if (process.platform === "win32") {
    return [dirname(process.execPath), process.env.SystemRoot].join(delimiter);
  }
  if (pathWithoutRust === undefined) {
    pathWithoutRust = temporaryFolder();
    symlinkSync(process.execPath, join(pathWithoutRust, "node"));
    symlinkSync("/bin/sh", join(pathWithoutRust, "sh"));
  }
  return pathWithoutRust;
}

/** Runs a program to its end, or to the limit. Of the environment it has only what npm, Node and a shell ask for. */
export function run(
  program: string,
  args: string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
  limitMs = PROGRAM_LIMIT_MS,
): Promise<Outcome> {
  const kept = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|SIO_RS_|PATH$)/i.test(name)),
  );
  const child = spawn(program, args, {
    cwd,
    env: { ...kept, PATH: searchPath(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
