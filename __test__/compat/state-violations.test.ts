// Socket packets that come at the wrong moment: the connection is closed gracefully, and nobody else notices.

import type { Socket } from "socket.io";
import { closePollingSoon } from "../harness/bare-engine";
import { deferred, nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { frame, RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startPair, startServer } from "../harness/servers";

/** What a client sends right after the handshake, or after its CONNECT. */
const VIOLATIONS: { title: string; isJoined: boolean; packet: string }[] = [
  { title: "an event before CONNECT", isJoined: false, packet: '42["early"]' },
  { title: "an ack before CONNECT", isJoined: false, packet: "430[]" },
  { title: "DISCONNECT before CONNECT", isJoined: false, packet: "41" },
  { title: "an event for a namespace that was not joined", isJoined: true, packet: '42/n,["x"]' },
  { title: "a second CONNECT", isJoined: true, packet: "40" },
  { title: "a CONNECT_ERROR of the client", isJoined: true, packet: '44{"message":"x"}' },
];

describeBoth("state violations", (implementation) => {
  for (const { title, isJoined, packet } of VIOLATIONS) {
    it(`${title} closes a polling connection gracefully: the next poll reads 6 and 1`, async () => {
      const { io, port } = await startServer(implementation);
      io.of("/n");
      closePollingSoon(io.engine);
      const joined = isJoined ? onceValue<Socket>(io, "connection") : undefined;
      const peer = await (isJoined ? PollingPeer.join(port) : PollingPeer.open(port));
      const reasons: string[] = [];
      (await joined)?.on("disconnect", (reason) => reasons.push(reason));
      await peer.send(packet);
      expect(reasons).toEqual(isJoined ? ["forced server close"] : []);
      expect(await peer.poll()).toBe("6\x1e1");
      expect(io.engine.clientsCount).toBe(0);
    });

    it(`${title} closes a websocket`, async () => {
      const { io, port } = await startServer(implementation);
      io.of("/n");
      const joined = isJoined ? onceValue<Socket>(io, "connection") : undefined;
      const peer = await RawWebSocket.open(port);
      await peer.expectText(/^0/);
      const reasons: string[] = [];
      if (isJoined) {
        peer.send("40");
        await peer.expectText(/^40/);
        (await joined)?.on("disconnect", (reason) => reasons.push(reason));
      }
      peer.send(packet);
      expect(await peer.expectClose()).toBeUndefined();
      expect(reasons).toEqual(isJoined ? ["forced close"] : []);
      expect(io.engine.clientsCount).toBe(0);
    });
  }

  it("an undecodable packet closes a polling connection gracefully", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.join(port);
    const failed = once(await joined, "error");
    await peer.send("4abc");
    expect((await failed)[0].message).toBe("unknown packet type NaN");
    const left = onceValue((await joined) as never, "disconnect");
    expect(await peer.poll()).toBe("6\x1e1");
    expect(await left).toBe("forced close");
  });

  it("an event for a namespace that is still in middleware closes the connection", async () => {
    const { io, port } = await startServer(implementation);
    const held = deferred<() => void>();
    io.use((_socket, next) => held.resolve(next));
    const log: string[] = [];
    io.on("connection", () => log.push("connection"));
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0/);
    peer.send("40");
    const next = await held.promise;
    peer.send('42["early"]');
    expect(await peer.expectClose()).toBeUndefined();
    next();
    await nextTurn();
    expect(log).toEqual([]);
    expect(internals(io.sockets)._preConnectSockets.size).toBe(0);
  });

  it("client.ondata(null) is a decode error", async () => {
    const { socket } = await startPair(implementation);
    const failed = once(socket, "error");
    const left = onceValue(socket, "disconnect");
    internals(socket.client).ondata(null);
    expect((await failed)[0]).toBeInstanceOf(Error);
    expect(await left).toBe("forced close");
  });

  for (const [packet, message] of [
    ["4abc", "unknown packet type NaN"],
    ["49", "unknown packet type 9"],
    ["45woooot", "Illegal attachments"],
    ["45", "Illegal attachments"],
    ['450-["x"]', "Illegal attachments"],
    ['451-["x",{"_placeholder":true,"num":3}]', "illegal attachments"],
    ['42["disconnect"]', "invalid payload"],
    ["42{}", "invalid payload"],
    ["42[", "invalid payload"],
    ["42[]", "invalid payload"],
    ["43{}", "invalid payload"],
    ["41[]", "invalid payload"],
  ] as const) {
    it(`${packet} gives the socket the error "${message}"`, async () => {
      const { io, port } = await startServer(implementation);
      const joined = onceValue<Socket>(io, "connection");
      const peer = await RawWebSocket.join(port);
      const failed = once(await joined, "error");
      peer.send(packet);
      if (packet.startsWith("451-")) {
        peer.send(Buffer.from([1]), { opcode: 2 });
      }
      expect((await failed)[0].message).toBe(message);
      expect(await peer.expectClose()).toBeUndefined();
    });
  }

  it("another client is not disturbed", async () => {
    const running = await startServer(implementation);
    const { socket, client } = await joinPair(running);
    for (const { packet } of VIOLATIONS) {
      const peer = await RawWebSocket.join(running.port);
      peer.send(packet);
      peer.send("4abc");
      await peer.expectClose();
    }
    socket.on("q", (reply) => reply("alive"));
    expect(await client.emitWithAck("q")).toBe("alive");
    expect(running.io.sockets.sockets.size).toBe(1);
  });

  it("an event in the segment of its CONNECT closes the connection", async () => {
    const { io, port } = await startServer(implementation);
    const log: string[] = [];
    io.on("connection", () => log.push("connection"));
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0/);
    peer.write(Buffer.concat([frame("40"), frame('42["early"]')]));
    expect(await peer.expectClose()).toBeUndefined();
    await nextTurn();
    expect(log).toEqual([]);
    expect(io.engine.clientsCount).toBe(0);
  });

  it("close() of a client whose connection has ended does nothing", async () => {
    const { socket } = await startPair(implementation);
    const reasons: string[] = [];
    socket.on("disconnect", (reason) => reasons.push(reason));
    socket.conn.close();
    internals(socket.client).close();
    expect(reasons).toEqual(["forced close"]);
  });

  it("a client that is told to forget a socket that it does not have forgets none", async () => {
    const { socket, client } = await startPair(implementation);
    internals(socket.client)._remove({ id: "unknown", nsp: socket.nsp });
    expect(internals(socket.client).sockets.get(socket.id)).toBe(socket);
    socket.on("q", (reply) => reply("still there"));
    expect(await client.emitWithAck("q")).toBe("still there");
  });
});
