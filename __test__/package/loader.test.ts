// What the loader does with binaries that will not do, in an installation made by hand: it says where it looked, in which order,
// why each place would not do, and what can be done.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { platformName, ROOT, readManifest, run, temporaryFolder } from "./packed";

const PLATFORM = platformName();
const PACKAGE = `@sio-rs/${PLATFORM}`;
const BINARY = `sio-rs.${PLATFORM}.node`;
const VERSION = readManifest(ROOT).version;

/** Where an ELF file names its processor, and a processor that no machine of ours has: System/370. */
const ELF_MACHINE_OFFSET = 18;
const FOREIGN_MACHINE = 9;

/** An installation of the loader alone, without a binary. */
interface Installation {
  root: string;
  platform: string;
  /** Loads the binary in a process of its own: "loaded", or the error. */
  load(env?: NodeJS.ProcessEnv, before?: string): Promise<string>;
}

function install(): Installation {
  const folder = temporaryFolder();
  const root = join(folder, "node_modules", "sio-rs");
  const platform = join(folder, "node_modules", "@sio-rs", PLATFORM);
  mkdirSync(join(root, "dist"), { recursive: true });
  copyFileSync(join(ROOT, "dist", "native.js"), join(root, "dist", "native.js"));
  copyFileSync(join(ROOT, "package.json"), join(root, "package.json"));
  return {
    root,
    platform,
    async load(env = {}, before = "") {
      const text = `${before}; try { require("sio-rs/dist/native.js").loadBinding(); console.log("loaded") }
        catch (error) { console.log(error.code + " " + error.message) }`;
      const { stdout, stderr } = await run(process.execPath, ["--eval", text], folder, env);
      return (stdout + stderr).trimEnd();
    },
  };
}

/** Puts the package of this platform there, with this file in the place of the binary. */
function writePlatformPackage({ platform }: Installation, binary?: Buffer): void {
  mkdirSync(platform, { recursive: true });
  writeFileSync(join(platform, "package.json"), JSON.stringify({ name: PACKAGE, main: BINARY }));
  if (binary !== undefined) {
    writeFileSync(join(platform, BINARY), binary);
  }
}

function ownBinary(): Buffer {
  return readFileSync(join(ROOT, BINARY));
}

function foreignBinary(): Buffer {
  const binary = ownBinary();
  binary.writeUInt16LE(FOREIGN_MACHINE, ELF_MACHINE_OFFSET);
  return binary;
}

