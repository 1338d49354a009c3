// Clients that do nothing: the memory that each holds, and the heartbeat that keeps it open.

import { cpuRow, measure } from "../runner/single-run.mjs";

export const idle = {
  name: "idle",
  server: { exposeGc: true },
  load: { kind: "broadcast" },
  full: { few: 2000, many: 10_000 },
  quick: { few: 2000, many: 10_000 },
  async run({ server, load }, { few, many }) {
    // The slope between two sizes leaves out what the process holds without any client.
    await load.open(few);
    const before = await server.memory();
    await load.open(many);
    const after = await server.memory();
    const perConnection = (kind) => (after[kind] - before[kind]) / (many - few) / 1024;
    return [
      {
        name: this.name,
        unit: "KiB RSS per connection",
        value: perConnection("rss"),
        detail: { heapKib: perConnection("heapUsed"), externalKib: perConnection("external") },
      },
    ];
  },
};

/** Shorter than the default, for pings enough in seconds; still far above the time they take. */
const PING_INTERVAL_MS = 500;

export const heartbeat = {
  name: "heartbeat",
  server: { options: { pingInterval: PING_INTERVAL_MS } },
  load: { kind: "heartbeat" },
  full: { clients: 1000, units: 10_000 },
  quick: { clients: 1000, units: 4000 },
  async run(processes, { clients, units }) {
    await processes.load.open(clients);
    await measure(processes, { units: 1000 });
    return [cpuRow(this.name, "ping and pong", await measure(processes, { units }))];
  },
};
