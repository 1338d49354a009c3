// What `io.metrics()` tells, compared with what clients have counted.

import { once as onceOf } from "node:events";
import { connect, type Socket as TcpSocket } from "node:net";
import { WebSocket } from "ws";
import type { Metrics } from "../../lib";
import { closeClientAfterTest, closeServerAfterTest } from "../harness/cleanup";
import { eventually, once } from "../harness/events";
import { PollingPeer } from "../harness/polling-peer";
import { joinPair } from "../harness/servers";
import { type OwnRunning, type OwnServer, ours, startOwn } from "./own-server";

/** By how much sums have grown. */
function growth(before: Metrics, after: Metrics) {
  const packets = {
    received: after.packets.received - before.packets.received,
    sent: after.packets.sent - before.packets.sent,
  };
  const bytes = {
    received: after.bytes.received - before.bytes.received,
    sent: after.bytes.sent - before.bytes.sent,
  };
  return {
    packets,
    bytes,
    broadcasts: after.broadcasts - before.broadcasts,
    deliveries: after.deliveries - before.deliveries,
    merged: after.merged - before.merged,
  };
}

/** A bare WebSocket that has joined the main namespace; its messages from then on are in `messages`. */
async function joinBare({ port }: OwnRunning) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  closeClientAfterTest(() => socket.terminate());
  const messages: Buffer[] = [];
  socket.on("message", (data: Buffer) => messages.push(data));
  await once(socket, "open");
  socket.send("40");
  await eventually(() => messages.length === 2, "the CONNECT packet never came");
  messages.length = 0;
  return { socket, messages };
}

