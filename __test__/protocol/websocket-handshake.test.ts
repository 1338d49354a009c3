// The opening handshake of a WebSocket (RFC 6455 §4.2): which requests are refused and how, the bytes of the 101,
// what happens right behind it, and upgrades that are not ours.

import { WebSocket, WebSocketServer } from "ws";
import { type BareEngine, startBareEngine } from "../harness/bare-engine";
import { closeClientAfterTest } from "../harness/cleanup";
import { eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, openStream, readToEnd } from "../harness/raw-http";
import { frame, OPCODE, openingHandshake, RawWebSocket } from "../harness/raw-websocket";

/** Handshakes that the WebSocket server refuses, after the engine has accepted them. */
const REFUSED: [string, Record<string, string | undefined>, string, string?][] = [
  ["another protocol to upgrade to", { Upgrade: "h2c" }, "Invalid Upgrade header"],
  ["no key", { "Sec-WebSocket-Key": undefined }, "Missing or invalid Sec-WebSocket-Key header"],
  [
    "a key that is not 16 bytes",
    { "Sec-WebSocket-Key": "c2hvcnQ=" },
    "Missing or invalid Sec-WebSocket-Key header",
  ],
  [
    "version 12",
    { "Sec-WebSocket-Version": "12" },
    "Missing or invalid Sec-WebSocket-Version header",
    "Sec-WebSocket-Version: 13, 8",
  ],
  [
    "no version",
    { "Sec-WebSocket-Version": undefined },
    "Missing or invalid Sec-WebSocket-Version header",
    "Sec-WebSocket-Version: 13, 8",
  ],
  [
    "a malformed list of subprotocols",
    { "Sec-WebSocket-Protocol": "a,,b" },
    "Invalid Sec-WebSocket-Protocol header",
  ],
  [
    "a subprotocol offered twice",
    { "Sec-WebSocket-Protocol": "a, a" },
    "Invalid Sec-WebSocket-Protocol header",
  ],
];

async function startWithForeign(implementation: Implementation, options = {}): Promise<BareEngine> {
  const server = await startBareEngine(implementation, options);
  const foreign = new WebSocketServer({ noServer: true });
  server.httpServer.on("upgrade", (request, socket, head) => {
    if (request.url === "/foreign") {
      foreign.handleUpgrade(request, socket, head, (ws) => ws.send("foreign hello"));
    }
  });
  return server;
}

