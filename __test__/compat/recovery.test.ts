// Connection state recovery with the adapter in memory: what is restored, in which order, and when it is not.

import { createServer } from "node:http";
import type { Server, ServerOptions, Socket } from "socket.io";
import { SessionAwareAdapter } from "socket.io-adapter";
import { record, settleDown } from "../harness/clients";
import { deferred, nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer, packetsOf } from "../harness/polling-peer";
import { joinPair, startPair, startServer } from "../harness/servers";
import { joinStub } from "../harness/stub-session";

const RECOVERY = {
  connectionStateRecovery: { maxDisconnectionDuration: 10_000, skipMiddlewares: true },
};

/** All reasons of a disconnection: whether the session is kept for one who comes back, and how it comes to that. */
const ENDS: [string, boolean, (socket: Socket, io: Server) => unknown][] = [
  ["transport close", true, ({ conn }) => conn.emit("close", "transport close")],
  ["transport error", true, ({ conn }) => conn.emit("close", "transport error")],
  ["ping timeout", true, ({ conn }) => conn.emit("close", "ping timeout")],
  ["forced close", true, ({ conn }) => conn.close()],
  ["forced server close", true, ({ client }) => internals(client).onclose("forced server close")],
  ["server shutting down", true, (_socket, io) => io.close().catch(() => {})], // nothing is attached
  ["parse error", false, ({ conn }) => conn.emit("close", "parse error" as never)],
  ["server namespace disconnect", false, (socket) => socket.disconnect(true)],
  ["client namespace disconnect", false, ({ conn }) => conn.emit("data", "1")],
];

/** The number that an offset begins with and the one behind its dot, which digits of base 64 tell. */
function numbersOf(offset: string): number[] {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
  const [head = "", tail] = offset.split(".");
  const numberOf = (text: string): number =>
    [...text].reduce((number, digit) => number * 64 + digits.indexOf(digit), 0);
  return [numberOf(head), tail === undefined ? -1 : numberOf(tail)];
}

/** A client that comes back with what it had, as the wire shows it. */
interface Returned {
  packets: string[];
  socket: Socket;
}

/** A session by hand: its pid and the offset of the last event that it got. */
async function startSession(
  implementation: Implementation,
  options: Partial<ServerOptions> = RECOVERY,
) {
  const running = await startServer(implementation, options);
  const joined = onceValue<Socket>(running.io, "connection");
  const peer = await PollingPeer.open(running.port);
  await peer.send("40");
  const { sid, pid } = JSON.parse((await peer.poll()).slice(2));
  const socket = await joined;
  socket.emit("first");
  const [, offset] = JSON.parse((await peer.poll()).slice(2));
  /** Loses the connection in a way that can be recovered from. */
  const lose = async (): Promise<void> => {
    const left = once(socket, "disconnect");
    await peer.send("1");
    await left;
  };
  const comeBack = async (payload: object = { pid, offset }): Promise<Returned> => {
    const again = onceValue<Socket>(running.io, "connection");
    const next = await PollingPeer.open(running.port);
    await next.send(`40${JSON.stringify(payload)}`);
    const packets = packetsOf(await next.poll());
    while (!packets.some((packet) => packet.startsWith("40"))) {
      packets.push(...packetsOf(await next.poll()));
    }
    return { packets, socket: await again };
  };
  return { ...running, peer, socket, sid, pid, offset, lose, comeBack };
}

