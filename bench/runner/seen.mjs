// What the application has to have seen in the end.

import { setTimeout as sleep } from "node:timers/promises";

/** Waits until the server's own counts are `expected`; rejected if they are not so in time. */
export async function seen(server, expected, patienceMs) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const counts = await server.counts();
    const wrong = Object.keys(expected).find((name) => counts[name] !== expected[name]);
    if (wrong === undefined) return;
    if (Date.now() > deadline) {
      throw new Error(`the server saw ${counts[wrong]} ${wrong}, not ${expected[wrong]}`);
    }
    await sleep(20);
  }
}
