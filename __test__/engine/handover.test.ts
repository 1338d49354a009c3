/**
 * How the stream of a WebSocket is handed over: the 101, who carries the stream, the husk of an adopted one and the byte bridge. The core
 * is played by a fake; real streams are used up to the moment when they are handed over.
 */
import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, Socket as NetSocket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { Server } from "../../lib/engine";
import { FakeLink } from "./fake-link";
import { HEAD, immediate, KEY, openPolling, Role, start, upgrade } from "./fixture";
import { chooseCarriersHere } from "./own-carrier";
import { exchange, RawPeer } from "./raw";

chooseCarriersHere();

describe("engine: the 101", () => {
  it("has nothing in it that nobody asked for", async () => {
    const fixture = await start();
    const { peer } = await fixture.open();
    expect(await peer.until(/\r\n\r\n/)).toBe(`${HEAD}\r\n`);
    expect(fixture.link.streams[0]).toMatchObject({ role: Role.direct, slot: 0, isAdopted: true });
  });

  it("names the first subprotocol offered", async () => {
    const fixture = await start();
    const { peer, conn } = await fixture.open("Sec-WebSocket-Protocol: b, a\r\n");
    expect(await peer.until(/\r\n\r\n/)).toBe(`${HEAD}Sec-WebSocket-Protocol: b\r\n\r\n`);
    expect(conn.transport.socket.protocol).toBe("b");
  });

  it("carries the headers of middlewares and of both events, an array as one line each", async () => {
    const fixture = await start();
    fixture.engine.use((_req, res, next) => {
      res.setHeader("Set-Cookie", ["a=1", "b=2"]);
      res.setHeader("x-gone", "1");
      res.removeHeader("x-gone");
      next();
    });
    fixture.engine.on("initial_headers", (headers) => {
      headers["x-initial"] = 1;
    });
    fixture.engine.on("headers", (headers) => {
      headers["set-cookie"] = "c=3";
    });
    const { peer } = await fixture.open();
    expect(await peer.until(/\r\n\r\n/)).toBe(
      `${HEAD}Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nx-initial: 1\r\nset-cookie: c=3\r\n\r\n`,
    );
  });

  it("is not written when a header would forge others", async () => {
    const fixture = await start();
    const errors: any[] = [];
    fixture.engine.on("connection_error", (error) => errors.push(error));
    fixture.engine.on("headers", (headers) => {
      headers["x-evil"] = "a\r\nSet-Cookie: b=1";
    });
    const response = await exchange(
      fixture.server,
      upgrade("transport=websocket").replaceAll("\r\n", "\n"),
    );
    expect(response).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n.*\r\n\r\nBad request$/s);
    expect(errors).toEqual([
      expect.objectContaining({
        code: 3,
        context: expect.objectContaining({ name: "TRANSPORT_HANDSHAKE_ERROR" }),
      }),
    ]);
    expect(fixture.link.log).toEqual([]);
    expect(fixture.engine.clientsCount).toBe(0);
  });

  it("a response has the methods of a ServerResponse for headers that engine.io leaves out", async () => {
    const fixture = await start();
    const seen: unknown[] = [];
    let response: any;
    fixture.engine.use((_req, res, next) => {
      response = res;
      res.setHeader("X-One", 1);
      res.appendHeader("Set-Cookie", "a=1");
      res.appendHeader("Set-Cookie", ["b=2"]);
      res.flushHeaders();
      seen.push(res.hasHeader("X-One"), res.hasHeader("X-Two"), res.getHeaderNames());
      seen.push(res.getHeaders(), res.headersSent, res.statusCode);
      expect(() => res.setHeader("X-Evil", "a\r\nb: c")).toThrow(/Invalid character/);
      expect(() => res.appendHeader("X Evil", "a")).toThrow(/valid HTTP token/);
      next();
    });
    const { peer } = await fixture.open();
    expect(await peer.until(/\r\n\r\n/)).toBe(
      `${HEAD}X-One: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n`,
    );
    expect(seen).toEqual([
      true,
      false,
      ["X-One", "Set-Cookie"],
      { "X-One": 1, "Set-Cookie": ["a=1", "b=2"] },
      false,
      200,
    ]);
    expect(response.headersSent).toBe(true);
  });

  it("a middleware that ends the response closes the connection without a byte", async () => {
    const fixture = await start();
    const events: string[] = [];
    fixture.engine.use((_req, res) => {
      res.on("finish", () => events.push("finish"));
      res.on("close", () => events.push("close"));
      res.end("no");
    });
    expect(
      await exchange(fixture.server, upgrade("transport=websocket").replaceAll("\r\n", "\n")),
    ).toBe("");
    expect(events).toEqual(["finish", "close"]);
  });

  it("an engine that was closed answers 503, until its http server listens again", async () => {
    const fixture = await start();
    fixture.engine.close();
    const request = upgrade("transport=websocket").replaceAll("\r\n", "\n");
    expect(await exchange(fixture.server, request)).toBe(
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 19\r\n\r\nService Unavailable",
    );
    fixture.server.close();
    await once(fixture.server, "close");
    fixture.server.listen(0, "127.0.0.1");
    await once(fixture.server, "listening");
    const { peer } = await fixture.open();
    await peer.until(/101/);
  });
});

