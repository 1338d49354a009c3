// Two thousand connections, opened, used and closed in every way: afterwards nothing of them is left, in no counter
// of the server and in no descriptor of the process.

import { readdirSync } from "node:fs";
import type { Server } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { closePollingSoon } from "../harness/bare-engine";
import { TRANSPORTS } from "../harness/clients";
import { eventually, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { RawWebSocket } from "../harness/raw-websocket";
import { type Running, startServer } from "../harness/servers";

/** Opened at the same time; the rest of the thousands comes in rounds. */
const ROUND_SIZE = 100;

/** The time for all rounds on a slow, shared machine. */
const TIMEOUT_MS = 60_000;

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Everything that counts connections. */
function counters(io: Server): Record<string, number> {
  const nsp = io.of("/");
  return {
    clientsCount: io.engine.clientsCount,
    clients: Object.keys(internals(io.engine).clients).length,
    sockets: nsp.sockets.size,
    preConnect: internals(nsp)._preConnectSockets.size,
    rooms: nsp.adapter.rooms.size,
    sids: nsp.adapter.sids.size,
  };
}

const NOTHING = { clientsCount: 0, clients: 0, sockets: 0, preConnect: 0, rooms: 0, sids: 0 };

/** The ways in which a connection ends, used in turn. */
const ENDS: ((client: ClientSocket, io: Server) => void)[] = [
  (client) => client.disconnect(),
  (client) => client.io.engine.close(),
  (client, io) => io.sockets.sockets.get(client.id as string)?.disconnect(true),
  (client, io) => io.in(client.id as string).disconnectSockets(true),
  (client, io) => io.sockets.sockets.get(client.id as string)?.conn.close(),
];

/** Opens one round of clients, has each send, join, ask and be asked, and ends them all. */
async function playRound(running: Running, transports: string[], round: number): Promise<void> {
  const { io } = running;
  const clients = Array.from({ length: ROUND_SIZE }, () => running.connect("/", { transports }));
  await Promise.all(clients.map((client) => once(client, "connect", 20_000)));
  const answers = await Promise.all(
    clients.map((client, index) => client.emitWithAck("join", `room-${index % 7}`)),
  );
  expect(answers.every((answer) => answer === "joined")).toBe(true);
  const told = Promise.all(clients.map((client) => once(client, "told", 20_000)));
  io.to(Array.from({ length: 7 }, (_, index) => `room-${index}`)).emit(
    "told",
    Buffer.from([round & 255]),
  );
  await told;
  for (const [index, client] of clients.entries()) {
    ENDS[(index + round) % ENDS.length]?.(client, io);
  }
  await eventually(() => io.sockets.sockets.size === 0, "sockets stayed");
  for (const client of clients) {
    client.disconnect();
  }
}

async function startForRounds(implementation: Parameters<typeof startServer>[0]): Promise<Running> {
  const running = await startServer(implementation);
  closePollingSoon(running.io.engine);
  running.io.on("connection", (socket) => {
    socket.on("join", (room, reply) => {
      socket.join(room);
      reply("joined");
    });
  });
  return running;
}

describeBoth("two thousand connections", (implementation) => {
  it(
    "over websocket, 2,000 come and go and leave nothing",
    async () => {
      const running = await startForRounds(implementation);
      // The first round opens what stays open for the life of the process.
      await playRound(running, ["websocket"], 0);
      await eventually(() => running.io.engine.clientsCount === 0);
      const before = openDescriptors();
      for (let round = 1; round <= 2_000 / ROUND_SIZE; round += 1) {
        await playRound(running, ["websocket"], round);
      }
      await eventually(() => running.io.engine.clientsCount === 0, "sessions stayed");
      expect(counters(running.io)).toEqual(NOTHING);
      await eventually(() => openDescriptors() <= before + 5, "descriptors stayed open");
    },
    TIMEOUT_MS,
  );

  for (const { label, transports } of TRANSPORTS.filter(({ label }) => label !== "websocket")) {
    it(
      `over ${label}, 300 come and go and leave nothing`,
      async () => {
        const running = await startForRounds(implementation);
        for (let round = 0; round < 3; round += 1) {
          await playRound(running, transports, round);
        }
        await eventually(() => running.io.engine.clientsCount === 0, "sessions stayed");
        expect(counters(running.io)).toEqual(NOTHING);
      },
      TIMEOUT_MS,
    );
  }

  it(
    "500 that vanish without a goodbye leave nothing",
    async () => {
      const running = await startServer(implementation);
      const before = openDescriptors();
      for (let round = 0; round < 10; round += 1) {
        const peers = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            index % 2 === 0 ? RawWebSocket.join(running.port) : RawWebSocket.open(running.port),
          ),
        );
        for (const [index, { stream }] of peers.entries()) {
          if (index % 3 === 0) {
            stream.resetAndDestroy();
          } else {
            stream.destroy();
          }
        }
        await eventually(() => running.io.engine.clientsCount === 0, "sessions stayed");
      }
      expect(counters(running.io)).toEqual(NOTHING);
      await eventually(() => openDescriptors() <= before + 5, "descriptors stayed open");
    },
    TIMEOUT_MS,
  );

  it(
    "50 servers that start, serve and close leave no descriptor",
    async () => {
      const play = async (): Promise<void> => {
        const running = await startServer(implementation);
        const clients = [running.connect(), running.connect("/", { transports: ["polling"] })];
        await Promise.all(clients.map((client) => once(client, "connect")));
        for (const client of clients) {
          client.disconnect();
        }
        await running.io.close();
        expect(counters(running.io)).toEqual(NOTHING);
      };
      await play();
      const before = openDescriptors();
      for (let round = 0; round < 50; round += 1) {
        await play();
      }
      await eventually(() => openDescriptors() <= before + 5, "descriptors stayed open");
    },
    TIMEOUT_MS,
  );
});
