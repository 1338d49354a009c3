// Everybody comes at once: to a server that has just started, as after a deploy, and back to one that runs, when a router has cut all
// connections. WebSockets, as socket.io-client opens them with `transports: ["websocket"]`, without its random delay: the worst case.

import { seen } from "../runner/seen.mjs";
import { measure } from "../runner/single-run.mjs";

/** Connecting at a time: what the listen queue holds. */
const OPENING = 4000;

/** Disconnections are seen a moment after their stream ended. */
const LAST_DISCONNECTIONS_MS = 20_000;

export const storm = {
  name: "storm",
  full: { clients: 10_000 },
  quick: { clients: 3000 },
  load: { kind: "broadcast", bytes: 32, opening: OPENING },
  server: { listeners: ["disconnect"] },

  async run({ server, load }, { clients }) {
    const arrive = async (name) => {
      await server.start({ withDelay: true });
      const opened = await load.open(clients);
      return row(name, opened, await server.stop());
    };
    const avalanche = await arrive("restart: all clients at once to a fresh process");
    await load.cut();
    const back = await arrive("cut off: all clients back at once");
    // Whoever is connected is also reached, and those of before are gone.
    await measure(
      { server, load },
      { units: clients, broadcast: { text: "x".repeat(32), count: 1, batch: 1 } },
    );
    const expected = { connections: 2 * clients, disconnections: clients };
    await seen(server, expected, LAST_DISCONNECTIONS_MS);
    return [avalanche, back];
  },
};

function row(name, opened, account) {
  return {
    name,
    "clients back": opened.opened,
    "seconds until the last": opened.wallUs / 1e6,
    "ms until a client is in, p50": opened.p50Ns / 1e6,
    p99: opened.p99Ns / 1e6,
    "event-loop delay, ms at worst": account.delayMaxMs,
    "server CPU, µs a client": account.cpuUs / opened.opened,
  };
}
