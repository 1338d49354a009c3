// `npm run soak`: what a server has to survive, on sio-rs and on npm's socket.io, one table a scenario.
//
//   --quick             small sizes: about 4 minutes; on one server, which is what CI runs, 2
//   --only a,b          these scenarios alone: storm, jitter, churn, mixed
//   --servers a,b       on these servers (sio-rs,socket.io)
//   --minutes N         how long `mixed` takes (30)
//
// Everything is on loopback, bounded, and ends by itself. A lost packet fails a run; the last line counts the runs, and the exit code is 1
// when one failed.

import { parseArgs } from "node:util";
import { churn } from "./reliability/churn.mjs";
import { jitter } from "./reliability/jitter.mjs";
import { mixed } from "./reliability/mixed.mjs";
import { storm } from "./reliability/storm.mjs";
import { loadBinary } from "./runner/load-binary.mjs";
import { LoadProcess } from "./runner/load-process.mjs";
import { withProcesses } from "./runner/processes.mjs";
import { machine, number } from "./runner/report.mjs";
import { ServerProcess } from "./runner/server-process.mjs";

const SCENARIOS = [storm, jitter, churn, mixed];

/** Beyond the time that a scenario takes by itself. */
const DEADLINE_MS = 15 * 60_000;

const say = (line) => console.error(`soak: ${line}`);

/** One scenario on one server, in fresh processes. */
function run(scenario, packageName, size) {
  const binary = loadBinary();
  return withProcesses(DEADLINE_MS + (size.minutes ?? 0) * 60_000, async (own) => {
    const server = own(new ServerProcess(packageName, scenario.server, false));
    await server.listening();
    const startLoad = (load) => own(new LoadProcess(binary, server.port, load, false));
    const load = scenario.load && startLoad(scenario.load);
    const rows = await scenario.run({ server, load, startLoad, own, say }, size);
    await load?.quit();
    return rows;
  });
}

/** One Markdown table: a column a server, a line a figure. */
function table(results) {
  const lines = [];
  const servers = Object.keys(results);
  const rows = results[servers[0]] ?? [];
  for (const [index, { name, ...figures }] of rows.entries()) {
    lines.push(`| ${[name, ...servers].join(" | ")} |`, `|${" --- |".repeat(servers.length + 1)}`);
    for (const figure of Object.keys(figures)) {
      const cells = servers.map((server) => readable(results[server]?.[index]?.[figure]));
      lines.push(`| ${[figure, ...cells].join(" | ")} |`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

function readable(value) {
  if (typeof value !== "number") return value ?? "failed";
  return Number.isInteger(value) ? value.toLocaleString("en-US") : number(value);
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    servers: { type: "string", default: "sio-rs,socket.io" },
    minutes: { type: "string" },
  },
});
const names = values.only?.split(",") ?? SCENARIOS.map(({ name }) => name);
const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown !== undefined) throw new Error(`no scenario ${unknown}`);

const { cpu, cores, node, kernel } = machine();
console.log(`${cores} × ${cpu}, Linux ${kernel}, Node ${node}\n`);
let passed = 0;
let failed = 0;
for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
  const results = {};
  for (const packageName of values.servers.split(",")) {
    const size = { ...(values.quick ? scenario.quick : scenario.full) };
    if (values.minutes !== undefined && "minutes" in size) size.minutes = Number(values.minutes);
    say(`${scenario.name} on ${packageName}: ${JSON.stringify(size)}`);
    try {
      results[packageName] = await run(scenario, packageName, size);
      passed += 1;
    } catch (error) {
      say(`${scenario.name} on ${packageName}: FAILED: ${error.message}`);
      failed += 1;
    }
  }
  console.log(table(results));
}
if (failed > 0) process.exitCode = 1;
console.log(`${passed} passed, ${failed} failed`);
