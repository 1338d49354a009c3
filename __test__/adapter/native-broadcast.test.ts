// A native broadcast reaches exactly the sockets that npm's adapter would have written to, in the order of the calls, whatever happened before.

import type { Socket } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { currentLink } from "../../dist/link";
import * as own from "../../dist/own";
import { once } from "../harness/events";
import type { Implementation } from "../harness/implementations";
import { internals } from "../harness/internals";
import { Random } from "../harness/random";
import { joinPair, type Pair, type Running, startServer } from "../harness/servers";

const callable = require("../..");
const sioRs: Implementation = { ...callable, name: "sio-rs", modulePath: "", callable };

/** One client with what it has received and what it should have. */
interface Member {
  client: ClientSocket;
  socket: Socket;
  received: unknown[];
  expected: unknown[];
}

class Model {
  readonly members: Member[] = [];
  /** How many events have been received. */
  total = 0;
  private sent = 0;

  constructor(
    private readonly running: Running,
    private readonly random: Random,
  ) {}

  async join(): Promise<void> {
    const pair = await joinPair(this.running);
    const member: Member = { ...pair, received: [], expected: [] };
    pair.client.on("n", (n) => member.received.push(n));
    this.members.push(member);
  }

  /** Takes one random step. */
  async step(): Promise<void> {
    const { random } = this;
    const member = random.pick(this.members);
    const { socket } = member;
    const roll = random.next();
    if (roll < 0.25) {
      socket.join(random.times(2, () => this.room()));
    } else if (roll < 0.4) {
      socket.leave(random.pick([this.room(), this.room(), ...socket.rooms]));
    } else if (roll < 0.42) {
      internals(socket).leaveAll();
      socket.join(socket.id);
    } else if (roll < 0.45) {
      socket.onAnyOutgoing(ignore);
    } else if (roll < 0.48) {
      socket.offAnyOutgoing();
    } else if (roll < 0.5) {
      await this.replace(member);
    } else if (roll < 0.55) {
      this.emitTo(member);
    } else {
      this.broadcast(random.next() < 0.3 ? socket : this.running.io);
    }
  }

  /** Waits until everything sent so far has arrived, and compares. */
  async settle(): Promise<void> {
    const arrived = this.members.map(({ client }) => once(client, "barrier"));
    this.running.io.emit("barrier");
    await Promise.all(arrived);
    for (const { received, expected } of this.members) {
      expect(received).toEqual(expected);
      this.total += received.length;
      received.length = 0;
      expected.length = 0;
    }
  }

  /** A client leaves and another one comes. */
  private async replace(member: Member): Promise<void> {
    await this.settle();
    const gone = once(member.socket, "disconnect");
    member.client.disconnect();
    await gone;
    this.members.splice(this.members.indexOf(member), 1);
    await this.join();
  }

  /** With recovery an event for one socket goes to the room of its id. */
  private emitTo(member: Member): void {
    if (internals(this.running.io)._opts.connectionStateRecovery) {
      this.expectIn(new Set([member.socket.id]), new Set());
    } else {
      this.expect(member);
    }
    member.socket.emit("n", this.sent++);
  }

  private broadcast(from: Running["io"] | Socket): void {
    const { random } = this;
    let operator: any = from;
    for (const room of random.times(2, () => this.room())) {
      operator = operator.to(room);
    }
    for (const room of random.times(2, () => this.room())) {
      operator = operator.except(room);
    }
    if (operator === from && from !== this.running.io) {
      operator = operator.broadcast;
    }
    const { rooms = new Set(), exceptRooms = new Set() } = operator;
    this.expectIn(rooms, exceptRooms);
    operator.emit("n", this.sent++);
  }

  /** What npm's adapter would do: outside of a broadcast `apply` is its own. */
  private expectIn(rooms: Set<unknown>, except: Set<unknown>): void {
    const adapter = internals(this.running.io.of("/").adapter);
    adapter.apply({ rooms, except }, (socket: Socket) =>
      this.expect(this.members.find((member) => member.socket === socket) as Member),
    );
  }

  private expect(member: Member): void {
    member.expected.push(this.sent);
  }

  /** Names that collide on purpose: a few rooms, a number and its text, and the rooms of the sockets themselves. */
  private room(): any {
    const { random } = this;
    return random.next() < 0.4 ? random.pick(this.members).socket.id : random.pick(ROOMS);
  }
}

const ROOMS = ["a", "b", "c", "42", 42, ""] as const;

function ignore(): void {}

const countersAtRest = () => {
  const { members, rooms } = currentLink().counters();
  return { members, rooms };
};

describe.each([1, 2, 3, 4])("with random rooms, seed %d", (seed) => {
  test.each([
    ["the default adapter", {}],
    ["the adapter of connection state recovery", { connectionStateRecovery: {} }],
  ])("%s reaches whom npm's would", async (_name, options) => {
    const running = await startServer(sioRs, options);
    const model = new Model(running, new Random(seed));
    for (let count = 0; count < 6; count++) {
      await model.join();
    }
    for (let step = 0; step < 600; step++) {
      await model.step();
      if (step % 100 === 99) {
        await model.settle();
      }
    }
    expect(model.total).toBeGreaterThan(300);
  });
});

test("nothing of rooms and sockets stays in the core when all have left", async () => {
  const running = await startServer(sioRs);
  const before = countersAtRest();
  const pairs: Pick<Pair, "client" | "socket">[] = [];
  for (let count = 0; count < 3; count++) {
    const pair = await joinPair(running);
    pair.socket.join(["a", "b", `own ${count}`]);
    pairs.push(pair);
  }
  pairs[0]?.socket.join(pairs[1]?.socket.id as string);
  running.io.emit("barrier");
  await once(pairs[0]?.client as ClientSocket, "barrier");
  const full = countersAtRest();
  expect(full.members).toBe(before.members + 3);
  // a, b, three of one socket each, and the room of the second socket, in which it is no longer alone. On a machine of
  // several shards a room counts once in each that has members of it: 3 + 3 + 3 + 2 at the most.
  expect(full.rooms - before.rooms).toBeGreaterThanOrEqual(6);
  expect(full.rooms - before.rooms).toBeLessThanOrEqual(11);

  const gone = pairs.map(({ socket }) => once(socket, "disconnect"));
  running.io.disconnectSockets(true);
  await Promise.all(gone);
  const last = await joinPair(running);
  last.socket.emit("barrier");
  await once(last.client, "barrier");
  expect(countersAtRest()).toEqual({ members: before.members + 1, rooms: before.rooms });
});

test("no acknowledgement of a broadcast is waited for after its time, or once all have come", async () => {
  const running = await startServer(sioRs);
  const { io } = running;
  const [first, second] = [await joinPair(running), await joinPair(running)];
  const waiting = () => internals(internals(io.sockets)[own.broadcastAcks]).waiting.size;
  first.client.on("question", (reply) => reply("in time"));
  const late: ((answer: string) => void)[] = [];
  second.client.on("question", (reply) => late.push(reply));
  const failed = io.timeout(100).emitWithAck("question");
  expect(waiting()).toBe(1);
  await expect(failed).rejects.toMatchObject({ responses: ["in time"] });
  expect(waiting()).toBe(0);
  const fresh = io.timeout(5_000).emitWithAck("question");
  late.shift()?.("too late"); // with the number of the first question
  while (late.length === 0) {
    await once(second.client, "question");
  }
  late.shift()?.("second");
  expect(await fresh).toEqual(expect.arrayContaining(["in time", "second"]));
  expect(waiting()).toBe(0);
});
