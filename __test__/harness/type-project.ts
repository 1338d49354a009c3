// A project of a user in a folder of its own, in which the package is installed: files are copied into it as CommonJS and as ES modules,
// and compiled under every way in which TypeScript finds modules, strictly, the declarations of the packages included.
//
// One project has npm's socket.io and engine.io, the other has sio-rs under these names.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import * as ts from "typescript";
import type { Implementation } from "./implementations";

const ROOT = join(__dirname, "..", "..");

/** How modules are found, and what the files are compiled as. */
const RESOLUTIONS = {
  node10: [ts.ModuleKind.CommonJS, ts.ModuleResolutionKind.Node10, ["ts"]],
  node16: [ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16, ["cts", "mts"]],
  nodenext: [ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext, ["cts", "mts"]],
  bundler: [ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler, ["ts"]],
} as const;

export type Resolution = keyof typeof RESOLUTIONS;

/** For every way of resolution; the oldest one is deprecated, and the one that most projects with CommonJS have. */
export const RESOLUTION_NAMES = Object.keys(RESOLUTIONS) as Resolution[];

/** A project that `remove` takes away again. */
export interface TypeProject {
  /**
   * Compiles the files and tells the errors, each with the name of its file without the ending. Errors in declarations of packages count.
   *
   * @param emit whether the compiled files are written beside their sources
   */
  compile(resolution: Resolution, files: string[], emit?: boolean): string[];
  /** Where it is; what was emitted is in a folder named after the resolution. */
  folder: string;
  /** The declarations of the package that were compiled with the files. */
  declarations: Set<string>;
  remove(): void;
}

/** Makes a project with one of the two packages. */
export function makeTypeProject({ name }: Implementation): TypeProject {
  const folder = mkdtempSync(join(tmpdir(), "sio-rs-project-"));
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  writeFileSync(join(folder, "package.json"), "{}");
  const link = (as: string, to: string) => symlinkSync(to, join(modules, as), "dir");
  link("socket.io-adapter", join(ROOT, "node_modules/socket.io-adapter"));
  if (name === "sio-rs") {
    link("sio-rs", ROOT);
    link("socket.io", ROOT);
    makeEngine(modules);
  } else {
    link("socket.io", join(ROOT, "node_modules/socket.io"));
    link("engine.io", join(ROOT, "node_modules/engine.io"));
  }
  const declarations = new Set<string>();
  return {
    folder,
    declarations,
    compile: (resolution, files, emit = false) => {
      const program = compile(folder, resolution, files, emit);
      for (const { fileName } of program.getSourceFiles()) {
        if (fileName.startsWith(ROOT)) declarations.add(relative(ROOT, fileName));
      }
      return ts.getPreEmitDiagnostics(program).map((diagnostic) => describe(diagnostic, folder));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** `sio-rs/engine` is an entry and no package, which alone could be installed under another name. */
function makeEngine(modules: string): void {
  const engine = join(modules, "engine.io");
  mkdirSync(engine);
  writeFileSync(join(engine, "package.json"), JSON.stringify({ types: "./index.d.ts" }));
  writeFileSync(join(engine, "index.d.ts"), `export * from "${join(ROOT, "engine")}";\n`);
}

function compile(
  folder: string,
  resolution: Resolution,
  files: string[],
  emit: boolean,
): ts.Program {
  const [module, moduleResolution, endings] = RESOLUTIONS[resolution];
  const copies = endings.flatMap((ending) => copyAs(ending, join(folder, resolution), files));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts"],
    module,
    moduleResolution,
    ignoreDeprecations: "6.0",
    strict: true,
    esModuleInterop: true,
    noEmit: !emit,
    skipLibCheck: false,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
  };
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram(copies, options, { ...host, getSourceFile: parseOnce(host) });
  if (emit) {
    program.emit();
  }
  return program;
}

/** The library of the language, which takes longest to parse and is the same for all. */
const library = new Map<string, ts.SourceFile | undefined>();

function parseOnce(host: ts.CompilerHost): ts.CompilerHost["getSourceFile"] {
  return (fileName, ...rest) => {
    if (!basename(fileName).startsWith("lib.")) {
      return host.getSourceFile(fileName, ...rest);
    }
    if (!library.has(fileName)) {
      library.set(fileName, host.getSourceFile(fileName, ...rest));
    }
    return library.get(fileName);
  };
}

/** Writes the files with this ending into a folder, and their imports of each other with the ending that those have at run time. */
function copyAs(ending: "ts" | "cts" | "mts", folder: string, files: string[]): string[] {
  mkdirSync(folder, { recursive: true });
  return files.map((file) => {
    const copy = join(folder, `${basename(file, ".ts")}.${ending}`);
    const text = readFileSync(file, "utf8");
    const suffix = ending === "ts" ? "" : `.${ending.replace("ts", "js")}`;
    writeFileSync(copy, text.replace(/from "(\.\/[^"]+)"/g, `from "$1${suffix}"`));
    return copy;
  });
}

function describe({ file, start, messageText }: ts.Diagnostic, folder: string): string {
  const line = file?.getLineAndCharacterOfPosition(start ?? 0).line ?? -1;
  const name = file === undefined ? "the options" : relative(folder, file.fileName);
  return `${name}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
}
