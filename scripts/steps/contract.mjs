// Holds `__test__/contract.md` against the tests: against their names, which are collected without running one, and
// against what a whole run of them said. The rules themselves are in `__test__/harness/contract.cjs`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import contract from "../../__test__/harness/contract.cjs";
import table from "../../__test__/harness/table.cjs";
import { ROOT } from "./command.mjs";
import { listCargoTests, listJestCases } from "./suites.mjs";

/**
 * All that can be said of the ledger without running a test.
 *
 * @returns {Promise<{behaviours: number, faults: string[]}>}
 */
export async function contractFaults() {
  const { behaviours, faults } = readContract();
  const known = {
    jest: new Set(await listJestCases()),
    rust: new Set(await listCargoTests()),
    unsupported: readUnsupported(),
  };
  return {
    behaviours: behaviours.length + faults.length,
    faults: [...faults, ...contract.judgeHolders(behaviours, known)],
  };
}

/**
 * What a whole run of the tests says of the ledger. A line that cannot be read is not held.
 *
 * @param {Parameters<typeof contract.judgeRun>[1]} results
 * @returns {ReturnType<typeof contract.judgeRun>}
 */
export function judgeContract(results) {
  const { behaviours, faults } = readContract();
  const { held, excused, missing } = contract.judgeRun(behaviours, results);
  return { held, excused, missing: [...faults, ...missing] };
}

function readContract() {
  return contract.parseContract(readTests("contract.md"));
}

/** The carrier of each row, by its case. */
function readUnsupported() {
  const rows = table.tableRows(readTests("unsupported.md"));
  return new Map(rows.map(({ cells: [name, carrier] }) => [name, carrier]));
}

function readTests(file) {
  return readFileSync(join(ROOT, "__test__", file), "utf8");
}
