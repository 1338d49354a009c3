// `io.drain()`: the clients of a server that goes leave it one by one, and come back to another by themselves.

import { EventEmitter } from "node:events";
import { connect, createServer, type Socket as TcpSocket } from "node:net";
import * as engineIo from "engine.io";
import type { Socket } from "socket.io";
import { ClusterAdapter, SessionAwareAdapter } from "socket.io-adapter";
import type { Socket as ClientSocket } from "socket.io-client";
import { startFixture } from "../harness/child";
import { closeClientAfterTest, closeServerAfterTest } from "../harness/cleanup";
import { openClient, record, settleDown } from "../harness/clients";
import { eventually, once, within } from "../harness/events";
import { joinPair, joinPairs, listenOnFreePort } from "../harness/servers";
import { WebTransportPeer } from "../harness/webtransport-peer";
import { type OwnRunning, type OwnServer, ours, startOwn } from "./own-server";

/** A client that comes back soon. */
const RETURNING = {
  reconnection: true,
  reconnectionDelay: 20,
  reconnectionDelayMax: 200,
  randomizationFactor: 0.5,
};

/** What stands in front of servers: each connection goes to the port that is chosen when it comes. */
async function startBalancer(port: () => number): Promise<string> {
  const streams = new Set<TcpSocket>();
  const server = createServer((front) => {
    const back = connect(port(), "127.0.0.1");
    for (const [from, to] of [
      [front, back],
      [back, front],
    ] as const) {
      streams.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => streams.delete(from));
    }
  });
  closeServerAfterTest(() => {
    for (const stream of streams) {
      stream.destroy();
    }
    server.close();
  });
  return `http://127.0.0.1:${await listenOnFreePort(server)}`;
}

/** Counts what becomes of a client. */
function follow(client: ClientSocket): { connects: number; disconnects: string[] } {
  const seen = { connects: 0, disconnects: [] as string[] };
  client.on("connect", () => {
    seen.connects += 1;
  });
  client.on("disconnect", (reason) => seen.disconnects.push(reason));
  return seen;
}

/** When each socket was disconnected, in milliseconds since `start`. */
function recordGoodbyes(io: OwnServer, start: () => number): number[] {
  const times: number[] = [];
  io.on("connection", (socket) => {
    socket.on("disconnect", () => times.push(performance.now() - start()));
  });
  return times;
}

async function refusal({ url }: OwnRunning, query = "EIO=4&transport=polling") {
  const response = await fetch(`${url}/socket.io/?${query}`);
  return {
    status: response.status,
    retryAfter: response.headers.get("retry-after"),
    connection: response.headers.get("connection"),
  };
}

