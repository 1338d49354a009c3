// @socket.io/admin-ui 0.5 as it is: what its server half tells a dashboard of sockets, rooms, events and traffic, and what a
// dashboard may do. The dashboard itself is in browser/admin-ui.test.ts; here a client stands in its place.

import { createServer } from "node:http";
import { instrument } from "@socket.io/admin-ui";
import type { Server } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { record, settleDown, settleUp } from "../harness/clients";
import { eventually, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  type Running,
  startServer,
  track,
} from "../harness/servers";

/** bcrypt's word for PASSWORD, at its cheapest. */
const PASSWORD = "open sesame";
const PASSWORD_HASH = "$2a$04$EXeItswEXx43EzYyJaL4fOP2MaqWqNrW8rSXfrHm15U/5AasHjUXG";

type InstrumentOptions = Parameters<typeof instrument>[1];

/** A server whose dashboards need no password, and one dashboard. */
async function watch(running: Running, options: Partial<InstrumentOptions> = {}) {
  instrument(running.io as never, { auth: false, mode: "development", ...options });
  const admin = running.connect("/admin");
  const seen = record(admin);
  const config = onceValue(admin, "config");
  await once(admin, "connect");
  return { admin, seen, config: await config };
}

/** The events of one kind, without the time that ends most of them. */
function only(seen: any[][], event: string): any[][] {
  return seen
    .filter(([name]) => name === event)
    .map(([, ...args]) => args.filter((arg) => !/^\d{4}-\d\d-\d\dT/.test(String(arg))));
}

/** Waits until everything that happened so far was told to the dashboard. */
async function settleAdmin({ io }: { io: Server }, admin: ClientSocket): Promise<void> {
  const socket = io.of("/admin").sockets.get(admin.id as string);
  if (socket === undefined) throw new Error("the dashboard is gone");
  await settleDown(socket, admin);
}

