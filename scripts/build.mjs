// `npm run build`: the addon, dist/ and client-dist/, each only when its inputs have changed.

import { buildAll } from "./steps/build.mjs";
import { installPackages } from "./steps/install.mjs";
import { runScript } from "./steps/step.mjs";
import { requireNode } from "./steps/toolchain.mjs";

await runScript(async () => {
  requireNode();
  await installPackages();
  await buildAll();
});