describe("drain", () => {
  test("five hundred clients leave evenly over two seconds and are all at the other server, none lost and none twice", async () => {
    const old = await startOwn();
    const next = await startOwn();
    let target = old;
    const url = await startBalancer(() => target.port);
    let start = 0;
    const goodbyes = recordGoodbyes(old.io, () => start);
    const clients = Array.from({ length: 500 }, (_, index) => {
      const transports = index % 5 === 0 ? ["polling"] : ["websocket"];
      return openClient(url, { ...RETURNING, transports });
    });
    const seen = clients.map(follow);
    await within(
      Promise.all(clients.map((client) => once(client, "connect", 30_000))),
      "the clients never connected",
      30_000,
    );
    expect(old.io.metrics()).toMatchObject({ sockets: { "/": 500 }, draining: false });

    // A poll that is still on its way would come to the other server, which does not know its session.
    const sockets = [...old.io.sockets.sockets.values()];
    await eventuallyFor(20_000, () => sockets.every(({ conn }) => conn.transport.writable));

    target = next;
    start = performance.now();
    const over = 2_000;
    await old.io.drain({ over });
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(over * 0.9);
    expect(old.io.metrics()).toMatchObject({
      sessions: { polling: 0, websocket: 0 },
      sockets: { "/": 0 },
      draining: true,
    });

    await within(
      eventuallyFor(20_000, () => next.io.engine.clientsCount === 500),
      "not all have come back",
      20_000,
    );
    await within(
      eventuallyFor(20_000, () => clients.every(({ connected }) => connected)),
      "not all are connected",
      20_000,
    );
    expect(seen).toEqual(seen.map(() => ({ connects: 2, disconnects: ["transport close"] })));
    expect(next.io.metrics().handshakes.websocket + next.io.metrics().handshakes.polling).toBe(500);

    expect(goodbyes).toHaveLength(500);
    // 62 or 63 of 500 in each eighth; a busy machine is late, never early.
    for (let eighth = 1; eighth < 8; eighth += 1) {
      const gone = goodbyes.filter((time) => time < (over * eighth) / 8).length;
      expect(gone).toBeLessThanOrEqual(63 * eighth);
    }
    const halfway = goodbyes.filter((time) => time < over / 2).length;
    expect(halfway).toBeGreaterThan(150);
    await old.io.close();
  }, 90_000);

  test("new sessions are refused over both transports, and get in when they are led elsewhere", async () => {
    const old = await startOwn();
    const next = await startOwn();
    const staying = await joinPair(old);
    const drained = old.io.drain({ over: 60_000 });
    expect(await refusal(old)).toEqual({ status: 503, retryAfter: "1", connection: "close" });

    let target = old;
    const url = await startBalancer(() => target.port);
    for (const transports of [["polling"], ["websocket"]]) {
      target = old;
      const client = openClient(url, { ...RETURNING, transports });
      const { connects } = follow(client);
      const [error] = await once(client, "connect_error");
      expect(error.message).toMatch(/^(xhr poll|websocket) error$/);
      expect(client.active).toBe(true);
      target = next;
      await once(client, "connect");
      expect(connects).toBe(0);
      client.disconnect(); // its next poll must not come to the server that knows nothing of it
    }
    const { refusals } = old.io.metrics();
    expect(refusals.draining).toBeGreaterThanOrEqual(3);
    expect(refusals).toMatchObject({ 0: 0, 2: 0, 3: 0, 4: 0, 5: 0, handshake: 0 });
    expect(staying.client.connected).toBe(true);
    staying.client.disconnect();
    await within(drained, "the last one has left, and the draining goes on");
  });

  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    test(`what was sent before comes before the goodbye, over ${transports}`, async () => {
      const { io, ...running } = await startOwn();
      const { client, socket } = await joinPair({ io, ...running }, "/", { transports });
      await settleDown(socket, client);
      const events = record(client);
      const gone = once(client, "disconnect");
      for (let index = 0; index < 100; index += 1) {
        socket.emit("n", index);
      }
      await io.drain({ over: 0 });
      expect((await gone)[0]).toBe("transport close");
      expect(events).toEqual(Array.from({ length: 100 }, (_, index) => ["n", index]));
    });
  }

  test("the reason is told on both sides, and the close code is 1001", async () => {
    const running = await startOwn();
    const { client, socket } = await joinPair(running);
    const [seenByServer, seenByClient] = [once(socket, "disconnect"), once(client, "disconnect")];
    await running.io.drain({ over: 0, reason: "déploiement" });
    expect(await seenByServer).toEqual(["server shutting down", "déploiement"]);
    const [reason, details] = await seenByClient;
    expect(reason).toBe("transport close");
    expect(details.context).toMatchObject({ code: 1001, reason: "déploiement" });
  });

  test("it ends at once without clients, and with the last of them that leaves by itself", async () => {
    const empty = await startOwn();
    await within(empty.io.drain(), "nobody is there");
    const { io, ...running } = await startOwn();
    const pairs = await joinPairs({ io, ...running }, 3);
    const drained = io.drain({ over: 600_000 });
    for (const { client } of pairs) {
      client.disconnect();
    }
    await within(drained, "all have left");
  });

  test("a second call changes nothing, and options that make no sense are refused", async () => {
    const { io, ...running } = await startOwn();
    const { client } = await joinPair({ io, ...running });
    await expect(io.drain({ over: -1 })).rejects.toThrow(TypeError);
    await expect(io.drain({ over: "1" as any })).rejects.toThrow(TypeError);
    await expect(io.drain({ reason: "é".repeat(62) })).rejects.toThrow(TypeError);
    expect(io.metrics().draining).toBe(false);
    expect(client.connected).toBe(true);
    const first = io.drain({ over: 300 });
    const second = io.drain({ over: 600_000 });
    await within(Promise.all([first, second]), "the second call has begun anew");
  });

  test("closing the server ends the draining with it", async () => {
    const { io, ...running } = await startOwn();
    const pairs = await joinPairs({ io, ...running }, 3);
    const gone = pairs.map(({ client }) => once(client, "disconnect"));
    const drained = io.drain({ over: 600_000 });
    await io.close();
    await within(drained, "all sessions are closed");
    expect((await Promise.all(gone)).map(([reason]) => reason)).toEqual(
      pairs.map(() => "transport close"),
    );
  });

  test("a client that is in several namespaces leaves all of them with one goodbye", async () => {
    const running = await startOwn();
    running.io.of("/admin");
    const { client, socket } = await joinPair(running);
    const admin = client.io.socket("/admin");
    await once(admin, "connect");
    const adminSocket = running.io.of("/admin").sockets.get(admin.id as string) as Socket;
    const reasons = [once(socket, "disconnect"), once(adminSocket, "disconnect")];
    await running.io.drain({ over: 0 });
    expect((await Promise.all(reasons)).map(([reason]) => reason)).toEqual([
      "server shutting down",
      "server shutting down",
    ]);
    expect(running.io.metrics().closes["transport close"]).toBe(1);
  });

  test("a polling client that does not come back for its goodbye does not keep the server", async () => {
    const { io, ...running } = await startOwn();
    const response = await fetch(`${running.url}/socket.io/?EIO=4&transport=polling`);
    expect(response.status).toBe(200);
    await eventually(() => io.engine.clientsCount === 1);
    const start = performance.now();
    await within(io.drain({ over: 0 }), "it waits for the client", 15_000);
    expect(performance.now() - start).toBeGreaterThan(4_000);
  }, 20_000);

  test("the state of sockets is kept, and they find it at another server", async () => {
    const states = new Map<string, any>();
    class SharedAdapter extends SessionAwareAdapter {
      override persistSession(session: any): void {
        states.set(session.pid, session);
      }
      override async restoreSession(pid: any): Promise<any> {
        return { ...states.get(pid), missedPackets: [] };
      }
    }
    const options = { adapter: SharedAdapter, connectionStateRecovery: {} };
    const old = await startOwn(options);
    const next = await startOwn(options);
    let target = old;
    const url = await startBalancer(() => target.port);
    const connected = once(old.io, "connection");
    const client = openClient(url, RETURNING);
    await once(client, "connect");
    const [socket] = await connected;
    socket.join("a room");
    socket.data.name = "somebody";
    await settleDown(socket, client); // without an offset there is nothing to come back to
    const { id } = client;
    target = next;
    const back = once(client, "connect");
    await old.io.drain({ over: 0 });
    await back;
    expect(client.recovered).toBe(true);
    expect(client.id).toBe(id);
    const recovered = next.io.sockets.sockets.get(id as string) as Socket;
    expect(recovered.data).toEqual({ name: "somebody" });
    expect([...recovered.rooms].sort()).toEqual(["a room", id].sort());
  });

  test("while it is drained a server is still a member of its cluster", async () => {
    const bus = new EventEmitter();
    class BusAdapter extends ClusterAdapter {
      constructor(nsp: any) {
        super(nsp);
        bus.on("message", (message) => this.onMessage(message));
      }
      override async doPublish(message: any): Promise<string> {
        bus.emit("message", message);
        return "0";
      }
      override async doPublishResponse(): Promise<void> {}
    }
    const old = await startOwn({ adapter: BusAdapter });
    const next = await startOwn({ adapter: BusAdapter });
    const staying = await joinPair(old);
    const other = await joinPair(next);
    const drained = old.io.drain({ over: 600_000 });
    const atOld = once(staying.client, "from next");
    next.io.emit("from next");
    await atOld;
    const atNext = once(other.client, "from old");
    staying.socket.broadcast.emit("from old");
    await atNext;
    await old.io.close();
    await within(drained, "closing ends it");
    expect(other.client.connected).toBe(true);
  });

  test("a handshake that has passed already is sent away when it completes", async () => {
    let letIn: (() => void) | undefined;
    const { io, ...running } = await startOwn();
    io.engine.generateId = () =>
      new Promise<string>((resolve) => {
        letIn = () => resolve("late");
      });
    const client = openClient(running.url, { transports: ["websocket"] });
    await eventually(() => letIn !== undefined, "the handshake never began");
    await io.drain();
    const gone = once(client.io, "close");
    letIn?.();
    await gone;
    await eventually(() => io.engine.clientsCount === 0);
    expect(client.connected).toBe(false);
  });

  test("clients of an engine that is not ours are drained too", async () => {
    const httpServer = (await import("node:http")).createServer();
    const engine = engineIo.attach(httpServer as any, { path: "/socket.io" } as any);
    const io = new ours.Server() as OwnServer;
    io.bind(engine as any);
    closeServerAfterTest(() => {
      engine.close();
      httpServer.close();
    });
    const port = await listenOnFreePort(httpServer);
    const connected = once(io, "connection");
    const client = openClient(`http://127.0.0.1:${port}`);
    const [socket] = await connected;
    await once(client, "connect");
    const [seenByServer, seenByClient] = [once(socket, "disconnect"), once(client, "disconnect")];
    await within(io.drain({ over: 0 }), "the engine's sessions are still there");
    expect((await seenByServer)[0]).toBe("server shutting down");
    expect((await seenByClient)[0]).toBe("transport close");
    const late = openClient(`http://127.0.0.1:${port}`);
    await once(late.io, "close");
    expect(late.connected).toBe(false);
  });

  test("sessions over WebTransport are told goodbye and closed, after what was sent before, and new ones are refused", async () => {
    const { io } = await startOwn({ transports: ["polling", "websocket", "webtransport"] });
    const peers = Array.from({ length: 4 }, () => WebTransportPeer.connect(io.engine));
    const reasons: unknown[][] = [];
    io.on("connection", (socket) => {
      socket.on("disconnect", (reason, details) => reasons.push([reason, details]));
    });
    for (const peer of peers) {
      expect((await peer.next()).text).toMatch(/^0\{/);
      peer.send("40");
      expect((await peer.next()).text).toMatch(/^40\{/);
    }
    expect(io.metrics().sessions.webtransport).toBe(4);
    // As a client of WebTransport does: what nobody reads is dropped with the session.
    const reading = peers.map((peer) => peer.nextText());
    io.emit("last");
    const drained = io.drain({ over: 100, reason: "deploy" });
    expect(await Promise.all(reading)).toEqual(peers.map(() => '42["last"]'));
    for (const peer of peers) {
      await peer.closedByServer;
      expect(peer.serverCloses).toBe(1);
    }
    await within(drained, "sessions are left");
    expect(reasons).toEqual(peers.map(() => ["server shutting down", "deploy"]));
    expect(io.metrics().sessions.webtransport).toBe(0);
    const late = WebTransportPeer.connect(io.engine);
    await late.closedByServer;
    expect(io.engine.clientsCount).toBe(0);
  });

  test("a listener that throws is an uncaught exception, and everybody leaves all the same", async () => {
    const child = startFixture(ours, "operations.cjs", ["drain with throwing listeners"]);
    const port = Number(await child.nextLine());
    const clients = Array.from({ length: 3 }, () => openClient(`http://127.0.0.1:${port}`));
    closeClientAfterTest(() => child.process.kill("SIGKILL"));
    await Promise.all(clients.map((client) => once(client, "connect")));
    const gone = clients.map((client) => once(client, "disconnect"));
    clients[0]?.emit("drain");
    await Promise.all(gone);
    const { exitCode, stdout } = await child.finished;
    expect(exitCode).toBe(0);
    expect(stdout.split("\n").slice(1, -1)).toEqual([
      ...Array(3).fill("uncaught: oops"),
      "drained",
    ]);
  });
});

/** As `eventually`, for what takes longer than one event. */
async function eventuallyFor(limitMs: number, holds: () => boolean): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds() && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(holds()).toBe(true);
}
