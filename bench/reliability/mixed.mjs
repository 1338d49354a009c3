// Everything at once for a long time: echoes, rooms, events over polling, connections that come and go with and without an upgrade, and
// peers that answer heartbeats but never read. Each load counts what it gets, so that one lost packet ends the run.

import { setTimeout as sleep } from "node:timers/promises";
import { mebibytes, median } from "../runner/report.mjs";
import { seen } from "../runner/seen.mjs";
import { StalledReader } from "./stalled-reader.mjs";

/** What runs beside each other, and how many units a round of each has: some seconds of work. */
const LOADS = [
  { load: { kind: "echo", bytes: 32 }, clients: 200, units: 20_000 },
  { load: { kind: "echo", bytes: 1024 }, clients: 50, units: 5000 },
  { load: { kind: "rooms", bytes: 32, "room-size": 50 }, clients: 500, units: 25_000 },
  { load: { kind: "polling", bytes: 32 }, clients: 20, units: 1000 },
  { load: { kind: "connect" }, clients: 10, units: 1000 },
  { load: { kind: "upgrade" }, clients: 5, units: 200 },
];

const STALLED = { readers: 5, room: "stalled", bytes: 8192, intervalMs: 100 };

const SAMPLE_MS = 5000;
/** Disconnections are seen a moment after their stream ended. */
const LAST_DISCONNECTIONS_MS = 60_000;
/** Samples before this share of the time are warm-up. */
const WARM_UP = 0.2;

export const mixed = {
  name: "mixed",
  full: { minutes: 30 },
  quick: { minutes: 1 },
  server: { listeners: ["disconnect", "echo", "join", "say"], exposeGc: true },

  async run({ server, startLoad, say }, { minutes }) {
    const loads = [];
    for (const { load, clients, units } of LOADS) {
      const process = await startLoad(load);
      await process.open(clients);
      loads.push({ process, units });
    }
    const readers = await Promise.all(
      Array.from({ length: STALLED.readers }, () => StalledReader.join(server.port, STALLED.room)),
    );
    const { intervalMs, room } = STALLED;
    const count = Math.ceil((minutes * 60_000) / intervalMs);
    await server.broadcast({ text: "x".repeat(STALLED.bytes), count, intervalMs, room });

    const until = Date.now() + minutes * 60_000;
    let done = 0;
    const keepBusy = async ({ process, units }) => {
      while (Date.now() < until) {
        await process.run(units);
        const round = await process.done();
        done += round.done; // not in one line with the await, before which the sum would be read
      }
      await process.quit();
    };
    const [samples] = await Promise.all([sample(server, until, say), ...loads.map(keepBusy)]);
    const stalledEnds = readers.filter(({ hasEnded }) => hasEnded).length;
    for (const reader of readers) reader.destroy();
    const { connections } = await server.counts();
    await seen(server, { disconnections: connections }, LAST_DISCONNECTIONS_MS);

    const steady = samples.slice(Math.floor(samples.length * WARM_UP));
    return [
      {
        name: `${minutes} minutes of everything`,
        "units done, none lost": done,
        "event-loop delay p99, ms, median of samples": median(
          steady.map(({ delayP99Ms }) => delayP99Ms),
        ),
        "at worst": Math.max(...steady.map(({ delayMaxMs }) => delayMaxMs)),
        "MiB resident after warm-up": mebibytes(steady[0].rss),
        "at the end": mebibytes(steady.at(-1).rss),
        "after the last has gone": mebibytes((await server.memory()).rss),
        "readers that never read, ended": `${stalledEnds} of ${STALLED.readers}`,
      },
    ];
  },
};

/** The event loop and the memory, every few seconds. */
async function sample(server, until, say) {
  const samples = [];
  while (Date.now() < until) {
    await server.start({ withDelay: true });
    await sleep(SAMPLE_MS);
    const { delayP99Ms, delayMaxMs } = await server.stop();
    const { rss } = await server.footprint();
    samples.push({ delayP99Ms, delayMaxMs, rss });
    if (samples.length % 12 === 0)
      say(`${mebibytes(rss)} MiB, delay p99 ${delayP99Ms.toFixed(1)} ms`);
  }
  return samples;
}
