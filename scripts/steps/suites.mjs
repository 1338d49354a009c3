// Runs a test suite and counts it: the Rust tests with cargo, the TypeScript tests with Jest.
// A suite that cannot be run to its end counts as one failure, so that no total hides it.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./command.mjs";

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
};

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string} [fault] why the suite did not run to its end
 */

/** @returns {Promise<Tally>} */
export async function runCargoTest() {
  const args = ["test", "--workspace", "--no-fail-fast"];
  const { ok, timedOut, output } = await run("cargo", args, {
    stdout: "both",
    limitMs: SUITE_LIMIT_MS,
  });
  const tally = { passed: 0, failed: 0, skipped: 0 };
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
  const others = Object.values(APART).map((folder) => `/${folder}/`);
  const left = ["/node_modules/", ...ignored, ...(apart === undefined ? others : [])];
  const selection = left.map((pattern) => `--testPathIgnorePatterns=${pattern}`);
  if (apart !== undefined) selection.push(`--roots=<rootDir>/${APART[apart]}`);
  const args = [
    join(ROOT, "node_modules", "jest", "bin", "jest.js"),
    "--json",
    `--outputFile=${report}`,
    ...selection,
    ...(patterns.length > 0 ? ["--passWithNoTests", ...patterns] : []),
  ];
  const { ok, timedOut } = await run(node, args, { env, limitMs: SUITE_LIMIT_MS });
  return withFault(readReport(report), ok, timedOut, "Jest failed before or after its tests");
}

/** A test file that does not load holds no failed test: Jest counts it apart. */
function readReport(file) {
  try {
    const report = JSON.parse(readFileSync(file, "utf8"));
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
      skipped: report.numPendingTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
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
