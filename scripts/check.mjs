// `npm run check`: everything that can be said of the code without running it. All checks run, one line each;
// what the failed ones had to say comes after them, and the last line counts them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./steps/command.mjs";
import { installPackages } from "./steps/install.mjs";
import { runScript, say, secondsSince } from "./steps/step.mjs";
import { requireNode, requireRust } from "./steps/toolchain.mjs";

/** Files that a program writes and git keeps: whoever changes them on purpose stages them first. */
const GENERATED_FILES = ["Cargo.lock", "package-lock.json"];

const BIOME = join("node_modules", "@biomejs", "biome", "bin", "biome");
const TSC = join("node_modules", "typescript", "bin", "tsc");

/** The cheapest come first. `wayOut` is the command that repairs it, where there is one. */
const CHECKS = [
  {
    name: "rustfmt",
    command: ["cargo", "fmt", "--all", "--check"],
    wayOut: "cargo fmt --all",
  },
  {
    name: "biome",
    command: [process.execPath, BIOME, "check", "--error-on-warnings"],
    wayOut: "npx biome check --write",
  },
  {
    name: "tsc lib",
    command: [process.execPath, TSC, "--noEmit"],
  },
  {
    name: "tsc tests",
    command: [process.execPath, TSC, "--noEmit", "--project", "__test__"],
  },
  {
    name: "clippy",
    command: [
      "cargo",
      "clippy",
      "--workspace",
      "--all-targets",
      "--all-features",
      "--",
      "-D",
      "warnings",
    ],
  },
  {
    name: "rustdoc",
    command: ["cargo", "doc", "--workspace", "--no-deps"],
    env: { RUSTDOCFLAGS: "-D warnings" },
  },
  {
    name: "contract",
    command: [process.execPath, join("scripts", "contract.mjs")],
    wayOut: "__test__/contract.md says at its top how a line is added",
  },
  {
    name: "licences",
    command: [process.execPath, join("scripts", "licences.mjs"), "--check"],
    wayOut: "node scripts/licences.mjs",
  },
  // Last, because cargo rewrites a stale Cargo.lock in the checks before.
  {
    name: "generated",
    command: ["git", "diff", "--exit-code", "--", ...GENERATED_FILES],
    wayOut: "look at the change, then git add it",
    isNeeded: () => existsSync(join(ROOT, ".git")),
  },
];

const failed = [];
let passed = 0;

await runScript(async () => {
  requireNode();
  await installPackages();
  await requireRust();
  for (const check of CHECKS.filter(({ isNeeded }) => isNeeded?.() ?? true)) {
    await runCheck(check);
  }
  for (const { name, output, wayOut } of failed) {
    console.log(`\n──── ${name}\n${output.trimEnd()}`);
    if (wayOut) console.log(`\nWay out: ${wayOut}`);
  }
  if (failed.length > 0) console.log(`\nFailed: ${failed.map(({ name }) => name).join(", ")}`);
});
const failures = failed.length > 0 ? failed.length : Number(process.exitCode ?? 0);
if (failures > 0) process.exitCode = 1;
console.log(`${passed} passed, ${failures} failed`);

async function runCheck({ name, command: [program, ...args], env, wayOut }) {
  const startedAt = performance.now();
  const { ok, missing, output } = await run(program, args, { stdout: "keep", stderr: "keep", env });
  if (ok) {
    passed += 1;
  } else {
    failed.push({ name, output: missing ? `${program} was not found` : output, wayOut });
  }
  say(name, `${ok ? "ok" : "FAILED"} in ${secondsSince(startedAt)}`);
}
