// Installs the npm packages of the lock file with `npm ci`, when they are not installed as it says.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runNpm } from "./command.mjs";
import { StepFailure, step } from "./step.mjs";

/** Does nothing when node_modules already is what package-lock.json says. */
export async function installPackages() {
  if (isInstalled()) return;
  await step("install", "install the npm packages of package-lock.json (npm ci)", async () => {
    // The build that `npm ci` would start by itself runs unseen; it follows as steps of its own.
    const env = { SIO_RS_SKIP_BUILD: "1" };
    const { ok, missing } = await runNpm(["ci", "--no-audit", "--no-fund"], { env });
    if (missing) {
      throw new StepFailure(
        "npm was not found",
        "It comes with Node: install that from https://nodejs.org",
      );
    }
    if (!ok) {
      throw new StepFailure(
        "npm ci failed, its own lines above say why",
        "Check the network and package-lock.json, then run this again",
      );
    }
  });
}

/** npm keeps beside the packages a lock file of what it really installed. */
function isInstalled() {
  const wanted = packagesOf("package-lock.json");
  const installed = packagesOf(join("node_modules", ".package-lock.json"));
  return (
    wanted !== undefined &&
    installed !== undefined &&
    Object.entries(wanted).every(([path, entry]) => {
      const isRoot = path === "";
      const mayBeMissing = entry.optional || entry.devOptional; // Made for other platforms.
      const found = installed[path];
      return isRoot || (found === undefined ? mayBeMissing : found.version === entry.version);
    })
  );
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(join(ROOT, lockFile), "utf8")).packages;
  } catch {
    return undefined;
  }
}
