// How connections end: who starts it, which reason each side is told, and what is left on the wire.

import { settleDown, TRANSPORTS } from "../harness/clients";
import { collect, eventually, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startPair, startServer } from "../harness/servers";

describeBoth("disconnect", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`client.disconnect() is "client namespace disconnect" over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const left = once(socket, "disconnect");
      const closed = once(socket.conn, "close");
      client.disconnect();
      expect(await left).toEqual(["client namespace disconnect", undefined]);
      await closed;
    });

    it(`a client that closes its connection is "transport close" over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const left = onceValue(socket, "disconnect");
      client.io.engine.close();
      expect(await left).toBe("transport close");
    });

    it(`socket.disconnect() is "server namespace disconnect" here and "io server disconnect" there over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const here: unknown[] = [];
      socket.on("disconnect", (reason) => here.push(reason));
      const there = onceValue(client, "disconnect");
      expect(socket.disconnect()).toBe(socket);
      expect(here).toEqual(["server namespace disconnect"]);
      expect(await there).toBe("io server disconnect");
    });

    it(`what was emitted before disconnect(true) still arrives over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const seen: string[] = [];
      client.onAny((event) => seen.push(event));
      const there = onceValue(client, "disconnect");
      const closed = once(socket.conn, "close");
      socket.emit("bye");
      socket.disconnect(true);
      expect(await there).toBe("io server disconnect");
      expect(seen).toEqual(["bye"]);
      await closed;
    });
  }

  it("disconnect() leaves the connection open for other namespaces", async () => {
    const running = await startServer(implementation);
    running.io.of("/other");
    const { socket, client } = await joinPair(running);
    const other = client.io.socket("/other");
    await once(other, "connect");
    const there = once(client, "disconnect");
    socket.disconnect();
    await there;
    expect(socket.conn.readyState).toBe("open");
    const otherSocket = running.io.of("/other").sockets.get(other.id as string);
    await settleDown(otherSocket as never, other);
  });

  it("disconnect() of the last namespace leaves the connection open too", async () => {
    const { port, io } = await startServer(implementation);
    const joined = onceValue(io, "connection");
    const peer = await PollingPeer.join(port);
    const socket = await joined;
    socket.disconnect();
    expect(await peer.poll()).toBe("41");
    expect(socket.conn.readyState).toBe("open");
    await peer.send("40");
    expect(await peer.poll()).toMatch(/^40\{/);
  });

  it("disconnect(true) ends all namespaces of the client, each with its own packet, then the connection", async () => {
    const { port, io } = await startServer(implementation);
    io.of("/n");
    const first = onceValue(io, "connection");
    const second = onceValue(io.of("/n"), "connection");
    const peer = await RawWebSocket.join(port);
    peer.send("40/n,");
    await peer.expectText(/^40\/n,/);
    const reasons: unknown[] = [];
    (await second).on("disconnect", (reason: string) => reasons.push("n", reason));
    const socket = await first;
    socket.on("disconnect", (reason: string) => reasons.push("main", reason));
    socket.disconnect(true);
    expect(reasons).toEqual([
      "main",
      "server namespace disconnect",
      "n",
      "server namespace disconnect",
    ]);
    await peer.expectText("41");
    await peer.expectText("41/n,");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("any truthy argument of disconnect closes the connection", async () => {
    const { socket, client } = await startPair(implementation);
    const closed = onceValue(socket.conn, "close");
    (socket.disconnect as (close: unknown) => void)("unauthorized");
    expect(await closed).toBe("forced close");
    expect(client.io.engine.readyState).not.toBe("opening");
  });

  it("disconnect() of a disconnected socket does nothing", async () => {
    const { socket } = await startPair(implementation);
    const reasons: unknown[] = [];
    socket.on("disconnect", (reason) => reasons.push(reason));
    socket.disconnect();
    expect(socket.disconnect()).toBe(socket);
    expect(socket.disconnect(true)).toBe(socket);
    expect(reasons).toEqual(["server namespace disconnect"]);
    expect(socket.conn.readyState).toBe("open");
  });

  it('conn.close() is "forced close"', async () => {
    const { socket } = await startPair(implementation);
    const reasons: unknown[] = [];
    socket.on("disconnect", (reason) => reasons.push(reason));
    socket.conn.close();
    expect(reasons).toEqual(["forced close"]);
  });

  it('a reset of the TCP connection is "transport close" over websocket', async () => {
    const { port, io } = await startServer(implementation);
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const left = onceValue(await joined, "disconnect");
    peer.stream.resetAndDestroy();
    expect(await left).toBe("transport close");
  });

  it('an aborted poll is "transport error"', async () => {
    const { port, io } = await startServer(implementation);
    const joined = onceValue(io, "connection");
    const peer = await PollingPeer.join(port);
    const socket = await joined;
    const left = once(socket, "disconnect");
    const poll = peer.start("GET");
    poll.send();
    await eventually(() => socket.conn.transport.writable, "the poll was not parked");
    poll.clientRequest.destroy();
    const [reason, description] = await left;
    expect(reason).toBe("transport error");
    expect(description).toBeInstanceOf(Error);
    expect(description.message).toBe("poll connection closed prematurely");
  });

  it('a client that answers no ping is "ping timeout"', async () => {
    const options = { pingInterval: 300, pingTimeout: 300 }; // a slow machine has joined by then
    const { port, io } = await startServer(implementation, options);
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const left = onceValue(await joined, "disconnect");
    await peer.expectText("2");
    expect(await left).toBe("ping timeout");
  });

  it('a message over maxHttpBufferSize is "transport error" with the error as description', async () => {
    const { port, io } = await startServer(implementation, { maxHttpBufferSize: 100 });
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const socket = await joined;
    const leaving = once(socket, "disconnecting");
    const left = once(socket, "disconnect");
    peer.send("x".repeat(101));
    const [reason, description] = await left;
    expect(await leaving).toEqual([reason, description]);
    expect(reason).toBe("transport error");
    expect(description).toBeInstanceOf(Error);
    expect(description.type).toBe("TransportError");
    expect(description.message).toBe("RangeError: Max payload size exceeded");
    expect(await peer.expectClose()).toBe(1009);
  });

  it('an unknown engine packet is "parse error"', async () => {
    const { port, io } = await startServer(implementation);
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const left = onceValue(await joined, "disconnect");
    peer.send("9");
    expect(await left).toBe("parse error");
  });

  it('a ping from the client is "transport error: invalid heartbeat direction"', async () => {
    const { port, io } = await startServer(implementation);
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const left = once(await joined, "disconnect");
    peer.send("2");
    const [reason, description] = await left;
    expect(reason).toBe("transport error");
    expect(String(description.message)).toContain("invalid heartbeat direction");
  });

  it('an undecodable socket packet gives every socket an error, then "forced close"', async () => {
    const { port, io } = await startServer(implementation);
    io.of("/n");
    const first = onceValue(io, "connection");
    const second = onceValue(io.of("/n"), "connection");
    const peer = await RawWebSocket.join(port);
    peer.send("40/n,");
    const events: unknown[] = [];
    for (const socket of [await first, await second]) {
      socket.on("error", (error: Error) => events.push(socket.nsp.name, error.message));
      socket.on("disconnect", (reason: string) => events.push(socket.nsp.name, reason));
    }
    const closed = once(internals(await first).conn, "close");
    peer.send("4abc");
    await closed;
    expect(events).toEqual([
      "/",
      "unknown packet type NaN",
      "/n",
      "unknown packet type NaN",
      "/",
      "forced close",
      "/n",
      "forced close",
    ]);
  });

  it("a connection loss ends all sockets of a client in the order of joining", async () => {
    const running = await startServer(implementation);
    const order: string[] = [];
    for (const name of ["/a", "/b", "/"]) {
      running.io
        .of(name)
        .on("connection", (socket) => socket.on("disconnect", () => order.push(name)));
    }
    const client = running.connect("/b");
    await once(client, "connect");
    for (const name of ["/", "/a"]) {
      await once(client.io.socket(name), "connect");
    }
    const closed = once(Object.values(internals(running.io.engine).clients)[0] as never, "close");
    client.io.engine.close();
    await closed;
    expect(order).toEqual(["/b", "/", "/a"]);
  });

  it("a ws frame after the server's close frame is ignored", async () => {
    const { port, io } = await startServer(implementation);
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const socket = await joined;
    const heard: unknown[] = [];
    socket.onAny((event: string) => heard.push(event));
    socket.disconnect(true);
    peer.send('42["late"]');
    expect(await peer.expectClose()).toBeUndefined();
    peer.send("", { opcode: OPCODE.close });
    await peer.ended();
    expect(heard).toEqual([]);
  });

  it("every connection that opened closes exactly once", async () => {
    const running = await startServer(implementation);
    const closes: unknown[] = [];
    running.io.engine.on("connection", (conn: any) => conn.on("close", () => closes.push(conn.id)));
    const disconnects: string[] = [];
    running.io.on("connection", (socket) =>
      socket.on("disconnect", () => disconnects.push(socket.id)),
    );
    const pairs = [await joinPair(running), await joinPair(running), await joinPair(running)];
    const all = Promise.all(pairs.map(({ socket }) => collect(socket.conn, "close", 1)));
    pairs[0]?.client.disconnect();
    pairs[1]?.socket.disconnect(true);
    pairs[2]?.client.io.engine.close();
    await all;
    expect(new Set(closes).size).toBe(3);
    expect(closes).toHaveLength(3);
    expect(new Set(disconnects).size).toBe(3);
    expect(disconnects).toHaveLength(3);
  });
});
