// sio-rs as a user gets it from a registry: package managers choose the binary, nothing is run at installation, no Rust is there,
// and the chat of examples/ works. The registry is one of our own that has what would be published.

import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  INSTALL_LIMIT_MS,
  npm,
  packSioRs,
  platformName,
  ROOT,
  readManifest,
  run,
  TALK,
  talk,
  temporaryFolder,
  upstreamRegistry,
  writeProject,
} from "./packed";
import { openRegistry, type Registry } from "./registry";

/** The newest that runs on the oldest Node here. */
const PNPM = "pnpm@10";
const ESBUILD = "esbuild@0.28";

const QUIET = ["--ignore-scripts", "--no-audit", "--no-fund"];
const VERSION = readManifest(ROOT).version;

jest.setTimeout(INSTALL_LIMIT_MS);

/** Set by `npm test`: what is not sio-rs comes from the registry that npm is set to. */
const withNetwork = process.env.SIO_RS_INSTALL_TESTS ? describe : describe.skip;

withNetwork("an installation from a registry", () => {
  let base: string;
  let opened: Registry | undefined;
  let registry: string;
  let binaryFile: string;

  beforeAll(async () => {
    base = temporaryFolder();
    const { root, platform } = await packSioRs(base);
    binaryFile = platform.tarball.split(/[/\\]/).at(-1) as string;
    // Whoever asks for the tarball of another platform gets a 404.
    const others = Object.keys(root.manifest.optionalDependencies as object)
      .filter((name) => name !== platform.manifest.name)
      .map((name) => ({ manifest: foreignManifest(name) }));
    opened = await openRegistry([root, platform, ...others], await upstreamRegistry());
    registry = opened.url;
  });

  afterAll(() => opened?.close());

  it("there is no Rust in the search path of these tests", async () => {
    await expect(run("cargo", ["--version"], base)).rejects.toThrow("ENOENT");
  });

  describe("npm install sio-rs", () => {
    let folder: string;

    beforeAll(async () => {
      folder = join(base, "npm");
      writeProject(folder, "sio-rs", registry);
      await install(folder, [`sio-rs@${VERSION}`, "socket.io-client@4"]);
    });

    it("brings the binary of this platform and of no other", () => {
      expect(readdirSync(join(folder, "node_modules", "@sio-rs"))).toEqual([platformName()]);
    });

    it("runs the chat", async () => {
      expect(await talk(folder)).toEqual(TALK);
    });

    it("has both entries for import and for require, and the engine's", async () => {
      const text = `
        import { Server } from "sio-rs"; import * as engine from "sio-rs/engine"; import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);
        console.log(Server === require("sio-rs").Server, engine.Server === require("sio-rs/engine").Server);`;
      const { stdout, stderr } = await run(
        process.execPath,
        ["--input-type=module", "--eval", text],
        folder,
      );
      expect({ stdout, stderr }).toEqual({ stdout: "true true\n", stderr: "" });
    });
  });

  it("npm install socket.io@npm:sio-rs puts it in the place of socket.io, and the chat runs", async () => {
    const folder = join(base, "alias");
    writeProject(folder, "socket.io", registry);
    await install(folder, [`socket.io@npm:sio-rs@${VERSION}`, "socket.io-client@4"]);
    expect(readManifest(join(folder, "node_modules", "socket.io")).name).toBe("sio-rs");
    expect(await talk(folder)).toEqual(TALK);
  });

  it("npm install of the two tarballs runs the chat", async () => {
    const folder = join(base, "tarballs");
    writeProject(folder, "socket.io", registry);
    const [root, platform] = [`sio-rs-${VERSION}.tgz`, binaryFile].map((file) => join(base, file));
    await install(folder, [`socket.io@file:${root}`, `file:${platform}`, "socket.io-client@4"]);
    expect(await talk(folder)).toEqual(TALK);
  });

  describe("with other tools", () => {
    let tools: string;

    beforeAll(async () => {
      tools = join(base, "tools");
      const { code, stderr } = await npm(
        ["install", "--prefix", tools, ...QUIET, PNPM, ESBUILD],
        base,
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
    });

    it("pnpm brings the binary of this platform, and the chat runs", async () => {
      const folder = join(base, "pnpm");
      writeProject(folder, "sio-rs", registry);
      const program = join(tools, "node_modules", "pnpm", "bin", "pnpm.cjs");
      const { code, stdout, stderr } = await run(
        process.execPath,
        // A store of its own: what lies in the user's is of other builds of the same version.
        [
          program,
          "add",
          "--ignore-scripts",
          "--store-dir",
          join(base, "store"),
          "--cache-dir",
          join(base, "cache"),
          `sio-rs@${VERSION}`,
          "socket.io-client@4",
        ],
        folder,
        {},
        INSTALL_LIMIT_MS,
      );
      expect({ code, output: code === 0 ? "" : stdout + stderr }).toEqual({ code: 0, output: "" });
      const own = readdirSync(join(folder, "node_modules", ".pnpm")).filter((name) =>
        name.startsWith("@sio-rs"),
      );
      expect(own).toEqual([`@sio-rs+${platformName()}@${VERSION}`]);
      expect(await talk(folder)).toEqual(TALK);
    });

    it.each([
      ["sio-rs itself", "sio-rs"],
      [
        "the binary's package alone, and client-dist/ copied beside the folder of the bundle",
        "@sio-rs/*",
      ],
    ])(
      "esbuild makes a bundle that runs the chat, with %s as external",
      async (_what, external) => {
        const folder = join(base, external === "sio-rs" ? "esbuild" : "esbuild-all");
        writeProject(folder, "sio-rs", registry);
        await install(folder, [`sio-rs@${VERSION}`, "socket.io-client@4"]);
        const { code, stderr } = await run(
          process.execPath,
          [
            join(tools, "node_modules", "esbuild", "bin", "esbuild"),
            "talk.cjs",
            "--bundle",
            "--platform=node",
            `--external:${external}`,
            "--outfile=out/bundle.cjs",
          ],
          folder,
        );
        expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
        // The chat's own pages, and the client's files, are no modules.
        cpSync(join(folder, "examples", "chat", "public"), join(folder, "out", "public"), {
          recursive: true,
        });
        if (external !== "sio-rs") {
          cpSync(
            join(folder, "node_modules", "sio-rs", "client-dist"),
            join(folder, "client-dist"),
            { recursive: true },
          );
        }
        expect(await talk(folder, join("out", "bundle.cjs"))).toEqual(TALK);
      },
    );
  });

  async function install(folder: string, packages: string[]): Promise<void> {
    const { code, stderr } = await npm(["install", ...QUIET, ...packages], folder);
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(existsSync(join(folder, "node_modules", "socket.io-client"))).toBe(true);
  }
});

/** What a registry would tell of another platform's package. */
function foreignManifest(name: string) {
  const platform = require("../../npm/platforms.json").find(
    (row: { name: string }) => name === `@sio-rs/${row.name}`,
  );
  const { os, cpu, libc } = platform;
  return { name, version: VERSION, os: [os], cpu: [cpu], ...(libc ? { libc: [libc] } : {}) };
}
