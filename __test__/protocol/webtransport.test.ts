// Engine.IO over WebTransport, with a scripted session in the place of HTTP/3: the framing of packets, the first packet, refusals,
// how a session lives and how it ends.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { collect, deferred, eventually, nextTurn, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { headerBytes, packet, WebTransportPeer } from "../harness/webtransport-peer";

/** Off by default. */
const TRANSPORTS: ServerOptions["transports"] = ["polling", "websocket", "webtransport"];

const MAX_BYTES = 100_000;

function startEngine(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<BareEngine> {
  return startBareEngine(implementation, {
    transports: TRANSPORTS,
    maxHttpBufferSize: MAX_BYTES,
    ...options,
  });
}

interface Opened extends BareEngine {
  peer: WebTransportPeer;
  session: Session;
  messages: unknown[];
}

async function startOpened(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<Opened> {
  const server = await startEngine(implementation, options);
  const opened = server.nextSession();
  const peer = WebTransportPeer.connect(server.engine);
  const session = await opened;
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => messages.push(data));
  expect(await peer.nextText()).toMatch(/^0\{/);
  return { ...server, peer, session, messages };
}

/** Resolves with the arguments of the session's `close`. */
function closing(session: Session): Promise<any[]> {
  return once(session, "close");
}

describeBoth("webtransport", (implementation) => {
  it("what a connection listener sends behind the initial packet is told as a batch with it", async () => {
    const { engine } = await startEngine(implementation, { initialPacket: "hello" });
    const log: unknown[] = [];
    const told = new Promise<void>((resolve) => {
      engine.on("connection", (session: Session) => {
        session.on("flush", (packets: any[]) => log.push(packets.map(({ data }) => data)));
        session.on("drain", () => log.push("drain"));
        session.send("one", () => log.push("sent one"));
        session.send("two", () => resolve());
      });
    });
    const peer = WebTransportPeer.connect(engine);
    expect(await peer.nextText()).toMatch(/^0\{/);
    for (const text of ["4hello", "4one", "4two"]) {
      expect(await peer.nextText()).toBe(text);
    }
    await told;
    expect(log).toEqual([["hello", "one", "two"], "drain", "sent one"]);
  });

  it("an open packet without data opens a session", async () => {
    const server = await startEngine(implementation, { pingInterval: 300, pingTimeout: 200 });
    const opened = server.nextSession();
    const peer = WebTransportPeer.connect(server.engine);
    const session = await opened;
    const open = await peer.nextText();
    expect(open[0]).toBe("0");
    expect(JSON.parse(open.slice(1))).toEqual({
      sid: session.id,
      upgrades: [],
      pingInterval: 300,
      pingTimeout: 200,
      maxPayload: MAX_BYTES,
    });
    expect(session.id).toMatch(/^[\w-]{20}$/);
    expect(session.transport.name).toBe("webtransport");
    expect([session.protocol, session.readyState, session.upgraded]).toEqual([4, "open", false]);
    expect([session.request, session.remoteAddress]).toEqual([null, undefined]);
    const engine: any = server.engine;
    expect(engine.clients[session.id]).toBe(session);
    expect(engine.clientsCount).toBe(1);
  });

  it("is served whether or not transports lists it, as nothing is verified", async () => {
    const { session } = await startOpened(implementation, {
      transports: ["websocket"],
      allowRequest: (_req, callback) => callback("no", false),
    });
    expect(session.transport.name).toBe("webtransport");
  });

  it("generateId is not asked, for there is no request to show it", async () => {
    const server = await startEngine(implementation);
    const engine: any = server.engine;
    engine.generateId = () => "mine";
    const opened = server.nextSession();
    WebTransportPeer.connect(engine);
    expect((await opened).id).not.toBe("mine");
  });

  it("initialPacket comes behind the open packet", async () => {
    const { peer } = await startOpened(implementation, { initialPacket: "welcome" } as object);
    expect(await peer.nextText()).toBe("4welcome");
  });

  for (const length of [0, 1, 124, 125, 126, 65_534, 65_535, 65_536]) {
    it(`text and bytes of length ${length} arrive both ways`, async () => {
      const { peer, session } = await startOpened(implementation);
      const text = "x".repeat(length);
      const bytes = Buffer.alloc(length + 1, 7); // there are no empty packets
      const heard = collect(session, "data", 2);
      peer.send(`4${text}`, bytes);
      const [[heardText], [heardBytes]] = (await heard) as [any[], any[]];
      expect(heardText === (length === 0 ? undefined : text)).toBe(true);
      expect(bytes.equals(heardBytes)).toBe(true); // Jest's comparison takes seconds
      session.send(text);
      session.send(bytes);
      const [first, second] = [await peer.next(), await peer.next()];
      expect([first.isBinary, first.text === `4${text}`]).toEqual([false, true]);
      expect([second.isBinary, second.data.equals(bytes)]).toEqual([true, true]);
    });
  }

  it("text is UTF-8", async () => {
    const { peer, session } = await startOpened(implementation);
    const heard = once(session, "message");
    peer.send("4€😀");
    expect(await heard).toEqual(["€😀"]);
    session.send("€😀");
    expect(await peer.nextText()).toBe("4€😀");
  });

  it("text is read as a TextDecoder reads it: what is no UTF-8 is replaced, a byte order mark left out", async () => {
    const { peer, session } = await startOpened(implementation);
    const heard = collect(session, "message", 2);
    peer.sendBytes(Buffer.from([5, 0x34, 0x61, 0xff, 0xe2, 0x82]));
    peer.sendBytes(Buffer.from([5, 0xef, 0xbb, 0xbf, 0x34, 0x62]));
    expect(await heard).toEqual([["a\u{fffd}\u{fffd}"], ["b"]]);
  });

  it("base64 is taken for a binary message, and lengths need not be in their shortest form", async () => {
    const { peer, session } = await startOpened(implementation);
    const heard = collect(session, "message", 3);
    peer.send("bAQID");
    peer.sendBytes(packet("4a", "16 bits"));
    peer.sendBytes(packet(Buffer.from([9]), "64 bits"));
    expect(await heard).toEqual([[Buffer.from([1, 2, 3])], ["a"], [Buffer.from([9])]]);
  });

  it("packets may come byte by byte", async () => {
    const server = await startEngine(implementation);
    const opened = server.nextSession();
    const peer = new WebTransportPeer();
    void (server.engine as any).onWebTransportSession(peer.session);
    peer.openStream();
    const long = "y".repeat(200);
    for (const byte of [...packet("0"), ...packet("4one"), ...packet(`4${long}`)]) {
      peer.sendBytes(Buffer.from([byte]));
    }
    const session = await opened;
    expect(await collect(session, "message", 2)).toEqual([["one"], [long]]);
  });

  it("packets may come all at once, the first with those behind it", async () => {
    const server = await startEngine(implementation);
    const opened = server.nextSession();
    const peer = new WebTransportPeer();
    void (server.engine as any).onWebTransportSession(peer.session);
    peer.openStream();
    peer.sendBytes(
      Buffer.concat([packet("0"), packet("4one"), packet(Buffer.from([1])), packet("4two")]),
    );
    const session = await opened;
    expect(await collect(session, "message", 3)).toEqual([["one"], [Buffer.from([1])], ["two"]]);
  });

  it("only the first stream is used", async () => {
    const { peer, session, messages } = await startOpened(implementation);
    peer.openStream();
    peer.send("4on the first");
    await eventually(() => messages.length > 0);
    expect(messages).toEqual(["on the first"]);
    expect(session.readyState).toBe("open");
  });

  it("with a middleware every session is closed", async () => {
    const server = await startEngine(implementation);
    server.engine.use((_req: unknown, _res: unknown, next: () => void) => next());
    const peer = WebTransportPeer.connect(server.engine);
    await peer.closedByServer;
    expect((server.engine as any).clientsCount).toBe(0);
  });

  it("the cors option is a middleware too", async () => {
    const server = await startEngine(implementation, { cors: { origin: "*" } });
    await WebTransportPeer.connect(server.engine).closedByServer;
  });

  it("a client that opens no stream is closed after upgradeTimeout", async () => {
    const server = await startEngine(implementation, { upgradeTimeout: 50 });
    const peer = new WebTransportPeer();
    const served = (server.engine as any).onWebTransportSession(peer.session);
    await peer.closedByServer;
    await served;
  });

  it("a stream on which nothing, or not all of a packet, comes is closed after upgradeTimeout", async () => {
    const server = await startEngine(implementation, { upgradeTimeout: 50 });
    for (const bytes of [Buffer.alloc(0), Buffer.from([1]), Buffer.from([126, 0])]) {
      const peer = new WebTransportPeer();
      void (server.engine as any).onWebTransportSession(peer.session).catch(() => {});
      peer.openStream();
      if (bytes.length > 0) {
        peer.sendBytes(bytes);
      }
      await peer.closedByServer;
    }
  });

  it("once the first packet came, upgradeTimeout is over", async () => {
    const { peer, session } = await startOpened(implementation, { upgradeTimeout: 20 });
    await new Promise((resolve) => setTimeout(resolve, 60)); // nothing happens in this time
    expect([session.readyState, peer.serverCloses]).toEqual(["open", 0]);
  });

  it("a session that ends before its first stream is let be", async () => {
    const server = await startEngine(implementation);
    const peer = new WebTransportPeer();
    const served = (server.engine as any).onWebTransportSession(peer.session);
    peer.close();
    await served;
    expect((server.engine as any).clientsCount).toBe(0);
  });

  const REFUSED: [string, Buffer][] = [
    ["a message", packet("4hi")],
    ["a ping", packet("2probe")],
    ["an upgrade packet", packet("5")],
    ["a binary packet", packet(Buffer.from("0"))],
    ["base64", packet("bMA==")],
    ["an unknown type", packet("x")],
    ["an empty packet", headerBytes(0)],
    ["a packet over the limit", headerBytes(MAX_BYTES + 1)],
    ["a packet whose length no number can hold", headerBytes(2n ** 53n)],
    ["bad JSON", packet('0{"sid"')],
    ["JSON that is no object", packet("0null")],
    ["a sid that is no string", packet('0{"sid":1}')],
    ["an empty sid", packet('0{"sid":""}')],
    ["no sid", packet("0{}")],
    ["an unknown sid", packet('0{"sid":"nobody"}')],
    ["__proto__ as sid", packet('0{"sid":"__proto__"}')],
    ["constructor as sid", packet('0{"sid":"constructor"}')],
  ];
  for (const [what, bytes] of REFUSED) {
    it(`${what} as the first packet closes the session`, async () => {
      const server = await startEngine(implementation);
      const connections: unknown[] = [];
      server.engine.on("connection", (session: unknown) => connections.push(session));
      const peer = new WebTransportPeer();
      void (server.engine as any).onWebTransportSession(peer.session);
      peer.openStream();
      peer.sendBytes(bytes);
      await peer.closedByServer;
      await nextTurn();
      expect(connections).toEqual([]);
      expect(peer.serverCloses).toBe(1);
    });
  }

  const MALFORMED: [string, Buffer][] = [
    ["an empty packet", headerBytes(0)],
    ["an empty binary packet", headerBytes(0, 0x80)],
    ["an empty packet with a long header", headerBytes(0, 0, "16 bits")],
    ["a packet over the limit", headerBytes(MAX_BYTES + 1)],
    ["a binary packet over the limit", headerBytes(MAX_BYTES + 1, 0x80)],
    ["a packet whose length no number can hold", headerBytes(2n ** 53n)],
    ["an unknown type", packet("x")],
  ];
  for (const [what, bytes] of MALFORMED) {
    it(`${what} is a parse error, which closes the session`, async () => {
      const { peer, session, messages } = await startOpened(implementation);
      const closed = closing(session);
      peer.sendBytes(Buffer.concat([packet("4before"), bytes, packet("4behind")]));
      expect((await closed)[0]).toBe("parse error");
      await peer.closedByServer;
      await nextTurn();
      expect(messages).toEqual(["before"]);
    });
  }

  it("a packet of just the limit is no error", async () => {
    const { peer, session } = await startOpened(implementation);
    const heard = once(session, "message");
    peer.send(Buffer.alloc(MAX_BYTES, 1));
    expect((await heard)[0].length).toBe(MAX_BYTES);
  });

  it("a ping from the client is a transport error", async () => {
    const { peer, session } = await startOpened(implementation);
    const closed = closing(session);
    peer.send("2");
    const [reason, error] = await closed;
    expect([reason, error.message]).toEqual(["transport error", "invalid heartbeat direction"]);
    await peer.closedByServer;
  });

  it("packets that say nothing to a server are passed over", async () => {
    const { peer, session } = await startOpened(implementation);
    const heard = once(session, "message");
    peer.send("0", "1", "5", "6", "4still here");
    expect(await heard).toEqual(["still here"]);
    expect(session.readyState).toBe("open");
  });

  it("the server pings, and a pong keeps the session", async () => {
    const { peer, session } = await startOpened(implementation, {
      pingInterval: 40,
      pingTimeout: 2_000,
    });
    for (let round = 0; round < 3; round += 1) {
      expect(await peer.nextText()).toBe("2");
      const heard = once(session, "heartbeat");
      peer.send("3");
      await heard;
    }
    expect(session.readyState).toBe("open");
  });

  it("without a pong it is a ping timeout, which closes the session", async () => {
    const { peer, session } = await startOpened(implementation, {
      pingInterval: 30,
      pingTimeout: 30,
    });
    const closed = closing(session);
    expect(await peer.nextText()).toBe("2");
    expect((await closed)[0]).toBe("ping timeout");
    await peer.closedByServer;
  });

  it("close() closes the session", async () => {
    const { engine, peer, session } = await startOpened(implementation);
    const closed = closing(session);
    session.close();
    expect((await closed)[0]).toBe("forced close");
    await peer.closedByServer;
    expect((engine as any).clientsCount).toBe(0);
  });

  it("close(true) closes the session", async () => {
    const { peer, session } = await startOpened(implementation);
    const closed = closing(session);
    session.close(true);
    expect((await closed)[0]).toBe("forced close");
    await peer.closedByServer;
  });

  it("transport.close() closes it with transport close", async () => {
    const { peer, session } = await startOpened(implementation);
    const { transport } = session;
    const closed = closing(session);
    transport.close();
    expect((await closed)[0]).toBe("transport close");
    await peer.closedByServer;
    await eventually(() => transport.readyState === "closed");
  });

  it("engine.close() closes it", async () => {
    const { engine, peer, session } = await startOpened(implementation);
    const closed = closing(session);
    engine.close();
    expect((await closed)[0]).toBe("forced close");
    await peer.closedByServer;
  });

  it("a client that closes is a transport close", async () => {
    const { engine, peer, session } = await startOpened(implementation);
    const closed = closing(session);
    peer.close();
    expect((await closed)[0]).toBe("transport close");
    expect((engine as any).clientsCount).toBe(0);
    await nextTurn();
    expect(peer.serverCloses).toBe(0);
  });

  it("messages before the client's close are heard", async () => {
    const { peer, session, messages } = await startOpened(implementation);
    const closed = closing(session);
    peer.send("4last words");
    await eventually(() => messages.length > 0);
    peer.close();
    await closed;
    expect(messages).toEqual(["last words"]);
  });

  it("the end of the stream alone ends nothing, and the server may write on", async () => {
    const { peer, session } = await startOpened(implementation);
    peer.endStream();
    await nextTurn();
    session.send("still");
    expect(await peer.nextText()).toBe("4still");
    expect(session.readyState).toBe("open");
  });

  it("a stream that is reset ends nothing either", async () => {
    const { peer, session } = await startOpened(implementation);
    peer.resetStream();
    await nextTurn();
    session.send("still");
    expect(await peer.nextText()).toBe("4still");
  });

  it("a client that refuses to read ends nothing: writes count as done", async () => {
    const { peer, session } = await startOpened(implementation);
    peer.refuseReading();
    for (let index = 0; index < 3; index += 1) {
      const taken = deferred();
      session.send("x", () => taken.resolve());
      await taken.promise;
    }
    expect(session.readyState).toBe("open");
    const closed = closing(session);
    peer.close();
    expect((await closed)[0]).toBe("transport close");
  });

  it("callbacks are called in order, with the transport, once their packets were written", async () => {
    const { peer, session } = await startOpened(implementation);
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
    expect(log).toEqual([]);
    expect([await peer.nextText(), await peer.nextText(), await peer.nextText()]).toEqual([
      "4a",
      "4b",
      "4c",
    ]);
    await last.promise;
    expect(log).toEqual(["a", true, "b", true, "c", true]);
  });

  it("while a client does not read, one batch is written and the others wait", async () => {
    const { peer, session } = await startOpened(implementation);
    const log: string[] = [];
    const send = (name: string): void => void session.send(name, () => log.push(name));
    // The streams between server and client hold a packet or two.
    for (let index = 0; index < 6; index += 1) {
      send(`${index}`);
      await nextTurn();
      await nextTurn();
    }
    await new Promise((resolve) => setTimeout(resolve, 30)); // nothing more is taken in this time
    expect(log.length).toBeLessThan(6);
    send("6"); // a slow process may have taken all before it as one batch
    expect(session.writeBuffer.length).toBeGreaterThan(0);
    expect(session.transport.writable).toBe(false);
    for (let index = 0; index < 7; index += 1) {
      expect(await peer.nextText()).toBe(`4${index}`);
    }
    await eventually(() => log.length === 7);
    expect(log).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
    await eventually(() => session.transport.writable);
  });

  it("packet, message and data events are as over any transport", async () => {
    const { peer, session } = await startOpened(implementation);
    const log: unknown[] = [];
    for (const event of ["packet", "data", "message"]) {
      session.on(event, (value: unknown) => log.push(event, value));
    }
    peer.send("4hi");
    await eventually(() => log.length === 6);
    expect(log).toEqual(["packet", { type: "message", data: "hi" }, "data", "hi", "message", "hi"]);
  });

  it("two thousand messages of either side arrive in order", async () => {
    const { peer, session, messages } = await startOpened(implementation);
    const count = 2_000;
    const numbers = Array.from({ length: count }, (_, index) => `${index}`);
    for (const number of numbers) {
      peer.send(`4${number}`);
      session.send(number);
    }
    const received: string[] = [];
    while (received.length < count) {
      received.push((await peer.nextText()).slice(1));
    }
    await eventually(() => messages.length === count);
    expect(received).toEqual(numbers);
    expect(messages).toEqual(numbers);
  });
});