describe("engine: who carries a stream", () => {
  it("the core gets what came with the request, and what came while a middleware waited", async () => {
    const fixture = await start();
    let goOn = (): void => {};
    const isReached = new Promise<void>((reached) => {
      fixture.engine.use((_req, _res, next) => {
        goOn = next;
        reached();
      });
    });
    const connection = once(fixture.engine, "connection");
    const peer = await RawPeer.connect(fixture.server);
    peer.write(`${upgrade("transport=websocket")}early`);
    await isReached;
    const arrived = once(peer.socket, "drain", { signal: AbortSignal.timeout(50) }).catch(() => {});
    peer.write(" and late");
    await arrived;
    goOn();
    await connection;
    expect(fixture.link.streams[0]?.input.toString()).toBe("early and late");
  });

  it("a client that has gone meanwhile opens no session", async () => {
    const fixture = await start();
    let goOn = (): void => {};
    let stream: NetSocket | undefined;
    const isReached = new Promise<void>((reached) => {
      fixture.engine.use((req, _res, next) => {
        stream = req.socket;
        goOn = next;
        reached();
      });
    });
    const peer = await RawPeer.connect(fixture.server);
    peer.write(upgrade("transport=websocket"));
    await isReached;
    const closed = new Promise((resolve) => stream?.once("close", resolve));
    peer.socket.resetAndDestroy();
    await closed;
    goOn();
    await immediate();
    expect(fixture.link.log).toEqual([]);
    expect(fixture.link.streams).toEqual([]);
  });

  it("a stream that still owes a pipelined response is bridged", async () => {
    const fixture = await start();
    const conn = await openPolling(fixture);
    const peer = await RawPeer.connect(fixture.server);
    peer.write(
      `GET /engine.io/?EIO=4&transport=polling&sid=${conn.id} HTTP/1.1\r\nHost: x\r\n\r\n${upgrade("transport=websocket")}`,
    );
    await once(fixture.engine, "connection");
    expect(fixture.link.streams[0]).toMatchObject({ isAdopted: false, role: Role.direct });
  });

  it("the option carrier forces the bridge", async () => {
    const fixture = await start({ carrier: "bridge" });
    const { peer } = await fixture.open();
    await peer.until(/\r\n\r\n/);
    expect(fixture.link.streams[0]?.isAdopted).toBe(false);
  });

  it("without a free descriptor the stream is bridged, with the bytes read so far", async () => {
    const fixture = await start();
    fixture.link.canAdopt = false;
    const connection = once(fixture.engine, "connection");
    const peer = await RawPeer.connect(fixture.server);
    peer.write(`${upgrade("transport=websocket")}frames`);
    await connection;
    expect(fixture.link.streams[0]).toMatchObject({
      isAdopted: false,
      input: Buffer.from("frames"),
    });
    peer.write("more");
    await once(peer.socket, "data");
    while (!fixture.link.log.includes("bridgeData 0 more")) {
      await immediate();
    }
  });

  it("TLS is bridged, though its handle has a descriptor", async () => {
    // A pre-shared key needs no certificate.
    const psk = Buffer.alloc(16, 1);
    const cipher = { ciphers: "PSK", maxVersion: "TLSv1.2" as const };
    const server = createSecureServer({ ...cipher, pskCallback: () => psk });
    const fixture = await start({}, server as unknown as HttpServer);
    const connection = once(fixture.engine, "connection");
    const peer = connectTls({
      ...cipher,
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      pskCallback: () => ({ psk, identity: "test" }),
      checkServerIdentity: () => undefined,
    });
    await once(peer, "secureConnect");
    peer.write(upgrade("transport=websocket"));
    await connection;
    expect(fixture.link.streams[0]?.isAdopted).toBe(false);
    const [head] = await once(peer, "data");
    expect(String(head)).toBe(`${HEAD}\r\n`);
    peer.destroy();
  });

  it("handleUpgrade takes any Duplex", async () => {
    const engine = new Server();
    const link = FakeLink.under(engine);
    const written: string[] = [];
    const stream = new Duplex({
      read() {},
      write(chunk, _encoding, callback) {
        written.push(String(chunk));
        callback();
      },
    });
    const req: any = {
      method: "GET",
      url: "/?EIO=4&transport=websocket",
      headers: { upgrade: "WebSocket", "sec-websocket-key": KEY, "sec-websocket-version": "8" },
      socket: stream,
    };
    const connections: any[] = [];
    engine.on("connection", (conn) => connections.push(conn));
    engine.handleUpgrade(req, stream, Buffer.from("head"));
    await Promise.resolve(); // it is told when handleUpgrade has returned
    expect(connections).toHaveLength(1);
    expect(connections[0].remoteAddress).toBeUndefined();
    expect(link.streams[0]?.input.toString()).toBe("head");
    await immediate();
    expect(written).toEqual([`${HEAD}\r\n`]);
    stream.destroy();
  });

  it("the same request handled by two engines throws instead of corrupting the stream", () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback() });
    const req: any = {
      method: "GET",
      url: "/?EIO=4&transport=websocket",
      headers: { upgrade: "websocket", "sec-websocket-key": KEY, "sec-websocket-version": "13" },
    };
    for (const isFirst of [true, false]) {
      const engine = new Server();
      FakeLink.under(engine);
      const handle = () => engine.handleUpgrade(req, stream, Buffer.alloc(0));
      if (isFirst) {
        handle();
      } else {
        expect(handle).toThrow(/handled twice/);
      }
    }
    stream.destroy();
  });
});