describeBoth("websocket handshake", (implementation) => {
  it("the 101 has these lines and no others", async () => {
    const { port } = await startBareEngine(implementation);
    const { head } = await RawWebSocket.open(port);
    expect(head.split("\r\n")).toEqual([
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      // The answer to the key of RFC 6455 §1.3.
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]);
  });

  it("the first subprotocol that was offered is echoed", async () => {
    const { port } = await startBareEngine(implementation);
    const headers = { "Sec-WebSocket-Protocol": "chat, superchat" };
    const { head } = await RawWebSocket.open(port, { headers });
    expect(head.split("\r\n")).toContain("Sec-WebSocket-Protocol: chat");
  });

  it("an extension that was offered is not taken by default", async () => {
    const { port } = await startBareEngine(implementation);
    const headers = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
    const { head } = await RawWebSocket.open(port, { headers });
    expect(head.toLowerCase()).not.toContain("extensions");
  });

  for (const headers of [
    { Upgrade: "WebSocket" },
    { Connection: "keep-alive, Upgrade" },
    { "Sec-WebSocket-Version": "8" },
    { Origin: "http://example.org" },
  ]) {
    it(`${JSON.stringify(headers)} is accepted`, async () => {
      const { port } = await startBareEngine(implementation);
      const peer = await RawWebSocket.open(port, { headers });
      await peer.expectText(/^0\{/);
    });
  }

  for (const [title, headers, text, extraLine] of REFUSED) {
    it(`${title} is a 400`, async () => {
      const { port, engine } = await startBareEngine(implementation);
      const told: unknown[] = [];
      engine.on("connection_error", (error) => told.push(error));
      const answer = await exchange(port, openingHandshake({ headers }));
      const [head, body] = answer.split("\r\n\r\n");
      expect(body).toBe(text);
      expect(head?.split("\r\n")).toEqual([
        "HTTP/1.1 400 Bad Request",
        "Connection: close",
        "Content-Type: text/html",
        `Content-Length: ${text.length}`,
        ...(extraLine === undefined ? [] : [extraLine]),
      ]);
      expect(told).toEqual([]);
      expect(engine.clientsCount).toBe(0);
    });
  }

  it("a listener of wsClientError of engine.ws answers an opening handshake that is none", async () => {
    const { engine, port } = await startBareEngine(implementation);
    const told: unknown[] = [];
    (engine as any).ws.on("wsClientError", (error: Error, stream: any, req: any) => {
      told.push(error.message, req.headers.upgrade);
      stream.end("HTTP/1.1 418 I'm a teapot\r\n\r\n");
    });
    const request = openingHandshake({ headers: { "Sec-WebSocket-Key": undefined } });
    expect(await exchange(port, request)).toMatch(/^HTTP\/1.1 418 /);
    expect(told).toEqual(["Missing or invalid Sec-WebSocket-Key header", "websocket"]);
  });

  it("polling over an upgrade gets 101 and then a close frame", async () => {
    const { port, engine } = await startBareEngine(implementation);
    const peer = await RawWebSocket.open(port, { path: "/socket.io/?EIO=4&transport=polling" });
    const { opcode, payload } = await peer.nextFrame();
    expect([opcode, payload.length]).toEqual([OPCODE.close, 0]);
    expect(engine.clientsCount).toBe(0);
  });

  it("a second websocket for a session that was upgraded gets 101 and a close frame, and the first one lives", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const opened = nextSession();
    const polling = await PollingPeer.open(port);
    const session = await opened;
    const first = await RawWebSocket.open(port, { path: polling.target("websocket") });
    first.send("2probe");
    await first.expectText("3probe");
    const upgraded = once(session, "upgrade");
    first.send("5");
    await upgraded;
    const second = await RawWebSocket.open(port, { path: polling.target("websocket") });
    expect(await second.expectClose()).toBeUndefined();
    session.send("to the first");
    await first.expectText("4to the first");
  });

  it("a frame in the same segment as the request does not break the handshake", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const opened = nextSession();
    const peer = await RawWebSocket.open(port, { trailing: frame("3") });
    await peer.expectText(/^0\{/);
    const session = await opened;
    session.send("alive");
    await peer.expectText("4alive");
  });

  it("engine.close() makes later handshakes a 503", async () => {
    const { port, engine } = await startBareEngine(implementation);
    engine.close();
    const answer = await exchange(port, openingHandshake());
    expect(answer).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(answer).toMatch(/\r\n\r\nService Unavailable$/);
  });

  it("an opening handshake cut anywhere is read whole", async () => {
    const { port } = await startBareEngine(implementation);
    const request = openingHandshake();
    for (const cut of [1, 20, request.length - 3, request.length - 1]) {
      const stream = await openStream(port);
      stream.setNoDelay(true);
      stream.write(request.subarray(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      const answered = once(stream, "data");
      stream.write(request.subarray(cut));
      expect(String((await answered)[0])).toMatch(/^HTTP\/1\.1 101 /);
      stream.destroy();
    }
  });

  it("the peer's address and the request of the handshake are known", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const opened = nextSession();
    const peer = await RawWebSocket.open(port, { headers: { Cookie: "a=b" } });
    const { request, remoteAddress } = await opened;
    expect(request.headers.cookie).toBe("a=b");
    expect(request.socket.remoteAddress).toBe(remoteAddress);
    expect(request.socket.remotePort).toBe(peer.stream.localPort);
    expect(request.socket.localPort).toBe(port);
    expect(request.connection).toBe(request.socket);
  });

  it("the ws package speaks to it", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const opened = nextSession();
    const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
    closeClientAfterTest(() => ws.terminate());
    await once(ws, "message");
    const session = await opened;
    const heard = once(session, "message");
    ws.send("4hello");
    expect(await heard).toEqual(["hello"]);
    const answered = once(ws, "message");
    session.send("back");
    expect(String((await answered)[0])).toBe("4back");
  });

  it("another WebSocket server may share the HTTP server", async () => {
    const { port, engine } = await startWithForeign(implementation, { destroyUpgradeTimeout: 50 });
    const peer = await RawWebSocket.open(port, { path: "/foreign" });
    await peer.expectText("foreign hello");
    expect(engine.clientsCount).toBe(0);
    const own = await RawWebSocket.open(port);
    await own.expectText(/^0\{/);
  });

  it("an upgrade that nobody answers is ended after destroyUpgradeTimeout", async () => {
    const { port } = await startBareEngine(implementation, { destroyUpgradeTimeout: 50 } as never);
    const stream = await openStream(port);
    stream.write(openingHandshake({ path: "/nobody" }));
    expect(await readToEnd(stream)).toBe("");
  });

  it("a foreign upgrade is no connection_error, and no middleware sees it", async () => {
    const { port, engine } = await startBareEngine(implementation, {
      destroyUpgradeTimeout: 20,
    } as never);
    const told: string[] = [];
    engine.on("connection_error", () => told.push("connection_error"));
    engine.use((_req: unknown, _res: unknown, next: () => void) => {
      told.push("middleware");
      next();
    });
    expect(await exchange(port, openingHandshake({ path: "/nobody" }))).toBe("");
    expect(told).toEqual([]);
  });

  it("an upgrade that somebody wrote to is left alone", async () => {
    const { port, httpServer } = await startBareEngine(implementation, {
      destroyUpgradeTimeout: 30,
    } as never);
    httpServer.on("upgrade", (_request, socket) => {
      closeClientAfterTest(() => socket.destroy());
      socket.write("mine");
    });
    const stream = await openStream(port);
    const answered = once(stream, "data");
    stream.write(openingHandshake({ path: "/mine" }));
    expect(String((await answered)[0])).toBe("mine");
    // The end that must not come would come within this time.
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(stream.readyState).toBe("open");
  });

  it("destroyUpgrade: false leaves foreign upgrades alone", async () => {
    const { port, httpServer } = await startBareEngine(implementation, {
      destroyUpgrade: false,
      destroyUpgradeTimeout: 20,
    } as never);
    const arrived = once(httpServer, "upgrade");
    const stream = await openStream(port);
    stream.write(openingHandshake({ path: "/nobody" }));
    const [, socket] = await arrived;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(stream.readyState).toBe("open");
    socket.destroy();
  });

  it("without the websocket transport no upgrade listener is installed", async () => {
    const { httpServer } = await startBareEngine(implementation, { transports: ["polling"] });
    expect(httpServer.listenerCount("upgrade")).toBe(0);
  });

  it("handleUpgrade may be called by hand, without any check of the path", async () => {
    const { port, httpServer, engine, nextSession } = await startBareEngine(implementation);
    httpServer.removeAllListeners("upgrade");
    httpServer.on("upgrade", (request, socket, head) => {
      (engine as any).handleUpgrade(request, socket, head);
    });
    const opened = nextSession();
    const peer = await RawWebSocket.open(port, { path: "/any/path?EIO=4&transport=websocket" });
    await peer.expectText(/^0\{/);
    expect((await opened).transport.name).toBe("websocket");
  });

  it("a peer that vanishes during an async allowRequest leaves nothing behind", async () => {
    const answers: (() => void)[] = [];
    const { port, engine } = await startBareEngine(implementation, {
      allowRequest: (_request, callback) => void answers.push(() => callback(null, true)),
    });
    const stream = await openStream(port);
    stream.write(openingHandshake());
    await eventually(() => answers.length === 1);
    const gone = once(stream, "close");
    stream.destroy();
    await gone;
    answers[0]?.();
    const second = RawWebSocket.open(port);
    await eventually(() => answers.length === 2);
    answers[1]?.();
    await (await second).expectText(/^0\{/);
    await eventually(() => engine.clientsCount === 1, "the session of the vanished peer stayed");
  });
});