describeBoth("recovery", (implementation) => {
  it("the CONNECT reply has a pid with it and none without", async () => {
    const { pid, sid } = await startSession(implementation);
    expect(typeof pid).toBe("string");
    expect(pid).not.toBe(sid);
    const { port } = await startServer(implementation);
    const peer = await PollingPeer.open(port);
    await peer.send("40");
    expect(await peer.poll()).toMatch(/^40\{"sid":"[\w-]{20}"\}$/);
  });

  it("id, rooms, data and missed events are restored, the events before the CONNECT reply", async () => {
    const session = await startSession(implementation);
    const { io, socket, sid, pid } = session;
    socket.join(["r", "s"]);
    socket.data.name = "alice";
    const { data } = socket;
    await session.lose();
    io.emit("for all", 1);
    io.to("r").emit("for the room");
    io.to("elsewhere").emit("not for it");
    io.except("s").emit("not for it either");
    io.to(sid).emit("for it alone");
    const { packets, socket: restored } = await session.comeBack();
    expect(packets.slice(0, -1).map((packet) => JSON.parse(packet.slice(2))[0])).toEqual([
      "for all",
      "for the room",
      "for it alone",
    ]);
    expect(packets.at(-1)).toBe(`40{"sid":"${sid}","pid":"${pid}"}`);
    expect(restored.recovered).toBe(true);
    expect(restored.id).toBe(sid);
    expect(restored.data).toBe(data);
    expect(new Set(restored.rooms)).toEqual(new Set([sid, "r", "s"]));
    expect(io.sockets.sockets.get(sid)).toBe(restored);
  });

  it("a restored socket receives direct emits and broadcasts", async () => {
    const session = await startSession(implementation);
    session.socket.join("r");
    await session.lose();
    const { socket } = await session.comeBack();
    expect(await session.io.in("r").fetchSockets()).toEqual([socket]);
    expect(session.io.of("/").adapter.rooms.get("r")).toEqual(new Set([session.sid]));
  });

  it("events carry their offset as the last argument, acked and volatile ones do not", async () => {
    const { io, socket, client } = await startPair(implementation, RECOVERY);
    const seen = record(client);
    const outgoing: unknown[][] = [];
    socket.emit("direct", 1);
    io.emit("broadcast");
    socket.onAnyOutgoing((...args) => outgoing.push(args));
    io.emit("watched");
    client.on("q", (...args) => args.at(-1)(args.length));
    expect(await socket.emitWithAck("q")).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    io.volatile.emit("volatile");
    await new Promise((resolve) => setImmediate(resolve));
    const done = once(client, "done");
    io.emit("done");
    await done;
    const byName = new Map(seen.map((event) => [event[0], event.slice(1)]));
    expect(byName.get("direct")).toEqual([1, expect.any(String)]);
    expect(byName.get("broadcast")).toEqual([expect.any(String)]);
    expect(byName.get("volatile")).toEqual([]);
    expect(outgoing[0]).toEqual(["watched", expect.any(String)]);
  });

  it("offsets are different, plain ASCII, and grow", async () => {
    const { io, client } = await startPair(implementation, RECOVERY);
    const offsets: string[] = [];
    client.on("n", (_index, offset) => offsets.push(offset));
    const last = once(client, "last");
    for (let index = 0; index < 20; index += 1) {
      io.emit("n", index);
    }
    io.emit("last");
    await last;
    expect(new Set(offsets).size).toBe(20);
    expect(offsets.every((offset) => /^[\x21-\x7e]+$/.test(offset))).toBe(true);
    const numbers = offsets.map(numbersOf);
    const sorted = [...numbers].sort(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d);
    expect(numbers).toEqual(sorted);
  });

  for (const [title, change] of [
    ["an unknown pid", () => ({ pid: "unknown", offset: "x" })],
    ["an unknown offset", ({ pid }: any) => ({ pid, offset: "unknown" })],
    ["no offset", ({ pid }: any) => ({ pid })],
    ["a pid that is no string", ({ offset }: any) => ({ pid: 1, offset })],
  ] as const) {
    it(`${title} opens a new session`, async () => {
      const session = await startSession(implementation);
      await session.lose();
      const { packets, socket } = await session.comeBack(change(session));
      expect(packets).toHaveLength(1);
      expect(socket.recovered).toBe(false);
      expect(socket.id).not.toBe(session.sid);
      expect([...socket.rooms]).toEqual([socket.id]);
    });
  }

  for (const [reason, isKept, end] of ENDS) {
    it(`after "${reason}" the session is ${isKept ? "kept" : "not kept"}`, async () => {
      const io = new implementation.Server(RECOVERY);
      const { socket } = await joinStub(io);
      const log: unknown[] = [];
      internals(io.of("/").adapter).persistSession = ({ sid }: { sid: string }) => log.push(sid);
      const left = onceValue(socket, "disconnect");
      end(socket, io);
      expect(await left).toBe(reason);
      expect(log).toEqual(isKept ? [socket.id] : []);
    });
  }

  it("what is emitted directly tells its offset to outgoing listeners", async () => {
    const { socket } = await startPair(implementation, RECOVERY);
    const outgoing: unknown[][] = [];
    socket.onAnyOutgoing((...args) => outgoing.push(args));
    socket.emit("direct", 1);
    socket.emit("q", 2, () => {});
    socket.volatile.emit("volatile");
    expect(outgoing).toEqual([["direct", 1, expect.any(String)], ["q", 2], ["volatile"]]);
  });

  it("acked and volatile events that were missed are not told later", async () => {
    const session = await startSession(implementation);
    const { io } = session;
    await session.lose();
    io.emit("kept");
    io.volatile.emit("volatile");
    io.timeout(1).emit("acked", () => {});
    io.emit("kept too");
    const { packets } = await session.comeBack();
    expect(packets.slice(0, -1).map((packet) => JSON.parse(packet.slice(2))[0])).toEqual([
      "kept",
      "kept too",
    ]);
  });

  it("a session that ended for good cannot be recovered", async () => {
    for (const end of ["client", "server"] as const) {
      const session = await startSession(implementation);
      if (end === "client") {
        await session.peer.send("41");
      } else {
        session.socket.disconnect();
      }
      expect((await session.comeBack()).socket.recovered).toBe(false);
    }
  });

  it("a session is forgotten after maxDisconnectionDuration", async () => {
    const session = await startSession(implementation, {
      connectionStateRecovery: { maxDisconnectionDuration: 20, skipMiddlewares: true },
    });
    await session.lose();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await session.comeBack()).socket.recovered).toBe(false);
  });

  it("middlewares are skipped for a restored socket by default", async () => {
    const session = await startSession(implementation);
    let runs = 0;
    session.io.use((_socket, next) => {
      runs += 1;
      next();
    });
    await session.lose();
    expect((await session.comeBack()).socket.recovered).toBe(true);
    expect(runs).toBe(0);
  });

  for (const [skipMiddlewares, order] of [
    [true, ["restored", "connection", "next tick"]],
    [false, ["restored", "next tick", "connection"]],
  ] as const) {
    it(`with skipMiddlewares: ${skipMiddlewares} a restored socket is connected ${skipMiddlewares ? "in the same tick" : "in a later tick"}`, async () => {
      const log: string[] = [];
      class Logging extends SessionAwareAdapter {
        override async restoreSession(pid: string, offset: string) {
          const session = await super.restoreSession(pid, offset);
          log.push("restored");
          process.nextTick(() => log.push("next tick"));
          return session;
        }
      }
      const session = await startSession(implementation, {
        adapter: Logging as never,
        connectionStateRecovery: { ...RECOVERY.connectionStateRecovery, skipMiddlewares },
      });
      await session.lose();
      session.io.on("connection", () => log.push("connection"));
      const { socket } = await session.comeBack();
      expect([socket.recovered, socket.id]).toEqual([true, session.sid]);
      expect(log).toEqual(order);
    });
  }

  it("skipMiddlewares: false runs them, and they may refuse", async () => {
    const session = await startSession(implementation, {
      connectionStateRecovery: { maxDisconnectionDuration: 10_000, skipMiddlewares: false },
    });
    const seen: unknown[] = [];
    session.io.use((socket, next) => {
      seen.push(socket.recovered);
      next(new Error("not again"));
    });
    await session.lose();
    const peer = await PollingPeer.open(session.port);
    await peer.send(`40${JSON.stringify({ pid: session.pid, offset: session.offset })}`);
    let payload = await peer.poll();
    while (!payload.includes("44")) {
      payload = await peer.poll();
    }
    expect(payload).toContain('44{"message":"not again"}');
    expect(seen).toEqual([true]);
  });

  it("the client is told, and the reasons that can be recovered from work with it", async () => {
    const running = await startServer(implementation, RECOVERY);
    const { socket, client } = await joinPair(running, "/", {
      reconnection: true,
      reconnectionDelay: 5,
    });
    const first = once(client, "hello");
    socket.emit("hello");
    await first;
    const { id } = client;
    const left = onceValue(socket, "disconnect");
    const again = onceValue<Socket>(running.io, "connection");
    client.io.engine.close();
    expect(await left).toBe("transport close");
    running.io.emit("missed");
    const missed = once(client, "missed");
    const restored = await again;
    await missed;
    expect(restored.recovered).toBe(true);
    expect([client.recovered, client.id]).toEqual([true, id]);
    await settleDown(restored, client);
  });

  it("without the option neither persistSession nor restoreSession is called", async () => {
    const { io, port } = await startServer(implementation);
    const calls: string[] = [];
    const adapter = internals(io.of("/").adapter);
    adapter.persistSession = () => calls.push("persist");
    adapter.restoreSession = () => calls.push("restore");
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.open(port);
    await peer.send('40{"pid":"a","offset":"b"}');
    const left = once(await joined, "disconnect");
    await peer.send("1");
    await left;
    expect(calls).toEqual([]);
  });

  it("restoreSession is asked with texts alone", async () => {
    const { io, port } = await startServer(implementation, RECOVERY);
    const asked: unknown[] = [];
    internals(io.of("/").adapter).restoreSession = async (...args: unknown[]) => asked.push(args);
    for (const payload of [
      { pid: 1, offset: "b" },
      { pid: "a", offset: { toString: "b" } },
      { pid: ["a"], offset: "b" },
      { pid: "a" },
      { offset: "b" },
      {},
    ]) {
      const joined = onceValue<Socket>(io, "connection");
      const peer = await PollingPeer.open(port);
      await peer.send(`40${JSON.stringify(payload)}`);
      expect((await joined).recovered).toBe(false);
    }
    expect(asked).toEqual([]);
  });

  it("a client that leaves while its session is looked for is not connected, and leaves nothing behind", async () => {
    const { io, port } = await startServer(implementation, RECOVERY);
    const asked = deferred<void>();
    const answer = deferred<unknown>();
    const nsp = internals(io.of("/"));
    nsp.adapter.restoreSession = () => {
      asked.resolve();
      return answer.promise;
    };
    const connections: unknown[] = [];
    io.on("connection", (socket) => connections.push(socket));
    const left = onceValue<{ once: never }>(io.engine, "connection").then((conn) =>
      once(conn as never, "close"),
    );
    const peer = await PollingPeer.open(port);
    await peer.send('40{"pid":"a","offset":"b"}');
    await asked.promise;
    await peer.send("1");
    await left;
    answer.resolve({
      sid: "s".repeat(20),
      pid: "a",
      rooms: ["r"],
      data: {},
      missedPackets: [["e"]],
    });
    await nextTurn();
    await nextTurn();
    expect(connections).toEqual([]);
    expect([nsp.sockets.size, nsp._preConnectSockets.size]).toEqual([0, 0]);
    expect([nsp.adapter.rooms.size, nsp.adapter.sids.size]).toEqual([0, 0]);
  });

  it("an adapter that cannot restore is no error", async () => {
    const { io, port } = await startServer(implementation, RECOVERY);
    internals(io.of("/").adapter).restoreSession = () => Promise.reject(new Error("no backend"));
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.open(port);
    await peer.send('40{"pid":"a","offset":"b"}');
    expect((await joined).recovered).toBe(false);
  });

  it("persistSession is called between disconnecting and leaving the rooms", async () => {
    const session = await startSession(implementation);
    const { io, socket, sid, pid } = session;
    socket.join("r");
    const log: unknown[] = [];
    const adapter = internals(io.of("/").adapter);
    adapter.persistSession = (saved: any) =>
      log.push([saved.sid, saved.pid, saved.rooms, saved.data]);
    adapter.on("leave-room", () => log.push("leave"));
    socket.on("disconnecting", () => log.push("disconnecting"));
    await session.lose();
    expect(log).toEqual(["disconnecting", [sid, pid, [sid, "r"], {}], "leave", "leave"]);
  });

  it("a server that closes keeps its sessions for those who come back", async () => {
    const session = await startSession(implementation);
    const { io } = session;
    await io.close();
    const httpServer = createServer();
    io.attach(httpServer);
    const listening = once(httpServer, "listening");
    httpServer.listen(session.port, "127.0.0.1");
    await listening;
    expect((await session.comeBack()).socket.recovered).toBe(true);
  });

  it("connectionStateRecovery: {} is enough to turn it on", async () => {
    const { pid } = await startSession(implementation, { connectionStateRecovery: {} as never });
    expect(typeof pid).toBe("string");
  });

  it("what a middleware emits is lost with it, since the socket is not yet in its own room", async () => {
    const running = await startServer(implementation, RECOVERY);
    running.io.use((socket, next) => {
      socket.emit("early");
      next();
    });
    running.io.on("connection", (socket) => socket.emit("late"));
    const client = running.connect();
    const seen = record(client);
    await once(client, "late");
    expect(seen.map(([name]) => name)).toEqual(["late"]);
  });

  it("a session may be restored more than once", async () => {
    const session = await startSession(implementation);
    await session.lose();
    const first = await session.comeBack();
    const second = await session.comeBack();
    expect([first, second].map(({ socket }) => [socket.recovered, socket.id])).toEqual([
      [true, session.sid],
      [true, session.sid],
    ]);
  });
});
