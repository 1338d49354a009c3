// npm's `prepare`: runs after `npm ci` in a checkout, when this repository is installed as a git dependency
// or a folder, and before it is packed. It is the same build as everywhere, so that a git dependency works and nothing
// is compiled twice: what it makes, the other scripts find up to date. The package on the registry has no
// install script; there this never runs.
//
// SIO_RS_SKIP_BUILD leaves everything as it is: the other scripts set it for their own `npm ci`, whose output npm hides.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildAddon, buildTypeScript, copyClient, hasTypeScript } from "./steps/build.mjs";
import { ROOT } from "./steps/command.mjs";
import { ADDON_FILE, addonLoads } from "./steps/platform.mjs";
import { runScript, StepFailure, say } from "./steps/step.mjs";
import { requireNode } from "./steps/toolchain.mjs";

await runScript(async () => {
  if (process.env.SIO_RS_SKIP_BUILD) {
    say("prepare", "nothing built: SIO_RS_SKIP_BUILD is set");
    return;
  }
  requireNode();
  await prepareAddon();
  await prepareJavaScript();
});

/** An addon that loads is kept, whatever made it: cargo may not be there. */
async function prepareAddon() {
  if (await addonLoads()) {
    say("addon", `kept: ${ADDON_FILE} loads`);
  } else {
    await buildAddon();
  }
}

/** npm installs a folder without its devDependencies, so without tsc: then dist/ must be there already. */
async function prepareJavaScript() {
  if (hasTypeScript()) {
    await buildTypeScript();
    await copyClient();
  } else if (existsSync(join(ROOT, "dist")) && existsSync(join(ROOT, "client-dist"))) {
    say("typescript", "kept: dist/ and client-dist/ are there, TypeScript is not");
  } else {
    throw new StepFailure(
      "dist/ is missing and so is TypeScript to make it",
      `Run \`npm ci\` in ${ROOT} first`,
    );
  }
}
