// `npm run bench:micro`: how many instructions each hot path of the core takes, beside those that `benches/instructions.json`
// says. Instructions do not depend on what else the machine does, so that a regression of 3 % shows.
//
//   <words>             the cases whose names contain one of these alone
//   --update            what was counted becomes what is expected: for changes that are meant
//   --profile CASE      where the instructions of this case go, by function
//
// It needs cargo and valgrind. The exit code is 1 when a case takes more than it should. Counts belong to a compiler and an
// architecture: with others they are shown and not judged, and `--update` on the commit before makes them comparable.

import { execFile, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { median } from "./runner/report.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const EXPECTED = new URL("../benches/instructions.json", import.meta.url);

/** More than a case varies by itself, less than anything worth looking at. */
const TOLERANCE = 0.03;

/** Hash tables are seeded by chance, and threads meet by chance: the median of so many counts. */
const REPEATS = 3;

/** Under callgrind everything takes fifty times as long, and nothing takes a second without it. */
const DEADLINE_MS = 120_000;

const say = (line) => console.error(`bench: ${line}`);

/** The program with the cases, built as a release is. */
function build() {
  const args = ["bench", "--no-run", "--bench", "hot_paths", "--message-format", "json"];
  say(`cargo ${args.join(" ")}`);
  const { status, stdout, error } = spawnSync("cargo", args, {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", 2],
    maxBuffer: 2 ** 28,
  });
  if (error) throw new Error(`cannot run cargo: ${error.message}`);
  if (status !== 0) throw new Error("the benches do not build");
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  const artifact = lines
    .map((line) => JSON.parse(line))
    .find(({ target, executable }) => target?.name === "hot_paths" && executable);
  if (artifact === undefined) throw new Error("cargo has built no program");
  return artifact.executable;
}

function output(command, ...args) {
  const { status, stdout, error } = spawnSync(command, args, { encoding: "utf8" });
  if (error) throw new Error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
  return stdout.trim();
}

/** What counts depend on, besides the code. */
function toolchain() {
  return { rustc: output("rustc", "--version"), architecture: process.arch };
}

/** {name, unit, rounds, units} of each case. */
function listed(program) {
  return output(program, "--list")
    .split("\n")
    .map((line) => line.split("\t"))
    .map(([name, unit, rounds, units]) => ({
      name,
      unit,
      rounds: Number(rounds),
      units: Number(units),
    }));
}

function callgrind(program, name, rounds, file) {
  // Fair: threads take turns in order, and not as it happens.
  const valgrind = ["--tool=callgrind", "--fair-sched=try", `--callgrind-out-file=${file}`];
  return promisify(execFile)("valgrind", [...valgrind, program, "--run", name, String(rounds)], {
    timeout: DEADLINE_MS,
    killSignal: "SIGKILL",
  });
}

async function instructions(program, name, rounds) {
  const { stderr } = await callgrind(program, name, rounds, "/dev/null");
  const collected = /Collected : (\d+)/.exec(stderr)?.[1];
  if (collected === undefined) throw new Error(`callgrind counted nothing:\n${stderr}`);
  return Number(collected);
}

/** Instructions for each unit: what so many rounds more take. What comes before the first round falls out. */
async function count(program, { name, rounds, units }) {
  const counts = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const once = await instructions(program, name, rounds);
    const twice = await instructions(program, name, 2 * rounds);
    counts.push((twice - once) / rounds / units);
  }
  return median(counts);
}

/** All of them, as many at a time as there are cores. */
async function countAll(program, cases) {
  const counted = {};
  const waiting = [...cases];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      counted[next.name] = await count(program, next);
      say(`${next.name}: ${figure(counted[next.name])}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return counted;
}

const figure = (instructions) => instructions.toPrecision(4);

/** Markdown, and the names of those that take more than they should. */
function compare(cases, counted, expected) {
  const lines = [
    "| case | instructions for each | expected | now | change |",
    "|---|---|---|---|---|",
  ];
  const worse = [];
  for (const { name, unit } of cases) {
    const [before, now] = [expected[name], counted[name]];
    const change = before === undefined ? undefined : now / before - 1;
    if (change > TOLERANCE) worse.push(name);
    const percent = change === undefined ? "new" : `${(100 * change).toFixed(1)} %`;
    const was = before === undefined ? "–" : figure(before);
    const verdict = Math.abs(change) > TOLERANCE ? `**${percent}**` : percent;
    lines.push(`| ${name} | ${unit} | ${was} | ${figure(now)} | ${verdict} |`);
  }
  return { lines, worse };
}

async function profile(program, { name, rounds }) {
  const file = `${ROOT}target/callgrind.${name}.out`;
  await callgrind(program, name, 2 * rounds, file);
  console.log(output("callgrind_annotate", "--auto=no", file));
  say(`for kcachegrind: ${file}`);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      update: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  output("valgrind", "--version");
  const program = build();
  const all = listed(program);
  if (values.profile !== undefined) {
    const chosen = all.find(({ name }) => name === values.profile);
    if (chosen === undefined) throw new Error(`no case ${values.profile}`);
    return profile(program, chosen);
  }
  const cases = all.filter(
    ({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
  );
  if (cases.length === 0) throw new Error(`no such case; there are ${all.map(({ name }) => name)}`);
  const counted = await countAll(program, cases);

  const file = JSON.parse(readFileSync(EXPECTED, "utf8"));
  const here = toolchain();
  const { lines, worse } = compare(cases, counted, file.instructions);
  console.log(lines.join("\n"));
  if (values.update) {
    const kept = Object.keys(here).every((key) => file[key] === here[key]) ? file.instructions : {};
    const known = all.filter(({ name }) => (counted[name] ?? kept[name]) !== undefined);
    const instructions = Object.fromEntries(
      known.map(({ name }) => [name, Number(figure(counted[name] ?? kept[name]))]),
    );
    writeFileSync(EXPECTED, `${JSON.stringify({ ...here, instructions }, undefined, 2)}\n`);
    return;
  }
  const other = Object.keys(here).find((key) => file[key] !== here[key]);
  if (other !== undefined) {
    say(`not judged: counted with ${here[other]}, expected with ${file[other]}`);
  } else if (worse.length > 0) {
    say(`more than ${100 * TOLERANCE} % more than expected: ${worse.join(", ")}`);
    process.exitCode = 1;
  }
}

main().catch((error) => {
  say(error.message);
  process.exit(1);
});
