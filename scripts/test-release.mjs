// `npm run test:release`: the binary of this platform as it is published, the tests of packages on it, and an installation from
// git. It compiles the core twice and installs all development packages once more, so it takes minutes. The last line counts.

import { buildAll } from "./steps/build.mjs";
import { installPackages } from "./steps/install.mjs";
import { findPlatform } from "./steps/packages.mjs";
import { platformName } from "./steps/platform.mjs";
import { buildPlatformPackage } from "./steps/release-binary.mjs";
import { runScript } from "./steps/step.mjs";
import { runJest } from "./steps/suites.mjs";
import { requireNode } from "./steps/toolchain.mjs";

const total = { passed: 0, failed: 0 };

await runScript(async () => {
  requireNode();
  await installPackages();
  await buildAll();
  const folder = await buildPlatformPackage(findPlatform(platformName()));
  const { passed, failed, fault } = await runJest({
    name: "release",
    apart: "package",
    patterns: process.argv.slice(2),
    env: { SIO_RS_INSTALL_TESTS: "1", SIO_RS_PLATFORM_PACKAGE: folder },
  });
  Object.assign(total, { passed, failed });
  if (fault) console.log(fault);
});
if (total.failed === 0 && process.exitCode) total.failed = 1; // It was not even built.
if (total.failed > 0) process.exitCode = 1;
console.log(`${total.passed} passed, ${total.failed} failed`);
