// Writes THIRD-PARTY.md; with `--check` it only tells whether the file is what it has to be.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./steps/command.mjs";
import { thirdPartyText } from "./steps/licences.mjs";
import { runScript, StepFailure, say } from "./steps/step.mjs";

const FILE = join(ROOT, "THIRD-PARTY.md");

await runScript(async () => {
  const text = await thirdPartyText();
  const isCurrent = existsSync(FILE) && readFileSync(FILE, "utf8") === text;
  if (isCurrent) {
    say("licences", "THIRD-PARTY.md is up to date");
  } else if (process.argv.includes("--check")) {
    throw new StepFailure("THIRD-PARTY.md is out of date", "Run `node scripts/licences.mjs`");
  } else {
    writeFileSync(FILE, text);
    say("licences", "THIRD-PARTY.md is written");
  }
});
