// The `wsEngine` option: sessions over WebSockets whose frames are made by somebody else, npm's `ws` or a class of the test's own.

import { createServer, type IncomingMessage } from "node:http";
import type { ServerOptions } from "socket.io";
import { WebSocket, WebSocketServer } from "ws";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { closeClientAfterTest } from "../harness/cleanup";
import { collect, deferred, eventually, nextTurn, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { closeFrame, frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { type ScriptedWebSocket, scriptedWsEngine } from "../harness/scripted-ws-engine";

type Options = Partial<ServerOptions> & { initialPacket?: unknown };

const WITH_WS: Options = { wsEngine: WebSocketServer };

interface Opened extends BareEngine {
  peer: RawWebSocket;
  session: Session;
  messages: unknown[];
}

async function open(
  implementation: Implementation,
  options: Options = {},
  path = "/socket.io/?EIO=4&transport=websocket",
): Promise<Opened> {
  const server = await startBareEngine(implementation, { ...WITH_WS, ...options });
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port, { path });
  const session = await opened;
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => messages.push(data));
  await peer.expectText(/^0\{/);
  return { ...server, peer, session, messages };
}

interface Scripted extends BareEngine {
  websocket: ScriptedWebSocket;
  session: Session;
}

/** A session over a WebSocket that the test plays, after its open packet was sent. */
async function openScripted(
  implementation: Implementation,
  options: Options = {},
): Promise<Scripted> {
  const wsEngine = scriptedWsEngine();
  const server = await startBareEngine(implementation, { ...options, wsEngine } as object);
  const opened = server.nextSession();
  await RawWebSocket.open(server.port);
  const session = await opened;
  const websocket = wsEngine.websockets[0] as ScriptedWebSocket;
  expect((await websocket.sent(1))[0]).toMatch(/^0\{/);
  await eventually(() => session.transport.writable);
  return { ...server, websocket, session };
}

describeBoth("wsEngine", (implementation) => {
  it("the class is constructed with the options that engine.io gives ws", async () => {
    const wsEngine = scriptedWsEngine();
    const perMessageDeflate = { threshold: 5 };
    await startBareEngine(implementation, {
      wsEngine,
      maxHttpBufferSize: 1234,
      perMessageDeflate,
    } as object);
    expect(wsEngine.options[0]).toEqual({
      noServer: true,
      clientTracking: false,
      perMessageDeflate,
      maxPayload: 1234,
    });
  });

  it("engine.ws is what it made; it is closed with the engine, and made again when the server listens", async () => {
    const wsEngine = scriptedWsEngine();
    const { engine } = await startBareEngine(implementation, { wsEngine } as object);
    const count = wsEngine.options.length;
    expect((engine as any).ws).toBeInstanceOf(wsEngine);
    const closes = wsEngine.closes;
    engine.close();
    expect(wsEngine.closes).toBe(closes + 1);
    expect(count).toBe(2); // when it was made, and when the http server began to listen
  });

  it("without the transport websocket nothing is constructed", async () => {
    const wsEngine = scriptedWsEngine();
    const { engine } = await startBareEngine(implementation, {
      wsEngine,
      transports: ["polling"],
    } as object);
    expect([wsEngine.options.length, (engine as any).ws]).toEqual([0, undefined]);
  });

  it("by default it is a class, which may be given to another server", async () => {
    const { engine } = await startBareEngine(implementation);
    const { wsEngine } = (engine as any).opts;
    expect(typeof wsEngine).toBe("function");
    const other = await startBareEngine(implementation, { wsEngine } as object);
    const opened = other.nextSession();
    const peer = await RawWebSocket.open(other.port);
    await opened;
    await peer.expectText(/^0/);
    expect((other.engine as any).ws).toBeInstanceOf(wsEngine);
  });

  it("what is no constructor is refused", () => {
    for (const wsEngine of ["ws", {}, null]) {
      expect(() => new implementation.Server(createServer(), { wsEngine } as object)).toThrow(
        TypeError,
      );
    }
  });

  it("text and bytes go both ways", async () => {
    const { peer, session } = await open(implementation);
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 200_000]) {
      const [text, bytes] = ["€".repeat(length / 3), Buffer.alloc(length, length % 251)];
      const heard = collect(session, "data", 2);
      peer.send(`4${text}`);
      peer.send(bytes, { opcode: OPCODE.binary });
      const [[heardText], [heardBytes]] = (await heard) as [any[], any[]];
      expect((heardText ?? "") === text).toBe(true);
      expect(Buffer.isBuffer(heardBytes) && bytes.equals(heardBytes)).toBe(true);
      session.send(text);
      session.send(bytes);
      const [first, second] = [await peer.nextFrame(), await peer.nextFrame()];
      expect([first.opcode, first.text === `4${text}`]).toEqual([OPCODE.text, true]);
      expect([second.opcode, second.payload.equals(bytes)]).toEqual([OPCODE.binary, true]);
    }
  });

  it("transport.socket and request.websocket are the class's own object", async () => {
    const { peer, session, engine } = await open(implementation);
    const { socket } = session.transport;
    expect(socket).toBeInstanceOf(WebSocket);
    expect(session.request.websocket).toBe(socket);
    expect([session.transport.name, session.remoteAddress]).toEqual(["websocket", "127.0.0.1"]);
    expect((engine as any).clientsCount).toBe(1);
    const ponged = once(socket, "pong");
    socket.ping("from the user");
    const { opcode, payload } = await peer.nextFrame();
    expect(opcode).toBe(OPCODE.ping);
    peer.send(payload, { opcode: OPCODE.pong });
    expect(String((await ponged)[0])).toBe("from the user");
  });

  it("a subclass may see and change what is sent", async () => {
    class Shouting extends WebSocket {
      override send(data: any, ...rest: any[]): void {
        super.send(typeof data === "string" ? data.replace("hello", "HELLO") : data, ...rest);
      }
    }
    class Engine extends WebSocketServer {
      constructor(options: object) {
        super({ ...options, WebSocket: Shouting as unknown as typeof WebSocket });
      }
    }
    const { peer, session } = await open(implementation, { wsEngine: Engine });
    session.send("hello");
    await peer.expectText("4HELLO");
  });

  it("initial_headers, headers and ws's own headers event shape the 101", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const engine: any = server.engine;
    const log: string[] = [];
    engine.use((_req: IncomingMessage, res: any, next: () => void) => {
      res.setHeader("X-Middleware", "1");
      next();
    });
    engine.on("initial_headers", (headers: any, req: IncomingMessage) => {
      log.push(`initial ${req.method}`);
      headers["X-Initial"] = "2";
    });
    engine.on("headers", (headers: any) => {
      log.push("headers");
      headers["X-Every"] = "3";
    });
    engine.ws.on("headers", (lines: string[]) => {
      log.push("ws headers");
      lines.push("X-Ws: 4");
    });
    const { head } = await RawWebSocket.open(server.port);
    expect(log).toEqual(["initial GET", "headers", "ws headers"]);
    for (const line of ["X-Middleware: 1", "X-Initial: 2", "X-Every: 3", "X-Ws: 4"]) {
      expect(head).toContain(`\r\n${line}`);
    }
  });

  it("for an upgrade only headers is told", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const polling = await PollingPeer.open(server.port);
    const log: string[] = [];
    server.engine.on("initial_headers", () => log.push("initial"));
    server.engine.on("headers", () => log.push("headers"));
    await RawWebSocket.open(server.port, { path: polling.target("websocket") });
    expect(log).toEqual(["headers"]);
  });

  it("an upgrade from polling: probe, pong, switch, and what waited goes out", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const opened = server.nextSession();
    const polling = await PollingPeer.open(server.port);
    const session = await opened;
    const log: unknown[] = [];
    session.on("upgrading", (transport: any) => log.push("upgrading", transport.socket));
    session.on("upgrade", (transport: any) => log.push("upgrade", transport.socket));
    const poll = polling.poll();
    const peer = await RawWebSocket.open(server.port, { path: polling.target("websocket") });
    peer.send("2probe");
    await peer.expectText("3probe");
    expect(await poll).toBe("6");
    session.send("waits");
    session.send(Buffer.from([1, 2]));
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    await peer.expectText("4waits");
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([1, 2]));
    const { socket } = session.transport;
    expect(socket).toBeInstanceOf(WebSocket);
    expect(log).toEqual(["upgrading", socket, "upgrade", socket]);
    const heard = once(session, "message");
    peer.send("4up");
    expect(await heard).toEqual(["up"]);
  });

  it("a second candidate, one for nobody and one after the upgrade are closed", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const opened = server.nextSession();
    const polling = await PollingPeer.open(server.port);
    const session = await opened;
    const path = polling.target("websocket");
    const first = await RawWebSocket.open(server.port, { path });
    await eventually(() => session.upgrading);
    expect(await (await RawWebSocket.open(server.port, { path })).expectClose()).toBe(undefined);
    first.send("2probe");
    await first.expectText("3probe");
    const upgraded = once(session, "upgrade");
    first.send("5");
    await upgraded;
    expect(await (await RawWebSocket.open(server.port, { path })).expectClose()).toBe(undefined);
    expect(session.readyState).toBe("open");
  });

  for (const [what, bytes] of [
    ["a message", frame("4early")],
    ["a close frame", closeFrame(1000)],
    ["an unmasked frame", frame("5", { isMasked: false })],
  ] as [string, Buffer][]) {
    it(`a candidate that sends ${what} leaves the session on polling`, async () => {
      const server = await startBareEngine(implementation, WITH_WS);
      const opened = server.nextSession();
      const polling = await PollingPeer.open(server.port);
      const session = await opened;
      const peer = await RawWebSocket.open(server.port, { path: polling.target("websocket") });
      peer.send("2probe");
      await peer.expectText("3probe");
      peer.write(bytes);
      await peer.expectClose();
      await eventually(() => !session.upgrading);
      session.send("over polling");
      expect(await polling.poll()).toBe("4over polling");
    });
  }

  it("an upgrade request for another transport is closed at once", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const path = "/socket.io/?EIO=4&transport=polling";
    const peer = await RawWebSocket.open(server.port, { path });
    expect(await peer.expectClose()).toBe(undefined);
  });

  it("with b64 binary messages are text", async () => {
    const path = "/socket.io/?EIO=4&transport=websocket&b64=1";
    const { peer, session } = await open(implementation, {}, path);
    session.send(Buffer.from([1, 2, 3]));
    await peer.expectText("bAQID");
    const heard = once(session, "message");
    peer.send("bBAU=");
    expect(await heard).toEqual([Buffer.from([4, 5])]);
  });

  it("a client that asked for base64 on polling alone takes bytes after the switch", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const opened = server.nextSession();
    const polling = await PollingPeer.open(server.port, { query: { b64: "1" } });
    const session = await opened;
    const path = `/socket.io/?EIO=4&transport=websocket&sid=${polling.sid}`;
    const peer = await RawWebSocket.open(server.port, { path });
    session.send(Buffer.from([1, 2]));
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    session.send(Buffer.from([3]));
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([1, 2]));
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([3]));
  });

  it("what a connection listener sends behind the initial packet is told as a batch with it", async () => {
    const server = await startBareEngine(implementation, { ...WITH_WS, initialPacket: "hello" });
    const log: unknown[] = [];
    const callbacks = new Promise<void>((resolve) => {
      server.engine.on("connection", (session: Session) => {
        session.on("flush", (packets: any[]) => log.push(packets.map(({ data }) => data)));
        session.on("drain", () => log.push("drain"));
        session.send("one", () => log.push("sent one"));
        session.send("two", () => resolve());
      });
    });
    const peer = await RawWebSocket.open(server.port, {
      path: "/socket.io/?EIO=4&transport=websocket",
    });
    await callbacks;
    expect(log).toEqual([["hello", "one", "two"], "drain", "sent one"]);
    await peer.expectText(/^0/);
    for (const text of ["4hello", "4one", "4two"]) {
      await peer.expectText(text);
    }
  });

  it("clients of protocol 3 are served", async () => {
    const path = "/socket.io/?EIO=3&transport=websocket";
    const { peer, session } = await open(implementation, { allowEIO3: true }, path);
    peer.send("2probing");
    await peer.expectText(/^3/);
    const heard = collect(session, "message", 2);
    peer.send("4text");
    peer.send(Buffer.from([4, 1, 2]), { opcode: OPCODE.binary });
    expect(await heard).toEqual([["text"], [Buffer.from([1, 2])]]);
    session.send(Buffer.from([9]));
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([4, 9]));
  });

  it("without allowEIO3 they are refused behind the 101, as its handshake was the class's", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const failed = once(server.engine, "connection_error");
    const peer = await RawWebSocket.open(server.port, {
      path: "/socket.io/?EIO=3&transport=websocket",
    });
    expect((await failed)[0]).toMatchObject({ code: 5, context: { protocol: 3 } });
    await peer.ended();
  });

  it("a generateId that takes its time, or fails", async () => {
    const server = await startBareEngine(implementation, WITH_WS);
    const engine: any = server.engine;
    engine.generateId = () => new Promise((resolve) => setImmediate(resolve, "slow"));
    const opened = server.nextSession();
    await RawWebSocket.open(server.port);
    expect((await opened).id).toBe("slow");
    engine.generateId = () => Promise.reject(new Error("none left"));
    const failed = once(engine, "connection_error");
    const peer = await RawWebSocket.open(server.port);
    expect((await failed)[0]).toMatchObject({ code: 3, context: { name: "ID_GENERATION_ERROR" } });
    await peer.ended();
  });

  it("refusals come before the class is asked", async () => {
    const wsEngine = scriptedWsEngine();
    const server = await startBareEngine(implementation, {
      wsEngine,
      allowRequest: (_req: unknown, callback: (...args: any[]) => void) => callback("no", false),
    } as object);
    await expect(RawWebSocket.open(server.port)).rejects.toThrow("HTTP/1.1 400 Bad Request");
    expect(wsEngine.websockets).toEqual([]);
  });

  it("the peer's close code and reason are told by the class's object", async () => {
    const { peer, session } = await open(implementation);
    const there = once(session.transport.socket, "close");
    const closed = once(session, "close");
    peer.write(closeFrame(4001, "bye"));
    const [code, reason] = await there;
    expect([code, String(reason)]).toEqual([4001, "bye"]);
    expect((await closed)[0]).toBe("transport close");
    expect(await peer.expectClose()).toBe(4001);
  });

  it("a stream that is cut is a transport close", async () => {
    const { engine, peer, session } = await open(implementation);
    const closed = once(session, "close");
    peer.stream.destroy();
    expect((await closed)[0]).toBe("transport close");
    expect((engine as any).clientsCount).toBe(0);
  });

  const BROKEN: [string, Buffer, string, number][] = [
    [
      "an unmasked frame",
      frame("4", { isMasked: false }),
      "RangeError: Invalid WebSocket frame: MASK must be set",
      1002,
    ],
    [
      "a message over the limit",
      frame("4", { announcedLength: 5_000 }),
      "RangeError: Max payload size exceeded",
      1009,
    ],
    [
      "text that is no UTF-8",
      frame(Buffer.from([0x34, 0xff])),
      "Error: Invalid WebSocket frame: invalid UTF-8 sequence",
      1007,
    ],
  ];
  for (const [what, bytes, message, code] of BROKEN) {
    it(`${what} is a transport error with the class's error, behind the messages before it`, async () => {
      const { peer, session, messages } = await open(implementation, { maxHttpBufferSize: 1_000 });
      const closed = once(session, "close");
      peer.write(Buffer.concat([frame("4one"), frame("4two"), bytes]));
      const [reason, error] = await closed;
      expect([reason, error.message, error.type]).toEqual([
        "transport error",
        message,
        "TransportError",
      ]);
      expect(messages).toEqual(["one", "two"]);
      expect(await peer.expectClose()).toBe(code);
    });
  }

  it("no packet is a parse error, and closes the WebSocket", async () => {
    for (const payload of ["", "x", "\u{feff}4"]) {
      const { peer, session } = await open(implementation);
      const closed = once(session, "close");
      peer.send(payload);
      expect((await closed)[0]).toBe("parse error");
      expect(await peer.expectClose()).toBe(undefined);
    }
  });

  it("close(), close(true) and transport.close() go through the class's closing handshake", async () => {
    for (const [close, reason] of [
      [(session: Session) => session.close(), "forced close"],
      [(session: Session) => session.close(true), "forced close"],
      [(session: Session) => session.transport.close(), "transport close"],
    ] as const) {
      const { peer, session } = await open(implementation);
      const { transport } = session;
      const closed = once(session, "close");
      session.send("last");
      close(session);
      await peer.expectText("4last");
      expect(await peer.expectClose()).toBe(undefined);
      peer.write(closeFrame());
      await peer.ended();
      expect((await closed)[0]).toBe(reason);
      await eventually(() => transport.readyState === "closed");
    }
  });

  for (const how of ["close", "terminate"]) {
    it(`a connection listener that calls the object's ${how} does so behind the open packet`, async () => {
      const { engine, port } = await startBareEngine(implementation, WITH_WS);
      const ends = new Promise((resolve) => {
        engine.on("connection", (session: Session) => {
          session.on("close", resolve);
          session.transport.socket[how]();
        });
      });
      const peer = await RawWebSocket.open(port);
      await peer.expectText(/^0\{/);
      if (how === "close") {
        expect(await peer.expectClose()).toBe(undefined);
        peer.write(closeFrame());
      }
      await peer.ended();
      expect(await ends).toBe("transport close");
    });
  }

  it("the user may close the class's object", async () => {
    const { peer, session } = await open(implementation);
    const closed = once(session, "close");
    session.transport.socket.close(4002, "enough");
    expect(await peer.expectClose()).toBe(4002);
    peer.write(closeFrame(4002));
    expect((await closed)[0]).toBe("transport close");
  });

  it("heartbeats go over it, and a peer that stays silent is given up", async () => {
    const { peer, session } = await open(implementation, { pingInterval: 40, pingTimeout: 40 });
    await peer.expectText("2");
    const heard = once(session, "heartbeat");
    peer.send("3");
    await heard;
    await peer.expectText("2");
    const closed = once(session, "close");
    expect((await closed)[0]).toBe("ping timeout");
    expect(await peer.expectClose()).toBe(undefined);
  });

  it("engine.close() closes its sessions; the class then refuses others", async () => {
    const { engine, port, peer, session } = await open(implementation);
    const closed = once(session, "close");
    engine.close();
    expect((await closed)[0]).toBe("forced close");
    expect(await peer.expectClose()).toBe(undefined);
    await expect(RawWebSocket.open(port)).rejects.toThrow("503");
  });

  it("compression is the class's", async () => {
    const server = await startBareEngine(implementation, {
      ...WITH_WS,
      perMessageDeflate: { threshold: 10 },
    });
    const opened = server.nextSession();
    const client = new WebSocket(
      `ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`,
    );
    closeClientAfterTest(() => client.terminate());
    const received: string[] = [];
    client.on("message", (data) => received.push(String(data)));
    const session = await opened;
    const bytesBefore = session.transport.socket._socket.bytesWritten;
    session.send("again ".repeat(1_000));
    await eventually(() => received.length === 2);
    expect(received[1]).toBe(`4${"again ".repeat(1_000)}`);
    expect(session.transport.socket._socket.bytesWritten - bytesBefore).toBeLessThan(1_000);
    expect(client.extensions).toContain("permessage-deflate");
  });

  it("three thousand messages of either side arrive in order", async () => {
    const { peer, session, messages } = await open(implementation);
    const count = 3_000;
    const text = (index: number): string => `${index} ${"x".repeat(100)}`;
    const expected = Array.from({ length: count }, (_, index) => text(index));
    peer.write(Buffer.concat(expected.map((message) => frame(`4${message}`))));
    for (const message of expected) {
      session.send(message);
    }
    for (const message of expected) {
      expect((await peer.nextFrame()).text === `4${message}`).toBe(true);
    }
    await eventually(() => messages.length === count);
    expect(messages).toEqual(expected);
  });

  it("send is given text or a Buffer, and a callback, and nothing else", async () => {
    const { websocket, session } = await openScripted(implementation);
    session.send("text", { compress: false });
    session.send(Buffer.from([1, 2]));
    const sent = await websocket.sent(3);
    expect(sent.slice(1)).toEqual(["4text", Buffer.from([1, 2])]);
    expect(websocket.sendings.map(({ count }) => count)).toEqual([2, 2, 2]);
  });

  it("a message may be empty bytes, or bytes of several kinds", async () => {
    const { websocket, session } = await openScripted(implementation);
    const heard = collect(session, "message", 3);
    websocket.receive(Buffer.alloc(0));
    websocket.emit("message", Uint8Array.from([1, 2]), true);
    websocket.emit("message", Uint8Array.from([3]).buffer, true);
    expect((await heard).map(([data]) => [...data])).toEqual([[], [1, 2], [3]]);
  });

  it("a message without isBinary is text, as a string or not", async () => {
    const { websocket, session } = await openScripted(implementation);
    const heard = collect(session, "message", 2);
    websocket.emit("message", "4one");
    websocket.emit("message", Buffer.from("4two"));
    expect(await heard).toEqual([["one"], ["two"]]);
  });

  it("until the WebSocket has taken a batch, the next waits, and its callbacks", async () => {
    const { websocket, session } = await openScripted(implementation);
    websocket.isFree = false;
    const log: string[] = [];
    session.send("a", () => log.push("a"));
    await websocket.sent(2);
    session.send("b", () => log.push("b"));
    session.send("c", () => log.push("c"));
    await nextTurn();
    await nextTurn();
    expect([session.transport.writable, log, session.writeBuffer.length]).toEqual([false, [], 2]);
    expect(websocket.sendings.length).toBe(2);
    websocket.sendings[1]?.done();
    await eventually(() => log.length === 1);
    expect((await websocket.sent(4)).slice(2)).toEqual(["4b", "4c"]);
    // As with engine.io the last one speaks for its batch, but nobody can tell before both are taken.
    websocket.sendings[2]?.done();
    websocket.sendings[3]?.done();
    await eventually(() => log.length === 3);
    expect(log).toEqual(["a", "b", "c"]);
    await eventually(() => session.transport.writable);
  });

  it("a message that cannot be sent is a transport error that says why", async () => {
    const { websocket, session } = await openScripted(implementation);
    websocket.isFree = false;
    const closed = once(session, "close");
    session.send("a");
    await websocket.sent(2);
    const failure = new Error("no more");
    websocket.sendings[1]?.done(failure);
    const [reason, error] = await closed;
    expect([reason, error.message, error.type, error.description]).toEqual([
      "transport error",
      "write error",
      "TransportError",
      failure.stack,
    ]);
    await eventually(() => websocket.closes === 1);
  });

  it("an error of the WebSocket is a transport error", async () => {
    const { engine, websocket, session } = await openScripted(implementation);
    const closed = once(session, "close");
    websocket.emit("error", new TypeError("broken"));
    const [reason, error] = await closed;
    expect([reason, error.message, error.description]).toEqual([
      "transport error",
      "TypeError: broken",
      undefined,
    ]);
    await eventually(() => websocket.closes === 1);
    expect((engine as any).clientsCount).toBe(0);
    websocket.emit("error", new Error("again, which reaches nobody"));
    websocket.emit("close");
  });

  it("a WebSocket that is closed is a transport close, and is not closed again", async () => {
    const { websocket, session } = await openScripted(implementation);
    const closed = once(session, "close");
    websocket.emit("close", 1000, Buffer.alloc(0));
    expect((await closed)[0]).toBe("transport close");
    await nextTurn();
    expect([websocket.closes, session.transport.readyState]).toEqual([0, "closed"]);
  });

  it("close() calls the WebSocket's close once, and its transport is closed when that says so", async () => {
    const { websocket, session } = await openScripted(implementation);
    const { transport } = session;
    const closed = once(session, "close");
    session.close();
    await closed;
    await eventually(() => websocket.closes === 1);
    expect(transport.readyState).toBe("closing");
    const called = deferred();
    transport.on("close", () => called.resolve());
    websocket.emit("close");
    await eventually(() => transport.readyState === "closed");
    expect(websocket.closes).toBe(1);
  });
});
