// Makes packages as they are published, below npm/:
//
//   node scripts/package.mjs local [<folder>]           sio-rs and the package of this platform, of the local build; in that folder
//   node scripts/package.mjs root                       sio-rs alone
//   node scripts/package.mjs platform <name> <binary>   the package of that platform, with that binary
//   node scripts/package.mjs matrix                     prints the platforms in one line, for the release workflow
//
// Nothing is compiled and nothing published here.

import { join } from "node:path";
import { ROOT } from "./steps/command.mjs";
import { assemblePlatform, assembleRoot, findPlatform, readPlatforms } from "./steps/packages.mjs";
import { ADDON_FILE, platformName } from "./steps/platform.mjs";
import { runScript, StepFailure, say } from "./steps/step.mjs";

const [what = "local", ...rest] = process.argv.slice(2);

const MAKERS = {
  local(folder) {
    say("package", assembleRoot(folder));
    const platform = findPlatform(platformName());
    say("package", assemblePlatform(platform, join(ROOT, ADDON_FILE), folder));
  },
  root() {
    say("package", assembleRoot());
  },
  platform(name, binary) {
    if (binary === undefined) {
      throw new StepFailure(
        "The binary is missing",
        "node scripts/package.mjs platform <name> <binary>",
      );
    }
    say("package", assemblePlatform(findPlatform(name), binary));
  },
  matrix() {
    console.log(JSON.stringify(readPlatforms()));
  },
};

await runScript(async () => {
  const make = MAKERS[what];
  if (make === undefined) {
    throw new StepFailure(
      `There is nothing called "${what}" to make`,
      `Choose one of ${Object.keys(MAKERS).join(", ")}`,
    );
  }
  make(...rest);
});
