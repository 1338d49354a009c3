// The upgrade of a session from polling to WebTransport: what the handshake offers, the probe, the switch, and how a candidate fails.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";
import { headerBytes, WebTransportPeer } from "../harness/webtransport-peer";

interface Upgradable extends BareEngine {
  polling: PollingPeer;
  session: Session;
  messages: unknown[];
  /** Opens a session of WebTransport whose first packet names the session on polling. */
  candidate(): WebTransportPeer;
  /** Opens a candidate and has it probe. */
  probed(): Promise<WebTransportPeer>;
}

async function startUpgradable(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
  query: Record<string, string> = {},
): Promise<Upgradable> {
  const server = await startBareEngine(implementation, {
    transports: ["polling", "websocket", "webtransport"],
    ...options,
  });
  const opened = server.nextSession();
  const polling = await PollingPeer.open(server.port, { query });
  const session = await opened;
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => messages.push(data));
  const candidate = () =>
    WebTransportPeer.connect(server.engine, `0${JSON.stringify({ sid: polling.sid })}`);
  const probed = async () => {
    const peer = candidate();
    peer.send("2probe");
    expect(await peer.nextText()).toBe("3probe");
    return peer;
  };
  return { ...server, polling, session, messages, candidate, probed };
}

/** A session that has moved to WebTransport. */
async function startUpgraded(
  implementation: Implementation,
): Promise<Upgradable & { peer: WebTransportPeer }> {
  const upgradable = await startUpgradable(implementation);
  const peer = await upgradable.probed();
  const upgraded = once(upgradable.session, "upgrade");
  peer.send("5");
  await upgraded;
  return { ...upgradable, peer };
}

