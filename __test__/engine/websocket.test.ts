/** Sessions on a WebSocket, and upgrades, as JavaScript sees them; the core is played by a fake, whose words the tests choose. */
import { once } from "node:events";
import * as inEngine from "../../lib/engine/in-engine";
import { type Fixture, immediate, openPolling, Role, start, upgrade } from "./fixture";
import { exchange, RawPeer } from "./raw";

describe("engine: a WebSocket session", () => {
  it("has one stable object with engine.io's properties", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    expect(fixture.engine.clients[conn.id]).toBe(conn);
    expect(fixture.engine.clientsCount).toBe(1);
    expect([conn.protocol, conn.readyState, conn.upgraded, conn.upgrading]).toEqual([
      4,
      "open",
      false,
      false,
    ]);
    expect(conn.remoteAddress).toBe("127.0.0.1");
    const { transport } = conn;
    expect(transport).toBe(conn.transport);
    expect(transport).toMatchObject({
      name: "websocket",
      readyState: "open",
      discarded: false,
      protocol: 4,
      sid: conn.id,
      supportsBinary: true,
    });
    expect(transport.socket).toMatchObject({ readyState: 1, bufferedAmount: 0, OPEN: 1 });
    expect(conn.getAvailableUpgrades()).toEqual([]);
    const { request } = conn;
    expect(Object.hasOwn(conn, "request")).toBe(true);
    conn.request = null;
    expect(conn.request).toBeNull();
    conn.request = request;
    delete conn.request;
    expect(conn.request).toBeUndefined();
  });

  it("delivers messages to both events, an empty text as undefined", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    const seen: unknown[] = [];
    for (const event of ["packet", "data", "message"]) {
      conn.on(event, (value: unknown) => seen.push([event, value]));
    }
    conn[inEngine.onMessage]("a");
    conn[inEngine.onMessage]("");
    expect(seen).toEqual([
      ["packet", { type: "message", data: "a" }],
      ["data", "a"],
      ["message", "a"],
      ["packet", { type: "message" }],
      ["data", undefined],
      ["message", undefined],
    ]);
  });

  it("asks the core for heartbeats only when somebody listens", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    conn.on("message", () => {});
    expect(fixture.link.log.filter((line) => line.startsWith("observe"))).toEqual([]);
    conn.once("heartbeat", () => {});
    conn.on("packet", () => {});
    expect(fixture.link.log.filter((line) => line.startsWith("observe"))).toEqual(["observe 0 1"]);
  });

  it("is writable again in the next turn, unless the kernel takes no more", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    await immediate();
    expect(conn.transport.writable).toBe(true);
    conn.send("a");
    expect(conn.transport.writable).toBe(false);
    await immediate();
    expect(conn.transport.writable).toBe(true);
    fixture.link.pendingBytes = 1;
    expect(conn.transport.writable).toBe(false);
    fixture.link.pendingBytes = 0;
    fixture.link.broadcasts.push({
      reaches: (slot) => slot === conn[inEngine.slot],
      packets: 1,
      isVolatile: false,
    });
    expect(conn.transport.writable).toBe(false);
  });

  it("watched sends: one batch is with the transport, later ones wait in the buffer", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    await immediate();
    const trace: unknown[] = [];
    for (const event of ["packetCreate", "flush", "drain"]) {
      conn.on(event, () => trace.push(event));
    }
    conn.transport.on("drain", () => trace.push("transport drain"));
    conn.send("a", () => trace.push("sent a"));
    conn.send("b", () => trace.push("sent b"));
    conn.send("c", () => trace.push("sent c"));
    expect(trace.splice(0)).toEqual([
      "packetCreate",
      "flush",
      "drain",
      "packetCreate",
      "packetCreate",
    ]);
    expect(conn.writeBuffer).toHaveLength(2);
    expect(fixture.link.log.slice(-3)).toEqual([
      'send 0 ["a"] 6',
      'send 0 ["b"] 6',
      'send 0 ["c"] 6',
    ]);
    conn[inEngine.onSent](1);
    expect(trace.splice(0)).toEqual(["sent a", "transport drain", "flush", "drain"]);
    expect(conn.writeBuffer).toHaveLength(0);
    conn[inEngine.onSent](2);
    expect(trace).toEqual(["sent b", "sent c", "transport drain"]);
  });

  it("a watched unit of several packets is one command", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    await immediate();
    const created: unknown[] = [];
    conn.on("packetCreate", ({ data }: any) => created.push(data));
    conn[inEngine.writeUnit](["51-", Buffer.from([1])], {});
    expect(created).toEqual(["51-", Buffer.from([1])]);
    expect(fixture.link.log.slice(-1)).toEqual([`send 0 ${JSON.stringify(created)} 6`]);
    conn.write = (data: unknown) => created.push(["patched", data]);
    conn[inEngine.writeUnit](["51-", "x"], {});
    expect(created.slice(2)).toEqual([
      ["patched", "51-"],
      ["patched", "x"],
    ]);
  });

  it("close() emits close before it returns; only packets behind the first of a turn make it wait", async () => {
    for (const packets of [0, 1, 2]) {
      const fixture = await start();
      const { conn } = await fixture.open();
      await immediate();
      const reasons: string[] = [];
      conn.on("close", (reason: string) => reasons.push(reason));
      for (let i = 0; i < packets; i++) {
        conn.send("a");
      }
      conn.close();
      conn.send("ignored");
      expect(fixture.link.log).not.toContain('send 0 "ignored" 2');
      expect(fixture.link.log).toContain("close 0 flush");
      expect([conn.readyState, reasons]).toEqual(
        packets < 2 ? ["closed", ["forced close"]] : ["closing", []],
      );
      expect(fixture.engine.clientsCount).toBe(packets < 2 ? 0 : 1);
      conn[inEngine.onClosed]("forced close", "", false);
      conn[inEngine.onMessage]("late");
      expect([conn.readyState, reasons]).toEqual(["closed", ["forced close"]]);
      expect(conn.transport.readyState).toBe("closing"); // the closing handshake
    }
  });

  it.each([
    ["transport error", "RangeError: Max payload size exceeded", "TransportError"],
    ["transport error", "invalid heartbeat direction", undefined],
    ["transport close", "", undefined],
    ["ping timeout", "", undefined],
    ["parse error", "", undefined],
  ] as const)("the core ends it with %s (%s)", async (reason, text, type) => {
    const fixture = await start();
    const { conn } = await fixture.open();
    const closed = once(conn, "close");
    fixture.link.end(0, reason, text);
    const [given, description] = await closed;
    expect(given).toBe(reason);
    expect(description?.message).toBe(text || undefined);
    expect(description?.type).toBe(type);
    expect(fixture.engine.clients).toEqual({});
  });

  it("transport.close() ends it with transport close", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    const closed = once(conn, "close");
    conn.transport.close();
    expect(fixture.link.log.at(-1)).toBe("frame 0 8");
    conn[inEngine.onClosed]("transport close", "", false);
    expect(await closed).toEqual(["transport close", undefined]);
  });

  it("a frame that was prepared by an adapter is sent as the message in it", async () => {
    const fixture = await start();
    const { conn } = await fixture.open();
    conn.send("x", { wsPreEncodedFrame: [Buffer.from([0x81, 3]), Buffer.from("4ab")] });
    conn.send("x", { wsPreEncodedFrame: Buffer.from([0x81, 3, 0x34, 0x61, 0x62]) });
    conn.send("x", { wsPreEncodedFrame: Buffer.from([0x82, 1, 1]) });
    expect(fixture.link.log.slice(-3)).toEqual(['send 0 "ab" 2', 'send 0 "ab" 2', 'send 0 "x" 2']);
  });
});

