// What a server keeps of what is over: its memory with idle clients, after a burst of large messages in both
// directions, and after connections have come and gone. It has to go back to where it was.

import { setTimeout as sleep } from "node:timers/promises";
import { seen } from "../runner/seen.mjs";
import { measure } from "../runner/single-run.mjs";

/** The last disconnections may reach the application a moment after their client's stream ended. */
const LAST_DISCONNECTIONS_MS = 5000;

/** Connections on their way at a time. */
const AT_A_TIME = 50;

/** Each is echoed, so it is held as a frame, a string and a frame again. */
const LARGE_BYTES = 100_000;

/** A server need not give memory back at once: the next burst may want it. */
const SETTLE_MS = 10_000;

/** Before the first level is taken, so that code, and the young generation of V8, have the size that they keep. */
const WARM_UP = { messages: 100, connections: 10_000 };

export const memory = {
  name: "memory",
  deadlineMs: 300_000,
  server: { exposeGc: true, listeners: ["disconnect", "echo"] },
  load: { kind: "echo", bytes: LARGE_BYTES, "in-flight": 1 },
  full: { clients: 1000, messages: 10_000, connections: 100_000 },
  quick: { clients: 1000, messages: 3000, connections: 10_000 },
  async run({ server, load, startLoad }, { clients, messages, connections }) {
    const comings = startLoad({ kind: "connect" });
    await comings.open(AT_A_TIME);
    await measure({ server, load: comings }, { units: WARM_UP.connections });
    await load.open(clients);
    await measure({ server, load }, { units: WARM_UP.messages });

    const settled = async () => {
      await sleep(SETTLE_MS);
      return server.memory();
    };
    const idle = await settled();
    await measure({ server, load }, { units: messages });
    const top = await server.footprint();
    const afterBurst = await settled();
    await measure({ server, load: comings }, { units: connections });
    const gone = WARM_UP.connections + connections;
    const expected = { connections: gone + clients, disconnections: gone };
    await seen(server, expected, LAST_DISCONNECTIONS_MS);
    const afterChurn = await settled();
    await comings.quit();

    const mebibytes = ({ rss }) => rss / 2 ** 20;
    return [
      {
        name: `${this.name}: idle`,
        unit: `MiB RSS with ${clients.toLocaleString("en-US")} clients`,
        value: mebibytes(idle),
        detail: { idle, topMib: mebibytes(top), afterBurst, afterChurn },
      },
      {
        name: `${this.name}: after a burst of large messages`,
        unit: "% of the level before",
        value: (100 * afterBurst.rss) / idle.rss,
      },
      {
        name: `${this.name}: after ${connections.toLocaleString("en-US")} connections`,
        unit: "% of the level before",
        value: (100 * afterChurn.rss) / afterBurst.rss,
      },
    ];
  },
};
