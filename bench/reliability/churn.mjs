// Connections that come and go, a million of them: memory has to stay where it was after the first tenth.

import { mebibytes } from "../runner/report.mjs";
import { measure } from "../runner/single-run.mjs";

const PARTS = 10;

export const churn = {
  name: "churn",
  full: { connections: 1_000_000 },
  quick: { connections: 50_000 },
  load: { kind: "connect" },
  server: { listeners: ["disconnect"], exposeGc: true },

  async run({ server, load, say }, { connections }) {
    await load.open(100);
    const units = connections / PARTS;
    const levels = [];
    for (let part = 1; part <= PARTS; part++) {
      await measure({ server, load }, { units });
      await server.memory(); // collects garbage
      const level = await server.footprint();
      levels.push(level);
      const done = (part * units).toLocaleString("en-US");
      say(`${done} connections: ${mebibytes(level.rss)} MiB resident`);
    }
    const [first, last] = [levels[0], levels.at(-1)];
    if (last.descriptors > first.descriptors) {
      throw new Error(`${last.descriptors - first.descriptors} descriptors are left open`);
    }
    return [
      {
        name: `${connections.toLocaleString("en-US")} connections, one after another`,
        "MiB after the first tenth": mebibytes(first.rss),
        "MiB at the end": mebibytes(last.rss),
        "growth, %": (100 * (last.rss - first.rss)) / first.rss,
        "descriptors then and now": `${first.descriptors} → ${last.descriptors}`,
      },
    ];
  },
};
