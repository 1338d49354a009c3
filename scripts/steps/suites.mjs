// Runs a test suite and counts it, or lists what is in it: the Rust tests with cargo, the TypeScript tests with Jest.
// A suite that cannot be run to its end counts as one failure, so that no total hides it.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import contract from "../../__test__/harness/contract.cjs";
import { ROOT, run } from "./command.mjs";
import { StepFailure } from "./step.mjs";

/** Past this a suite hangs; the slowest takes a tenth of it on two cores. */
const SUITE_LIMIT_MS = 12 * 60 * 1_000;

/** Reports and screenshots of the last run; not kept in git. */
const REPORTS = join(ROOT, ".test-output");

/** Folders of tests that need more than Node, and are suites of their own. */
const APART = {
  /** The demo page in Chromium. */
  browser: "__test__/browser",
  /** Adapters of the field, on Redis and PostgreSQL. */
  adapters: "__test__/ecosystem/adapters",
  /** sio-rs as it is published, from a registry of its own; needs npm's for the rest. */
  package: "__test__/package",
};

/** Tests of packages that take minutes: `npm run test:release`. */
export const RELEASE_TESTS = `${APART.package}/release`;

const JEST = join(ROOT, "node_modules", "jest", "bin", "jest.js");
/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {{name: string, passed: boolean}[]} outcomes of each test that ran, named as contract.md does;
 *   those of Rust without their target
 * @property {string} [fault] why the suite did not run to its end
 */

/** @returns {Promise<Tally>} */
export async function runCargoTest() {
  const args = ["test", "--workspace", "--no-fail-fast"];
  const { ok, timedOut, output } = await run("cargo", args, {
    stdout: "both",
    limitMs: SUITE_LIMIT_MS,
  });
  const tally = { passed: 0, failed: 0, skipped: 0, outcomes: [] };
  for (const [, name, verdict] of output.matchAll(/^test (\S+)(?: - .*)? \.\.\. (ok|FAILED)/gm)) {
    tally.outcomes.push({ name, passed: verdict === "ok" });
  }
  // One line for each test binary and each crate's examples in docs.
  for (const [, passed, failed, ignored] of output.matchAll(
    /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm,
  )) {
    tally.passed += Number(passed);
    tally.failed += Number(failed);
    tally.skipped += Number(ignored);
  }
  return withFault(tally, ok, timedOut, "cargo test failed before or after its tests");
}

/**
 * @param {object} suite
 * @param {string} suite.name names the report
 * @param {keyof typeof APART} [suite.apart] the tests of that folder alone; else all but those of such folders
 * @param {string[]} [suite.ignored] leaves out the files whose path matches
 * @param {string[]} [suite.patterns] narrow it, as Jest takes them; then finding no test is no failure
 * @param {string} [suite.node] the Node that runs it
 * @param {Record<string, string>} [suite.env]
 * @returns {Promise<Tally>}
 */
export async function runJest({
  name,
  apart,
  ignored = [],
  patterns = [],
  node = process.execPath,
  env = {},
}) {
  const report = join(REPORTS, `jest-${name}.json`);
  mkdirSync(REPORTS, { recursive: true });
  rmSync(report, { force: true });
  const selection = leaveOut([...ignored, ...(apart === undefined ? Object.values(APART) : [])]);
  if (apart !== undefined) selection.push(`--roots=<rootDir>/${APART[apart]}`);
  const args = [
    JEST,
    "--json",
    `--outputFile=${report}`,
    ...selection,
    ...(patterns.length > 0 ? ["--passWithNoTests", ...patterns] : []),
  ];
  const { ok, timedOut } = await run(node, args, { env, limitMs: SUITE_LIMIT_MS });
  return withFault(readReport(report), ok, timedOut, "Jest failed before or after its tests");
}

/** @param {string[]} paths patterns, as Jest matches them */
function leaveOut(paths) {
  return ["/node_modules/", ...paths].map((path) => `--testPathIgnorePatterns=${path}`);
}

/** A test file that does not load holds no failed test: Jest counts it apart. */
function readReport(file) {
  try {
    const report = JSON.parse(readFileSync(file, "utf8"));
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
      skipped: report.numPendingTests,
      outcomes: casesOf(report)
        .filter(({ status }) => status === "passed" || status === "failed")
        .map((assertion) => ({
          name: contract.jestName(assertion),
          passed: assertion.status === "passed",
        })),
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0, outcomes: [] };
  }
}

function casesOf(report) {
  return report.testResults.flatMap(({ assertionResults }) => assertionResults);
}

/**
 * The names of all cases of Jest but those of the browser. The files are loaded and no case is run.
 *
 * @returns {Promise<string[]>} named as contract.md does
 */
export async function listJestCases() {
  const file = join(REPORTS, "jest-list.json");
  mkdirSync(REPORTS, { recursive: true });
  rmSync(file, { force: true });
  const matchesNothing = "--testNamePattern=(?!)";
  const args = [
    JEST,
    "--json",
    `--outputFile=${file}`,
    matchesNothing,
    ...leaveOut([APART.browser]),
  ];
  const { ok, output } = await run(process.execPath, args, {
    stdout: "keep",
    stderr: "keep",
    env: { COMPAT_ONLY: "sio-rs" },
    limitMs: SUITE_LIMIT_MS,
  });
  if (!ok) {
    throw new StepFailure(
      `The test files do not load:\n${output.trimEnd()}\n`,
      "Build with: npm run build; then see: npx jest",
    );
  }
  return casesOf(JSON.parse(readFileSync(file, "utf8"))).map(contract.jestName);
}

/**
 * The paths of all Rust tests but the examples in docs. They are compiled and none is run.
 *
 * @returns {Promise<string[]>} `<target>::<path of the test>`
 */
export async function listCargoTests() {
  const args = ["test", "--workspace", "--tests", "--no-run", "--message-format=json"];
  const { ok, output } = await run("cargo", args, { stdout: "keep", limitMs: SUITE_LIMIT_MS });
  if (!ok) throw new StepFailure("The Rust tests do not compile", "See: cargo test --no-run");
  const names = [];
  for (const line of output.split("\n").filter((text) => text.startsWith("{"))) {
    const { executable, target } = JSON.parse(line);
    if (!executable) continue;
    const { output: list } = await run(executable, ["--list"], { stdout: "keep" });
    for (const [, name] of list.matchAll(/^(\S+): test$/gm)) names.push(`${target.name}::${name}`);
  }
  return names;
}

function withFault(tally, ok, timedOut, fault) {
  if (timedOut)
    return {
      ...tally,
      failed: tally.failed + 1,
      fault: `killed after ${SUITE_LIMIT_MS / 60_000} minutes`,
    };
  if (!ok && tally.failed === 0) return { ...tally, failed: 1, fault };
  return tally;
}
