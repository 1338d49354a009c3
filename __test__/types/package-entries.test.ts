// A project that has the package installed, ES modules and CommonJS beside each other: both entries resolve with their types, and run.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ts from "typescript";

const ROOT = join(__dirname, "..", "..");
/** A cold compiler on a busy machine. */
const TIMEOUT_MS = 120_000;

/** The same text as an ES module and as CommonJS. */
const SOURCE = `
import { Server as IoServer } from "sio-rs";
import { attach, listen, parser, protocol, Server, Socket, Transport, transports, type ServerOptions } from "sio-rs/engine";
const options: ServerOptions = { pingInterval: 1 };
const engine: Server = new Server(options);
const io: IoServer = new IoServer();
engine.on("connection", (socket: Socket) => { const transport: Transport = socket.transport; void transport; });
const revision: 4 = protocol;
console.log([typeof attach, typeof listen, typeof parser.decodePayload, Object.keys(transports).includes("polling"), revision, io.path()].join());
`;

const REQUIRED = `
const { Server, protocol } = require("sio-rs/engine");
if (new Server().clientsCount !== 0 || protocol !== 4) throw new Error("not the engine");
if (require("sio-rs/package.json").name !== "sio-rs") throw new Error("not the package");
for (const inner of ["sio-rs/engine.js", "sio-rs/lib/engine"]) {
  try { require(inner); throw new Error(inner + " can be required"); } catch (error) {
    if (error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
  }
}
`;

const RESOLUTIONS = {
  node16: [ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16],
  nodenext: [ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
  bundler: [ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
} as const;

let project = "";

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "sio-rs-project-"));
  mkdirSync(join(project, "node_modules"));
  symlinkSync(ROOT, join(project, "node_modules", "sio-rs"), "dir");
  writeFileSync(join(project, "package.json"), "{}");
  writeFileSync(join(project, "module.mts"), SOURCE);
  writeFileSync(join(project, "common.cts"), SOURCE);
  writeFileSync(join(project, "required.cjs"), REQUIRED);
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

const compiled = new Map<string, string[]>();

/** The errors of a compiler with this setting, which is started once. Its output stays in the project. */
function compile(name: keyof typeof RESOLUTIONS): string[] {
  const errors = compiled.get(name) ?? compileNow(...RESOLUTIONS[name]);
  compiled.set(name, errors);
  return errors;
}

function compileNow(module: ts.ModuleKind, moduleResolution: ts.ModuleResolutionKind): string[] {
  const program = ts.createProgram([join(project, "module.mts"), join(project, "common.cts")], {
    target: ts.ScriptTarget.ES2022,
    module,
    moduleResolution,
    strict: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
  });
  program.emit();
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}

function run(file: string): [status: number | null, output: string] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: project,
    encoding: "utf8",
    timeout: 9_000,
  });
  return [status, stdout + stderr];
}

describe("entries of the package", () => {
  test.each(["bundler", "node16", "nodenext"] as const)(
    "types resolve with moduleResolution %s",
    (name) => {
      expect(compile(name)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "what was compiled from them runs, as an ES module and as CommonJS",
    () => {
      expect(compile("nodenext")).toEqual([]);
      const expected = [0, "function,function,function,true,4,/socket.io\n"];
      expect(run("module.mjs")).toEqual(expected);
      expect(run("common.cjs")).toEqual(expected);
    },
    TIMEOUT_MS,
  );

  test("what is no entry cannot be required", () => {
    expect(run("required.cjs")).toEqual([0, ""]);
  });
});
