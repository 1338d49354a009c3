// What is in the packages that are published, and what is not; and that what is said of the platforms in several places is the same.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  packSioRs,
  platformName,
  ROOT,
  readManifest,
  type Tarball,
  temporaryFolder,
} from "./packed";

interface Platform {
  name: string;
  os: string;
  cpu: string;
  libc?: string;
  glibc?: string;
}

const PLATFORMS: Platform[] = require("../../npm/platforms.json");

/** npm runs these when the package is installed; npm 12 and pnpm 10 refuse to, unless they are told. */
const INSTALL_SCRIPTS = [
  "preinstall",
  "install",
  "postinstall",
  "prepublish",
  "preprepare",
  "prepare",
  "postprepare",
];

/** A look into what grew is due past these, in bytes; both were half of it when this was written. */
const MOST_PACKED = 1_000_000;

jest.setTimeout(60_000);

describe("the packages", () => {
  let root: Tarball;
  let platform: Tarball;

  beforeAll(async () => {
    ({ root, platform } = await packSioRs(temporaryFolder()));
  });

  it("run nothing at installation", () => {
    for (const { manifest } of [root, platform]) {
      expect(manifest.scripts ?? {}).toEqual({});
    }
    const checkout = Object.keys(readManifest(ROOT).scripts as object);
    // A git install builds by this one.
    expect(checkout.filter((name) => INSTALL_SCRIPTS.includes(name))).toEqual(["prepare"]);
  });

  it("sio-rs names every platform's package, of its own version to the digit", () => {
    const expected = PLATFORMS.map(({ name }) => [`@sio-rs/${name}`, root.manifest.version]);
    expect(root.manifest.optionalDependencies).toEqual(Object.fromEntries(expected));
    expect(platform.manifest.version).toBe(root.manifest.version);
  });

  it("the version is of socket.io's line, and Cargo.toml has the same", () => {
    expect(root.manifest.version).toMatch(/^4\.8\.\d+$/);
    const [, version] = /^version = "(.*)"/m.exec(read("Cargo.toml")) ?? [];
    expect(version).toBe(root.manifest.version);
  });

  it("sio-rs has the code, the client's bundles, types and notices, and no binary", () => {
    const files = Array.from(root.files.keys());
    const expected =
      /^(dist\/.*\.(js|d\.ts)|client-dist\/socket\.io\..*js(\.map)?|(index|engine)\.(js|mjs|d\.ts)|package\.json|README\.md|LICENSE|THIRD-PARTY\.md)$/;
    expect(files.filter((file) => !expected.test(file))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        "index.js",
        "index.mjs",
        "index.d.ts",
        "engine.js",
        "dist/index.js",
        "dist/index.d.ts",
        "client-dist/socket.io.min.js",
        "LICENSE",
        "THIRD-PARTY.md",
      ]),
    );
  });

  it("a platform's package has its binary and the notices", () => {
    expect(Array.from(platform.files.keys()).sort()).toEqual(
      [
        "LICENSE",
        "README.md",
        "THIRD-PARTY.md",
        "package.json",
        `sio-rs.${platformName()}.node`,
      ].sort(),
    );
  });

  it("both are small", () => {
    for (const { tarball } of [root, platform]) {
      expect(readFileSync(tarball).length).toBeLessThan(MOST_PACKED);
    }
  });

  it("this platform's package is for this platform alone", () => {
    const { os, cpu, libc } = PLATFORMS.find(({ name }) => name === platformName()) as Platform;
    expect(platform.manifest).toMatchObject({ os: [process.platform], cpu: [process.arch] });
    expect({ os, cpu }).toEqual({ os: process.platform, cpu: process.arch });
    expect(platform.manifest.libc).toEqual(libc === undefined ? undefined : [libc]);
  });

  it("a platform's name is what the loader makes of its system, processor and C library", () => {
    const endings: Record<string, string> = { glibc: "-gnu", musl: "-musl" };
    for (const { name, os, cpu, libc } of PLATFORMS) {
      const ending = os === "win32" ? "-msvc" : (endings[libc ?? ""] ?? "");
      expect(name).toBe(`${os}-${cpu}${ending}`);
    }
  });

  it("the loader asks for each platform's package by its name", () => {
    const names = Array.from(
      read("lib/native.ts").matchAll(/require\("@sio-rs\/(.*)"\)/g),
      ([, name]) => name,
    );
    expect(names).toEqual(PLATFORMS.map(({ name }) => name));
  });

  it("README's table of platforms has a line for each package", () => {
    const readme = read("README.md");
    for (const { name } of PLATFORMS) {
      expect(readme).toContain(`| \`@sio-rs/${name}\` |`);
    }
  });

  it("THIRD-PARTY.md names what the client's bundles have in them", () => {
    const notices = read("THIRD-PARTY.md");
    const { version } = readManifest(join(ROOT, "node_modules", "socket.io-client"));
    expect(notices).toContain(`### socket.io-client ${version}: MIT`);
    expect(notices).toContain("### tokio ");
  });

  it("THIRD-PARTY.md names each crate that the binary tells of, those of the standard library too", () => {
    const binary = readFileSync(join(ROOT, `sio-rs.${platformName()}.node`), "latin1");
    // Where panics and backtraces were compiled: `…/registry/src/<registry>/<crate>-<version>/`, `/rust/deps/<crate>-<version>/`.
    const sources =
      /(?:registry[\\/]src[\\/][\w.-]+|rust[\\/]deps)[\\/]([a-z][\w-]*?)-\d+\.\d+\.\d+/g;
    const crates = new Set(Array.from(binary.matchAll(sources), ([, name]) => name));
    expect(crates.size).toBeGreaterThan(3);
    const notices = read("THIRD-PARTY.md");
    expect([...crates].filter((name) => !notices.includes(`### ${name} `))).toEqual([]);
  });
});

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}
