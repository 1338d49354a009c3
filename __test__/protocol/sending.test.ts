// How a session sends, seen from JavaScript: `writeBuffer` at the first look at it, what is busy for how long, what a close takes along,
// packets of every type, and the callbacks of what was sent before an upgrade.

import { EventEmitter } from "node:events";
import { type Session, startBareEngine } from "../harness/bare-engine";
import { settleDown, settleTransport } from "../harness/clients";
import { deferred, eventually, nextTurn, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";
import { startPair, startServer } from "../harness/servers";

const MEBIBYTE = 1024 * 1024;

async function startOverWebSocket(implementation: Implementation, options = {}) {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port);
  await peer.expectText(/^0\{/);
  const session: Session = await opened;
  await eventually(() => session.transport.writable);
  return { ...server, peer, session };
}

/** Opens a session and runs `act` in its `connection` listener. */
async function openWith<Value>(
  implementation: Implementation,
  act: (session: Session) => Value,
  options = {},
): Promise<{ peer: RawWebSocket; session: Session; value: Value }> {
  const server = await startBareEngine(implementation, options);
  const opened = deferred<{ session: Session; value: Value }>();
  server.engine.once("connection", (session: Session) =>
    opened.resolve({ session, value: act(session) }),
  );
  const peer = await RawWebSocket.open(server.port);
  return { peer, ...(await opened.promise) };
}

/** A session whose peer does not read any more: one packet is on its way and does not get through. */
async function startHeldUp(implementation: Implementation, options = {}) {
  const running = await startOverWebSocket(implementation, options);
  running.peer.stream.pause();
  const large = "x".repeat(7 * MEBIBYTE);
  running.session.send(large);
  await eventually(() => running.session.transport.socket.bufferedAmount > MEBIBYTE / 2);
  return { ...running, large };
}

function datas(session: Session): unknown[] {
  return session.writeBuffer.map(({ data }: any) => data);
}

describeBoth("sending", (implementation) => {
  it("the first look at writeBuffer in a connection listener tells all that was sent there", async () => {
    const { peer, session, value } = await openWith(implementation, (session) => {
      session.send("a");
      session.send("b", { compress: false });
      session.send(Buffer.from([1, 2]));
      session.send("");
      const seen = session.writeBuffer;
      expect(Array.isArray(seen)).toBe(true);
      session.send("c");
      return [...seen];
    });
    expect(value).toEqual([
      { type: "message", data: "a", options: { compress: true } },
      { type: "message", data: "b", options: { compress: false } },
      { type: "message", data: Buffer.from([1, 2]), options: { compress: true } },
      { type: "message", options: { compress: true } },
      { type: "message", data: "c", options: { compress: true } },
    ]);
    await peer.expectText(/^0/);
    await peer.expectText("4a");
    await peer.expectText("4b");
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([1, 2]));
    await peer.expectText("4");
    await peer.expectText("4c");
    await eventually(() => session.writeBuffer.length === 0);
  });

  it("initialPacket waits behind the open packet", async () => {
    const { value } = await openWith(implementation, (session) => datas(session), {
      initialPacket: "hello",
    });
    expect(value).toEqual(["hello"]);
  });

  it("of what an idle session sends the first packet is on its way, the others wait until the tick ends", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    for (const text of ["a", "b", "c"]) {
      session.send(text);
    }
    expect(datas(session)).toEqual(["b", "c"]);
    await nextTurn();
    expect(datas(session)).toEqual([]);
    for (const text of ["4a", "4b", "4c"]) {
      await peer.expectText(text);
    }
  });

  it("what is sent in the tick after that waits too", async () => {
    const { session } = await startOverWebSocket(implementation);
    const seen = deferred<unknown[]>();
    session.send("a");
    session.send("b");
    process.nextTick(() => {
      session.send("c");
      session.send("d");
      seen.resolve(datas(session));
    });
    expect(await seen.promise).toEqual(["c", "d"]);
  });

  it("the first look at it counts what was emitted and broadcast, attachments too", async () => {
    const { io, socket, client } = await startPair(implementation);
    await settleTransport(socket, []);
    const conn: Session = socket.conn;
    socket.emit("a");
    io.emit("b", Buffer.from([1]));
    socket.emit("c", Buffer.from([2]), Buffer.from([3]));
    io.to(socket.id).emit("d");
    io.except(socket.id).emit("not for it");
    expect(datas(conn)).toEqual([
      '51-["b",{"_placeholder":true,"num":0}]',
      Buffer.from([1]),
      '52-["c",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
      Buffer.from([2]),
      Buffer.from([3]),
      '2["d"]',
    ]);
    await settleDown(socket, client);
    await eventually(() => conn.writeBuffer.length === 0);
  });

  it("a broadcast is on its way as an event is", async () => {
    const { io, socket } = await startPair(implementation);
    await settleTransport(socket, []);
    io.emit("a");
    expect(socket.conn.transport.writable).toBe(false);
    expect((socket.conn as Session).writeBuffer).toHaveLength(0);
    socket.emit("b");
    expect(datas(socket.conn)).toEqual(['2["b"]']);
  });

  it("megabytes of one turn are all there at the first look", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    const texts = Array.from({ length: 100 }, (_, index) => String(index % 10).repeat(5_000));
    texts.splice(50, 0, "x".repeat(100_000));
    for (const text of texts) {
      session.send(text);
    }
    expect(datas(session)).toEqual(texts.slice(1));
    for (const text of texts) {
      expect((await peer.nextFrame()).text).toBe(`4${text}`);
    }
  });

  it("in a listener of close after close(true) it tells what is lost, and a tick later nothing", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    const seen: unknown[][] = [];
    session.on("close", () => seen.push(datas(session)));
    for (const text of ["a", "b", "c"]) {
      session.send(text);
    }
    session.close(true);
    await nextTurn();
    expect([...seen, datas(session)]).toEqual([["b", "c"], []]);
    await peer.expectText("4a");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("close(true) drops what waits, and sends what is on its way", async () => {
    const { io, socket } = await startPair(implementation);
    await settleTransport(socket, []);
    const raw = await RawWebSocket.open((io as any).httpServer.address().port);
    await raw.expectText(/^0/);
    const connected = once(io, "connection");
    raw.send("40");
    const [other] = await connected;
    await raw.expectText(/^40/);
    await eventually(() => other.conn.transport.writable);
    socket.emit("x"); // whoever sends first in a turn has no part in it
    other.emit("a");
    io.emit("b");
    other.emit("c");
    other.conn.close(true);
    await raw.expectText('42["a"]');
    expect(await raw.expectClose()).toBeUndefined();
  });

  it("engine.close() drops what waits", async () => {
    const { engine, peer, session } = await startOverWebSocket(implementation);
    session.send("a");
    session.send("b");
    engine.close();
    await peer.expectText("4a");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("what is sent to a peer that does not read waits, and is known at the first look", async () => {
    const { peer, session, large } = await startHeldUp(implementation);
    session.send("a");
    await nextTurn();
    session.send(Buffer.from([1, 2]));
    await nextTurn();
    session.send("b", { compress: false });
    expect(session.writeBuffer).toEqual([
      { type: "message", data: "a", options: { compress: true } },
      { type: "message", data: Buffer.from([1, 2]), options: { compress: true } },
      { type: "message", data: "b", options: { compress: false } },
    ]);
    await nextTurn();
    session.send("c");
    expect(session.writeBuffer).toHaveLength(4);
    const log: string[] = [];
    session.on("flush", (packets: unknown[]) => log.push(`flush ${packets.length}`));
    session.on("drain", () => log.push("drain"));
    peer.stream.resume();
    expect((await peer.nextFrame()).text).toBe(`4${large}`);
    await peer.expectText("4a");
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([1, 2]));
    await peer.expectText("4b");
    await peer.expectText("4c");
    await eventually(() => session.writeBuffer.length === 0);
    expect(log).toEqual(["flush 4", "drain"]);
  });

  it("a listener of drain is told when a peer reads again, though nobody listened before", async () => {
    const { peer, session } = await startHeldUp(implementation);
    session.send("a");
    await nextTurn();
    const drained = once(session, "drain");
    peer.stream.resume();
    await drained;
    expect(session.writeBuffer).toHaveLength(0);
  });

  it("the batch that a peer does not read is not in it", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    peer.stream.pause();
    const large = "x".repeat(8 * MEBIBYTE);
    session.send("first");
    session.send(large);
    session.send(large);
    await eventually(() => session.transport.socket.bufferedAmount > 10 * MEBIBYTE);
    await nextTurn();
    session.send("later");
    expect(datas(session)).toEqual(["later"]);
    peer.stream.destroy();
  });

  it("over polling the first look tells what was emitted since the last poll", async () => {
    const { io, port } = await startServer(implementation);
    const connection = once(io, "connection");
    const peer = await PollingPeer.join(port);
    const [socket] = await connection;
    socket.emit("a");
    await nextTurn();
    socket.emit("b", Buffer.from([1]));
    expect(datas(socket.conn)).toEqual([
      '2["a"]',
      '51-["b",{"_placeholder":true,"num":0}]',
      Buffer.from([1]),
    ]);
    expect(await peer.poll()).toContain('42["a"]');
    expect(datas(socket.conn)).toEqual([]);
    socket.conn.close(true);
  });

  it("a ping that no GET takes waits in it, and is flushed with what waits when one comes", async () => {
    const { engine, port, ...server } = await startBareEngine(implementation, { pingInterval: 50 });
    const opened = server.nextSession();
    const peer = await PollingPeer.open(port);
    const session: Session = await opened;
    const log: unknown[] = [];
    const types = (packets: any[]) => packets.map(({ type }) => type).join();
    for (const [who, emitter] of [
      ["session", session],
      ["engine", engine],
    ] as [string, EventEmitter][]) {
      emitter.on("flush", (...args: any[]) => log.push(`${who} flush ${types(args.at(-1))}`));
      emitter.on("drain", () => log.push(`${who} drain`));
    }
    session.send("m", () => log.push("callback"));
    await once(session, "packetCreate"); // the ping
    await nextTurn();
    expect(types(session.writeBuffer)).toBe("message,ping");
    expect(log).toEqual([]);
    expect(await peer.poll()).toBe("4m\x1e2");
    expect(log).toEqual([
      "session flush message,ping",
      "engine flush message,ping",
      "callback",
      "session drain",
      "engine drain",
    ]);
    expect(session.writeBuffer).toEqual([]);
    session.close(true);
  });

  it("a ping that no GET takes is there at the first look", async () => {
    const server = await startBareEngine(implementation, { pingInterval: 50 });
    const opened = server.nextSession();
    const peer = await PollingPeer.open(server.port);
    const session: Session = await opened;
    const other = server.nextSession();
    const clock = await PollingPeer.open(server.port);
    expect(await clock.poll()).toBe("2"); // the session's was due before
    expect(session.writeBuffer).toEqual([{ type: "ping", options: { compress: true } }]);
    expect(await peer.poll()).toBe("2");
    expect(session.writeBuffer).toEqual([]);
    session.close(true);
    (await other).close(true);
  });

  it("a ping that a GET takes is flushed at once", async () => {
    const server = await startBareEngine(implementation, { pingInterval: 50 });
    const opened = server.nextSession();
    const peer = await PollingPeer.open(server.port);
    const session: Session = await opened;
    const log: string[] = [];
    session.on("packetCreate", ({ type }: any) => log.push(type));
    session.on("flush", (packets: unknown[]) => log.push(`flush ${packets.length}`));
    session.transport.on("drain", () => log.push("T drain"));
    session.on("drain", () => log.push("drain"));
    expect(await peer.poll()).toBe("2");
    expect(log).toEqual(["ping", "flush 1", "T drain", "drain"]);
    expect(session.writeBuffer).toEqual([]);
    session.close(true);
  });

  it("the packets of other types in it are there too", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    session.sendPacket("noop");
    session.sendPacket("ping", "x");
    session.sendPacket("pong");
    expect(session.writeBuffer).toEqual([
      { type: "ping", data: "x", options: { compress: true } },
      { type: "pong", options: { compress: true } },
    ]);
    await peer.expectText("6");
    await peer.expectText("2x");
    await peer.expectText("3");
  });

  it("sendPacket sends every type over polling, with its events and callback", async () => {
    const server = await startBareEngine(implementation);
    const opened = server.nextSession();
    const peer = await PollingPeer.open(server.port);
    const session: Session = await opened;
    const log: string[] = [];
    session.on("packetCreate", ({ type }: any) => log.push(type));
    session.sendPacket("noop", undefined, {}, () => log.push("callback"));
    session.sendPacket("message", "x");
    session.sendPacket("upgrade");
    expect(await peer.poll()).toBe("6\x1e4x\x1e5");
    await eventually(() => log.includes("callback"));
    expect(log).toEqual(["noop", "message", "upgrade", "callback"]);
    session.close(true);
  });

  it("send of the transport sends every type", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    session.transport.send([{ type: "noop" }, { type: "message", data: "x" }, { type: "pong" }]);
    await peer.expectText("6");
    await peer.expectText("4x");
    await peer.expectText("3");
  });

  it("over polling what the transport is given at once goes into one payload", async () => {
    const server = await startBareEngine(implementation);
    const opened = server.nextSession();
    const peer = await PollingPeer.open(server.port);
    const session: Session = await opened;
    for (const { send, expected } of [
      { send: ["a", Buffer.from([1]), "c"], expected: "4a\x1ebAQ==\x1e4c" },
      { send: ["d"], expected: "4d" },
    ]) {
      const polled = peer.poll();
      await eventually(() => session.transport.writable);
      session.transport.send(send.map((data) => ({ type: "message", data, options: {} })));
      expect(await polled).toBe(expected);
    }
    const mixed = peer.poll();
    await eventually(() => session.transport.writable);
    session.transport.send([{ type: "noop" }, { type: "message", data: "x" }, { type: "pong" }]);
    expect(await mixed).toBe("6\x1e4x\x1e3");
    session.close(true);
  });

  it("over polling what is put into writeBuffer goes into one payload, and with what is sent then", async () => {
    const server = await startBareEngine(implementation);
    const opened = server.nextSession();
    const peer = await PollingPeer.open(server.port);
    const session: Session = await opened;
    const own = ["a", "b"].map((data) => ({ type: "message", data, options: {} }));
    const flushed = peer.poll();
    await eventually(() => session.transport.writable);
    session.writeBuffer.push(...own);
    session.flush();
    expect(await flushed).toBe("4a\x1e4b");
    const sent = peer.poll();
    await eventually(() => session.transport.writable);
    session.writeBuffer.push(...own);
    session.send("c");
    expect(await sent).toBe("4a\x1e4b\x1e4c");
    session.close(true);
  });

  it("what is put into writeBuffer goes with flush(), and with the next packet", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    const log: string[] = [];
    session.on("flush", (packets: unknown[]) => log.push(`flush ${packets.length}`));
    session.on("drain", () => log.push("drain"));
    session.writeBuffer.push({ type: "message", data: "by hand" }, { type: "noop" });
    session.flush();
    expect(log).toEqual(["flush 2", "drain"]);
    expect(session.writeBuffer).toEqual([]);
    await peer.expectText("4by hand");
    await peer.expectText("6");
    await eventually(() => session.transport.writable);
    session.writeBuffer.push({ type: "message", data: "first" });
    session.send("second");
    await peer.expectText("4first");
    await peer.expectText("4second");
    session.writeBuffer = [{ type: "message", data: "an array of one's own" }];
    session.flush();
    await peer.expectText("4an array of one's own");
  });

  it("what is put into it while the transport is busy goes when that is free", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    session.send("a");
    session.writeBuffer.push({ type: "message", data: "by hand" });
    session.flush();
    expect(session.writeBuffer).toHaveLength(1);
    await peer.expectText("4a");
    await peer.expectText("4by hand");
    await eventually(() => session.writeBuffer.length === 0);
  });

  it("what is taken out of writeBuffer is not sent", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    for (const text of ["a", "b", "c"]) {
      session.send(text);
    }
    session.writeBuffer.shift();
    await peer.expectText("4a");
    await peer.expectText("4c");
  });

  it("_maybeUpgrade makes any transport a candidate", async () => {
    const server = await startBareEngine(implementation);
    const opened = server.nextSession();
    await PollingPeer.open(server.port);
    const session: Session = await opened;
    const candidate = new EventEmitter() as any;
    candidate.name = "mine";
    candidate.close = () => {};
    session._maybeUpgrade(candidate);
    expect(session.upgrading).toBe(true);
    session.close(true);
  });

  it("close() with one packet on its way to a peer that does not read is immediate", async () => {
    const { session } = await startHeldUp(implementation);
    const reasons: string[] = [];
    session.on("close", (reason: string) => reasons.push(reason));
    session.close();
    expect([session.readyState, ...reasons]).toEqual(["closed", "forced close"]);
  });

  it("close() with packets behind it waits until the peer has read on", async () => {
    const { peer, session, large } = await startHeldUp(implementation);
    session.send("behind it");
    const reasons: string[] = [];
    session.on("close", (reason: string) => reasons.push(reason));
    session.close();
    expect(session.readyState).toBe("closing");
    await new Promise((resolve) => setTimeout(resolve, 50)); // nothing happens meanwhile
    expect([session.readyState, ...reasons]).toEqual(["closing"]);
    peer.stream.resume();
    expect((await peer.nextFrame()).text).toBe(`4${large}`);
    await peer.expectText("4behind it");
    expect(await peer.expectClose()).toBeUndefined();
    expect(reasons).toEqual(["forced close"]);
  });

  it("a close that waits for a peer ends with the ping timeout", async () => {
    const { session } = await startHeldUp(implementation, { pingInterval: 1500, pingTimeout: 500 });
    session.send("behind it");
    const closed = once(session, "close");
    session.close();
    expect(session.readyState).toBe("closing");
    expect((await closed)[0]).toBe("ping timeout");
  });

  it("close(true) while a peer does not read drops what waits", async () => {
    const { peer, session, large } = await startHeldUp(implementation);
    session.send("behind it");
    await nextTurn();
    session.send("and this");
    const seen: unknown[] = [];
    session.on("close", () => seen.push(datas(session)));
    session.close(true);
    expect(seen).toEqual([["behind it", "and this"]]);
    peer.stream.resume();
    expect((await peer.nextFrame()).text).toBe(`4${large}`);
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("after several packets the transport is busy for one tick more", async () => {
    const { io, socket } = await startPair(implementation);
    await settleTransport(socket, []);
    const { transport } = socket.conn;
    const senders: [string, () => void][] = [
      ["events", () => socket.emit("a") && socket.emit("b")],
      ["broadcasts", () => io.emit("a") && io.emit("b")],
      ["an event and a broadcast", () => socket.emit("a") && io.emit("b")],
      ["a broadcast and an event", () => io.emit("a") && socket.emit("b")],
      ["an attachment", () => socket.emit("a", Buffer.from([1]))],
    ];
    for (const [what, send] of senders) {
      await eventually(() => transport.writable);
      const seen: unknown[] = [what];
      const last = deferred();
      send();
      process.nextTick(() => {
        seen.push(transport.writable);
        process.nextTick(() => {
          seen.push(transport.writable);
          last.resolve();
        });
      });
      await last.promise;
      expect(seen).toEqual([what, false, true]);
      await nextTurn();
    }
  });

  it("a volatile event in nextTick of several events is dropped, a later one is sent", async () => {
    const { io, socket, client } = await startPair(implementation);
    await settleTransport(socket, []);
    const seen: string[] = [];
    client.onAny((name) => seen.push(name));
    for (const send of [() => socket.volatile.emit("v"), () => io.volatile.emit("v")]) {
      await eventually(() => socket.conn.transport.writable);
      const last = deferred();
      socket.emit("a");
      socket.emit("b");
      process.nextTick(() => {
        send();
        process.nextTick(() => {
          socket.volatile.emit("w");
          last.resolve();
        });
      });
      await last.promise;
      await nextTurn();
    }
    await settleDown(socket, client);
    expect(seen.filter((name) => name.length === 1)).toEqual(["a", "b", "w", "a", "b", "w"]);
  });

  it("packet is emitted for every packet of a WebSocket, and by its transport after it", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    const log: unknown[] = [];
    session.on("packet", (packet: unknown) => log.push(packet));
    session.transport.on("packet", ({ type }: any) => log.push(`T ${type}`));
    session.send("settled");
    await peer.expectText("4settled");
    await nextTurn();
    for (const text of ["0{}", "1", "5", "6", "6x", "4x", "3"]) {
      peer.send(text);
    }
    await eventually(() => log.length === 14);
    expect(log).toEqual([
      { type: "open", data: "{}" },
      "T open",
      { type: "close" },
      "T close",
      { type: "upgrade" },
      "T upgrade",
      { type: "noop" },
      "T noop",
      { type: "noop", data: "x" },
      "T noop",
      { type: "message", data: "x" },
      "T message",
      { type: "pong" },
      "T pong",
    ]);
    expect(session.readyState).toBe("open");
  });

  it("the open packet leaves with drain and ready of the transport, a tick after connection", async () => {
    const { session, value } = await openWith(implementation, (session) => {
      const log: string[] = [];
      session.transport.on("drain", () => log.push("T drain"));
      session.transport.on("ready", () => log.push("T ready"));
      session.on("flush", () => log.push("flush"));
      session.on("drain", () => log.push("drain"));
      return log;
    });
    await eventually(() => value.length > 1);
    expect(value).toEqual(["T drain", "T ready"]);
    expect(session.transport.writable).toBe(true);
  });

  it("what was sent in a connection listener leaves with the events of a batch", async () => {
    const { value } = await openWith(implementation, (session) => {
      const log: string[] = [];
      session.send("a");
      session.transport.on("drain", () => log.push("T drain"));
      session.transport.on("ready", () => log.push("T ready"));
      session.on("flush", (packets: unknown[]) => log.push(`flush ${packets.length}`));
      session.on("drain", () => log.push("drain"));
      return log;
    });
    await eventually(() => value.length > 5);
    expect(value).toEqual(["T drain", "flush 1", "drain", "T ready", "T drain", "T ready"]);
  });

  it("at an upgrade what waits is flushed, and its callbacks follow when it has left", async () => {
    const { session, candidate, log } = await startUpgrade(implementation);
    session.send("a", () => log.push("callback a"));
    session.send("b", (transport: any) => log.push(`callback b ${transport.name}`));
    session.on("upgrade", (transport: any) => {
      log.push("upgrade");
      transport.on("drain", () => log.push("T drain"));
      transport.on("ready", () => log.push("T ready"));
    });
    candidate.send("5");
    await eventually(() => log.includes("T ready"));
    expect(log).toEqual([
      "upgrade",
      "flush 2",
      "drain",
      "callback a",
      "callback b websocket",
      "T drain",
      "T ready",
    ]);
    await candidate.expectText("4a");
    await candidate.expectText("4b");
  });

  it("at an upgrade of a session that is closing what waits is flushed, and no callback called", async () => {
    const { session, candidate, log } = await startUpgrade(implementation);
    session.send("a", () => log.push("callback"));
    session.on("close", (reason: string) => log.push(`close ${reason}`));
    session.close();
    candidate.send("5");
    await candidate.expectText("4a");
    await eventually(() => log.includes("close forced close"));
    await nextTurn();
    await nextTurn();
    expect(log).toEqual(["flush 1", "drain", "close forced close"]);
    expect(log).not.toContain("callback");
  });

  it("the engine's flush and drain of the open packet show a session that can be used, over websocket", async () => {
    const { engine, port } = await startBareEngine(implementation);
    const seen: unknown[] = [];
    engine.once("flush", (session: Session) => seen.push(session.transport.name));
    engine.once("drain", (session: Session) => {
      seen.push(
        session.transport.name,
        session.writeBuffer.length,
        session.transport.socket.readyState,
      );
      session.send("early");
    });
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0\{/);
    await peer.expectText("4early");
    expect(seen).toEqual(["websocket", "websocket", 0, 1]);
  });

  it("the engine's flush and drain of the open packet come once, and what is sent then is the next poll's, over polling", async () => {
    const { engine, port } = await startBareEngine(implementation);
    const seen: unknown[] = [];
    engine.on("flush", (session: Session) => seen.push(`flush ${session.transport.name}`));
    engine.on("drain", (session: Session) => seen.push(session.writeBuffer.length));
    engine.once("drain", (session: Session) => session.send("early"));
    const peer = await PollingPeer.open(port); // nothing but the open packet
    expect(seen).toEqual(["flush polling", 0]);
    expect(await peer.poll()).toBe("4early");
    expect(seen).toEqual(["flush polling", 0, "flush polling", 0]);
  });
});

/** A session on polling with a candidate that has probed. */
async function startUpgrade(implementation: Implementation) {
  const server = await startBareEngine(implementation);
  const opened = server.nextSession();
  const polling = await PollingPeer.open(server.port);
  const session: Session = await opened;
  const candidate = await RawWebSocket.open(server.port, { path: polling.target("websocket") });
  candidate.send("2probe");
  await candidate.expectText("3probe");
  const log: string[] = [];
  session.on("flush", (packets: unknown[]) => log.push(`flush ${packets.length}`));
  session.on("drain", () => log.push("drain"));
  return { session, candidate, polling, log };
}