describe("the loader of the binary", () => {
  it("takes the package of this platform", async () => {
    const installation = install();
    writePlatformPackage(installation, ownBinary());
    expect(await installation.load()).toBe("loaded");
  });

  it("takes a local build before the package", async () => {
    const installation = install();
    writePlatformPackage(installation, Buffer.from("not looked at"));
    copyFileSync(join(ROOT, BINARY), join(installation.root, BINARY));
    expect(await installation.load()).toBe("loaded");
  });

  it("takes the package where the local build does not load", async () => {
    const installation = install();
    writePlatformPackage(installation, ownBinary());
    writeFileSync(join(installation.root, BINARY), "torn");
    expect(await installation.load()).toBe("loaded");
  });

  it("takes the file named by SIO_RS_BINARY, relative to the working directory", async () => {
    const installation = install();
    copyFileSync(join(ROOT, BINARY), join(installation.root, "own.node"));
    expect(await installation.load({ SIO_RS_BINARY: "node_modules/sio-rs/own.node" })).toBe(
      "loaded",
    );
  });

  it("tells of a missing package where it looked, in which order, and the ways out", async () => {
    const installation = install();
    expect(await installation.load()).toBe(
      `SIO_RS_BINARY_MISSING sio-rs has no native binary that loads on ${PLATFORM} (Node ${process.versions.node}). Looked for, in this order:
  1. ${join(installation.root, BINARY)} (a local build): Cannot find module '${join(installation.root, BINARY)}'
  2. ${PACKAGE} (the platform package): Cannot find module '${PACKAGE}'
Ways out: install the package of this platform (npm install ${PACKAGE}@${VERSION}; optional dependencies must not be switched off, and a lock file
from another platform may lack it), or build it from a checkout, which needs a Rust toolchain (npm run build) and name the file in the environment variable SIO_RS_BINARY.`,
    );
  });

  it("tells of a package that lacks its file", async () => {
    const installation = install();
    writePlatformPackage(installation);
    expect(await installation.load()).toMatch(
      new RegExp(`2\\. ${PACKAGE} \\(the platform package\\): Cannot find module .*${BINARY}`),
    );
  });

  it("looks nowhere else when SIO_RS_BINARY names a file that is not there", async () => {
    const installation = install();
    writePlatformPackage(installation, ownBinary());
    const told = await installation.load({ SIO_RS_BINARY: "/nowhere.node" });
    expect(told).toContain(
      "1. /nowhere.node (named by SIO_RS_BINARY): Cannot find module '/nowhere.node'\nWays out: correct SIO_RS_BINARY, or unset it",
    );
    expect(told).not.toMatch(/^ *2\. /m);
  });

  it("tells of a binary of another version which it is and which it has to be", async () => {
    const installation = install();
    writePlatformPackage(installation, ownBinary());
    writeFileSync(join(installation.root, "package.json"), JSON.stringify({ version: "4.8.99" }));
    expect(await installation.load()).toContain(
      `2. ${PACKAGE} (the platform package): is the binary of sio-rs ${VERSION}, this is 4.8.99\n`,
    );
  });

  it("tells of a file that is no binary of sio-rs", async () => {
    const installation = install();
    const before = `require.extensions[".node"] = (module) => { module.exports = {} }`;
    writePlatformPackage(installation, Buffer.alloc(0));
    expect(await installation.load({}, before)).toContain(
      `2. ${PACKAGE} (the platform package): is no binary of sio-rs that tells its version, this is ${VERSION}\n`,
    );
  });

  it("tells of a platform without a package which platforms have one", async () => {
    const before = `Object.defineProperty(process, "arch", { value: "s390x" })`;
    const name = PLATFORM.replace(process.arch, "s390x");
    expect(await install().load({}, before)).toContain(
      `2. @sio-rs/${name} (the platform package): there is none; those that are: linux-x64-gnu, `,
    );
  });

  it("offers no package where there is none", async () => {
    const before = `Object.defineProperty(process, "arch", { value: "s390x" })`;
    const told = await install().load({}, before);
    expect(told).toMatch(/\nWay out: build it from a checkout, .* variable SIO_RS_BINARY\.$/);
    expect(told).not.toContain("npm install");
  });

  it("tells where Node was started so that it loads no binary", async () => {
    const installation = install();
    writePlatformPackage(installation, ownBinary());
    expect(await installation.load({ NODE_OPTIONS: "--no-addons" })).toMatch(
      /loading addons is disabled.*\nWay out: start Node without --no-addons; .* with --allow-addons\.$/,
    );
  });

  it("runs no JavaScript that SIO_RS_BINARY names", async () => {
    const installation = install();
    writeFileSync(join(installation.root, "own.js"), `console.log("run")`);
    const told = await installation.load({ SIO_RS_BINARY: "node_modules/sio-rs/own.js" });
    expect(told).toContain("(named by SIO_RS_BINARY): the name of a binary has to end in .node\n");
    expect(told).not.toMatch(/^run$/m);
  });

  it("tells of a Node that is too old which one is needed", async () => {
    const installation = install();
    writePlatformPackage(installation, ownBinary());
    const before = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.12.0", napi: "8" } })`;
    expect(await installation.load({}, before)).toBe(
      "SIO_RS_NODE_TOO_OLD sio-rs needs Node 20.3 or newer (Node-API 9); this is Node 18.12.0 with Node-API 8.",
    );
  });

  // What the system says of a file that will not do differs between systems.
  const onLinux = process.platform === "linux" ? it : it.skip;

  onLinux.each([
    ["empty", () => Buffer.alloc(0), "file too short"],
    ["text", () => Buffer.from("<html>404 Not Found</html>".repeat(10)), "invalid ELF header"],
    ["cut off in its header", () => ownBinary().subarray(0, 60), "file too short"],
    [
      "for another processor",
      foreignBinary,
      "No such file or directory \\(the file is there: it is for another processor\\)",
    ],
  ])("tells of a binary that is %s what the system says", async (_what, binary, reason) => {
    const installation = install();
    writePlatformPackage(installation, binary());
    const told = await installation.load();
    expect(told).toMatch(/^SIO_RS_BINARY_MISSING /);
    expect(told).toMatch(
      new RegExp(`\\n  2\\. ${PACKAGE} \\(the platform package\\): .*${reason}`),
    );
  });

  onLinux("takes Node's own C library for that of the platform", async () => {
    const { stdout } = await run(
      process.execPath,
      ["--print", "process.report.getReport().header.glibcVersionRuntime"],
      ROOT,
    );
    expect(PLATFORM).toMatch(stdout.trim() === "undefined" ? /-musl$/ : /-gnu$/);
  });
});