describe("engine: the husk of an adopted stream", () => {
  it("keeps its addresses and counts as a connection, until the core has closed the stream", async () => {
    const fixture = await start();
    const { server, link } = fixture;
    const { peer, conn } = await fixture.open();
    const husk = conn.request.socket;
    expect(husk).toBeInstanceOf(NetSocket);
    expect(conn.transport.socket._socket).toBe(husk);
    expect([husk.remoteAddress, husk.remotePort, husk.remoteFamily]).toEqual([
      "127.0.0.1",
      peer.socket.localPort,
      "IPv4",
    ]);
    expect([husk.localAddress, husk.localPort]).toEqual([
      "127.0.0.1",
      (server.address() as AddressInfo).port,
    ]);
    expect(husk.bytesWritten).toBeGreaterThan(0);
    expect(husk.bytesRead).toBeGreaterThanOrEqual(0);
    const count = () => new Promise((resolve) => server.getConnections((_error, n) => resolve(n)));
    expect(await count()).toBe(1);

    let isClosed = false;
    server.close(() => {
      isClosed = true;
    });
    await immediate();
    expect(isClosed).toBe(false);
    const events: string[] = [];
    conn.transport.on("close", () => events.push("transport"));
    husk.on("close", () => events.push("husk"));
    link.streams[0]?.sink.onConnEnded();
    await once(server, "close");
    expect(events).toEqual(["transport", "husk"]);
    expect(conn.transport.readyState).toBe("closed");
    expect(link.log.filter((line) => line.startsWith("connDestroy"))).toEqual([]);
  });

  it.each(["req.socket.destroy()", "ws.terminate()"])(
    "%s drops the stream in the core",
    async (how) => {
      const fixture = await start();
      const { conn } = await fixture.open();
      const closed = once(conn.request.socket, "close");
      if (how === "ws.terminate()") {
        conn.transport.socket.terminate();
      } else {
        conn.request.socket.destroy();
      }
      await closed;
      expect(fixture.link.log).toContain("connDestroy 0");
      expect(conn.readyState).toBe("open"); // until the core says so
    },
  );

  it("is not ended by another engine's timeout for upgrade requests that nobody answers", async () => {
    const fixture = await start();
    const other = new Server();
    FakeLink.under(other);
    other.attach(fixture.server, { path: "/other", destroyUpgradeTimeout: 10 });
    const { conn } = await fixture.open();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(conn.request.socket.writableEnded).toBe(false);
  });

  it("an upgrade request that nobody answers is ended", async () => {
    const fixture = await start();
    fixture.engine.attach(fixture.server, { path: "/also", destroyUpgradeTimeout: 10 });
    const request = "GET /foreign HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: other\n\n";
    expect(await exchange(fixture.server, request)).toBe("");
  });
});

describe("engine: the byte bridge", () => {
  it("moves bytes both ways, acknowledges what was taken, and half-closes", async () => {
    const fixture = await start({ carrier: "bridge" });
    const { peer } = await fixture.open();
    const { log, streams } = fixture.link;
    const sink = streams[0]?.sink as any;
    await peer.until(/\r\n\r\n/);
    expect(log).toContain(`bridgeAck 0 ${HEAD.length + 2}`);
    peer.write("abc");
    while (!log.includes("bridgeData 0 abc")) {
      await immediate();
    }
    sink.onBridgePause();
    peer.write("def");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log).not.toContain("bridgeData 0 def");
    sink.onBridgeResume();
    while (!log.includes("bridgeData 0 def")) {
      await immediate();
    }
    sink.onBridgeWrite(Buffer.from("xyz"));
    await peer.until(/xyz/);
    sink.onBridgeEnd();
    await once(peer.socket, "end");
    peer.socket.end();
    while (!log.includes("bridgeEof 0")) {
      await immediate();
    }
    sink.onConnEnded();
    await peer.untilClosed();
    expect(log).not.toContain("connDestroy 0");
  });

  it("tells the core when the stream is gone", async () => {
    const fixture = await start({ carrier: "bridge" });
    const { peer } = await fixture.open();
    await peer.until(/\r\n\r\n/);
    peer.socket.resetAndDestroy();
    while (!fixture.link.log.includes("connDestroy 0")) {
      await immediate();
    }
  });
});
