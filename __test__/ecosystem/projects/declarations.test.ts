// Declarations of packages that stand on socket.io's: they extend its classes and import files beside its entry (moleculer-io does both),
// and have to compile with the package that is installed under its name.

import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as ts from "typescript";
import { describeBoth, type Implementation, it } from "../../harness/implementations";
import { hasProjects } from "../../harness/projects";

const ROOT = join(__dirname, "..", "..", "..");
/** A cold compiler on a busy machine, with the declarations of several frameworks. */
const TIMEOUT_MS = 240_000;

/** Packages, and what is imported of them. */
const PACKAGES = {
  "moleculer-io": "moleculer-io",
  "@nestjs/platform-socket.io": "@nestjs/platform-socket.io",
  "@feathersjs/socketio": "@feathersjs/socketio",
  "@socket.io/admin-ui": "@socket.io/admin-ui",
  "@thream/socketio-jwt": "@thream/socketio-jwt",
  "y-socket.io": "y-socket.io/dist/server",
};

/** Errors that are no affair of socket.io: packages that are not installed, and moleculer-io's with moleculer. */
const FOREIGN = [
  /^(Cannot find module|Could not find a declaration file for module) '(?!(socket|engine)\.io['/])/,
  /^Interface 'IOServiceSchema' incorrectly extends interface 'ServiceSchema/,
];

interface Compiled {
  files: string[];
  errors: { fileName: string; text: string }[];
}

function compile(project: string): Compiled {
  const file = join(project, "declarations.ts");
  const imports = Object.values(PACKAGES).map((name) => `import "${name}";\n`);
  writeFileSync(file, imports.join(""));
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    ignoreDeprecations: "6.0",
    strict: true,
    esModuleInterop: true,
    experimentalDecorators: true,
    noEmit: true,
    skipLibCheck: false,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
  });
  return {
    files: program.getSourceFiles().map(({ fileName }) => fileName),
    errors: ts.getPreEmitDiagnostics(program).map(({ file: where, messageText }) => ({
      fileName: where?.fileName ?? "",
      text: ts.flattenDiagnosticMessageText(messageText, " "),
    })),
  };
}

/** Errors in the declarations of a package. */
function errorsIn(folder: string, { errors }: Compiled): string[] {
  return errors
    .filter(({ fileName }) => fileName.startsWith(`${folder}/`))
    .map(({ text }) => text)
    .filter((text) => !FOREIGN.some((pattern) => pattern.test(text)));
}

function folderOf({ name }: Implementation): string {
  return realpathSync(join(process.env.SIO_RS_PROJECTS as string, name));
}

describeBoth(
  "declarations of packages",
  (implementation) => {
    let modules: string;
    let compiled: Compiled;

    beforeAll(() => {
      if (hasProjects) {
        const project = folderOf(implementation);
        modules = join(project, "node_modules");
        compiled = compile(project);
      }
    }, TIMEOUT_MS);

    it("socket.io is the package under test, and its declarations compile", () => {
      const entry = implementation.name === "sio-rs" ? "index.d.ts" : "dist/index.d.ts";
      expect(compiled.files).toContain(join(modules, "socket.io", entry));
      expect(compiled.files).toContain(join(modules, "socket.io/dist/typed-events.d.ts"));
      expect(errorsIn(join(modules, "socket.io"), compiled)).toEqual([]);
    });

    for (const packageName of Object.keys(PACKAGES)) {
      it(`those of ${packageName} compile`, () => {
        const folder = join(modules, packageName);
        expect(compiled.files.some((file) => file.startsWith(`${folder}/`))).toBe(true);
        expect(errorsIn(folder, compiled)).toEqual([]);
      });
    }
  },
  hasProjects,
);
