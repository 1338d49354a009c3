// The clients of jitter.mjs: `node jitter-clients.mjs <port> <clients> <broadcasts>`.

import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const [port, clients, broadcasts] = process.argv.slice(2).map(Number);

/** A client stays connected for a random time between these. */
const STAYS_MS = [1000, 4000];
/** So long after the last that anybody got, what is missing is lost: it is many times the pause between two broadcasts. */
const SILENCE_MS = 10_000;

const account = { drops: 0, recovered: 0, missing: 0, surplus: 0, unordered: 0 };

class Client {
  #socket = io(`http://127.0.0.1:${port}`, {
    transports: ["websocket"],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
  });
  #seen = new Set();
  #last = -1;
  #hasConnected = false;

  constructor() {
    this.#socket.on("connect", () => {
      if (this.#hasConnected && this.#socket.recovered) account.recovered += 1;
      this.#hasConnected = true;
    });
    this.#socket.on("news", (number) => {
      lastHeardAt = Date.now();
      if (this.#seen.has(number)) account.surplus += 1;
      else if (number < this.#last) account.unordered += 1;
      this.#seen.add(number);
      this.#last = number;
    });
  }

  connected() {
    return new Promise((resolve) => this.#socket.once("connect", resolve));
  }

  get hasAll() {
    return this.#seen.size === broadcasts;
  }

  get missing() {
    return broadcasts - this.#seen.size;
  }

  /** Drops the connection now and then, by a close of the transport or, as often, without a goodbye. */
  async dropForEver() {
    for (let isClean = true; ; isClean = !isClean) {
      await sleep(STAYS_MS[0] + Math.random() * (STAYS_MS[1] - STAYS_MS[0]));
      if (isDone) return;
      if (!this.#socket.connected || this.#last < 0) continue; // recovery needs an offset: one broadcast at least
      account.drops += 1;
      const { engine } = this.#socket.io;
      if (isClean) engine.close();
      else engine.transport.ws.terminate();
    }
  }
}

let isDone = false;
let lastHeardAt = Date.now();
const all = Array.from({ length: clients }, () => new Client());
await Promise.all(all.map((client) => client.connected()));
process.send({ kind: "connected" });
for (const client of all) void client.dropForEver();

while (!all.every(({ hasAll }) => hasAll) && Date.now() - lastHeardAt < SILENCE_MS) {
  await sleep(200);
}
isDone = true;
account.missing = all.reduce((sum, { missing }) => sum + missing, 0);
process.send({ kind: "finished", ...account }, () => process.exit());