describeBoth("webtransport upgrade", (implementation) => {
  const OFFERS: [ServerOptions["transports"], string[]][] = [
    [["polling", "websocket"], ["websocket"]],
    [
      ["polling", "websocket", "webtransport"],
      ["websocket", "webtransport"],
    ],
    [["polling", "webtransport"], ["webtransport"]],
  ];
  for (const [transports, upgrades] of OFFERS) {
    it(`with the transports ${transports} the handshake offers ${upgrades}`, async () => {
      const { port } = await startBareEngine(implementation, { transports });
      const peer = new PollingPeer(port);
      expect((await peer.open()).upgrades).toEqual(upgrades);
      await peer.send("1");
    });
  }

  it("probe, pong, upgrade packet: the session continues over WebTransport", async () => {
    const { session, messages, candidate } = await startUpgradable(implementation);
    const log: unknown[] = [];
    session.on("upgrading", (transport: any) => log.push("upgrading", transport.name));
    session.on("upgrade", (transport: any) => {
      log.push("upgrade", transport === session.transport, session.upgraded, session.upgrading);
    });
    const peer = candidate();
    await eventually(() => session.upgrading);
    peer.send("2probe");
    expect(await peer.nextText()).toBe("3probe");
    expect([session.upgrading, session.upgraded]).toEqual([true, false]);
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    expect(log).toEqual(["upgrading", "webtransport", "upgrade", true, true, false]);
    expect(session.transport.name).toBe("webtransport");
    session.send("down");
    session.send(Buffer.from([1, 2]));
    expect(await peer.nextText()).toBe("4down");
    expect(await peer.next()).toMatchObject({ isBinary: true, data: Buffer.from([1, 2]) });
    const heard = once(session, "message");
    peer.send("4up");
    await heard;
    expect(messages).toEqual(["up"]);
    expect(session.request.method).toBe("GET"); // that of its polling handshake
  });

  it("the probe sets a waiting poll free", async () => {
    const { polling, probed } = await startUpgradable(implementation);
    const poll = polling.poll();
    await probed();
    expect(await poll).toBe("6");
  });

  it("what was sent before the switch, text and bytes, goes out over WebTransport", async () => {
    const { session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    session.send("one");
    session.send(Buffer.alloc(300, 1));
    session.send("two");
    peer.send("5");
    expect(await peer.nextText()).toBe("4one");
    expect(await peer.next()).toMatchObject({ isBinary: true, data: Buffer.alloc(300, 1) });
    expect(await peer.nextText()).toBe("4two");
  });

  it("bytes are bytes, even if the client has asked for base64 on polling", async () => {
    const { session, probed } = await startUpgradable(implementation, {}, { b64: "1" });
    const peer = await probed();
    session.send(Buffer.alloc(300, 1));
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    session.send(Buffer.from([1, 2]));
    expect(await peer.next()).toMatchObject({ isBinary: true, data: Buffer.alloc(300, 1) });
    expect(await peer.next()).toMatchObject({ isBinary: true, data: Buffer.from([1, 2]) });
  });

  it("polling goes on while the candidate is probed", async () => {
    const { session, polling, probed, messages } = await startUpgradable(implementation);
    await probed();
    session.send("over polling");
    expect(await polling.poll()).toBe("4over polling");
    await polling.send("4up");
    expect(messages).toEqual(["up"]);
  });

  it("requests of the session are refused once it has moved", async () => {
    const { polling } = await startUpgraded(implementation);
    const response = await polling.get();
    expect([response.status, JSON.parse(response.text)]).toEqual([
      400,
      { code: 3, message: "Bad request" },
    ]);
  });

  it("while a candidate is there a second one is closed, whichever comes", async () => {
    const { session, port, polling, probed, candidate } = await startUpgradable(implementation);
    const peer = await probed();
    await candidate().closedByServer;
    const websocket = await RawWebSocket.open(port, { path: polling.target("websocket") });
    await websocket.expectClose();
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    expect(session.transport.name).toBe("webtransport");
  });

  it("behind a WebSocket candidate it is closed", async () => {
    const { session, port, polling, candidate } = await startUpgradable(implementation);
    const websocket = await RawWebSocket.open(port, { path: polling.target("websocket") });
    await eventually(() => session.upgrading);
    await candidate().closedByServer;
    websocket.send("2probe");
    await websocket.expectText("3probe");
  });

  it("a session that has moved takes no other candidate", async () => {
    const { candidate, session, peer } = await startUpgraded(implementation);
    await candidate().closedByServer;
    expect(session.readyState).toBe("open");
    session.send("still");
    expect(await peer.nextText()).toBe("4still");
  });

  const WRONG: [string, (peer: WebTransportPeer) => void][] = [
    ["a message", (peer) => peer.send("4early")],
    ["another ping", (peer) => peer.send("2")],
    ["a binary packet", (peer) => peer.send(Buffer.from([1]))],
    ["no packet", (peer) => peer.send("x")],
    ["an empty packet", (peer) => peer.sendBytes(headerBytes(0))],
    ["a packet over the limit", (peer) => peer.sendBytes(headerBytes(2_000_000))],
  ];
  for (const [what, send] of WRONG) {
    it(`a candidate that sends ${what} is closed, and the session stays on polling`, async () => {
      const { session, polling, messages, probed } = await startUpgradable(implementation);
      const peer = await probed();
      send(peer);
      await peer.closedByServer;
      await eventually(() => !session.upgrading);
      session.send("over polling");
      expect(await polling.poll()).toBe("4over polling");
      expect([session.readyState, session.upgraded, messages]).toEqual(["open", false, []]);
    });
  }

  it("a candidate that goes leaves the session on polling, and another may come", async () => {
    const { session, polling, probed } = await startUpgradable(implementation);
    const first = await probed();
    first.close();
    await eventually(() => !session.upgrading);
    session.send("over polling");
    expect(await polling.poll()).toBe("4over polling");
    const second = await probed();
    const upgraded = once(session, "upgrade");
    second.send("5");
    await upgraded;
  });

  it("a candidate that does not finish in upgradeTimeout is closed", async () => {
    const { session, polling, probed } = await startUpgradable(implementation, {
      upgradeTimeout: 60,
    });
    const peer = await probed();
    await peer.closedByServer;
    await eventually(() => !session.upgrading);
    session.send("over polling");
    expect(await polling.poll()).toBe("4over polling");
  });

  it("the end of the session closes its candidate", async () => {
    const { session, probed } = await startUpgradable(implementation);
    const peer = await probed();
    session.close(true);
    await peer.closedByServer;
  });

  it("a user may close the candidate", async () => {
    const { session, candidate } = await startUpgradable(implementation);
    const upgrading = once(session, "upgrading");
    const peer = candidate();
    peer.send("2probe");
    const [transport] = await upgrading;
    transport.close();
    await peer.closedByServer;
    await eventually(() => !session.upgrading);
    expect(session.readyState).toBe("open");
  });

  it("the sid of a session that has closed closes the candidate", async () => {
    const { session, candidate } = await startUpgradable(implementation);
    session.close(true);
    await candidate().closedByServer;
  });
});
