// `npm run bench`: sio-rs beside socket.io on the same scripts, one table out.
//
//   --quick             small sizes, one round: under 3 minutes
//   --only a,b          these scenarios alone
//   --rounds N          runs of each scenario on each server (3)
//   --picture FILE      where the picture of the event loop's delay goes (delay-timeline was run)
//   --servers a,b       what is compared, the baseline last (sio-rs,socket.io)
//   --peers a,b         which others run along, in a table of their own: all (the default without --quick) or none (with it).
//                       Those that are not installed are left out, and it is said how they can be had
//
// The table goes to standard output, progress to standard error, all figures to results/*.json.
// The exit code is 1 when a run failed: a lost packet is a failure, not a slow run.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { loadBinary } from "./runner/load-binary.mjs";
import { drawDelays } from "./runner/picture.mjs";
import { machine, peerTable, summarize, table, writeResults } from "./runner/report.mjs";
import { can, missing, PEER_NAMES, SERVERS } from "./runner/servers.mjs";
import { singleRun } from "./runner/single-run.mjs";
import { SCENARIOS } from "./scenarios/index.mjs";

const DEFAULT_ROUNDS = 3;

/** Load of the machine before the start, above which the figures are worth little. */
const BUSY_LOAD_AVERAGE = 0.5;

/** Share of a core from which on the generator may be what limits a run. */
const GENERATOR_LIMIT = 0.9;

const say = (line) => console.error(`bench: ${line}`);

function options() {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      rounds: { type: "string" },
      picture: { type: "string" },
      servers: { type: "string", default: "sio-rs,socket.io" },
      peers: { type: "string" },
    },
  });
  const packages = values.servers.split(",");
  if (packages.length !== 2) throw new Error("--servers names two, the baseline last");
  const stranger = packages.find((name) => SERVERS[name] === undefined);
  if (stranger !== undefined) throw new Error(`no server ${stranger}`);
  const [subject, baseline] = packages.map((packageName) => ({ packageName, label: packageName }));
  // Compared with itself, a server shows how far figures differ by chance.
  if (subject.label === baseline.label) subject.label += " (again)";

  const names = values.only?.split(",") ?? SCENARIOS.map(({ name }) => name);
  const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) {
    throw new Error(
      `no scenario ${unknown}; there are ${SCENARIOS.map(({ name }) => name).join(", ")}`,
    );
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : DEFAULT_ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds is a whole number from 1");
  const scenarios = SCENARIOS.filter(({ name }) => names.includes(name));
  const { quick: isQuick, picture } = values;
  const peers = chosenPeers(values.peers ?? (isQuick ? "none" : "all"));
  return { isQuick, picture, scenarios, rounds, baseline, subject, peers };
}

function chosenPeers(value) {
  if (value === "none") return [];
  if (value === "all") return PEER_NAMES;
  const names = value.split(",");
  const unknown = names.find((name) => !PEER_NAMES.includes(name));
  if (unknown !== undefined) {
    throw new Error(`no peer ${unknown}; there are ${PEER_NAMES.join(", ")}`);
  }
  return names;
}

/** Those that can be had here; of the others a line tells what they need. */
function available(peers) {
  return peers.filter((peer) => {
    const reason = missing(peer);
    if (reason !== undefined) say(`${peer} is left out: ${reason}`);
    return reason === undefined;
  });
}

function describe(rows) {
  const shares = rows.map(({ detail }) => detail?.generatorShare ?? 0);
  const figures = rows.map(({ unit, value }) => `${value.toPrecision(3)} ${unit}`).join(", ");
  return Math.max(...shares) > GENERATOR_LIMIT ? `${figures} (generator at its limit)` : figures;
}

/**
 * All runs of one scenario, the servers in turn. Ends with the first failure of one of the two; a peer that fails is left out from
 * then on.
 */
async function runScenario(scenario, { isQuick, rounds, baseline, subject, peers }, binary) {
  const runs = [];
  const others = new Set(peers.filter((peer) => can(peer, scenario)));
  for (let round = 1; round <= rounds; round++) {
    const turn = Array.from(others, (peer) => ({ packageName: peer, label: peer, isPeer: true }));
    for (const { packageName, label, isPeer = false } of [baseline, subject, ...turn]) {
      const run = { scenario: scenario.name, label, round };
      runs.push(run);
      try {
        run.rows = await singleRun(scenario, packageName, binary, isQuick);
        say(`${scenario.name}, round ${round} of ${rounds}, ${label}: ${describe(run.rows)}`);
      } catch (error) {
        run.failed = error.message;
        say(`${scenario.name}, round ${round} of ${rounds}, ${label}: FAILED: ${error.message}`);
        if (!isPeer) return runs;
        others.delete(packageName);
      }
    }
  }
  return runs;
}

async function main() {
  const chosen = options();
  const [baseline, subject] = [chosen.baseline.label, chosen.subject.label];
  const binary = loadBinary();
  chosen.peers = available(chosen.peers);
  const host = machine();
  if (host.loadAverage > BUSY_LOAD_AVERAGE) {
    say(`the machine is busy (load ${host.loadAverage.toFixed(2)}): trust no figure`);
  }
  const startedAt = new Date().toISOString();
  const runs = [];
  for (const scenario of chosen.scenarios) {
    runs.push(...(await runScenario(scenario, chosen, binary)));
  }
  const { isQuick, rounds, peers } = chosen;
  const summaries = summarize(runs, [baseline, subject, ...peers]);
  const failures = runs.filter(({ failed }) => failed !== undefined);
  const settings = { startedAt, baseline, subject, peers, isQuick, rounds };
  say(`all figures: ${writeResults({ ...settings, machine: host, summaries, runs })}`);
  if (chosen.picture !== undefined) {
    writeFileSync(chosen.picture, drawDelays(runs, [baseline, subject]));
    say(`the picture: ${chosen.picture}`);
  }
  console.log(table(summaries, failures, baseline, subject));
  if (peers.length > 0) console.log(`\n${peerTable(summaries, baseline, [subject, ...peers])}`);
  if (failures.some(({ label }) => !peers.includes(label))) process.exitCode = 1;
}

main().catch((error) => {
  say(error.message);
  process.exit(1);
});