/** A client that has opened a session over WebSocket and reads nothing more. */
async function openAndStall({ port }: OwnRunning): Promise<TcpSocket> {
  const stream = connect(port, "127.0.0.1");
  closeClientAfterTest(() => stream.destroy());
  stream.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await onceOf(stream, "data");
  stream.pause();
  stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30])); // `40`
  return stream;
}

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe("metrics", () => {
  test("a server that nobody has used yet tells zeros and starts no thread", () => {
    const metrics = (new ours.Server() as OwnServer).metrics();
    expect(metrics).toMatchObject({
      sessions: { polling: 0, websocket: 0, webtransport: 0 },
      sockets: { "/": 0 },
      packets: { received: 0, sent: 0 },
      queueDelay: { count: 0, sum: 0, max: 0, buckets: [] },
      threads: 0,
      draining: false,
    });
  });

  test("sessions are told by transport and sockets by namespace, and both go again", async () => {
    const running = await startOwn();
    const { io } = running;
    io.of("/admin");
    const clients = [
      await joinPair(running, "/"),
      await joinPair(running, "/admin"),
      await joinPair(running, "/", { transports: ["polling"] }),
    ];
    expect(io.metrics()).toMatchObject({
      sessions: { polling: 1, websocket: 2, webtransport: 0 },
      handshakes: { polling: 1, websocket: 2, webtransport: 0 },
      sockets: { "/": 2, "/admin": 1 },
      threads: expect.any(Number),
    });
    expect(io.metrics().threads).toBeGreaterThan(0);
    for (const { client } of clients) {
      client.disconnect();
    }
    await eventually(() => io.engine.clientsCount === 0, "the sessions never ended");
    const { sessions, handshakes, sockets, closes } = io.metrics();
    expect(sessions).toEqual({ polling: 0, websocket: 0, webtransport: 0 });
    expect(handshakes).toEqual({ polling: 1, websocket: 2, webtransport: 0 });
    expect(sockets).toEqual({ "/": 0, "/admin": 0 });
    expect(Object.values(closes).reduce((sum, count) => sum + count)).toBe(3);
  });

  test("a session that is upgraded changes its transport", async () => {
    const running = await startOwn();
    const { socket } = await joinPair(running, "/", {
      transports: ["polling", "websocket"],
    });
    if (!socket.conn.upgraded) {
      await once(socket.conn, "upgrade");
    }
    expect(running.io.metrics()).toMatchObject({
      sessions: { polling: 0, websocket: 1 },
      handshakes: { polling: 1, websocket: 0 },
      upgrades: { completed: 1, failed: 0 },
    });
  });

  test("packets and bytes of a WebSocket are those that its client has sent and received", async () => {
    const running = await startOwn();
    const { io } = running;
    io.on("connection", (socket) => {
      socket.on("echo", (text) => socket.emit("echo", text));
    });
    const { socket, messages } = await joinBare(running);
    const before = io.metrics();
    const event = `42["echo","${"x".repeat(50)}"]`;
    for (let index = 0; index < 100; index += 1) {
      socket.send(event);
    }
    await eventually(() => messages.length === 100, "the echoes never came");
    // A client may have what it was sent before the thread that wrote it has counted it.
    const sent = 100 * (event.length + 2);
    await eventually(() => growth(before, io.metrics()).bytes.sent >= sent);
    const { packets, bytes, broadcasts, deliveries } = growth(before, io.metrics());
    expect(packets).toEqual({ received: 100, sent: 100 });
    // A frame of so few bytes has a header of two, and a key of four from a client.
    expect(bytes).toEqual({
      received: 100 * (event.length + 6),
      sent,
    });
    expect([broadcasts, deliveries]).toEqual([0, 0]);
  });

  test("each attachment is a packet, in both directions", async () => {
    const running = await startOwn();
    const { client, socket } = await joinPair(running);
    const before = running.io.metrics();
    const arrived = once(socket, "files");
    client.emit("files", Buffer.from([1]), Buffer.from([2]));
    await arrived;
    const back = once(client, "files");
    socket.emit("files", Buffer.from([1]), Buffer.from([2]));
    await back;
    expect(growth(before, running.io.metrics()).packets).toEqual({ received: 3, sent: 3 });
  });

  test("a polling session counts the bodies of its POSTs and the payloads of its GETs", async () => {
    const running = await startOwn();
    const { client, socket } = await joinPair(running, "/", { transports: ["polling"] });
    const before = running.io.metrics();
    const arrived = once(socket, "up");
    client.emit("up");
    await arrived;
    const down = once(client, "down");
    socket.emit("down");
    await down;
    const { packets, bytes } = growth(before, running.io.metrics());
    expect(packets).toEqual({ received: 1, sent: 1 });
    expect(bytes).toEqual({ received: '42["up"]'.length, sent: '42["down"]'.length });
  });

  test("broadcasts and their deliveries are those that clients got, and what leaves together is merged", async () => {
    const running = await startOwn();
    const { io } = running;
    const clients: Awaited<ReturnType<typeof joinBare>>[] = [];
    for (let index = 0; index < 10; index += 1) {
      clients.push(await joinBare(running));
    }
    const before = io.metrics();
    for (let index = 0; index < 30; index += 1) {
      io.emit("news", index);
    }
    await eventually(
      () => clients.every(({ messages }) => messages.length === 30),
      "the broadcasts never came",
    );
    const { packets, broadcasts, deliveries, merged } = growth(before, io.metrics());
    expect([broadcasts, deliveries, packets.sent]).toEqual([30, 300, 300]);
    // The first command of a turn leaves by itself, the others in one buffer: 29 of 30 may share a write.
    expect(merged).toBeGreaterThan(0);
    expect(merged).toBeLessThan(300);
  });

  test("a volatile packet that is dropped counts as neither sent nor delivered", async () => {
    const running = await startOwn();
    const { io } = running;
    const { messages } = await joinBare(running);
    const before = io.metrics();
    io.volatile.emit("one");
    io.volatile.emit("two");
    io.emit("three");
    await eventually(() => messages.length === 2, "the broadcasts never came");
    expect(messages.map(String)).toEqual(['42["one"]', '42["three"]']);
    const { packets, broadcasts, deliveries } = growth(before, io.metrics());
    expect([broadcasts, deliveries, packets.sent]).toEqual([3, 2, 2]);
  });

  test("refusals are told by their code", async () => {
    const running = await startOwn({
      allowRequest: (req: any, callback: any) =>
        callback(null, req.headers["x-forbidden"] === undefined),
    });
    const ask = async (query: string, options: RequestInit = {}) => {
      const response = await fetch(`${running.url}/socket.io/?${query}`, options);
      return ((await response.json()) as { code: number }).code;
    };
    expect(await ask("EIO=4&transport=tobi")).toBe(0);
    expect(await ask("EIO=4&transport=polling&sid=none")).toBe(1);
    expect(await ask("EIO=4&transport=polling&sid=nobody")).toBe(1);
    expect(await ask("EIO=4&transport=polling", { method: "POST" })).toBe(2);
    expect(await ask("EIO=4&transport=websocket")).toBe(3);
    expect(await ask("EIO=4&transport=polling", { headers: { "x-forbidden": "1" } })).toBe(4);
    expect(await ask("EIO=3&transport=polling")).toBe(5);
    const stream = connect(running.port, "127.0.0.1");
    closeClientAfterTest(() => stream.destroy());
    stream.write(
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    const [answer] = await onceOf(stream, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
    expect(running.io.metrics().refusals).toEqual({
      0: 1,
      1: 2,
      2: 1,
      3: 1,
      4: 1,
      5: 1,
      handshake: 1,
      draining: 0,
    });
  });

  test("a client that answers no ping is a lost heartbeat, and a slow client if bytes wait for it", async () => {
    const running = await startOwn({ pingInterval: 1_500, pingTimeout: 1_500 });
    const { io } = running;
    const before = io.metrics();
    const connected = once(io, "connection");
    const stream = await openAndStall(running);
    const [socket] = await connected;
    const disconnected = once(socket, "disconnect", 15_000);
    const megabyte = "x".repeat(1_000_000);
    for (let index = 0; index < 16; index += 1) {
      socket.emit("much", megabyte);
    }
    await eventually(() => io.metrics().outboxBytes.max > 0, "nothing ever waited");
    const { outboxBytes } = io.metrics();
    expect(outboxBytes.max).toBeLessThan(16 * (megabyte.length + 100));
    expect(outboxBytes).toEqual({
      p50: outboxBytes.max,
      p99: outboxBytes.max,
      max: outboxBytes.max,
      total: outboxBytes.max,
    });
    expect((await disconnected)[0]).toBe("ping timeout");
    const after = io.metrics();
    expect(after.closes["ping timeout"]).toBe(1);
    expect(after.slowClientsEnded - before.slowClientsEnded).toBe(1);
    expect(after.outboxBytes.max).toBe(0);
    stream.destroy();
  }, 20_000);

  test("a client on polling that comes no more is a lost heartbeat, and no slow client", async () => {
    const running = await startOwn({ pingInterval: 100, pingTimeout: 100 });
    const before = running.io.metrics();
    await PollingPeer.open(running.port);
    await eventually(() => running.io.metrics().closes["ping timeout"] === 1);
    expect(running.io.metrics().slowClientsEnded).toBe(before.slowClientsEnded);
  });

  test("a client that goes by itself is neither", async () => {
    const running = await startOwn();
    const before = running.io.metrics();
    const { client, socket } = await joinPair(running);
    const disconnected = once(socket, "disconnect");
    client.disconnect();
    await disconnected;
    const after = running.io.metrics();
    expect(after.slowClientsEnded).toBe(before.slowClientsEnded);
    expect(after.closes["ping timeout"]).toBe(0);
  });

  test("events that come while the thread is busy have waited for it", async () => {
    // Over a bridge the thread reads what clients send, so nothing of it waits while it is busy.
    const forced = process.env.SIO_RS_CARRIER;
    delete process.env.SIO_RS_CARRIER;
    closeServerAfterTest(() => {
      if (forced !== undefined) {
        process.env.SIO_RS_CARRIER = forced;
      }
    });
    const running = await startOwn();
    const { client, socket } = await joinPair(running);
    const before = running.io.metrics().queueDelay;
    const arrived = once(socket, "hello");
    client.emit("hello");
    setImmediate(() => block(300));
    await arrived;
    const { count, sum, max, buckets } = running.io.metrics().queueDelay;
    expect(count).toBeGreaterThan(before.count);
    expect(sum - before.sum).toBeGreaterThan(200);
    expect(max).toBeGreaterThan(200);
    expect(buckets.at(-1)).toEqual({ le: Number.POSITIVE_INFINITY, count });
    const upTo100 = buckets.find(({ le }) => le === 100)?.count as number;
    expect(upTo100).toBeLessThan(count);
    expect(buckets.map(({ le }) => le)).toEqual(buckets.map(({ le }) => le).sort((a, b) => a - b));
  });

  test("the text for Prometheus has every value, with a type and a unit", async () => {
    const running = await startOwn();
    const { io } = running;
    io.of('/a"b\\c');
    await joinPair(running);
    const text = io.metrics({ format: "prometheus" });
    const metrics = io.metrics();
    expect(text.endsWith("\n")).toBe(true);
    const types = new Map<string, string>();
    const samples = new Map<string, number>();
    for (const line of text.trimEnd().split("\n")) {
      const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
      if (type !== null) {
        expect(types.has(type[1] as string)).toBe(false);
        types.set(type[1] as string, type[2] as string);
      } else if (!line.startsWith("# HELP ")) {
        const sample =
          /^([a-z_]+(?:\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*\})?) (\d+(?:\.\d+)?)$/.exec(
            line,
          );
        expect({ line, isSample: sample !== null }).toEqual({ line, isSample: true });
        samples.set(sample?.[1] as string, Number(sample?.[2]));
      }
    }
    expect(samples.get('sio_sessions{transport="websocket"}')).toBe(1);
    expect(samples.get('sio_sockets{namespace="/"}')).toBe(1);
    expect(samples.get('sio_sockets{namespace="/a\\"b\\\\c"}')).toBe(0);
    expect(samples.get('sio_refusals_total{code="3"}')).toBe(0);
    expect(samples.get("sio_packets_received_total")).toBe(metrics.packets.received);
    expect(samples.get("sio_received_bytes_total")).toBe(metrics.bytes.received);
    expect(samples.get("sio_queue_delay_seconds_count")).toBe(
      samples.get('sio_queue_delay_seconds_bucket{le="+Inf"}'),
    );
    expect(samples.get('sio_outbox_bytes{quantile="0.99"}')).toBe(0);
    for (const [name] of samples) {
      const family = name.replace(/\{.*/, "").replace(/_(bucket|sum|count)$/, "");
      expect({ name, isTyped: types.has(family) }).toEqual({ name, isTyped: true });
    }
    for (const [family, type] of types) {
      expect(family.endsWith("_total")).toBe(type === "counter");
    }
  });
});
