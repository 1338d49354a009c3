// A project that has the package installed, ES modules and CommonJS beside each other: both entries resolve with their types, and run.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadImplementation } from "../harness/implementations";
import { makeTypeProject, type Resolution, type TypeProject } from "../harness/type-project";

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

let project: TypeProject;

beforeAll(() => {
  project = makeTypeProject(loadImplementation("sio-rs"));
  writeFileSync(join(project.folder, "user.ts"), SOURCE);
  writeFileSync(join(project.folder, "required.cjs"), REQUIRED);
});

afterAll(() => project.remove());

const compiled = new Map<Resolution, string[]>();

/** The errors of a compiler with this setting, which is started once. Its output stays in the project. */
function compile(name: Resolution): string[] {
  const errors =
    compiled.get(name) ?? project.compile(name, [join(project.folder, "user.ts")], true);
  compiled.set(name, errors);
  return errors;
}

function run(file: string): [status: number | null, output: string] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: project.folder,
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
      expect(run("nodenext/user.mjs")).toEqual(expected);
      expect(run("nodenext/user.cjs")).toEqual(expected);
    },
    TIMEOUT_MS,
  );

  test("what is no entry cannot be required", () => {
    expect(run("required.cjs")).toEqual([0, ""]);
  });
});
