// sio-rs installed from git: npm fetches the repository with its development packages and runs `prepare`, which compiles the
// core with cargo alone; what it packs has the binary in it. Minutes long, so it belongs to `npm run test:release`.

import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import {
  npm,
  platformName,
  RELEASED,
  ROOT,
  run,
  TALK,
  talk,
  temporaryFolder,
  upstreamRegistry,
  writeProject,
} from "../packed";

/** A whole `npm ci` and a compilation without anything from an earlier one. */
const LIMIT_MS = 15 * 60_000;

const onRelease = RELEASED === undefined ? describe.skip : describe;

onRelease("npm install from git", () => {
  it(
    "builds the binary, and the chat runs",
    async () => {
      const base = temporaryFolder();
      const repository = join(base, "repository");
      const env = {
        PATH: process.env.PATH,
        CARGO_TARGET_DIR: join(base, "target"),
        HOME: homedir(),
      };
      await git(["clone", "--quiet", "--no-hardlinks", ROOT, repository], base, env);

      const folder = join(base, "project");
      writeProject(folder, "sio-rs", await upstreamRegistry());
      const packages = [`git+file://${repository}`, "socket.io-client@4"];
      const args = ["install", "--no-audit", "--no-fund", "--foreground-scripts", ...packages];
      const { code, stdout, stderr } = await npm(args, folder, env, LIMIT_MS);
      expect({ code, output: code === 0 ? "" : stdout + stderr }).toEqual({ code: 0, output: "" });

      const installed = join(folder, "node_modules", "sio-rs");
      expect(readdirSync(installed)).toContain(`sio-rs.${platformName()}.node`);
      expect(readdirSync(installed)).not.toContain("src");
      expect(await talk(folder)).toEqual(TALK);
    },
    LIMIT_MS + 60_000,
  );
});

async function git(args: string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, stderr } = await run("git", args, cwd, env);
  if (code !== 0) {
    throw new Error(`git ${args[0]} failed: ${stderr}`);
  }
}
