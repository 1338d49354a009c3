// Questions and answers: an event and its ack, an event and an event, over WebSocket and by polling.
// A fixed number is in flight for each client, so that the server sets the pace.

import { cpuRow, measure } from "../runner/single-run.mjs";

/** Opens, warms up and measures, all with the same question. */
async function exchange(processes, { clients, warmUp, units }) {
  await processes.load.open(clients);
  await measure(processes, { units: warmUp });
  return measure(processes, { units });
}

function cpuScenario({ unit, ...scenario }) {
  return {
    ...scenario,
    async run(processes, size) {
      return [cpuRow(this.name, unit, await exchange(processes, size))];
    },
  };
}

export const echo = cpuScenario({
  name: "echo",
  unit: "message",
  server: { listeners: ["echo"] },
  load: { kind: "echo", bytes: 32, "in-flight": 1 },
  full: { clients: 200, warmUp: 30_000, units: 150_000 },
  quick: { clients: 200, warmUp: 20_000, units: 50_000 },
});

export const echo1k = cpuScenario({
  name: "echo-1k",
  unit: "message",
  server: { listeners: ["echo"] },
  load: { kind: "echo", bytes: 1024, "in-flight": 1 },
  full: { clients: 200, warmUp: 30_000, units: 120_000 },
  quick: { clients: 200, warmUp: 15_000, units: 40_000 },
});

export const eventNoAck = cpuScenario({
  name: "event-noack",
  unit: "message",
  server: { listeners: ["event"] },
  load: { kind: "event", bytes: 32, "in-flight": 4 },
  full: { clients: 200, warmUp: 40_000, units: 200_000 },
  quick: { clients: 200, warmUp: 20_000, units: 80_000 },
});

export const pollingEcho = cpuScenario({
  name: "polling-echo",
  unit: "POST + GET",
  server: { listeners: ["echo"] },
  load: { kind: "polling", bytes: 32 },
  full: { clients: 50, warmUp: 4000, units: 20_000 },
  quick: { clients: 50, warmUp: 3000, units: 8000 },
});

export const pingPong = {
  name: "ping-pong",
  isOnOneCore: true,
  server: { listeners: ["echo"] },
  load: { kind: "echo", bytes: 32, "in-flight": 1 },
  full: { clients: 1, warmUp: 15_000, units: 60_000 },
  quick: { clients: 1, warmUp: 10_000, units: 20_000 },
  async run(processes, size) {
    const measured = await exchange(processes, size);
    const { p50Us } = measured;
    return [{ name: this.name, unit: "µs round trip, p50", value: p50Us, detail: measured }];
  },
};
