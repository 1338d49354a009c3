// Random joins, leaves, broadcasts and departures against a model of a few lines: every client must receive exactly
// what the model says, in that order. Seeds are fixed, so that a failure can be repeated.

import type { Server, Socket } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { record, settleDown, TRANSPORTS } from "../harness/clients";
import { describeBoth, it } from "../harness/implementations";
import { joinPair, startServer } from "../harness/servers";

const ROOMS = ["a", "b", "c", "d"];
const CLIENTS = 8;
const STEPS = 400;

/** Numbers below `limit`, the same for the same seed. */
function pseudoRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

interface Member {
  socket: Socket;
  client: ClientSocket;
  rooms: Set<string>;
  isConnected: boolean;
  expected: unknown[][];
  seen: unknown[][];
}

/** Who is in any of `rooms` (everybody, if there are none) and in none of `except`. */
function targets(members: Member[], rooms: string[], except: string[]): Member[] {
  return members.filter(
    (member) =>
      member.isConnected &&
      (rooms.length === 0 || rooms.some((room) => member.rooms.has(room))) &&
      !except.some((room) => member.rooms.has(room)),
  );
}

/** One random step, done to the server and to the model. */
function takeStep(
  io: Server,
  members: Member[],
  random: (limit: number) => number,
  step: number,
): void {
  const member = members[random(members.length)] as Member;
  const some = (): string[] => ROOMS.filter(() => random(3) === 0);
  const payload = random(4) === 0 ? Buffer.from([step & 255]) : step;
  const event = ["e", payload];
  const expect = (reached: Member[]): void => {
    for (const { expected } of reached) {
      expected.push(event);
    }
  };
  switch (random(member.isConnected ? 9 : 3)) {
    case 0: {
      const [rooms, except] = [some(), some()];
      io.to(rooms).except(except).emit("e", payload);
      expect(targets(members, rooms, except));
      break;
    }
    case 1:
      io.emit("e", payload);
      expect(targets(members, [], []));
      break;
    case 2: {
      const [rooms, more] = [some(), some()];
      io.in(rooms).socketsJoin(more);
      for (const one of targets(members, rooms, [])) {
        for (const room of more) {
          one.rooms.add(room);
        }
      }
      break;
    }
    case 3: {
      const rooms = some();
      member.socket.join(rooms);
      for (const room of rooms) {
        member.rooms.add(room);
      }
      break;
    }
    case 4:
    case 5: {
      const room = ROOMS[random(ROOMS.length)] as string;
      member.socket.leave(room);
      member.rooms.delete(room);
      break;
    }
    case 6: {
      const rooms = some();
      member.socket.to(rooms).emit("e", payload);
      expect(targets(members, rooms, [member.socket.id]));
      break;
    }
    case 7:
      member.socket.emit("e", payload);
      expect([member]);
      break;
    default:
      if (random(20) === 0) {
        member.socket.disconnect();
        member.isConnected = false;
        member.rooms.clear();
      }
  }
}

describeBoth("rooms model", (implementation) => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`random steps from seed ${seed} reach whom the model says`, async () => {
      const running = await startServer(implementation);
      const members: Member[] = [];
      for (let index = 0; index < CLIENTS; index += 1) {
        const { transports } = TRANSPORTS[index % TRANSPORTS.length] as (typeof TRANSPORTS)[number];
        const pair = await joinPair(running, "/", { transports });
        const rooms = new Set([pair.socket.id]);
        members.push({
          ...pair,
          rooms,
          isConnected: true,
          expected: [],
          seen: record(pair.client),
        });
      }
      const random = pseudoRandom(seed);
      for (let step = 0; step < STEPS; step += 1) {
        takeStep(running.io, members, random, step);
        // Steps come in bursts of different length within one turn.
        if (random(6) === 0) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      for (const { socket, client, isConnected } of members) {
        if (isConnected) {
          await settleDown(socket, client);
        }
      }
      for (const member of members.filter(({ isConnected }) => isConnected)) {
        expect(member.seen).toEqual(member.expected);
        expect(new Set(member.socket.rooms)).toEqual(member.rooms);
      }
      const { rooms } = running.io.of("/").adapter;
      const alive = members.filter(({ isConnected }) => isConnected);
      expect(new Set(rooms.keys())).toEqual(new Set(alive.flatMap((member) => [...member.rooms])));
    });
  }
});