describe("engine: upgrades", () => {
  async function candidate(fixture: Fixture, conn: any): Promise<RawPeer> {
    const peer = await RawPeer.connect(fixture.server);
    peer.write(upgrade(`transport=websocket&sid=${conn.id}`));
    await peer.until(/101/);
    return peer;
  }

  it("a WebSocket with the sid becomes a candidate, then the transport", async () => {
    const fixture = await start();
    const conn = await openPolling(fixture);
    const polling = conn.transport;
    const trace: unknown[] = [];
    conn.on("upgrading", (transport: any) =>
      trace.push(["upgrading", transport.name, conn.transport === polling]),
    );
    conn.on("upgrade", (transport: any) =>
      trace.push(["upgrade", transport === conn.transport, conn.upgraded]),
    );
    polling.on("close", () => trace.push("polling closed"));
    conn.send("a", () => trace.push("sent"));
    const { request } = conn;
    await candidate(fixture, conn);
    expect(fixture.link.streams[0]).toMatchObject({
      role: Role.candidate,
      slot: conn[inEngine.slot],
    });
    expect(conn.upgrading).toBe(true);
    conn[inEngine.onUpgrading](0);
    const waiting = await RawPeer.connect(fixture.server);
    waiting.write(
      `POST /engine.io/?EIO=4&transport=polling&sid=${conn.id} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4a`,
    );
    while (!polling.dataReq) {
      await immediate();
    }
    conn[inEngine.onUpgraded](0);
    expect(trace).toEqual([
      ["upgrading", "websocket", true],
      "polling closed",
      ["upgrade", true, true],
    ]);
    expect([conn.upgrading, conn.upgraded, polling.discarded, conn.readyState]).toEqual([
      false,
      true,
      true,
      "open",
    ]);
    expect(conn.request).toBe(request);
    await immediate();
    expect(trace.splice(3)).toEqual(["sent"]);
    expect(await waiting.untilClosed()).toBe("");
    const mismatch = `GET /engine.io/?EIO=4&transport=polling&sid=${conn.id} HTTP/1.1\nHost: x\nConnection: close\n\n`;
    expect(await exchange(fixture.server, mismatch)).toContain(
      '{"code":3,"message":"Bad request"}',
    );
  });

  it("a GET that waits is released by the switch", async () => {
    const fixture = await start();
    const conn = await openPolling(fixture);
    await candidate(fixture, conn);
    const waiting = exchange(
      fixture.server,
      `GET /engine.io/?EIO=4&transport=polling&sid=${conn.id} HTTP/1.1\nHost: x\nConnection: close\n\n`,
    );
    while (!conn.transport.writable) {
      await immediate();
    }
    conn[inEngine.onUpgraded](0);
    expect(await waiting).toMatch(/\r\n\r\n1$/);
  });

  it("a failed attempt leaves the session on polling, and another is allowed", async () => {
    const fixture = await start();
    const conn = await openPolling(fixture);
    await candidate(fixture, conn);
    conn[inEngine.onUpgradeFailed](0);
    expect([conn.upgrading, conn.transport.name]).toEqual([false, "polling"]);
    await candidate(fixture, conn);
    conn[inEngine.onUpgradeFailed](0); // of the first one, late
    expect(conn.upgrading).toBe(true);
    expect(fixture.link.streams.map(({ role }) => role)).toEqual([Role.candidate, Role.candidate]);
  });

  it("a second candidate, a session on a WebSocket and the polling transport are refused", async () => {
    const fixture = await start();
    const conn = await openPolling(fixture);
    await candidate(fixture, conn);
    await candidate(fixture, conn);
    conn[inEngine.onUpgraded](0);
    await candidate(fixture, conn);
    const { conn: direct } = await fixture.open();
    await candidate(fixture, direct);
    const peer = await RawPeer.connect(fixture.server);
    peer.write(upgrade("transport=polling"));
    await peer.until(/101/);
    expect(fixture.link.streams.map(({ role }) => role)).toEqual([
      Role.candidate,
      Role.refused,
      Role.refused,
      Role.direct,
      Role.refused,
      Role.refused,
    ]);
    expect(fixture.engine.clientsCount).toBe(2);
  });
});
