// The list of differences itself: each row names a suite that exists, once. That its case exists and still fails
// is checked where the suite runs.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseLedger, readLedger } from "./harness/ledger";

/** The names that are given to `describeBoth` anywhere in this folder. */
function suites(): Set<string> {
  const names = new Set<string>();
  for (const entry of readdirSync(__dirname, { recursive: true, encoding: "utf8" })) {
    if (entry.endsWith(".test.ts")) {
      const source = readFileSync(join(__dirname, entry), "utf8");
      for (const [, name] of source.matchAll(/describeBoth\(\s*"([^"]+)"/g)) {
        names.add(name as string);
      }
    }
  }
  return names;
}

describe("ledger", () => {
  test("every row names a suite", () => {
    const known = suites();
    expect(readLedger().filter(({ suite }) => !known.has(suite))).toEqual([]);
  });

  test("no case is listed twice", () => {
    const names = readLedger().map(({ suite, title }) => `${suite} › ${title}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test("a row has a suite, a title, a carrier and a reason", () => {
    const head = "| case | carrier | reason |\n| --- | --- | --- |\n";
    expect(parseLedger(`${head}| acks › a \\| b | any | because |\n`)).toEqual([
      { suite: "acks", title: "a | b", carrier: "any", reason: "because" },
    ]);
    expect(parseLedger(head)).toEqual([]);
    for (const row of [
      "| acks | any | because |",
      "| acks › a | any | |",
      "| acks › a | wire | because |",
    ]) {
      expect(() => parseLedger(head + row)).toThrow("not a row");
    }
  });
});
