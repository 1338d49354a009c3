// `node scripts/release-binary.mjs [<platform>]`: the binary that is published, of this platform if none is named, in
// `npm/<platform>/`, with its debug symbols in `npm/symbols/`.

import { findPlatform } from "./steps/packages.mjs";
import { platformName } from "./steps/platform.mjs";
import { buildPlatformPackage } from "./steps/release-binary.mjs";
import { runScript } from "./steps/step.mjs";

await runScript(async () => {
  const [name = platformName()] = process.argv.slice(2);
  await buildPlatformPackage(findPlatform(name));
});
