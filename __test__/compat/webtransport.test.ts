// socket.io over WebTransport, beside clients of the other transports: handshake, events with attachments, acks, rooms, volatile.

import type { Socket } from "socket.io";
import { once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer, packetsOf } from "../harness/polling-peer";
import { type Running, startServer } from "../harness/servers";
import { WebTransportPeer } from "../harness/webtransport-peer";

const OPTIONS = { transports: ["polling", "websocket", "webtransport"] as any };

/** Connects a scripted client to namespace `/`. */
async function join({ io }: Running): Promise<{ peer: WebTransportPeer; socket: Socket }> {
  const connected = onceValue<Socket>(io, "connection");
  const peer = WebTransportPeer.connect(io.engine);
  expect(await peer.nextText()).toMatch(/^0\{/);
  peer.send('40{"token":"abc"}');
  const socket = await connected;
  expect(await peer.nextText()).toBe(`40{"sid":"${socket.id}"}`);
  return { peer, socket };
}

async function startJoined(implementation: Implementation) {
  const running = await startServer(implementation, OPTIONS);
  return { ...running, ...(await join(running)) };
}

describeBoth("socket.io over webtransport", (implementation) => {
  it("the handshake is that of a session without a request", async () => {
    const { socket } = await startJoined(implementation);
    const { handshake } = socket;
    expect(handshake).toMatchObject({
      headers: {},
      xdomain: false,
      secure: true,
      query: {},
      auth: { token: "abc" },
    });
    expect([handshake.address, handshake.url]).toEqual([undefined, undefined]);
    expect([socket.request, socket.client.request]).toEqual([null, null]);
    expect(socket.conn.transport.name).toBe("webtransport");
  });

  it("events go both ways, with attachments", async () => {
    const { peer, socket } = await startJoined(implementation);
    const heard = once(socket, "up");
    peer.send('451-["up",{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3]));
    expect(await heard).toEqual([Buffer.from([1, 2, 3])]);
    socket.emit("down", "text", Buffer.from([4]), { deep: Buffer.from([5, 6]) });
    expect(await peer.nextText()).toBe(
      '452-["down","text",{"_placeholder":true,"num":0},{"deep":{"_placeholder":true,"num":1}}]',
    );
    expect(await peer.next()).toMatchObject({ isBinary: true, data: Buffer.from([4]) });
    expect(await peer.next()).toMatchObject({ isBinary: true, data: Buffer.from([5, 6]) });
  });

  it("acks go both ways", async () => {
    const { peer, socket } = await startJoined(implementation);
    socket.on("ask", (answer: (value: string) => void) => answer("here"));
    peer.send('427["ask"]');
    expect(await peer.nextText()).toBe('437["here"]');
    const answered = socket.timeout(4_000).emitWithAck("question");
    expect(await peer.nextText()).toBe('420["question"]');
    peer.send('430["yes"]');
    expect(await answered).toBe("yes");
  });

  it("a broadcast reaches clients of all transports, in its order with what is sent to one", async () => {
    const running = await startServer(implementation, OPTIONS);
    const { io } = running;
    const overWebTransport = await join(running);
    const polling = await PollingPeer.join(running.port);
    const client = running.connect("/", { transports: ["websocket"] });
    await once(client, "connect");
    io.socketsJoin("room");
    const heard = once(client, "news");
    overWebTransport.socket.emit("before");
    io.to("room").emit("news", 1, Buffer.from([7]));
    overWebTransport.socket.emit("behind");
    const { peer } = overWebTransport;
    expect(await peer.nextText()).toBe('42["before"]');
    expect(await peer.nextText()).toBe('451-["news",1,{"_placeholder":true,"num":0}]');
    expect(await peer.next()).toMatchObject({ isBinary: true, data: Buffer.from([7]) });
    expect(await peer.nextText()).toBe('42["behind"]');
    expect(packetsOf(await polling.poll())).toEqual([
      '451-["news",1,{"_placeholder":true,"num":0}]',
      "bBw==",
    ]);
    expect(await heard).toEqual([1, Buffer.from([7])]);
  });

  it("except leaves it out, and its own room reaches it", async () => {
    const running = await startServer(implementation, OPTIONS);
    const first = await join(running);
    const second = await join(running);
    first.socket.broadcast.emit("to others");
    running.io.to(first.socket.id).emit("to one");
    expect(await first.peer.nextText()).toBe('42["to one"]');
    expect(await second.peer.nextText()).toBe('42["to others"]');
  });

  it("of two volatile packets in one turn the second is dropped", async () => {
    const { peer, socket } = await startJoined(implementation);
    socket.volatile.emit("one");
    socket.volatile.emit("two");
    await new Promise((resolve) => setImmediate(resolve));
    socket.emit("three");
    expect(await peer.nextText()).toBe('42["one"]');
    expect(await peer.nextText()).toBe('42["three"]');
  });

  it("volatile packets are dropped while the client does not read", async () => {
    const { peer, socket } = await startJoined(implementation);
    const filler = "x".repeat(1000);
    for (let index = 0; index < 8; index += 1) {
      socket.emit("filler", filler);
      await new Promise((resolve) => setTimeout(resolve, 5)); // the streams in between fill up
    }
    socket.volatile.emit("lost");
    await new Promise((resolve) => setImmediate(resolve));
    socket.emit("end");
    const before = await peer.readUntil('42["end"]');
    expect(before).toEqual(Array(8).fill(`42["filler","${filler}"]`));
  });

  it("disconnect(true) closes the session of WebTransport", async () => {
    const { peer, socket } = await startJoined(implementation);
    const disconnected = once(socket, "disconnect");
    socket.disconnect(true);
    expect((await disconnected)[0]).toBe("server namespace disconnect");
    await peer.closedByServer;
  });

  it("a client that closes is a transport close", async () => {
    const { peer, socket } = await startJoined(implementation);
    const disconnected = once(socket, "disconnect");
    peer.close();
    expect((await disconnected)[0]).toBe("transport close");
  });

  it("io.close() closes its sessions", async () => {
    const { io, peer, socket } = await startJoined(implementation);
    const disconnected = once(socket, "disconnect");
    await io.close();
    expect((await disconnected)[0]).toBe("server shutting down");
    await peer.closedByServer;
  });
});
