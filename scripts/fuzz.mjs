// `node scripts/fuzz.mjs [seconds] [target...]`: builds the fuzz targets with coverage and AddressSanitizer, on any toolchain, and
// runs each for so long (60 by default), one after the other. Ends with a table; whatever was found is named in it.
//
// `node scripts/fuzz.mjs --keep [target...]`: copies into fuzz/seeds the few inputs of fuzz/corpus that reach what no seed does.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT, run } from "./steps/command.mjs";
import { runScript, StepFailure, say, step } from "./steps/step.mjs";
import { hostOfRust, requireRust } from "./steps/toolchain.mjs";

/** What cargo-fuzz builds with: libFuzzer's counters and comparisons, and the checks of a debug build. */
const FLAGS = [
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
  "-Cllvm-args=-sanitizer-coverage-trace-compares",
  "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
  "-Zsanitizer=address",
  "-Cdebug-assertions",
  "-Coverflow-checks",
  "-Ccodegen-units=1",
  "--cfg=fuzzing",
];

/** An input that takes longer than this is a finding. */
const SLOWEST_S = 20;
const MAX_RSS_MB = 3_000;
/** More seeds than this of one target are looked at by nobody. */
const MAX_SEEDS = 64;

const args = process.argv.slice(2);
const keeps = args.includes("--keep");
const seconds = Number(args.find((arg) => /^\d+$/.test(arg)) ?? 60);
const names = args.filter((arg) => !/^(\d+|--keep)$/.test(arg));

await runScript(async () => {
  await requireRust();
  const host = await hostOfRust();
  const targets = targetsNamed(names);
  await step("build", "compile the fuzz targets", () => build(host));
  const program = (target) => join(ROOT, "fuzz", "target", host, "release", target);
  if (keeps) {
    for (const target of targets) await keep(target, program(target));
    return;
  }
  const rows = [];
  for (const target of targets) rows.push(await fuzz(target, program(target)));
  console.table(rows);
  if (rows.some((row) => row.finding !== "")) process.exitCode = 1;
});

function targetsNamed(names) {
  const all = readdirSync(join(ROOT, "fuzz", "fuzz_targets")).map((file) => basename(file, ".rs"));
  const unknown = names.find((name) => !all.includes(name));
  if (unknown)
    throw new StepFailure(`There is no target ${unknown}`, `There are ${all.join(", ")}`);
  return names.length > 0 ? names : all;
}

async function build(host) {
  const cargo = ["build", "--release", "--bins", "--target", host];
  const { ok, output } = await run("cargo", [...cargo, "--manifest-path", "fuzz/Cargo.toml"], {
    stderr: "keep",
    // The flags are unstable, but they are in every toolchain.
    env: { RUSTC_BOOTSTRAP: "1", RUSTFLAGS: FLAGS.join(" ") },
  });
  if (!ok) throw new StepFailure(`It does not compile:\n${output}`, "Mend it and run this again");
}

/** Runs one target; what it finds goes to fuzz/corpus, and what fails to fuzz/artifacts. */
async function fuzz(target, program) {
  const [corpus, artifacts] = ["corpus", "artifacts"].map((kind) => join("fuzz", kind, target));
  for (const folder of [corpus, artifacts]) mkdirSync(join(ROOT, folder), { recursive: true });
  say(target, `fuzzed for ${seconds} s …`);
  const { ok, output } = await run(
    program,
    [
      corpus,
      join("fuzz", "seeds", target),
      `-artifact_prefix=${artifacts}/`,
      `-max_total_time=${seconds}`,
      `-timeout=${SLOWEST_S}`,
      `-rss_limit_mb=${MAX_RSS_MB}`,
      "-print_final_stats=1",
    ],
    { stdout: "keep", stderr: "keep" },
  );
  const last = (pattern) => [...output.matchAll(pattern)].at(-1)?.[1] ?? "";
  const finding = ok ? "" : last(/Test unit written to (\S+)/g) || output.slice(-500);
  return {
    target,
    executions: Number(last(/number_of_executed_units: (\d+)/g)),
    edges: Number(last(/ cov: (\d+)/g)),
    features: Number(last(/ ft: (\d+)/g)),
    corpus: last(/ corp: (\S+)/g),
    finding,
  };
}

/** Adds the inputs that reach most of what the seeds do not, one after the other, until nothing is left or there are enough. */
async function keep(target, program) {
  const [seeds, corpus] = ["seeds", "corpus"].map((kind) => join(ROOT, "fuzz", kind, target));
  const control = join(ROOT, "fuzz", "target", `${target}.merge`);
  const merged = join(ROOT, "fuzz", "target", `${target}.merged`);
  rmSync(control, { force: true });
  mkdirSync(merged, { recursive: true });
  const merge = ["-set_cover_merge=1", `-merge_control_file=${control}`, merged, seeds, corpus];
  const { ok, output } = await run(program, merge, { stdout: "keep", stderr: "keep" });
  rmSync(merged, { recursive: true });
  if (!ok) throw new StepFailure(`${target} fails on its corpus`, output.slice(-500));

  const reached = edgesByFile(readFileSync(control, "utf8"));
  const known = new Set();
  for (const [file, edges] of reached) {
    if (file.startsWith(seeds)) for (const edge of edges) known.add(edge);
  }
  let count = readdirSync(seeds).length;
  for (; count < MAX_SEEDS; count++) {
    const [file, gain] = best(reached, known);
    if (gain === 0) break;
    const name = createHash("sha1").update(readFileSync(file)).digest("hex").slice(0, 12);
    copyFileSync(file, join(seeds, name));
    for (const edge of reached.get(file)) known.add(edge);
  }
  say(target, `${count} seeds reach ${known.size} edges`);
}

function best(reached, known) {
  let chosen = ["", 0];
  for (const [file, edges] of reached) {
    const gain = edges.filter((edge) => !known.has(edge)).length;
    if (gain > chosen[1]) chosen = [file, gain];
  }
  return chosen;
}

/** From libFuzzer's control file: its files, two numbers and all files by line; then features by number, eight to an edge. */
function edgesByFile(control) {
  const lines = control.split("\n");
  const files = lines.slice(2, 2 + Number(lines[0]));
  const reached = new Map();
  for (const line of lines) {
    const [kind, index, ...features] = line.split(" ");
    if (kind === "FT") {
      reached.set(files[Number(index)], [...new Set(features.map((it) => Number(it) >> 3))]);
    }
  }
  return reached;
}
