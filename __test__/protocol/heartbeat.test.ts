// The heartbeat of Engine.IO 4: the server pings, the client answers, and silence ends the session.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer, SEPARATOR } from "../harness/polling-peer";
import { request } from "../harness/raw-http";
import { RawWebSocket } from "../harness/raw-websocket";

interface Beating extends BareEngine {
  peer: RawWebSocket;
  session: Session;
}

async function startBeating(
  implementation: Implementation,
  options: Partial<ServerOptions>,
): Promise<Beating> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port);
  await peer.expectText(/^0\{/);
  return { ...server, peer, session: await opened };
}

/** Timers may fire a little early against another clock; half an interval is far from any error that matters. */
const TOLERANCE = 0.5;

describeBoth("engine heartbeat", (implementation) => {
  it("a pingInterval of 0 has no ping in the handshake, and one right after it", async () => {
    const { port } = await startBareEngine(implementation, { pingInterval: 0 });
    for (let round = 0; round < 40; round += 1) {
      const { text } = await request(port, { path: "/socket.io/?EIO=4&transport=polling" });
      expect(text).toMatch(/^0\{/);
      expect(text).not.toContain(SEPARATOR);
    }
    const peer = await PollingPeer.open(port);
    expect(await peer.poll()).toBe("2");
    await peer.send("3");
    expect(await peer.poll()).toBe("2");
  });

  it("a ping comes after pingInterval, the next one pingInterval after the pong", async () => {
    const { peer } = await startBeating(implementation, { pingInterval: 100, pingTimeout: 2_000 });
    const opened = Date.now();
    await peer.expectText("2");
    expect(Date.now() - opened).toBeGreaterThan(100 * TOLERANCE);
    await new Promise((resolve) => setTimeout(resolve, 80));
    peer.send("3");
    const answered = Date.now();
    await peer.expectText("2");
    expect(Date.now() - answered).toBeGreaterThan(100 * TOLERANCE);
  });

  it("a pong emits packet and heartbeat", async () => {
    const { peer, session } = await startBeating(implementation, {
      pingInterval: 30,
      pingTimeout: 2_000,
    });
    const log: string[] = [];
    session.on("packet", ({ type }: { type: string }) => log.push(`packet ${type}`));
    session.on("heartbeat", () => log.push("heartbeat"));
    await peer.expectText("2");
    const beat = once(session, "heartbeat");
    peer.send("3");
    await beat;
    expect(log).toEqual(["packet pong", "heartbeat"]);
  });

  it("packetCreate tells of the ping", async () => {
    const { peer, session } = await startBeating(implementation, {
      pingInterval: 30,
      pingTimeout: 2_000,
    });
    const created = once(session, "packetCreate");
    await peer.expectText("2");
    expect((await created)[0].type).toBe("ping");
  });

  it('a ping that is not answered in pingTimeout ends the session with "ping timeout"', async () => {
    const { peer, session, engine } = await startBeating(implementation, {
      pingInterval: 30,
      pingTimeout: 60,
    });
    const closed = once(session, "close");
    await peer.expectText("2");
    expect((await closed)[0]).toBe("ping timeout");
    expect(await peer.expectClose()).toBeUndefined();
    expect(engine.clientsCount).toBe(0);
  });

  it("messages are no pongs: a client that only talks is timed out too", async () => {
    const { peer, session } = await startBeating(implementation, {
      pingInterval: 30,
      pingTimeout: 60,
    });
    const closed = once(session, "close");
    const talk = setInterval(() => peer.send("4talk"), 15);
    try {
      expect((await closed)[0]).toBe("ping timeout");
    } finally {
      clearInterval(talk);
    }
  });

  it("WebSocket pongs and pings are no heartbeat", async () => {
    const { peer, session } = await startBeating(implementation, {
      pingInterval: 30,
      pingTimeout: 60,
    });
    const closed = once(session, "close");
    const beats = setInterval(() => {
      peer.send("", { opcode: 9 });
      peer.send("", { opcode: 10 });
    }, 15);
    try {
      expect((await closed)[0]).toBe("ping timeout");
    } finally {
      clearInterval(beats);
    }
  });

  it("a session whose pongs come lives on", async () => {
    const { peer, session } = await startBeating(implementation, {
      pingInterval: 20,
      pingTimeout: 1_000,
    });
    for (let beat = 0; beat < 5; beat += 1) {
      await peer.expectText("2");
      peer.send("3");
    }
    expect(session.readyState).toBe("open");
  });

  it("a polling client that does not poll is timed out as well", async () => {
    const server = await startBareEngine(implementation, { pingInterval: 30, pingTimeout: 60 });
    const opened = server.nextSession();
    await PollingPeer.open(server.port);
    expect((await once(await opened, "close"))[0]).toBe("ping timeout");
    expect(server.engine.clientsCount).toBe(0);
  });

  it("a polling client gets its ping by a waiting poll and answers by POST", async () => {
    const server = await startBareEngine(implementation, { pingInterval: 30, pingTimeout: 5_000 });
    const opened = server.nextSession();
    const peer = await PollingPeer.open(server.port);
    const session = await opened;
    for (let beat = 0; beat < 3; beat += 1) {
      expect(await peer.poll()).toBe("2");
      const heard = once(session, "heartbeat");
      await peer.send("3");
      await heard;
    }
  });

  it("a pong that nobody asked for is a heartbeat as well", async () => {
    const { peer, session } = await startBeating(implementation, {});
    const beat = once(session, "heartbeat");
    peer.send("3");
    await beat;
    expect(session.readyState).toBe("open");
  });

  it("a session that was upgraded is pinged over its new transport", async () => {
    const server = await startBareEngine(implementation, { pingInterval: 150, pingTimeout: 2_000 });
    const opened = server.nextSession();
    const polling = await PollingPeer.open(server.port);
    const session = await opened;
    const peer = await RawWebSocket.open(server.port, { path: polling.target("websocket") });
    peer.send("2probe");
    await peer.expectText("3probe");
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    await peer.expectText("2");
  });

  it("no ping comes before the pong of the one before, however long that takes", async () => {
    const { peer } = await startBeating(implementation, { pingInterval: 20, pingTimeout: 2_000 });
    await peer.expectText("2");
    const second = peer.nextFrame();
    let isPinged = false;
    second.then(() => {
      isPinged = true;
    });
    // The pings that must not come would come within this time.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isPinged).toBe(false);
    peer.send("3");
    expect((await second).text).toBe("2");
  });

  it("one other packet extends the wait for a pong, the next one does not", async () => {
    const { peer, session } = await startBeating(implementation, {
      pingInterval: 30,
      pingTimeout: 500,
    });
    const closed = once(session, "close");
    await peer.expectText("2");
    const heardAt: number[] = [];
    for (let count = 0; count < 2; count += 1) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const heard = once(session, "message");
      peer.send("4no pong");
      await heard;
      heardAt.push(Date.now());
    }
    expect((await closed)[0]).toBe("ping timeout");
    const [sinceFirst, sinceSecond] = heardAt.map((at) => Date.now() - at) as [number, number];
    expect(sinceFirst).toBeGreaterThan(400); // 300 if the first had not extended it
    expect(sinceSecond).toBeLessThan(450); // 500 if the second had
  });

  it("an unasked pong restarts the interval", async () => {
    const { peer } = await startBeating(implementation, { pingInterval: 150, pingTimeout: 2_000 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    peer.send("3");
    const answered = Date.now();
    await peer.expectText("2");
    expect(Date.now() - answered).toBeGreaterThan(150 * TOLERANCE);
  });
});
