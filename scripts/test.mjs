// `npm test`: installs, builds, and runs every suite: Rust, Jest on both carriers (the adopted descriptor and the
// byte bridge), adapters on Redis and PostgreSQL, the packages, the pages in Chromium; then it tells which behaviours of
// `__test__/contract.md` were not held by them. The last line counts them all. `npm test -- <pattern>` narrows it to the
// Jest tests whose path matches; the frameworks of `ecosystem` are installed only if a pattern names it.
//
// A suite whose program is missing is skipped with one line; with CI=true that is a failure, except for the
// programs that ci-unavailable.json lists.

import { readFileSync } from "node:fs";
import { missingBrokers } from "./steps/brokers.mjs";
import { buildAll, buildFaultyAddon } from "./steps/build.mjs";
import { findChromium, HOW_TO_GET_CHROMIUM } from "./steps/chromium.mjs";
import { judgeContract } from "./steps/contract.mjs";
import { installPackages } from "./steps/install.mjs";
import { installProjects } from "./steps/projects.mjs";
import { runScript, say, secondsSince } from "./steps/step.mjs";
import { RELEASE_TESTS, runCargoTest, runJest } from "./steps/suites.mjs";
import { requireNode } from "./steps/toolchain.mjs";

const patterns = process.argv.slice(2);
const total = { passed: 0, failed: 0 };
const isCI = process.env.CI === "true";

await runScript(async () => {
  requireNode();
  await installPackages();
  await buildAll();
  await runSuites();
});
if (total.failed === 0 && process.exitCode) total.failed = 1; // It was not even built.
if (total.failed > 0) process.exitCode = 1;
console.log(`${total.passed} passed, ${total.failed} failed`);

async function runSuites() {
  const tallies = [];
  const projects = await prepareProjects(tallies);
  let rust;
  if (patterns.length === 0) {
    rust = await suite("rust", "cargo test", runCargoTest);
    tallies.push(rust);
  } else {
    say("rust", "left out: a pattern narrows the run to Jest");
  }
  const env = { ...projects, ...(await prepareFaults()) };
  const adopted = await suite("adopted", "Jest, the core reads and writes the descriptor", () =>
    runJest({ name: "adopted", patterns, env }),
  );
  const bridge = await suite("bridge", "Jest, Node reads and writes for the core", () =>
    // socket.io has no carriers: its cases have run.
    runJest({
      name: "bridge",
      patterns,
      env: { ...env, SIO_RS_CARRIER: "bridge", COMPAT_ONLY: "sio-rs" },
    }),
  );
  tallies.push(adopted, bridge);
  const missing = missingBrokers();
  for (const { program, wayOut } of missing) tallies.push(skip("adapters", program, wayOut));
  const adapters = await suite("adapters", "Jest, adapters of the field in clusters", () =>
    runJest({
      name: "adapters",
      apart: "adapters",
      ignored: missing.map(({ tests }) => tests),
      patterns,
    }),
  );
  tallies.push(adapters);
  tallies.push(
    await suite("package", "Jest, sio-rs packed and installed", () =>
      runJest({
        name: "package",
        apart: "package",
        ignored: [RELEASE_TESTS],
        patterns,
        env: { SIO_RS_INSTALL_TESTS: "1" },
      }),
    ),
  );
  const chromium = findChromium();
  if (chromium === undefined) {
    tallies.push(skip("browser", "chromium", HOW_TO_GET_CHROMIUM));
  } else {
    tallies.push(
      await suite("browser", `Jest, the pages in ${chromium}`, () =>
        runJest({ name: "browser", apart: "browser", patterns, env: { CHROMIUM_PATH: chromium } }),
      ),
    );
  }

  if (rust) {
    // What was skipped for want of a program is not held against the ledger.
    const whole = missing.length === 0 ? { adopted, bridge, adapters } : { adopted, bridge };
    tallies.push(holdContract(rust, whole));
  }
  for (const line of tallies.map((tally) => tally.line)) console.log(line);
}

/** What the frameworks' tests need, as variables of their environment; what is missing is skipped, with a line. */
async function prepareProjects(tallies) {
  if (patterns.length > 0 && !patterns.some((pattern) => pattern.includes("ecosystem"))) return {};
  const { env, missing } = await installProjects();
  for (const { part, wayOut } of missing) tallies.push(skip("ecosystem", part, wayOut));
  return env;
}

/** A binary that can be made to panic, for the tests of what that costs. */
async function prepareFaults() {
  if (patterns.length > 0 && !patterns.some((pattern) => pattern.includes("faults"))) return {};
  return { SIO_RS_FAULTY_BINARY: await buildFaultyAddon() };
}

async function suite(name, purpose, runSuite) {
  const startedAt = performance.now();
  say(name, `${purpose} …`);
  const { passed, failed, skipped, fault, outcomes } = await runSuite();
  total.passed += passed;
  total.failed += failed;
  const counts = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  const line = `[${name}] ${counts} in ${secondsSince(startedAt)}${fault ? ` (${fault})` : ""}`;
  console.log(line);
  return { line, outcomes };
}

function holdContract(rust, jestRuns) {
  const { held, excused, missing } = judgeContract({
    rust: rust.outcomes,
    jest: Object.entries(jestRuns).map(([run, { outcomes }]) => ({ run, outcomes })),
  });
  total.passed += held;
  total.failed += missing.length;
  for (const reason of missing) say("contract", `not held: ${reason}`);
  const excuse = excused > 0 ? ` (${excused} by an excuse in unsupported.md)` : "";
  return { line: `[contract] ${held} behaviours held${excuse}, ${missing.length} not` };
}

function skip(name, program, wayOut) {
  const unavailable = JSON.parse(
    readFileSync(new URL("ci-unavailable.json", import.meta.url), "utf8"),
  ).programs;
  const reason = unavailable[program];
  const isFailure = isCI && reason === undefined;
  if (isFailure) total.failed += 1;
  const verdict = isFailure ? "FAILED" : "skipped";
  const line = `[${name}] ${verdict}: ${program} cannot be had; ${isCI && reason ? reason : wayOut}`;
  console.log(line);
  return { line };
}
