// Volatile packets: dropped as a whole when the transport cannot take them at that moment, never queued.
// What "that moment" means was observed on socket.io: a transport that was written to is busy until the tick ends.

import type { Socket } from "socket.io";
import { record, settleDown, settleTransport, TRANSPORTS } from "../harness/clients";
import { deferred, eventually, nextTurn, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { joinPair, startPair, startServer } from "../harness/servers";

/** Runs `emissions` while the transport of `socket` is idle, and returns what the client got of it. */
async function sentFrom(
  pair: Awaited<ReturnType<typeof startPair>>,
  emissions: (socket: Socket) => void,
): Promise<string[]> {
  const { socket, client } = pair;
  await settleTransport(socket, []);
  const seen = record(client);
  emissions(socket);
  await nextTurn();
  await settleDown(socket, client);
  return seen.map(([name]) => name);
}

describeBoth("volatile", (implementation) => {
  for (const { label, transports } of TRANSPORTS.slice(0, 2)) {
    it(`a volatile event on an idle ${label} transport is sent`, async () => {
      const pair = await startPair(implementation, {}, { transports });
      expect(await sentFrom(pair, (socket) => socket.volatile.emit("v"))).toEqual(["v"]);
    });

    it(`of two volatile events in a tick only the first is sent over ${label}`, async () => {
      const pair = await startPair(implementation, {}, { transports });
      const sent = await sentFrom(pair, (socket) => {
        socket.volatile.emit("first");
        socket.volatile.emit("second");
      });
      expect(sent).toEqual(["first"]);
    });

    it(`a volatile event right after a regular one is dropped over ${label}`, async () => {
      const pair = await startPair(implementation, {}, { transports });
      const sent = await sentFrom(pair, (socket) => {
        socket.emit("regular");
        socket.volatile.emit("volatile");
        socket.emit("another");
      });
      expect(sent).toEqual(["regular", "another"]);
    });

    it(`a volatile packet with attachments goes as a whole over ${label}`, async () => {
      const pair = await startPair(implementation, {}, { transports });
      const down = once(pair.client, "bin");
      const sent = await sentFrom(pair, (socket) => {
        socket.volatile.emit("bin", Buffer.from("a"), { b: Buffer.from("b") });
        socket.volatile.emit("bin", Buffer.from("dropped"));
      });
      expect(sent).toEqual(["bin"]);
      expect(await down).toEqual([Buffer.from("a"), { b: Buffer.from("b") }]);
    });

    it(`a volatile broadcast right after a broadcast is dropped over ${label}`, async () => {
      const pair = await startPair(implementation, {}, { transports });
      const sent = await sentFrom(pair, () => {
        pair.io.emit("regular");
        pair.io.volatile.emit("volatile");
      });
      expect(sent).toEqual(["regular"]);
    });

    it(`a volatile broadcast and a volatile event count together over ${label}`, async () => {
      const pair = await startPair(implementation, {}, { transports });
      const sent = await sentFrom(pair, (socket) => {
        pair.io.to(socket.id).volatile.emit("broadcast");
        socket.volatile.emit("direct");
      });
      expect(sent).toEqual(["broadcast"]);
    });
  }

  it("a volatile event in nextTick of an earlier one is sent over websocket", async () => {
    const pair = await startPair(implementation);
    const { socket, client } = pair;
    await settleTransport(socket, []);
    const seen = record(client);
    const second = deferred();
    socket.volatile.emit("first");
    process.nextTick(() => {
      socket.volatile.emit("second");
      second.resolve();
    });
    await second.promise;
    await nextTurn();
    await settleDown(socket, client);
    expect(seen).toEqual([["first"], ["second"]]);
  });

  it("a volatile event in a microtask of the same tick is dropped over websocket", async () => {
    const pair = await startPair(implementation);
    const { socket, client } = pair;
    await settleTransport(socket, []);
    const seen = record(client);
    // Resumed by a promise, so that what follows the next await comes before the nextTick queue.
    await nextTurn();
    socket.volatile.emit("first");
    await undefined;
    socket.volatile.emit("second");
    await nextTurn();
    await settleDown(socket, client);
    expect(seen).toEqual([["first"]]);
  });

  it("a volatile event after an await in a timer is sent over websocket: nextTick came first", async () => {
    const pair = await startPair(implementation);
    const { socket, client } = pair;
    await settleTransport(socket, []);
    const seen = record(client);
    const second = deferred();
    setImmediate(async () => {
      socket.volatile.emit("first");
      await undefined;
      socket.volatile.emit("second");
      second.resolve();
    });
    await second.promise;
    await nextTurn();
    await settleDown(socket, client);
    expect(seen).toEqual([["first"], ["second"]]);
  });

  it("a volatile event in a connection listener is dropped over websocket: the CONNECT reply is on its way", async () => {
    const { io, connect } = await startServer(implementation);
    let socket: Socket | undefined;
    io.on("connection", (connected) => {
      socket = connected;
      connected.volatile.emit("volatile");
      connected.emit("regular");
    });
    const client = connect();
    const seen = record(client);
    await once(client, "connect");
    await settleDown(socket as Socket, client);
    expect(seen).toEqual([["regular"]]);
  });

  it("of three answers to one batch of events, the first volatile one is sent", async () => {
    const pair = await startPair(implementation);
    const { socket, client } = pair;
    await settleTransport(socket, []);
    const seen = record(client);
    const heard = new Promise<void>((resolve) => {
      socket.on("q", (index) => {
        socket.volatile.emit("a", index);
        if (index === 2) {
          resolve();
        }
      });
    });
    for (let index = 0; index < 3; index += 1) {
      client.emit("q", index);
    }
    await heard;
    await settleDown(socket, client);
    expect(seen[0]).toEqual(["a", 0]);
  });

  it("a polling client without a waiting poll gets no volatile events", async () => {
    const { io, port } = await startServer(implementation);
    const connection = once(io, "connection");
    const peer = await PollingPeer.join(port);
    const [socket] = await connection;
    expect(socket.conn.transport.writable).toBe(false);
    socket.volatile.emit("dropped");
    socket.emit("kept");
    expect(await peer.poll()).toBe('42["kept"]');
  });

  it("a polling client with a waiting poll gets one", async () => {
    const { io, port } = await startServer(implementation);
    const connection = once(io, "connection");
    const peer = await PollingPeer.join(port);
    const [socket] = await connection;
    const poll = peer.poll();
    await eventually(() => socket.conn.transport.writable);
    socket.volatile.emit("first");
    socket.volatile.emit("second");
    expect(await poll).toBe('42["first"]');
    socket.emit("kept");
    expect(await peer.poll()).toBe('42["kept"]');
  });

  it("a dropped packet still reaches outgoing catch-all listeners and keeps its ack", async () => {
    const pair = await startPair(implementation);
    const { socket } = pair;
    const outgoing: unknown[] = [];
    socket.onAnyOutgoing((...event) => outgoing.push(event));
    await sentFrom(pair, () => {
      socket.emit("regular");
      socket.volatile.emit("dropped", () => {});
      expect(internals(socket).acks.size).toBe(1);
    });
    expect(outgoing.slice(0, 2)).toEqual([["regular"], ["dropped"]]);
  });

  it("a volatile broadcast reaches those who are idle and skips those who are not", async () => {
    const running = await startServer(implementation);
    const idle = await joinPair(running);
    const busy = await joinPair(running);
    await settleTransport(idle.socket, []);
    await settleTransport(busy.socket, []);
    const seen = [record(idle.client), record(busy.client)];
    busy.socket.emit("regular");
    running.io.volatile.emit("volatile");
    await nextTurn();
    await settleDown(idle.socket, idle.client);
    await settleDown(busy.socket, busy.client);
    expect(seen).toEqual([[["volatile"]], [["regular"]]]);
  });

  it("transport.writable is false from a send to the end of the tick", async () => {
    const { socket, client } = await startPair(implementation);
    await settleTransport(socket, []);
    const { transport } = socket.conn;
    const log: boolean[] = [transport.writable];
    socket.emit("x");
    log.push(transport.writable);
    const later = deferred();
    process.nextTick(() => {
      log.push(transport.writable);
      later.resolve();
    });
    await later.promise;
    expect(log).toEqual([true, false, true]);
    await settleDown(socket, client);
  });
});
