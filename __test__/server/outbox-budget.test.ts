// Clients that take less than they are sent: how much waits for each, who is ended for it and what is dropped, over every transport.
// socket.io has no limit there; sio-rs alone. A stalled client is a TCP peer that stopped reading, and whose heart goes on beating.

import type { ServerOptions, Socket } from "socket.io";
import { WebSocketServer } from "ws";
import { currentLink } from "../../dist/link";
import { startBareEngine } from "../harness/bare-engine";
import { startFixture } from "../harness/child";
import { closeClientAfterTest } from "../harness/cleanup";
import { eventually, once } from "../harness/events";
import { type Implementation, loadImplementation } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer, packetsOf } from "../harness/polling-peer";
import { OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { type Running, startServer } from "../harness/servers";
import { WebTransportPeer } from "../harness/webtransport-peer";

const sioRs: Implementation = loadImplementation("sio-rs");
const MEBIBYTE = 1024 * 1024;
/** Much more than the kernel takes of a peer that does not read. */
const MUCH = Buffer.alloc(14 * MEBIBYTE, "m");
const OVER_BUDGET =
  /^outbox over its budget: \d+ bytes wait, and the client has taken none for 1200 ms$/;

interface OutboxOptions {
  maxBytes?: number;
  policy?: string;
}

function options(outbox: OutboxOptions | undefined, more: object = {}): Partial<ServerOptions> {
  return { pingInterval: 400, pingTimeout: 1_200, ...(outbox && { outbox }), ...more } as never;
}

/** The heart of a peer beats though it reads nothing. */
function beat(send: () => unknown): void {
  const timer = setInterval(send, 100);
  closeClientAfterTest(() => clearInterval(timer));
}

/** Bytes that wait for a client; npm's types do not know the property. */
function waiting(socket: Socket): number {
  return internals(socket.conn).bufferedAmount;
}

interface Stalled extends Running {
  peer: RawWebSocket;
  socket: Socket;
}

/** A client that reads no more from now on, and its socket. */
async function joinStalled(running: Running): Promise<Stalled> {
  const connected = once(running.io, "connection");
  const peer = await RawWebSocket.join(running.port);
  const [socket] = await connected;
  peer.stream.pause();
  beat(() => peer.send("3"));
  return { ...running, peer, socket };
}

async function startStalled(outbox?: OutboxOptions, more: object = {}): Promise<Stalled> {
  return joinStalled(await startServer(sioRs, options(outbox, more)));
}

/** Frames of the peer, which reads again, until the text `42["last"]`. */
async function readToTheLast(peer: RawWebSocket): Promise<(string | number)[]> {
  peer.stream.resume();
  const frames: (string | number)[] = [];
  for (;;) {
    const { opcode, text, payload } = await peer.nextFrame();
    if (text === '42["last"]') {
      return frames;
    }
    if (text !== "2") {
      frames.push(opcode === OPCODE.binary ? payload.length : text.slice(0, 60));
    }
  }
}

describe("outbox budget", () => {
  test("a client that takes nothing for pingTimeout and for whom more than 64 MiB wait is ended, and nobody else", async () => {
    const stalled = await startStalled();
    const modest = await joinStalled(stalled);
    // No client with timers of its own: they fire when 80 MiB keep this thread for long.
    const bystander = await joinStalled(stalled);
    bystander.peer.stream.resume();
    const before = currentLink().counters().slowSessionsEnded;
    const ended = once(stalled.socket, "disconnect");
    const closed = once(stalled.socket.conn, "close");
    stalled.socket.emit("much", Buffer.alloc(80 * MEBIBYTE));
    modest.socket.emit("much", Buffer.alloc(16 * MEBIBYTE));
    const [reason, details] = await ended;
    expect([reason, (await closed)[0]]).toEqual(["transport error", "transport error"]);
    expect(details.message).toMatch(OVER_BUDGET);
    expect(currentLink().counters().slowSessionsEnded - before).toBe(1);
    expect([modest.socket.connected, bystander.socket.connected]).toEqual([true, true]);
    // What waited for it is gone; what waits for the other is not.
    const { outboxBytes } = currentLink().counters();
    expect(outboxBytes).toBeGreaterThan(4 * MEBIBYTE);
    expect(outboxBytes).toBeLessThan(18 * MEBIBYTE);
    modest.peer.stream.destroy();
    await eventually(() => currentLink().counters().outboxBytes === 0);
  }, 15_000);

  test("a client that reads slowly is over the budget for long, and gets everything", async () => {
    const { peer, socket } = await startStalled({ maxBytes: MEBIBYTE });
    let pause: NodeJS.Timeout | undefined;
    const trickle = setInterval(() => {
      peer.stream.resume();
      pause = setTimeout(() => peer.stream.pause(), 2);
    }, 60);
    const readOn = (): void => {
      clearInterval(trickle);
      clearTimeout(pause); // it would stop the reading below for good
    };
    closeClientAfterTest(readOn);
    socket.emit("much", MUCH);
    await eventually(() => waiting(socket) > 2 * MEBIBYTE);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(socket.connected).toBe(true);
    readOn();
    socket.emit("last");
    expect(await readToTheLast(peer)).toContain(MUCH.length);
  }, 15_000);

  test('"disconnect" ends a client as soon as more waits than may', async () => {
    const { socket } = await startStalled(
      { maxBytes: MEBIBYTE, policy: "disconnect" },
      { pingTimeout: 60_000 },
    );
    const ended = once(socket, "disconnect");
    socket.emit("much", MUCH);
    const [reason, details] = await ended;
    expect(reason).toBe("transport error");
    expect(details.message).toMatch(/^outbox over its budget: \d+ bytes wait, and 1048576 may$/);
  });

  test('"drop-oldest" drops whole events, the oldest first, and nothing that is more than an event', async () => {
    const { io, peer, socket } = await startStalled(
      { maxBytes: 2 * MEBIBYTE, policy: "drop-oldest" },
      { pingTimeout: 60_000 },
    );
    const bytes = Buffer.alloc(MEBIBYTE / 8);
    const emitMany = (from: number, to: number): void => {
      for (let number = from; number < to; number += 1) {
        socket.emit("own", number, bytes, bytes);
        io.emit("all", number, bytes);
      }
    };
    const answered = new Promise<void>((resolve) => {
      socket.on("question", (answer) => {
        answer("kept");
        resolve();
      });
    });
    emitMany(0, 40);
    await eventually(() => waiting(socket) > MEBIBYTE);
    peer.send('421["question"]');
    await answered;
    socket.emit("asks", () => {});
    emitMany(40, 80);
    await eventually(() => waiting(socket) < 3 * MEBIBYTE);
    socket.emit("last");
    const frames = await readToTheLast(peer);
    expect(frames).toContain('431["kept"]');
    expect(frames).toContain('420["asks"]');
    const texts = frames.filter((each) => typeof each === "string") as string[];
    const numbers = texts.flatMap((text) => /"(?:own|all)",(\d+)/.exec(text)?.[1] ?? []);
    expect([numbers[0], numbers.at(-1)]).toEqual(["0", "79"]);
    expect(numbers.length).toBeLessThan(130);
    expect(numbers.map(Number)).toEqual(numbers.map(Number).sort((one, other) => one - other));
    // Each packet has its attachments right behind it.
    for (const [index, text] of frames.entries()) {
      const count = /^45(\d)-/.exec(String(text))?.[1] ?? 0;
      const behind = frames.slice(index + 1, index + 1 + Number(count));
      expect(behind.every((each) => typeof each === "number")).toBe(true);
    }
    expect(socket.connected).toBe(true);
  }, 15_000);

  test('"drop-volatile" drops no message that is not volatile', async () => {
    const { peer, socket } = await startStalled(
      { maxBytes: MEBIBYTE, policy: "drop-volatile" },
      { pingTimeout: 60_000 },
    );
    socket.emit("first", MUCH);
    await eventually(() => waiting(socket) > 2 * MEBIBYTE);
    for (let number = 0; number < 5; number += 1) {
      socket.volatile.emit("gone", number);
      socket.emit("kept", number, MUCH.subarray(0, MEBIBYTE));
    }
    socket.emit("last");
    const texts = (await readToTheLast(peer)).filter((each) => typeof each === "string");
    expect(texts.map((text) => String(text).slice(4, 12))).toEqual([
      '["first"',
      ...Array.from({ length: 5 }, (_, number) => `["kept",${number}`.slice(0, 8)),
    ]);
  }, 15_000);

  test("without a layer above every message can give way", async () => {
    const engine = await startBareEngine(sioRs, {
      outbox: { maxBytes: 2 * MEBIBYTE, policy: "drop-oldest" },
    } as never);
    const opened = engine.nextSession();
    const peer = await RawWebSocket.open(engine.port);
    const session = await opened;
    peer.stream.pause();
    for (let number = 0; number < 200; number += 1) {
      session.send(`${number} ${"x".repeat(100_000)}`);
    }
    await eventually(() => session.bufferedAmount > MEBIBYTE && session.bufferedAmount < 2.5e6);
    session.send("end");
    peer.stream.resume();
    const texts: string[] = [];
    while (texts.at(-1) !== "4end") {
      const { opcode, text } = await peer.nextFrame();
      if (opcode === OPCODE.text) {
        texts.push(text.slice(0, 4).trim());
      }
    }
    expect([texts[1], texts.at(-2)]).toEqual(["40 x", "4199"]);
    expect(texts.length).toBeLessThan(190);
  });

  test("a client on polling that posts its pongs and never polls is ended too", async () => {
    const running = await startServer(
      sioRs,
      options({ maxBytes: 100_000 }, { transports: ["polling"] }),
    );
    const connected = once(running.io, "connection");
    const peer = await PollingPeer.join(running.port);
    const [socket] = (await connected) as [Socket];
    beat(() => peer.post("3").catch(() => {}));
    const ended = once(socket, "disconnect");
    socket.emit("much", "x".repeat(200_000));
    await eventually(() => waiting(socket) > 200_000);
    const [reason, details] = await ended;
    expect(reason).toBe("transport error");
    expect(details.message).toMatch(OVER_BUDGET);
  });

  test("on polling the oldest events give way as well", async () => {
    const running = await startServer(
      sioRs,
      options({ maxBytes: 1_000, policy: "drop-oldest" }, { transports: ["polling"] }),
    );
    const connected = once(running.io, "connection");
    const peer = await PollingPeer.join(running.port);
    const [socket] = (await connected) as [Socket];
    for (let number = 0; number < 30; number += 1) {
      socket.emit("event", number);
    }
    // All of them take 500 bytes, the first alone 16: a GET that comes before the budget is looked at would get them all.
    await eventually(() => waiting(socket) > 100 && waiting(socket) < 300);
    const packets = packetsOf(await peer.poll()).filter((packet) => packet !== "2");
    expect(packets.at(-1)).toBe('42["event",29]');
    expect(packets.length).toBeLessThan(14);
    expect(waiting(socket)).toBe(0);
  });

  test("a wsEngine's client that stalls is ended too", async () => {
    const { socket } = await startStalled({ maxBytes: MEBIBYTE }, { wsEngine: WebSocketServer });
    const ended = once(socket, "disconnect");
    for (let count = 0; count < 4; count += 1) {
      socket.emit("much", MUCH);
    }
    const [reason, details] = await ended;
    expect(reason).toBe("transport error");
    expect(details.message).toMatch(OVER_BUDGET);
  });

  test("a WebTransport client that stalls is ended too", async () => {
    const engine = await startBareEngine(
      sioRs,
      options({ maxBytes: MEBIBYTE }, { transports: ["webtransport"] }),
    );
    const opened = engine.nextSession();
    const peer = WebTransportPeer.connect(engine.engine);
    const session = await opened;
    beat(() => peer.send("3"));
    const closed = once(session, "close");
    for (let count = 0; count < 4; count += 1) {
      session.send("x".repeat(MEBIBYTE));
    }
    const [reason, error] = await closed;
    expect(reason).toBe("transport error");
    expect(error.message).toMatch(OVER_BUDGET);
  });

  test("a compressed WebSocket has the same budget", async () => {
    const running = await startServer(
      sioRs,
      options({ maxBytes: MEBIBYTE }, { perMessageDeflate: { threshold: 1e9 } }),
    );
    const connected = once(running.io, "connection");
    const peer = await RawWebSocket.open(running.port, {
      headers: { "Sec-WebSocket-Extensions": "permessage-deflate" },
    });
    peer.send("40");
    const [socket] = (await connected) as [Socket];
    peer.stream.pause();
    beat(() => peer.send("3"));
    const ended = once(socket, "disconnect");
    socket.emit("much", MUCH);
    const [reason, details] = await ended;
    expect([reason, OVER_BUDGET.test(details.message)]).toEqual(["transport error", true]);
  });

  test("bufferedAmount tells what waits, and drained that nothing does any more", async () => {
    const { peer, socket } = await startStalled(undefined, { pingTimeout: 60_000 });
    const { conn } = socket;
    expect(waiting(socket)).toBe(0);
    socket.emit("much", MUCH);
    await eventually(() => waiting(socket) > 2 * MEBIBYTE);
    expect(waiting(socket)).toBeLessThan(MUCH.length);
    const drained = once(conn, "drained");
    peer.stream.resume();
    await drained;
    expect(waiting(socket)).toBe(0);
  });

  test("drained comes on polling too, with the GET that takes what waited, and with no other", async () => {
    const running = await startServer(sioRs, options(undefined, { transports: ["polling"] }));
    const connected = once(running.io, "connection");
    const peer = await PollingPeer.join(running.port);
    const [socket] = (await connected) as [Socket];
    let count = 0;
    internals(socket.conn).on("drained", () => {
      count += 1;
    });
    for (const round of [1, 2]) {
      socket.emit("much", "x".repeat(200_000));
      await eventually(() => waiting(socket) > 200_000);
      expect(count).toBe(round - 1);
      await peer.poll();
      await eventually(() => count === round, "drained never came");
      expect(waiting(socket)).toBe(0);
    }
    const waits = peer.poll();
    await eventually(() => internals(socket.conn.transport).writable);
    socket.emit("little");
    await waits;
    expect(count).toBe(2);
  });

  test("a message that is longer than the budget makes room for the events behind it", async () => {
    const running = await startServer(
      sioRs,
      options(
        { maxBytes: 100_000, policy: "drop-oldest" },
        { transports: ["polling"], pingTimeout: 60_000 },
      ),
    );
    const connected = once(running.io, "connection");
    await PollingPeer.join(running.port);
    const [socket] = (await connected) as [Socket];
    socket.emit("long", "x".repeat(300_000));
    await eventually(() => waiting(socket) > 300_000);
    for (let number = 0; number < 60; number += 1) {
      socket.emit("event", number, "x".repeat(500));
    }
    await eventually(() => waiting(socket) < 100_000, "the budget was not kept");
    expect(socket.connected).toBe(true);
  });

  test("a broadcast to many stalled clients takes its memory once, and counts in the budget of each", async () => {
    const running = await startServer(sioRs, options({ maxBytes: 2 * MEBIBYTE }));
    const before = currentLink().counters().outboxBytes;
    const stalled: Stalled[] = [];
    for (let count = 0; count < 6; count += 1) {
      stalled.push(await joinStalled(running));
    }
    running.io.emit("much", MUCH);
    await eventually(() => stalled.every(({ socket }) => waiting(socket) > 2 * MEBIBYTE));
    const held = currentLink().counters().outboxBytes - before;
    expect(held).toBeGreaterThan(MUCH.length);
    expect(held).toBeLessThan(MUCH.length + 10_000);
    await eventually(() => stalled.every(({ socket }) => !socket.connected));
    await eventually(() => currentLink().counters().outboxBytes === before);
  });

  test("V8 collects garbage for what waits in native memory, of which it sees nothing itself", async () => {
    const child = startFixture(sioRs, "outboxes.cjs");
    const peer = await RawWebSocket.join(Number(await child.nextLine()));
    peer.stream.pause();
    peer.send('42["flood",200]');
    expect(await child.nextLine(20_000)).toMatch(/^collections: [1-9]/);
  }, 30_000);

  for (const [outbox, name] of [
    [{ maxBytes: "much" }, "outbox.maxBytes"],
    [{ maxBytes: -1 }, "outbox.maxBytes"],
    [{ policy: "drop" }, "outbox.policy"],
    [5, "outbox"],
  ] as const) {
    test(`${JSON.stringify(outbox)} is refused by name`, () => {
      expect(() => new sioRs.Server(1, { outbox } as never)).toThrow(`option "${name}" must be`);
    });
  }
});

describe("ceiling of the process", () => {
  test("past it those are ended that hold the most and take nothing, and new clients are served", async () => {
    const child = startFixture(sioRs, "outboxes.cjs", [], {
      env: { SIO_RS_MAX_QUEUED_BYTES: String(64 * MEBIBYTE) },
    });
    const port = Number(await child.nextLine());
    const stall = async (megabytes: number): Promise<void> => {
      const peer = await RawWebSocket.join(port);
      peer.stream.pause();
      beat(() => peer.send("3"));
      peer.send(`42["send",${megabytes}]`);
    };
    for (const megabytes of [8, 24, 16]) {
      await stall(megabytes);
    }
    // Whoever took something within a second is not among the first to go.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await stall(50);
    expect(await child.nextLine()).toMatch(/^24 transport error outboxes over the ceiling/);
    const late = await RawWebSocket.join(port);
    late.send('420["report"]');
    const report = await late.expectText(/^430\[/);
    const [{ ended, alive, outboxBytes }] = JSON.parse(report.slice(3));
    expect(outboxBytes).toBeLessThanOrEqual(64 * MEBIBYTE);
    expect([ended[0], ended.length + alive.length]).toEqual([24, 4]);
  });

  test("a value that is no number of bytes is refused, naming the variable", async () => {
    const child = startFixture(sioRs, "outboxes.cjs", [], {
      env: { SIO_RS_MAX_QUEUED_BYTES: "64MB" },
    });
    const { exitCode, stderr } = await child.finished;
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(
      'SIO_RS_MAX_QUEUED_BYTES must be a number of bytes, or Infinity, not "64MB"',
    );
  });
});
