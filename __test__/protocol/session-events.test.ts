// The order in which a session and its transport tell what happens: writes, closes, faults, each with the reason and its description.

import { type Session, startBareEngine } from "../harness/bare-engine";
import { eventually, nextTurn, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { closeFrame, frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";

async function startOverWebSocket(implementation: Implementation) {
  const server = await startBareEngine(implementation);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port);
  await peer.expectText(/^0/);
  const session: Session = await opened;
  await eventually(() => session.transport.writable);
  return { ...server, peer, session };
}

async function startOverPolling(implementation: Implementation) {
  const server = await startBareEngine(implementation);
  const opened = server.nextSession();
  const peer = await PollingPeer.open(server.port);
  const session: Session = await opened;
  return { ...server, peer, session };
}

/** Records what a session and its transport tell; `T` stands for the transport. */
function record(session: Session): string[] {
  const log: string[] = [];
  for (const event of ["flush", "drain", "data", "message", "heartbeat"]) {
    session.on(event, () => log.push(event));
  }
  session.on("packet", ({ type }: any) => log.push(`packet ${type}`));
  session.on("close", (reason: string, description?: Error & { type?: string }) => {
    const text = description === undefined ? "" : `: ${description.message}`;
    log.push(`close ${reason}${text}${description?.type ? ` (${description.type})` : ""}`);
  });
  const { transport } = session;
  for (const event of ["drain", "ready", "close"]) {
    transport.on(event, () => log.push(`T ${event}`));
  }
  transport.on("packet", ({ type }: any) => log.push(`T packet ${type}`));
  transport.on("error", ({ message }: Error) => log.push(`T error ${message}`));
  return log;
}

/** Faults of a peer over WebSocket, and what the session tells. */
const FAULTS: [string, (peer: RawWebSocket) => void, string][] = [
  ["an unmasked frame", (peer) => peer.send("4x", { isMasked: false }), "MASK must be set"],
  ["a reserved bit", (peer) => peer.send("4x", { reserved: 4 }), "RSV1 must be clear"],
  ["an unknown opcode", (peer) => peer.send("", { opcode: 3 }), "invalid opcode 3"],
  ["a stray continuation", (peer) => peer.send("", { opcode: 0 }), "invalid opcode 0"],
  [
    "a close code that may not be sent",
    (peer) => peer.write(closeFrame(1005)),
    "invalid status code 1005",
  ],
];

describeBoth("session events", (implementation) => {
  it("over websocket a batch is told as callback, drain of the transport, flush and drain of the next batch, ready", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    const log = record(session);
    session.send("a", () => log.push("callback a"));
    session.send("b", () => log.push("callback b"));
    session.send("c", () => log.push("callback c"));
    expect([session.writeBuffer.length, session.packetsFn.length]).toEqual([2, 2]);
    expect(session.sentCallbackFn.map((batch: unknown[]) => batch.length)).toEqual([1]);
    log.push("returned");
    await eventually(() => log.filter((entry) => entry === "T ready").length === 2);
    expect(log).toEqual([
      "flush",
      "drain",
      "returned",
      "callback a",
      "T drain",
      "flush",
      "drain",
      "T ready",
      "callback b",
      "callback c",
      "T drain",
      "T ready",
    ]);
    expect([session.writeBuffer, session.packetsFn, session.sentCallbackFn]).toEqual([[], [], []]);
    for (const text of ["4a", "4b", "4c"]) {
      await peer.expectText(text);
    }
  });

  it("a listener for drain of the transport alone is told of writes", async () => {
    const { session } = await startOverWebSocket(implementation);
    const drained = once(session.transport, "drain");
    session.send("x");
    await drained;
    const ready = once(session.transport, "ready");
    session.send("x");
    await ready;
  });

  it("over polling ready comes after what it led to", async () => {
    const { session, peer } = await startOverPolling(implementation);
    const log = record(session);
    session.send("a", () => log.push("callback"));
    await peer.poll();
    expect(log).toEqual(["flush", "callback", "T drain", "drain", "T ready"]);
    session.close(true);
  });

  it("close while packets wait ends the session when they were handed over, without their callbacks", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    const log = record(session);
    const closed = once(session, "close");
    session.send("a", () => log.push("callback a"));
    session.send("b", () => log.push("callback b"));
    session.close();
    log.push(`returned ${session.readyState}`);
    await closed;
    await nextTurn();
    expect(log.slice(0, 8)).toEqual([
      "flush",
      "drain",
      "returned closing",
      "callback a",
      "T drain",
      "flush",
      "drain",
      "close forced close",
    ]);
    expect(log).not.toContain("callback b");
    await peer.expectText("4a");
    await peer.expectText("4b");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("the session's listeners for packets come before the transport's", async () => {
    const expected = [
      "packet message",
      "data",
      "message",
      "T packet message",
      "packet pong",
      "heartbeat",
      "T packet pong",
    ];
    const first = await startOverWebSocket(implementation);
    const log = record(first.session);
    // The listeners are known to the core as soon as what was sent after them is out.
    first.session.send("settled");
    await first.peer.expectText("4settled");
    await eventually(() => log.includes("T ready"));
    log.length = 0;
    first.peer.write(Buffer.concat([frame("4x"), frame("3")]));
    await eventually(() => log.length >= expected.length);
    expect(log).toEqual(expected);

    const second = await startOverPolling(implementation);
    const polled = record(second.session);
    await second.peer.send("4x", "3");
    expect(polled).toEqual(expected);
    second.session.close(true);
  });

  for (const [what, act, message] of FAULTS) {
    it(`${what} is told by close and then by error of the transport`, async () => {
      const { session, peer } = await startOverWebSocket(implementation);
      const log = record(session);
      act(peer);
      await eventually(() => log.length >= 2);
      const text = `RangeError: Invalid WebSocket frame: ${message}`;
      expect(log.slice(0, 2)).toEqual([
        `close transport error: ${text} (TransportError)`,
        `T error ${text}`,
      ]);
    });
  }

  it("an undecodable packet is told as a packet of type error, and ends the session", async () => {
    for (const text of ["x", ""]) {
      const { session, peer } = await startOverWebSocket(implementation);
      const log = record(session);
      peer.send(text);
      await eventually(() => log.length >= 3);
      expect(log.slice(0, 3)).toEqual(["packet error", "close parse error", "T packet error"]);
    }
  });

  it("the wrong half of the heartbeat is no error of the transport", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    const log = record(session);
    peer.send("2");
    await eventually(() => log.some((entry) => entry.startsWith("close")));
    expect(log.filter((entry) => /close|error/.test(entry))).toEqual([
      "close transport error: invalid heartbeat direction",
    ]);
  });

  it("onError and onClose end the session at once with what they are given", async () => {
    const first = await startOverWebSocket(implementation);
    const log = record(first.session);
    first.session.onError(new Error("mine"));
    expect(log).toEqual(["close transport error: mine"]);
    expect(first.engine.clientsCount).toBe(0);
    const second = await startOverWebSocket(implementation);
    const closed = once(second.session, "close");
    second.session.onClose("a reason", "a description");
    expect(await closed).toEqual(["a reason", "a description"]);
    expect(await second.peer.expectClose()).toBeUndefined();
  });

  it("onError of the transport ends the session with its message", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    const log = record(session);
    session.transport.onError("broken", "why");
    expect(log).toEqual(["close transport error: broken (TransportError)", "T error broken"]);
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("a poll that goes away and an overlap close the transport, then the session, and are told as errors last", async () => {
    const gone = await startOverPolling(implementation);
    const first = record(gone.session);
    const poll = gone.peer.start("GET");
    poll.response.catch(() => {}); // it is aborted
    poll.send();
    await eventually(() => gone.session.transport.writable);
    poll.clientRequest.destroy();
    const message = "poll connection closed prematurely";
    await eventually(() => first.includes(`T error ${message}`));
    expect(first.filter((entry) => !/ready|drain/.test(entry))).toEqual([
      "T close",
      `close transport error: ${message} (TransportError)`,
      `T error ${message}`,
    ]);

    const doubled = await startOverPolling(implementation);
    const second = record(doubled.session);
    const waiting = doubled.peer.get();
    await eventually(() => doubled.session.transport.writable);
    expect((await doubled.peer.get()).status).toBe(400);
    expect((await waiting).text).toBe("1");
    expect(second.filter((entry) => !/ready|drain/.test(entry))).toEqual([
      "T close",
      "close transport error: overlap from client (TransportError)",
      "T error overlap from client",
    ]);
  });

  it("a polling transport that fails while no GET waits closes after its session, when closeTimeout has passed", async () => {
    const { session } = await startOverPolling(implementation);
    session.transport.closeTimeout = 20;
    const log = record(session);
    session.transport.onError("broken");
    const ended = ["close transport error: broken (TransportError)", "T error broken"];
    expect(log).toEqual(ended);
    await once(session.transport, "close");
    expect(log).toEqual([...ended, "T close"]);
  });

  for (const [transport, start] of [
    ["polling", startOverPolling],
    ["websocket", startOverWebSocket],
  ] as const) {
    it(`onPacket and onData of the transport are taken for what the client sends over ${transport}`, async () => {
      const { session } = await start(implementation);
      const got: unknown[] = [];
      session.on("data", (data: unknown) => got.push(data));
      const log = record(session);
      session.transport.onPacket({ type: "message", data: "a" });
      session.transport.onData("4b");
      session.transport.onData("3");
      expect(got).toEqual(["a", "b"]);
      const message = ["packet message", "data", "message", "T packet message"];
      expect(log).toEqual([...message, ...message, "packet pong", "heartbeat", "T packet pong"]);
    });
  }

  it("flush of the server tells of an initial packet with the open packet on polling, behind it over websocket", async () => {
    const { engine, port } = await startBareEngine(implementation, {
      initialPacket: "welcome",
    } as never);
    const flushed: string[][] = [];
    engine.on("flush", (_session: Session, packets: { type: string; data: string }[]) => {
      flushed.push(packets.map(({ type, data }) => (type === "message" ? data : type)));
    });
    const polling = new PollingPeer(port);
    expect((await polling.handshake()).text).toMatch(/welcome$/);
    expect(flushed.splice(0)).toEqual([["open", "welcome"]]);
    const websocket = await RawWebSocket.open(port);
    await websocket.expectText(/^0/);
    await websocket.expectText("4welcome");
    await eventually(() => flushed.length === 2);
    expect(flushed).toEqual([["open"], ["welcome"]]);
  });

  it("a close packet over polling is told by the session before the transport", async () => {
    const { session, peer } = await startOverPolling(implementation);
    const log = record(session);
    await peer.send("1");
    expect(log).toEqual(["close transport close", "T close"]);
  });

  it("after close of a WebSocket transport the session is open until the client answers", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    const log = record(session);
    session.transport.close();
    expect(await peer.expectClose()).toBeUndefined();
    expect(session.readyState).toBe("open");
    const heard = once(session, "message");
    peer.send("4late");
    await heard;
    const closed = once(session, "close");
    peer.write(closeFrame());
    await closed;
    expect(log).toContain("close transport close");
  });

  it("close of a polling transport waits for a GET, and tells its callback, the session and the transport in order", async () => {
    const { session, peer } = await startOverPolling(implementation);
    const log = record(session);
    session.transport.closeTimeout = 5_000;
    session.transport.close(() => log.push("callback"));
    expect([session.readyState, session.transport.readyState, log]).toEqual([
      "open",
      "closing",
      [],
    ]);
    expect(await peer.poll()).toMatch(/1$/);
    await eventually(() => log.includes("T close"));
    expect(log.filter((entry) => !/ready|drain/.test(entry))).toEqual([
      "callback",
      "close transport close",
      "T close",
    ]);
  });

  it("close of a polling transport with a waiting GET is done when it returns", async () => {
    const { session, peer } = await startOverPolling(implementation);
    const poll = peer.poll();
    await eventually(() => session.transport.writable);
    const log = record(session);
    session.transport.close(() => log.push("callback"));
    expect(log.filter((entry) => !/ready|drain/.test(entry))).toEqual([
      "callback",
      "close transport close",
      "T close",
    ]);
    expect([session.readyState, session.transport.readyState]).toEqual(["closed", "closed"]);
    expect(await poll).toBe("1");
  });

  it("closeTimeout ends what no GET has ended, with the reason of whoever closed", async () => {
    const close = {
      "forced close": (session: Session) => session.close(),
      "transport close": (session: Session) => session.transport.close(),
    };
    for (const [reason, act] of Object.entries(close)) {
      const { session } = await startOverPolling(implementation);
      session.transport.closeTimeout = 20;
      const closed = once(session, "close");
      act(session);
      expect(session.transport.readyState).toBe("closing");
      expect((await closed)[0]).toBe(reason);
    }
  });

  it("the properties of a session can be set and deleted as users do", async () => {
    const { session } = await startOverWebSocket(implementation);
    expect([session.cleanupFn, session.writeBuffer, session.packetsFn].every(Array.isArray)).toBe(
      true,
    );
    session.readyState = "closing";
    expect(session.readyState).toBe("closing");
    session.readyState = "open";
    session.transport.protocol = 3;
    expect([session.transport.protocol, session.protocol]).toEqual([3, 4]);
    session.transport.protocol = 4;
    session.mine = 1;
    expect(Object.keys(session)).toEqual(expect.arrayContaining(["mine", "request"]));
    expect(delete session.request).toBe(true);
    expect("request" in session).toBe(false);
    session.request = 5;
    expect(session.request).toBe(5);
  });

  it("a session is counted off though its id was written over, or the table of sessions changed", async () => {
    for (const start of [startOverWebSocket, startOverPolling]) {
      for (const act of [
        (session: Session) => {
          session.id = "another";
        },
        (session: Session, engine: any) => delete engine.clients[session.id],
        (_session: Session, engine: any) => {
          engine.clients = {};
        },
      ]) {
        const { session, engine } = await start(implementation);
        act(session, engine);
        session.close(true);
        expect([Object.keys((engine as any).clients), engine.clientsCount]).toEqual([[], 0]);
      }
    }
  });

  it("frames that say nothing to a server leave the session as it is", async () => {
    const { session, peer } = await startOverWebSocket(implementation);
    for (const text of ["0{}", "1", "5", "6"]) {
      peer.send(text);
    }
    const heard = once(session, "message");
    peer.send("4x");
    peer.send("", { opcode: OPCODE.pong });
    expect((await heard)[0]).toBe("x");
    expect(session.readyState).toBe("open");
  });
});
