// The session object (`socket.conn`): what send takes, the order and synchrony of its events, callbacks, the write buffer.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { deferred, eventually, nextTurn, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";

interface WebSocketSession extends BareEngine {
  peer: RawWebSocket;
  session: Session;
}

async function startOverWebSocket(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<WebSocketSession> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port);
  await peer.expectText(/^0\{/);
  const session = await opened;
  await eventually(() => session.transport.writable);
  return { ...server, peer, session };
}

async function startOverPolling(implementation: Implementation) {
  const server = await startBareEngine(implementation);
  const opened = server.nextSession();
  const peer = await PollingPeer.open(server.port);
  return { ...server, peer, session: await opened };
}

/** Records the events of a session and its transport by name. */
function recordEvents(session: Session): string[] {
  const log: string[] = [];
  for (const event of ["packetCreate", "flush", "drain"]) {
    session.on(event, () => log.push(event));
  }
  session.transport.on("drain", () => log.push("transport drain"));
  return log;
}

describeBoth("engine session", (implementation) => {
  it("send and write take text, binary and whatever can be made text, and return the session", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    expect(session.send("text")).toBe(session);
    expect(session.write("text")).toBe(session);
    for (const value of ["", null, undefined, false, 0]) {
      session.send(value);
    }
    session.send(12);
    session.send({});
    const bytes = Uint8Array.from([9, 1, 2, 9]);
    session.send(bytes.subarray(1, 3));
    session.send(bytes.buffer);
    const texts: string[] = [];
    for (let index = 0; index < 9; index += 1) {
      texts.push((await peer.nextFrame()).text);
    }
    expect(texts).toEqual(["4text", "4text", "4", "4", "4", "4", "4", "412", "4[object Object]"]);
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([1, 2]));
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([9, 1, 2, 9]));
  });

  it("over websocket packetCreate, flush and drain come inside of send, the callback in a later tick", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    const log = recordEvents(session);
    const called = deferred();
    session.send("x", () => {
      log.push("callback");
      called.resolve();
    });
    log.push("returned");
    await called.promise;
    await nextTurn();
    expect(log.slice(0, 4)).toEqual(["packetCreate", "flush", "drain", "returned"]);
    expect(log.filter((entry) => entry === "callback")).toHaveLength(1);
    await peer.expectText("4x");
  });

  it("of two sends in a tick the second waits in writeBuffer", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    session.send("one");
    expect(session.transport.writable).toBe(false);
    session.send("two");
    expect(session.writeBuffer.length).toBe(1);
    await peer.expectText("4one");
    await peer.expectText("4two");
    await eventually(() => session.writeBuffer.length === 0, "writeBuffer was not emptied");
  });

  it("callbacks are called in order, one per packet, with the transport", async () => {
    const { session } = await startOverWebSocket(implementation);
    const log: unknown[] = [];
    const last = deferred();
    for (const name of ["a", "b", "c"]) {
      session.send(name, (transport: unknown) => {
        log.push(name, transport === session.transport);
        if (name === "c") {
          last.resolve();
        }
      });
    }
    await last.promise;
    expect(log).toEqual(["a", true, "b", true, "c", true]);
  });

  it("the callback may come after the options", async () => {
    const { session } = await startOverWebSocket(implementation);
    const called = deferred();
    session.send("x", { compress: false }, () => called.resolve());
    await called.promise;
  });

  it("over polling a packet waits for a poll, and its callback with it", async () => {
    const { peer, session } = await startOverPolling(implementation);
    const log = recordEvents(session);
    session.send("x", () => log.push("callback"));
    expect(log).toEqual(["packetCreate"]);
    expect(session.writeBuffer.length).toBe(1);
    expect(session.transport.writable).toBe(false);
    expect(await peer.poll()).toBe("4x");
    await eventually(() => log.includes("callback"));
    expect(log.slice(0, 2)).toEqual(["packetCreate", "flush"]);
    expect(log.filter((entry) => entry === "drain")).toHaveLength(1);
  });

  it("over polling with a waiting poll all of it happens inside of send", async () => {
    const { peer, session } = await startOverPolling(implementation);
    const poll = peer.poll();
    await eventually(() => session.transport.writable);
    const log = recordEvents(session);
    session.send("x", () => log.push("callback"));
    log.push("returned");
    expect(session.transport.writable).toBe(false);
    expect(log.indexOf("packetCreate")).toBe(0);
    expect(log.indexOf("flush")).toBe(1);
    expect(log.indexOf("drain")).toBeLessThan(log.indexOf("returned"));
    expect(await poll).toBe("4x");
  });

  it("packetCreate tells type, data and options, before the packet is sent", async () => {
    const { session } = await startOverWebSocket(implementation);
    const packets: any[] = [];
    session.on("packetCreate", (packet: unknown) => packets.push(packet));
    session.send("plain");
    session.send("not compressed", { compress: false });
    expect(packets).toMatchObject([
      { type: "message", data: "plain", options: { compress: true } },
      { type: "message", data: "not compressed", options: { compress: false } },
    ]);
  });

  it("flush and drain of the engine tell the session", async () => {
    const { engine, session } = await startOverWebSocket(implementation);
    const log: unknown[] = [];
    engine.on("flush", (flushed: unknown, buffer: unknown[]) => {
      log.push("flush", flushed === session, buffer.length);
    });
    engine.on("drain", (drained: unknown) => log.push("drain", drained === session));
    session.send("x");
    expect(log).toEqual(["flush", true, 1, "drain", true]);
  });

  it("each message of one segment is delivered in order: packet, data, message", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    const log: unknown[] = [];
    for (const event of ["packet", "data", "message"]) {
      session.on(event, (value: any) => log.push(event, value.data ?? value));
    }
    const last = new Promise<void>((resolve) => {
      session.on("message", (text: string) => text === "b" && resolve());
    });
    peer.send("4a");
    peer.send("4b");
    await last;
    const expected = ["a", "b"].flatMap((text) => ["packet", text, "data", text, "message", text]);
    expect(log).toEqual(expected);
  });

  it("send after the end is ignored, its callback never called", async () => {
    const { session } = await startOverWebSocket(implementation);
    session.close();
    const created: unknown[] = [];
    session.on("packetCreate", (packet: unknown) => created.push(packet));
    expect(session.send("x", () => created.push("callback"))).toBe(session);
    await nextTurn();
    expect(created).toEqual([]);
  });

  it("writeBuffer can still be read in a close listener and is empty a tick later", async () => {
    for (const start of [startOverPolling, startOverWebSocket]) {
      const { session } = await start(implementation);
      session.send("sent over websocket");
      session.send("never sent");
      const seen: unknown[] = [];
      session.on("close", () => seen.push(session.writeBuffer.at(-1)?.data));
      session.close(true);
      await nextTurn();
      expect([...seen, session.writeBuffer.length]).toEqual(["never sent", 0]);
    }
  });

  it("callbacks of what was never sent are not called at the end", async () => {
    const { session } = await startOverPolling(implementation);
    let calls = 0;
    session.send("never sent", () => {
      calls += 1;
    });
    session.close(true);
    await nextTurn();
    expect(calls).toBe(0);
  });

  it("close() twice emits one close", async () => {
    const { session } = await startOverWebSocket(implementation);
    const reasons: unknown[] = [];
    session.on("close", (reason: string) => reasons.push(reason));
    session.close();
    session.close();
    session.close(true);
    expect(reasons).toEqual(["forced close"]);
  });

  it("close() while packets wait ends the session after they were handed on", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    const closed = once(session, "close");
    for (let index = 0; index < 50; index += 1) {
      session.send(String(index));
    }
    session.close();
    for (let index = 0; index < 50; index += 1) {
      await peer.expectText(`4${index}`);
    }
    expect((await closed)[0]).toBe("forced close");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("the session's request may be taken away at any time", async () => {
    for (const take of [
      (session: Session) => delete session.request,
      (session: Session) => {
        session.request = null;
      },
    ]) {
      const { peer, session } = await startOverWebSocket(implementation);
      take(session);
      expect(session.request ?? null).toBeNull();
      session.send("x");
      await peer.expectText("4x");
      const heard = once(session, "message");
      peer.send("4y");
      await heard;
      const closed = once(session, "close");
      peer.stream.destroy();
      expect((await closed)[0]).toBe("transport close");
    }
  });

  it("a message is delivered while the peer does not read", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    peer.stream.pause();
    for (let index = 0; index < 100; index += 1) {
      session.send("x".repeat(100_000));
    }
    const heard = once(session, "message");
    peer.send("4still heard");
    expect((await heard)[0]).toBe("still heard");
    expect(session.readyState).toBe("open");
  });

  it("ten megabytes to a slow reader arrive in order and in full", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    peer.stream.pause();
    for (let index = 0; index < 100; index += 1) {
      session.send(String(index % 10).repeat(100_000));
    }
    await nextTurn();
    peer.stream.resume();
    for (let index = 0; index < 100; index += 1) {
      const { text } = await peer.nextFrame();
      expect([text.length, text[1], text.at(-1)]).toEqual([
        100_001,
        String(index % 10),
        String(index % 10),
      ]);
    }
  });

  it("transport.socket is the raw WebSocket: ping, bufferedAmount, readyState", async () => {
    const { peer, session } = await startOverWebSocket(implementation);
    const raw = session.transport.socket;
    expect(raw.readyState).toBe(1);
    expect(raw.bufferedAmount).toBe(0);
    raw.ping("are you there");
    const { opcode, text } = await peer.nextFrame();
    expect([opcode, text]).toEqual([9, "are you there"]);
    expect(raw._socket.remotePort).toBe(peer.stream.localPort);
  });
});
