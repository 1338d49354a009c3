// One event to all clients, which only listen: at a pace that lets nothing be merged, and as fast as
// it goes, which lets a server merge what waits. The two are to be quoted together.

import { cpuRow, measure } from "../runner/single-run.mjs";

const BYTES = 32;
const TEXT = "x".repeat(BYTES);

/** 40 broadcasts a second. */
const PACE_MS = 25;

/** Broadcasts in one turn of the event loop at full rate. */
const BATCH = 10;

const load = { kind: "broadcast", bytes: BYTES };

/** `count` broadcasts to `clients`, counted as deliveries. */
function broadcast(processes, clients, order, withDelay = false) {
  const units = order.count * clients;
  return measure(processes, { units, broadcast: { text: TEXT, ...order }, withDelay });
}

export const broadcastPaced = {
  name: "broadcast-paced",
  load,
  full: { clients: 1000, count: 400 },
  quick: { clients: 1000, count: 160 },
  async run(processes, { clients, count }) {
    await processes.load.open(clients);
    await broadcast(processes, clients, { count: 40, intervalMs: PACE_MS });
    const measured = await broadcast(processes, clients, { count, intervalMs: PACE_MS });
    return [cpuRow(this.name, "delivery", measured)];
  },
};

export const broadcastFull = {
  name: "broadcast-full",
  load,
  full: { clients: 1000, count: 600 },
  quick: { clients: 1000, count: 200 },
  async run(processes, { clients, count }) {
    await processes.load.open(clients);
    await broadcast(processes, clients, { count: 50, batch: BATCH });
    const measured = await broadcast(processes, clients, { count, batch: BATCH });
    return [cpuRow(this.name, "delivery", measured)];
  },
};

export const broadcast10k = {
  name: "broadcast-10k",
  load,
  full: { clients: 10_000, count: 40, countWithDelay: 20 },
  quick: { clients: 10_000, count: 15, countWithDelay: 8 },
  async run(processes, { clients, count, countWithDelay }) {
    await processes.load.open(clients);
    await broadcast(processes, clients, { count: 4, batch: 1 });
    const measured = await broadcast(processes, clients, { count, batch: 1 });
    // Apart, because the histogram's timer is itself work for the JS thread.
    const order = { count: countWithDelay, batch: 1 };
    const delayed = await broadcast(processes, clients, order, true);
    const rows = [cpuRow(this.name, "delivery", measured)];
    if (measured.jsUs === undefined) return rows; // no JavaScript, nothing to be delayed
    return [
      ...rows,
      {
        name: `${this.name}: JS thread`,
        unit: "µs per broadcast",
        value: measured.jsUs * clients,
      },
      {
        name: `${this.name}: event-loop delay`,
        unit: "ms p99",
        value: delayed.delayP99Ms,
        detail: delayed,
      },
    ];
  },
};

/** Two broadcasts a second to 10,000, and how late the event loop is meanwhile: what the README's picture is drawn from. */
export const delayTimeline = {
  name: "delay-timeline",
  load,
  full: { clients: 10_000, count: 10 },
  quick: { clients: 10_000, count: 4 },
  async run(processes, { clients, count }) {
    await processes.load.open(clients);
    await broadcast(processes, clients, { count: 4, batch: 1 });
    await processes.server.watchDelay();
    const measured = await broadcast(processes, clients, { count, intervalMs: 500 });
    const timeline = await processes.server.delaySeen();
    const value = Math.max(...timeline.map(([, delayMs]) => delayMs));
    return [{ name: this.name, unit: "ms max", value, detail: { ...measured, timeline } }];
  },
};
