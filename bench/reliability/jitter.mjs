// Clients that drop and return every few seconds while broadcasts run, with connection state recovery on: each has to get each
// broadcast once and in order. Real socket.io-client, in a process of its own.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const CLIENTS = fileURLToPath(new URL("jitter-clients.mjs", import.meta.url));

export const jitter = {
  name: "jitter",
  full: { clients: 300, seconds: 60 },
  quick: { clients: 100, seconds: 10 },
  server: { listeners: ["disconnect"], options: { connectionStateRecovery: {} } },
  broadcastsPerSecond: 20,

  async run({ server, own }, { clients, seconds }) {
    const count = seconds * this.broadcastsPerSecond;
    const process = own(fork(CLIENTS, [String(server.port), String(clients), String(count)]));
    await next(process, "connected");
    await server.start({ withDelay: true });
    await server.broadcast({ count, intervalMs: 1000 / this.broadcastsPerSecond });
    const { drops, recovered, missing, surplus, unordered } = await next(process, "finished");
    const { delayMaxMs } = await server.stop();
    if (missing + surplus + unordered > 0) {
      throw new Error(`${missing} missing, ${surplus} twice, ${unordered} out of order`);
    }
    return [
      {
        name: `${clients} clients that drop and return, ${this.broadcastsPerSecond} broadcasts a second`,
        "broadcasts × clients": count * clients,
        "missing, twice, or out of order": missing + surplus + unordered,
        drops,
        recovered,
        "event-loop delay, ms at worst": delayMaxMs,
      },
    ];
  },
};

/** The next message of a process, which has to be of this kind. */
async function next(process, kind) {
  const [message] = await Promise.race([
    once(process, "message"),
    once(process, "exit").then(([code]) => {
      throw new Error(`the clients' process ended: ${code}`);
    }),
  ]);
  if (message.kind !== kind) throw new Error(`${message.kind} instead of ${kind}`);
  return message;
}
