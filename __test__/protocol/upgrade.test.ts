// The upgrade of a session from polling to WebSocket, step by step: probe, waiting polls, the switch,
// and every way in which a candidate fails and leaves the session on polling.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { OPCODE, RawWebSocket } from "../harness/raw-websocket";

interface Upgradable extends BareEngine {
  polling: PollingPeer;
  session: Session;
  messages: unknown[];
  /** Opens a WebSocket for the session. */
  candidate(): Promise<RawWebSocket>;
  /** Opens a candidate and has it probe. */
  probed(): Promise<RawWebSocket>;
}

async function startUpgradable(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<Upgradable> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const polling = await PollingPeer.open(server.port);
  const session = await opened;
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => messages.push(data));
  const candidate = () => RawWebSocket.open(server.port, { path: polling.target("websocket") });
  const probed = async () => {
    const peer = await candidate();
    peer.send("2probe");
    await peer.expectText("3probe");
    return peer;
  };
  return { ...server, polling, session, messages, candidate, probed };
}

describeBoth("engine upgrade", (implementation) => {
  it("a close listener finds the upgrade under way that ends with the session", async () => {
    const { session, candidate } = await startUpgradable(implementation);
    const log: unknown[] = [];
    session.on("close", () => log.push(session.upgrading, session.upgraded));
    const peer = await candidate();
    await eventually(() => session.upgrading);
    session.close(true);
    expect([...log, session.upgrading]).toEqual([true, false, false]);
    await peer.expectClose();
  });

  it("probe, pong, upgrade packet: the session continues over the candidate", async () => {
    const { session, messages, candidate } = await startUpgradable(implementation);
    const log: unknown[] = [];
    session.on("upgrading", (transport: any) => log.push("upgrading", transport.name));
    session.on("upgrade", (transport: any) => {
      log.push("upgrade", transport === session.transport, session.upgraded, session.upgrading);
    });
    const peer = await candidate();
    await eventually(() => session.upgrading);
    peer.send("2probe");
    await peer.expectText("3probe");
    expect([session.upgrading, session.upgraded]).toEqual([true, false]);
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    expect(log).toEqual(["upgrading", "websocket", "upgrade", true, true, false]);
    session.send("down");
    await peer.expectText("4down");
    const heard = once(session, "message");
    peer.send("4up");
    await heard;
    expect(messages).toEqual(["up"]);
  });

  it("a waiting poll is answered 6 while a candidate probes", async () => {
    const { polling, session, probed } = await startUpgradable(implementation);
    const poll = polling.poll();
    await eventually(() => session.transport.writable);
    await probed();
    expect(await poll).toBe("6");
    // The next poll is answered too, so that the client can pause.
    expect(await polling.poll()).toBe("6");
  });

  it("a GET that waits again is answered 6 again, every 100 ms", async () => {
    const { polling, probed } = await startUpgradable(implementation);
    await probed();
    expect(await polling.poll()).toBe("6");
    const since = Date.now();
    for (let count = 0; count < 3; count += 1) {
      expect(await polling.poll()).toBe("6");
    }
    expect(Date.now() - since).toBeGreaterThan(200); // the first may have come late
  });

  it("a second WebSocket that names a session on one takes it over", async () => {
    const server = await startBareEngine(implementation);
    const opened = server.nextSession();
    const first = await RawWebSocket.open(server.port);
    await first.expectText(/^0\{/);
    const session = await opened;
    const path = `/socket.io/?EIO=4&transport=websocket&sid=${session.id}`;
    const second = await RawWebSocket.open(server.port, { path });
    second.send("2probe");
    await second.expectText("3probe");
    second.send("5");
    expect(await first.expectClose()).toBeUndefined();
    session.send("x");
    await second.expectText("4x");
    expect(session.upgraded).toBe(true);
  });

  it("until the switch, messages still go over polling, both ways", async () => {
    const { polling, session, messages, probed } = await startUpgradable(implementation);
    const peer = await probed();
    session.send("before the switch");
    let payload = await polling.poll();
    if (payload === "6") {
      payload = await polling.poll();
    }
    expect(payload).toBe("4before the switch");
    await polling.send("4up");
    expect(messages).toEqual(["up"]);
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
  });

  it("what waits at the switch goes over the candidate, in order", async () => {
    const { session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    session.send("one");
    session.send(Buffer.from([2]));
    session.on("upgrade", () => session.send("three"));
    peer.send("5");
    const frames = [await peer.nextFrame(), await peer.nextFrame(), await peer.nextFrame()];
    expect(frames.map(({ payload }) => payload.toString())).toEqual(["4one", "\u0002", "4three"]);
  });

  for (const { title, polling: b64, websocket, waiting, later } of [
    {
      title: "asked for base64 on polling alone takes bytes",
      polling: { b64: "1" },
      websocket: "",
      waiting: { opcode: OPCODE.binary, payload: Buffer.from([1, 2]) },
      later: { opcode: OPCODE.binary, payload: Buffer.from([3, 255]) },
    },
    {
      title: "asks for base64 over WebSocket alone takes that",
      polling: {},
      websocket: "&b64=1",
      waiting: { opcode: OPCODE.text, text: "bAQI=" },
      later: { opcode: OPCODE.text, text: "bA/8=" },
    },
  ]) {
    it(`a client that ${title} after the switch`, async () => {
      const server = await startBareEngine(implementation);
      const opened = server.nextSession();
      const query = b64 as Record<string, string>;
      const polling = await PollingPeer.open(server.port, { query });
      const session = await opened;
      expect(session.transport.supportsBinary).toBe(!("b64" in b64));
      const poll = polling.poll();
      await eventually(() => session.transport.writable);
      session.send(Buffer.from([1, 2]));
      expect(await poll).toBe("bAQI=");
      const path = `/socket.io/?EIO=4&transport=websocket&sid=${polling.sid}${websocket}`;
      const peer = await RawWebSocket.open(server.port, { path });
      session.send("text");
      session.send(Buffer.from([1, 2]));
      const upgraded = once(session, "upgrade");
      peer.send("5");
      await upgraded;
      expect(session.transport.supportsBinary).toBe(websocket === "");
      await peer.expectText("4text");
      expect(await peer.nextFrame()).toMatchObject(waiting);
      session.send(Buffer.from([3, 255]));
      expect(await peer.nextFrame()).toMatchObject(later);
    });
  }

  it("a session that is closed in a listener of upgrading tells the GET that waits, and its candidate", async () => {
    const { polling, session, engine, candidate } = await startUpgradable(implementation);
    const poll = polling.poll();
    await eventually(() => session.transport.writable);
    session.on("upgrading", () => session.close());
    const peer = await candidate();
    const closed = once(session, "close");
    peer.send("2probe");
    expect((await closed)[0]).toBe("forced close");
    expect(await poll).toBe("1");
    await peer.expectText("3probe");
    expect(await peer.expectClose()).toBeUndefined();
    expect(engine.clientsCount).toBe(0);
  });

  it("callbacks of what was sent before the switch are called", async () => {
    const { session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    const called = new Promise((resolve) => session.send("x", resolve));
    peer.send("5");
    await peer.expectText("4x");
    await called;
  });

  it("a poll that still waits at the switch is answered 1", async () => {
    const { polling, session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    // The first poll may be taken by a noop; the one that is held when the switch comes is not.
    let answer = "6";
    const polls = (async () => {
      while (answer === "6") {
        answer = await polling.poll();
      }
    })();
    await eventually(() => session.transport.writable);
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    await polls.catch(() => {});
    expect(["1", "6"]).toContain(answer);
  });

  it("the upgrade packet alone, without a probe, switches as well", async () => {
    const { session, candidate } = await startUpgradable(implementation);
    const upgraded = once(session, "upgrade");
    (await candidate()).send("5");
    await upgraded;
    expect(session.transport.name).toBe("websocket");
  });

  it("a repeated probe is answered again", async () => {
    const { session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    peer.send("2probe");
    await peer.expectText("3probe");
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
  });

  it("after the switch a poll is a transport mismatch", async () => {
    const { polling, session, probed, engine } = await startUpgradable(implementation);
    const upgraded = once(session, "upgrade");
    (await probed()).send("5");
    await upgraded;
    const refused = once(engine, "connection_error");
    const response = await polling.get();
    expect([response.status, response.text]).toEqual([400, '{"code":3,"message":"Bad request"}']);
    expect((await refused)[0].context.name).toBe("TRANSPORT_MISMATCH");
    expect(session.readyState).toBe("open");
  });

  for (const [title, packet] of [
    ["a message", "4too early"],
    ["a ping that is no probe", "2"],
    ["a close packet", "1"],
    ["a noop", "6"],
    ["a probe with more behind it", "2probe2"],
    ["a probe in bytes", Buffer.from("2probe")],
    ["a packet of no kind", "x"],
    ["an empty text", ""],
  ] as const) {
    it(`${title} of the candidate closes it, and the session stays on polling`, async () => {
      const { polling, session, messages, candidate } = await startUpgradable(implementation);
      const peer = await candidate();
      peer.send(packet, typeof packet === "string" ? {} : { opcode: OPCODE.binary });
      expect(await peer.expectClose()).toBeUndefined();
      await eventually(() => !session.upgrading);
      expect(session.transport.name).toBe("polling");
      await polling.send("4still here");
      expect(messages).toEqual(["still here"]);
    });
  }

  it("a candidate that violates WebSocket is closed, and the session stays on polling", async () => {
    const { polling, session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    peer.send("x", { isMasked: false });
    expect(await peer.expectClose()).toBe(1002);
    await eventually(() => !session.upgrading);
    await polling.send("4still here");
  });

  it("a candidate that vanishes leaves the session on polling, and another may succeed", async () => {
    const { polling, session, probed } = await startUpgradable(implementation);
    (await probed()).stream.destroy();
    await eventually(() => !session.upgrading);
    await polling.send("4still here");
    const upgraded = once(session, "upgrade");
    (await probed()).send("5");
    await upgraded;
  });

  it("a candidate that does not finish in upgradeTimeout is closed, and the session stays on polling", async () => {
    const { polling, session, probed } = await startUpgradable(implementation, {
      upgradeTimeout: 50,
    });
    const peer = await probed();
    expect(await peer.expectClose()).toBeUndefined();
    await eventually(() => !session.upgrading);
    expect(session.readyState).toBe("open");
    await polling.send("4still here");
    session.send("down");
    let payload = await polling.poll();
    while (payload === "6") {
      payload = await polling.poll();
    }
    expect(payload).toBe("4down");
  });

  it("of two candidates the second is closed and the first wins", async () => {
    const { session, candidate, probed } = await startUpgradable(implementation);
    const first = await probed();
    const second = await candidate();
    expect(await second.expectClose()).toBeUndefined();
    const upgraded = once(session, "upgrade");
    first.send("5");
    await upgraded;
    session.send("x");
    await first.expectText("4x");
  });

  it("a session that a listener of headers ends has no candidate, and what would be one is closed", async () => {
    const { session, engine, candidate } = await startUpgradable(implementation);
    engine.once("headers", () => session.close(true));
    const peer = await candidate();
    expect(await peer.expectClose()).toBeUndefined();
    expect([session.readyState, session.upgrading, session.upgraded]).toEqual([
      "closed",
      false,
      false,
    ]);
  });

  it("the end of the session closes its candidate", async () => {
    const { session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    session.close(true);
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("a session that is closed by its client while it upgrades is gone with its candidate", async () => {
    const { polling, session, engine, probed } = await startUpgradable(implementation);
    const peer = await probed();
    const closed = once(session, "close");
    await polling.send("1");
    expect((await closed)[0]).toBe("transport close");
    expect(await peer.expectClose()).toBeUndefined();
    expect(engine.clientsCount).toBe(0);
  });

  it("allowUpgrades: false offers none and still takes one", async () => {
    const { session, probed } = await startUpgradable(implementation, { allowUpgrades: false });
    const upgraded = once(session, "upgrade");
    (await probed()).send("5");
    await upgraded;
  });

  it("the heartbeat goes on over polling while a candidate probes", async () => {
    const { polling, probed } = await startUpgradable(implementation, {
      pingInterval: 40,
      pingTimeout: 2_000,
    });
    await probed();
    let payload = await polling.poll();
    while (payload === "6") {
      payload = await polling.poll();
    }
    expect(payload).toBe("2");
  });

  it("the deadline of a pong counts on while a candidate probes", async () => {
    const { session, probed } = await startUpgradable(implementation, {
      pingInterval: 50,
      pingTimeout: 200,
    });
    const closed = once(session, "close");
    const peer = await probed();
    expect((await closed)[0]).toBe("ping timeout");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("upgrading is emitted at each probe, and a failed attempt tells nothing else", async () => {
    const { session, probed } = await startUpgradable(implementation);
    const log: string[] = [];
    for (const event of ["upgrading", "upgrade", "close", "error"]) {
      session.on(event, () => log.push(event));
    }
    const peer = await probed();
    peer.send("2probe");
    await peer.expectText("3probe");
    peer.send("4no upgrade");
    expect(await peer.expectClose()).toBeUndefined();
    await eventually(() => !session.upgrading);
    expect(log).toEqual(["upgrading", "upgrading"]);
  });

  it("a POST that is on its way at the switch loses its connection, and the session goes on", async () => {
    const { polling, session, candidate } = await startUpgradable(implementation);
    const peer = await candidate();
    const post = polling.start("POST", { "Transfer-Encoding": "chunked" });
    post.clientRequest.write("4half");
    await eventually(() => session.transport.dataReq != null, "the POST did not arrive");
    const old = session.transport;
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    await expect(post.response).rejects.toThrow();
    expect([old.discarded, session.readyState]).toEqual([true, "open"]);
    const heard = once(session, "message");
    peer.send("4still here");
    expect((await heard)[0]).toBe("still here");
  });

  it("packets with attachments are neither lost nor divided by the switch", async () => {
    const { polling, session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    for (let index = 0; index < 3; index += 1) {
      session.send(`51-${index}`);
      session.send(Buffer.from([index]));
    }
    peer.send("5");
    for (let index = 0; index < 3; index += 1) {
      await peer.expectText(`451-${index}`);
      expect((await peer.nextFrame()).payload).toEqual(Buffer.from([index]));
    }
    expect((await polling.get()).status).toBe(400);
  });
});
