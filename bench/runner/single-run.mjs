// One run of one scenario on one server: a fresh server process, a fresh generator, both gone
// afterwards whatever happened. `measure` is the window in which CPU time counts.

import { setTimeout as sleep } from "node:timers/promises";
import { LoadProcess } from "./load-process.mjs";
import { withProcesses } from "./processes.mjs";
import { ProgramProcess } from "./program-process.mjs";
import { ServerProcess } from "./server-process.mjs";
import { SERVERS } from "./servers.mjs";

/** No scenario takes half as long, even on a machine that is busy, unless it says so itself. */
const DEADLINE_MS = 120_000;

/** Time for a packet too many to arrive, which is as much a fault as one missing. */
const SURPLUS_MS = 50;

/** Runs `scenario` on one of {@link SERVERS} and returns its rows. */
export function singleRun(scenario, packageName, binary, isQuick) {
  return withProcesses(scenario.deadlineMs ?? DEADLINE_MS, async (own) => {
    const { server: settings = {}, isOnOneCore } = scenario;
    const server = own(
      SERVERS[packageName].crate === undefined
        ? new ServerProcess(packageName, settings, isOnOneCore)
        : new ProgramProcess(SERVERS[packageName], isOnOneCore),
    );
    await server.listening();
    const startLoad = (load) => own(new LoadProcess(binary, server.port, load, isOnOneCore));
    const load = startLoad(scenario.load);
    const size = isQuick ? scenario.quick : scenario.full;
    const rows = await scenario.run({ server, load, startLoad }, size);
    await sleep(SURPLUS_MS);
    await load.quit();
    return rows;
  });
}

/**
 * Does `units` of the load's work and says what each cost the server. With `broadcast`, the server
 * is the one that acts, and the load counts.
 */
export async function measure({ server, load }, { units: asked, broadcast, withDelay }) {
  await server.start({ withDelay });
  await load.run(asked);
  if (broadcast) await server.broadcast(broadcast);
  const done = await load.done();
  // More than asked only where pings come by themselves.
  const units = done.done;
  const account = await server.stop();
  return {
    units,
    cpuUs: account.cpuUs / units,
    jsUs: account.jsUs === undefined ? undefined : account.jsUs / units,
    wallMs: done.wallUs / 1000,
    unitsPerSecond: Math.round((units * 1e6) / done.wallUs),
    delayP99Ms: account.delayP99Ms,
    delayMaxMs: account.delayMaxMs,
    p50Us: microseconds(done.p50Ns),
    p99Us: microseconds(done.p99Ns),
    /** The share of one core that the generator took: near 1 it is the limit, not the server. */
    generatorShare: done.cpuUs / done.wallUs,
    generatorUs: done.cpuUs / units,
  };
}

const microseconds = (nanoseconds) => (nanoseconds === undefined ? undefined : nanoseconds / 1000);

/** The row that most scenarios have: CPU time for each unit. */
export function cpuRow(name, unit, measured) {
  const { cpuUs, jsUs } = measured;
  return { name, unit: `µs CPU per ${unit}`, value: cpuUs, jsValue: jsUs, detail: measured };
}