describeBoth("admin UI", (implementation) => {
  it("a password opens it, and the session that it gives opens it again", async () => {
    const running = await startServer(implementation);
    const auth = { type: "basic" as const, username: "admin", password: PASSWORD_HASH };
    instrument(running.io as never, { auth, mode: "production" });
    const logIn = (credentials: object) => running.connect("/admin", { auth: credentials });

    const error = await onceValue(logIn({ username: "admin", password: "guess" }), "connect_error");
    expect(error.message).toBe("invalid credentials");

    // It is emitted by a middleware, so before the connection is.
    const first = logIn({ username: "admin", password: PASSWORD });
    const sessionId = await onceValue<string>(first, "session");
    expect(sessionId).toMatch(/^[0-9a-f]{16}$/);
    const again = logIn({ sessionId });
    const config = onceValue(again, "config");
    await once(again, "connect");
    expect((await config).supportedFeatures).toEqual([
      "EMIT",
      "JOIN",
      "LEAVE",
      "DISCONNECT",
      "MJOIN",
      "MLEAVE",
      "MDISCONNECT",
      "AGGREGATED_EVENTS",
    ]);
  });

  it("the session of a login is sent before the CONNECT reply", async () => {
    const running = await startServer(implementation);
    const auth = { type: "basic" as const, username: "admin", password: PASSWORD_HASH };
    instrument(running.io as never, { auth, mode: "production" });
    const client = running.connect("/admin", { auth: { username: "admin", password: PASSWORD } });
    const packets: string[] = [];
    client.io.on("packet", ({ type, data }) => packets.push(type === 2 ? data[0] : `type ${type}`));
    await once(client, "connect");
    expect(packets.slice(0, 2)).toEqual(["session", "type 0"]);
  });

  it("lists the sockets that are there, with their handshake and rooms", async () => {
    const running = await startServer(implementation);
    const { socket } = await joinPair(running, "/", { query: { page: "7" } });
    await socket.join("blue");
    socket.data.name = "ada";
    instrument(running.io as never, { auth: false, mode: "development" });
    const admin = running.connect("/admin");
    const all = await onceValue<any[]>(admin, "all_sockets");
    const listed = all.find(({ nsp }) => nsp === "/");
    expect(listed).toMatchObject({
      id: socket.id,
      data: { name: "ada" },
      rooms: [socket.id, "blue"],
      handshake: {
        address: socket.handshake.address,
        query: { page: "7", EIO: "4", transport: "websocket" },
        secure: false,
        xdomain: false,
        issued: socket.handshake.issued,
        url: socket.handshake.url,
      },
    });
    expect(Object.keys(listed.handshake)).not.toContain("auth");
    expect(all.map(({ nsp }) => nsp).sort()).toEqual(["/", "/admin"]);
  });

  it("in development tells of sockets, rooms, events and data as they come and go", async () => {
    const running = await startServer(implementation);
    const { admin, seen } = await watch(running);
    const { client, socket } = await joinPair(running);
    const { id } = socket;
    await socket.join("blue");
    socket.leave("blue");
    socket.data.count = 1;
    socket.data.nested = { deep: 1 };
    socket.data.nested.deep = 2;
    socket.on("question", (_data, reply) => reply());
    await client.emitWithAck("question", { two: 2 });
    socket.emit("answer", 1, Buffer.from([1]));
    running.io.emit("to all", 2);
    await settleUp(client, socket);
    const gone = once(socket, "disconnect");
    client.disconnect();
    await gone;
    await settleAdmin(running, admin);

    const [connected] = only(seen, "socket_connected").filter(([{ nsp }]) => nsp === "/");
    expect(connected?.[0]).toMatchObject({
      id,
      nsp: "/",
      transport: "websocket",
      clientId: expect.stringMatching(/^[\w-]{12}$/),
      rooms: [id],
    });
    expect(only(seen, "room_joined").filter(([nsp]) => nsp === "/")).toEqual([
      ["/", id, id],
      ["/", "blue", id],
    ]);
    expect(only(seen, "room_left").filter(([nsp]) => nsp === "/")).toEqual([
      ["/", "blue", id],
      ["/", id, id],
    ]);
    expect(only(seen, "socket_updated").map(([{ data }]) => data)).toEqual([
      { count: 1 },
      { count: 1, nested: { deep: 1 } },
      { count: 1, nested: { deep: 2 } },
    ]);
    expect(only(seen, "event_received")).toEqual([
      ["/", id, ["question", { two: 2 }]],
      ["/", id, ["barrier"]],
    ]);
    expect(only(seen, "event_sent")).toEqual([
      ["/", id, ["answer", 1, Buffer.from([1])]],
      ["/", id, ["to all", 2]],
    ]);
    expect(only(seen, "socket_disconnected")).toEqual([["/", id, "client namespace disconnect"]]);
  });

  it("in development tells of an upgrade, and of namespaces that are made later", async () => {
    const running = await startServer(implementation);
    const { admin, seen } = await watch(running);
    running.io.of(/^\/dynamic-\d+$/);
    const client = running.connect("/dynamic-1", { transports: ["polling", "websocket"] });
    const updated = onceValue(admin, "socket_updated");
    await once(client, "connect");
    expect(await updated).toEqual({ id: client.id, nsp: "/dynamic-1", transport: "websocket" });
    const [connected] = only(seen, "socket_connected").filter(([{ nsp }]) => nsp !== "/admin");
    expect(connected?.[0]).toMatchObject({
      id: client.id,
      nsp: "/dynamic-1",
      transport: "polling",
    });
  });

  it("counts clients, polling ones apart, packets, bytes and disconnections", async () => {
    const running = await startServer(implementation);
    const { admin, seen } = await watch(running, { mode: "production", serverId: "first" });
    const stats = () => only(seen, "server_stats").map(([one]) => one);
    const total = (type: string, subType?: string) =>
      stats()
        .flatMap(({ aggregatedEvents }) => aggregatedEvents)
        .filter((event) => event.type === type && event.subType === subType)
        .reduce((sum, { count }) => sum + count, 0);
    await onceValue(admin, "server_stats");
    const kinds = ["packetsIn", "bytesIn"];
    const before = kinds.map((kind) => total(kind));

    const polling = await joinPair(running, "/", { transports: ["polling"] });
    const webSocket = await joinPair(running, "/");
    webSocket.socket.on("up", (_text, _bytes, reply) => reply("€"));
    await webSocket.client.emitWithAck("up", "€", Buffer.alloc(10));
    await onceValue(admin, "server_stats");
    expect(stats().at(-1)).toMatchObject({
      serverId: "first",
      pid: process.pid,
      clientsCount: 3,
      pollingClientsCount: 1,
      namespaces: [
        { name: "/", socketsCount: 2 },
        { name: "/admin", socketsCount: 1 },
      ],
    });

    polling.client.disconnect();
    webSocket.client.io.engine.close();
    await eventually(() => running.io.engine.clientsCount === 1);
    await onceValue(admin, "server_stats");
    expect(stats().at(-1)).toMatchObject({ clientsCount: 1, pollingClientsCount: 0 });
    expect(total("rawConnection")).toBe(3);
    expect(total("rawDisconnection", "transport close")).toBe(2);
    // CONNECT twice, an event of 45 bytes in UTF-8 and its attachment, DISCONNECT.
    const traffic = kinds.map((kind, index) => total(kind) - (before[index] as number));
    expect(traffic).toEqual([5, 59]);
    // The handshake and the CONNECT reply of each new client, the ack, and what the dashboard got.
    expect(total("packetsOut")).toBeGreaterThanOrEqual(7);
    expect(total("bytesOut")).toBeGreaterThan(1_000);
  });

  it("in production tells nothing of single events", async () => {
    const running = await startServer(implementation);
    const { admin, seen, config } = await watch(running, { mode: "production" });
    const { client, socket } = await joinPair(running);
    client.emit("question");
    socket.emit("answer");
    await settleUp(client, socket);
    await settleAdmin(running, admin);
    const events = seen.map(([event]) => event).filter((event) => event !== "server_stats");
    expect(events).toEqual(["config"]);
    expect(config.supportedFeatures).not.toContain("ALL_EVENTS");
  });

  it("a dashboard emits, moves sockets between rooms and disconnects them", async () => {
    const running = await startServer(implementation);
    const { admin } = await watch(running);
    const { client, socket } = await joinPair(running);
    const { client: other } = await joinPair(running);

    const heard = once(client, "news");
    const otherHeard = once(other, "news");
    admin.emit("emit", "/", undefined, "news", 1, Buffer.from([1]));
    expect(await heard).toEqual([1, Buffer.from([1])]);
    await otherHeard;

    const joined = once(admin, "room_joined");
    admin.emit("join", "/", "blue", socket.id);
    expect((await joined).slice(0, 3)).toEqual(["/", "blue", socket.id]);
    expect(socket.rooms).toEqual(new Set([socket.id, "blue"]));
    const toRoom = once(client, "to the room");
    admin.emit("emit", "/", "blue", "to the room");
    await toRoom;
    const left = once(admin, "room_left");
    admin.emit("leave", "/", "blue");
    expect((await left).slice(0, 3)).toEqual(["/", "blue", socket.id]);

    const gone = once(client, "disconnect");
    admin.emit("_disconnect", "/", false, socket.id);
    expect((await gone)[0]).toBe("io server disconnect");
    expect(other.connected).toBe(true);
  });

  it("a dashboard that may only read is not heard", async () => {
    const running = await startServer(implementation);
    const { admin, config } = await watch(running, { readonly: true });
    expect(config.supportedFeatures).toEqual(["AGGREGATED_EVENTS", "ALL_EVENTS"]);
    const { client, socket } = await joinPair(running);
    const heard = record(client);
    const adminSocket = running.io.of("/admin").sockets.get(admin.id as string);
    admin.emit("emit", "/", undefined, "news");
    admin.emit("_disconnect", "/", true);
    await settleUp(admin, adminSocket as never);
    await settleDown(socket, client);
    expect(heard).toEqual([]);
  });

  it("it may be put in place before the server is attached", async () => {
    const io = track(new implementation.Server());
    instrument(io as never, { auth: false, mode: "production" });
    const httpServer = createServer();
    io.attach(httpServer);
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const admin = running.connect("/admin");
    const stats = await onceValue(admin, "server_stats");
    expect(stats.aggregatedEvents.map(({ type }: any) => type)).toContain("rawConnection");
  });
});
