// Connections that come and go: over WebSocket alone, and by polling with an upgrade, as a browser
// makes them. Each opens, joins the main namespace and closes; the server must have seen it all.

import { seen } from "../runner/seen.mjs";
import { cpuRow, measure } from "../runner/single-run.mjs";

/** The last disconnections may reach the application a moment after their client's stream ended. */
const LAST_DISCONNECTIONS_MS = 5000;

async function connect(processes, { atATime, warmUp, units }, countsAsUpgrade) {
  await processes.load.open(atATime);
  await measure(processes, { units: warmUp });
  const measured = await measure(processes, { units });
  const connections = warmUp + units;
  const upgrades = countsAsUpgrade ? connections : 0;
  const expected = { connections, disconnections: connections, upgrades };
  await seen(processes.server, expected, LAST_DISCONNECTIONS_MS);
  return measured;
}

export const connectWs = {
  name: "connect-ws",
  server: { listeners: ["disconnect"] },
  load: { kind: "connect" },
  full: { atATime: 50, warmUp: 10000, units: 10000 },
  quick: { atATime: 50, warmUp: 1500, units: 2000 },
  async run(processes, size) {
    return [cpuRow(this.name, "connection", await connect(processes, size, false))];
  },
};

export const connectUpgrade = {
  name: "connect-upgrade",
  server: { listeners: ["disconnect", "upgrade"] },
  load: { kind: "upgrade" },
  full: { atATime: 20, warmUp: 3000, units: 3000 },
  quick: { atATime: 20, warmUp: 200, units: 300 },
  async run(processes, size) {
    const measured = await connect(processes, size, true);
    return [
      cpuRow(this.name, "connection", measured),
      { name: `${this.name}: upgrade latency`, unit: "ms p50", value: measured.p50Us / 1000 },
    ];
  },
};
