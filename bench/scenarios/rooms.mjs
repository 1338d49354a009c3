// A chat: rooms of 50, one message on its way in each; every member gets it, the speaker too.

import { cpuRow, measure } from "../runner/single-run.mjs";

const ROOM_SIZE = 50;

export const rooms = {
  name: "rooms",
  server: { listeners: ["join", "say"] },
  load: { kind: "rooms", bytes: 32, "room-size": ROOM_SIZE },
  full: { clients: 1000, messages: 6000 },
  quick: { clients: 1000, messages: 2400 },
  async run(processes, { clients, messages }) {
    await processes.load.open(clients);
    await measure(processes, { units: 1000 * ROOM_SIZE });
    const measured = await measure(processes, { units: messages * ROOM_SIZE });
    return [cpuRow(this.name, "delivery", measured)];
  },
};
