// The files beside this one are compiled against npm's `socket.io` and `engine.io`, and against sio-rs; neither may give an error, or miss an expected one.

import { join } from "node:path";
import * as ts from "typescript";

const ROOT = join(__dirname, "..", "..");
const FILES = ["construction.ts", "default-maps.ts", "engine.ts", "event-maps.ts"];
/** A cold compiler on a busy machine. */
const TIMEOUT_MS = 60_000;

/** Where the package's name leads to. */
const PACKAGES = {
  "socket.io": { "socket.io/*": [join(ROOT, "node_modules/socket.io/*")] },
  "sio-rs": {
    "socket.io": [join(ROOT, "index")],
    "socket.io/dist/*": [join(ROOT, "dist/*")],
    "engine.io": [join(ROOT, "engine")],
  },
};

function compileWith(paths: ts.MapLike<string[]>): ts.Program {
  return ts.createProgram(
    FILES.map((file) => join(__dirname, file)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      moduleResolution: ts.ModuleResolutionKind.Node10,
      ignoreDeprecations: "6.0",
      strict: true,
      noEmit: true,
      esModuleInterop: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [join(ROOT, "node_modules/@types")],
      paths,
    },
  );
}

function errorsOf(program: ts.Program): string[] {
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file?.getLineAndCharacterOfPosition(start ?? 0).line ?? -1;
    return `${file?.fileName}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}

test.each(Object.entries(PACKAGES))(
  "the types of %s are as they should be",
  (name, paths) => {
    const program = compileWith(paths);
    expect(errorsOf(program)).toEqual([]);
    const isOwn = program.getSourceFile(join(ROOT, "dist/server.d.ts")) !== undefined;
    expect(isOwn).toBe(name === "sio-rs");
  },
  TIMEOUT_MS,
);
