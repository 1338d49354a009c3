// The streams that a WebSocket can come over, besides plain TCP: Unix sockets, TLS with a client certificate, HTTP/2 servers, any Duplex,
// and a TCP connection that still owes the answer to an earlier request. What is sent arrives whole and in order over each of them.

import { createServer, type IncomingMessage } from "node:http";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2Server,
  createSecureServer,
} from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Server, Socket } from "socket.io";
import { WebSocket } from "ws";
import { selfSignedCertificate } from "../harness/certificate";
import { closeClientAfterTest } from "../harness/cleanup";
import { collect, eventually, once, onceValue, within } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { openStream } from "../harness/raw-http";
import { closeFrame, frame, openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { listenOnFreePort, startServer, track, trackHttpServer } from "../harness/servers";

const TLS = selfSignedCertificate();
const TARGET = "/socket.io/?EIO=4&transport=websocket";

/** Opens a WebSocket of the `ws` package and joins namespace `/`. */
async function joinOver(io: Server, url: string, options = {}): Promise<[WebSocket, Socket]> {
  const joined = onceValue<Socket>(io, "connection");
  const peer = new WebSocket(url, { perMessageDeflate: false, ...options });
  closeClientAfterTest(() => peer.terminate());
  await once(peer, "open");
  peer.send("40");
  return [peer, await joined];
}

/** Large and small messages go both ways, and none is lost. */
async function exchangeAll(peer: WebSocket, socket: Socket): Promise<void> {
  const heard: number[] = [];
  socket.on("n", (index: number) => void heard.push(index));
  socket.on("large", (text: string, reply: (length: number) => void) => reply(text.length));
  for (let index = 0; index < 100; index += 1) {
    peer.send(`42["n",${index}]`);
  }
  const answer = new Promise<string>((resolve) => {
    peer.on("message", (data) => {
      if (String(data).startsWith("437")) {
        resolve(String(data));
      }
    });
  });
  peer.send(`427["large","${"x".repeat(500_000)}"]`);
  expect(await within(answer, "no answer")).toBe("437[500000]");
  expect(heard).toEqual(Array.from({ length: 100 }, (_, index) => index));
  const texts = collect(peer, "message", 3);
  for (const length of [1, 700_000, 2]) {
    socket.emit("x", "y".repeat(length));
  }
  expect((await texts).map(([data]) => String(data).length)).toEqual([11, 700_010, 12]);
}

/** One request over an HTTP/2 connection. */
async function ask(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string,
): Promise<{ headers: Record<string, unknown>; body: string }> {
  const stream = session.request(headers);
  stream.setEncoding("utf8").end(body);
  const [received] = await once(stream, "response");
  let text = "";
  for await (const chunk of stream) {
    text += chunk;
  }
  return { headers: received, body: text };
}

/** A Duplex of one's own over another stream, without anything of a net.Socket. */
class Wrapped extends Duplex {
  constructor(
    private readonly inner: Duplex,
    private readonly writeDelayMs = 0,
    options: { readableObjectMode?: boolean; highWaterMark?: number } = {},
  ) {
    super({ allowHalfOpen: true, ...options });
    inner.on("data", (chunk) => this.push(chunk) || inner.pause());
    inner.on("end", () => this.push(null));
    inner.on("close", () => this.destroy());
    inner.on("error", () => {});
  }

  override _read(): void {
    this.inner.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    const write = (): void => void this.inner.write(chunk, () => callback());
    if (this.writeDelayMs > 0) {
      setTimeout(write, this.writeDelayMs);
    } else {
      write();
    }
  }

  override _final(callback: () => void): void {
    this.inner.end(callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.inner.destroy();
    callback(error);
  }
}

describeBoth("carriers", (implementation) => {
  it("a Unix socket has no addresses, counts as a connection, and carries everything", async () => {
    const path = join(tmpdir(), `sio-carrier-${process.pid}-${implementation.name}.sock`);
    const httpServer = createServer();
    const io = track(new implementation.Server(httpServer));
    const listening = once(httpServer, "listening");
    httpServer.listen(path);
    await listening;
    const [peer, socket] = await joinOver(io, `ws+unix:${path}:${TARGET}`);
    expect(socket.handshake.address).toBeUndefined();
    expect(socket.request.socket.remoteAddress).toBeUndefined();
    expect(socket.request.socket.remotePort).toBeUndefined();
    await exchangeAll(peer, socket);
    const count = new Promise((resolve) => {
      httpServer.getConnections((_error, connections) => resolve(connections));
    });
    expect(await count).toBe(1);
    const gone = Promise.all([onceValue(socket, "disconnect"), once(peer, "close")]);
    socket.request.socket.destroy();
    expect((await gone)[0]).toBe("transport close");
  });

  it("over TLS the client's certificate can be read for the life of the session", async () => {
    const server = createHttpsServer({ ...TLS, ca: TLS.cert, requestCert: true });
    const io = track(new implementation.Server(server as never));
    const port = await listenOnFreePort(server);
    const [peer, socket] = await joinOver(io, `wss://127.0.0.1:${port}${TARGET}`, {
      ...TLS,
      rejectUnauthorized: false,
    });
    await exchangeAll(peer, socket);
    expect(socket.handshake.secure).toBe(true);
    const stream = socket.request.socket as TLSSocket;
    expect(stream.getPeerCertificate().subject.CN).toBe("localhost");
    expect([stream.authorized, stream.encrypted]).toEqual([true, true]);
    expect(stream.getProtocol()).toMatch(/^TLSv1/);
    const closed = once(peer, "close");
    socket.disconnect(true);
    await closed;
  });

  it("over HTTP/2 a session polls on the streams of one connection, and upgrades over HTTP/1", async () => {
    const server = createSecureServer({ ...TLS, allowHTTP1: true });
    const io = track(new implementation.Server(server as never, { cors: { origin: "*" } }));
    const port = await listenOnFreePort(server);
    const joined = onceValue<Socket>(io, "connection");
    const http2 = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    closeClientAfterTest(() => http2.destroy());
    const target = "/socket.io/?EIO=4&transport=polling";
    const opened = await ask(http2, { ":path": target, origin: "https://a.example" });
    expect(opened.headers).toMatchObject({
      ":status": 200,
      "content-type": "text/plain; charset=UTF-8",
      "access-control-allow-origin": "*",
      "cache-control": "no-store",
    });
    const { sid } = JSON.parse(opened.body.slice(1));
    const session = `${target}&sid=${sid}`;
    const post = { ":path": session, ":method": "POST", "content-type": "text/plain" };
    expect((await ask(http2, post, "40")).body).toBe("ok");
    const socket = await joined;
    expect((await ask(http2, { ":path": session })).body).toMatch(/^40\{/);
    expect(socket.request.httpVersion).toBe("2.0");
    expect(socket.handshake.address).toMatch(/127\.0\.0\.1$/);
    expect(socket.handshake.headers[":path"]).toBe(target);

    const parked = ask(http2, { ":path": session });
    socket.on("q", (reply: (text: string) => void) => reply("é"));
    expect((await ask(http2, post, '421["q"]')).body).toBe("ok");
    expect((await parked).body).toBe('431["é"]');
    expect((await ask(http2, { ":path": `${session}x` })).headers[":status"]).toBe(400);

    const candidate = new WebSocket(`wss://127.0.0.1:${port}${TARGET}&sid=${sid}`, {
      rejectUnauthorized: false,
      perMessageDeflate: false,
    });
    closeClientAfterTest(() => candidate.terminate());
    await once(candidate, "open");
    const probed = once(candidate, "message");
    candidate.send("2probe");
    expect(String((await probed)[0])).toBe("3probe");
    const upgraded = once(socket.conn, "upgrade");
    candidate.send("5");
    await upgraded;
    await exchangeAll(candidate, socket);
  });

  it("over HTTP/2 without TLS a session polls", async () => {
    const server = createHttp2Server((_req, res) => void res.end("foreign"));
    const io = track(new implementation.Server(server as never));
    const port = await listenOnFreePort(server);
    const joined = onceValue<Socket>(io, "connection");
    const http2 = connectHttp2(`http://127.0.0.1:${port}`);
    closeClientAfterTest(() => http2.destroy());
    const target = "/socket.io/?EIO=4&transport=polling";
    const { sid } = JSON.parse((await ask(http2, { ":path": target })).body.slice(1));
    const session = `${target}&sid=${sid}`;
    const post = { ":path": session, ":method": "POST", "content-type": "text/plain" };
    expect((await ask(http2, post, "40")).body).toBe("ok");
    const socket = await joined;
    expect((await ask(http2, { ":path": session })).body).toBe(`40{"sid":"${socket.id}"}`);
    expect(socket.handshake.secure).toBe(false);
    expect((await ask(http2, { ":path": "/elsewhere" })).body).toBe("foreign");
    const left = onceValue(socket, "disconnect");
    http2.destroy();
    io.disconnectSockets(true);
    expect(await left).toBe("server namespace disconnect");
  });

  it("an HTTP/2 client that aborts its poll ends the session", async () => {
    const server = createSecureServer({ ...TLS, allowHTTP1: true });
    const io = track(new implementation.Server(server as never));
    const port = await listenOnFreePort(server);
    const joined = onceValue<any>(io.engine, "connection");
    const http2 = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    closeClientAfterTest(() => http2.destroy());
    const target = "/socket.io/?EIO=4&transport=polling";
    await ask(http2, { ":path": target });
    const session = await joined;
    const poll = http2.request({ ":path": `${target}&sid=${session.id}` });
    poll.on("error", () => {});
    await eventually(() => session.transport.writable, "the poll never arrived");
    const closed = onceValue(session, "close");
    poll.close();
    expect(await closed).toBe("transport error");
  });

  const DUPLEXES: { label: string; wrap: (stream: Duplex, head: Buffer) => [Duplex, Buffer] }[] = [
    { label: "a Duplex of one's own", wrap: (stream, head) => [new Wrapped(stream), head] },
    {
      label: "a Duplex that is paused, and resumed a turn later",
      wrap: (stream, head) => {
        const wrapped = new Wrapped(stream).pause();
        setImmediate(() => wrapped.resume());
        return [wrapped, head];
      },
    },
    {
      label: "a Duplex to which the first bytes were given back",
      wrap: (stream, head) => {
        const wrapped = new Wrapped(stream);
        wrapped.unshift(head);
        return [wrapped, Buffer.alloc(0)];
      },
    },
    {
      label: "a Duplex that writes one small piece at a time",
      wrap: (stream, head) => [new Wrapped(stream, 1, { highWaterMark: 64 }), head],
    },
    {
      label: "a Duplex in object mode",
      wrap: (stream, head) => [new Wrapped(stream, 0, { readableObjectMode: true }), head],
    },
    {
      label: "a net.Socket to which the first bytes were given back",
      wrap: (stream, head) => {
        stream.unshift(head);
        return [stream, Buffer.alloc(0)];
      },
    },
  ];

  for (const { label, wrap } of DUPLEXES) {
    it(`handleUpgrade takes ${label}`, async () => {
      const io = track(new implementation.Server(createServer()));
      const front = trackHttpServer(createServer());
      front.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
        const [carrier, rest] = wrap(stream, head);
        io.engine.handleUpgrade(request as never, carrier as never, rest);
      });
      const port = await listenOnFreePort(front);
      const joined = onceValue<Socket>(io, "connection");
      // Half of a frame comes together with the request: socket.io may lose whole messages that do.
      const connect = frame("40");
      const peer = await RawWebSocket.open(port, { trailing: connect.subarray(0, 3) });
      await peer.expectText(/^0\{/);
      peer.write(connect.subarray(3));
      const socket = await joined;
      socket.on("q", (value: unknown, reply: (value: unknown) => void) => reply(value));
      await peer.expectText(/^40\{/);
      for (const length of [0, 10, 70_000, 5]) {
        peer.send(`421["q","${"x".repeat(length)}"]`);
        await peer.expectText(`431["${"x".repeat(length)}"]`);
      }
      for (let index = 0; index < 50; index += 1) {
        socket.emit("n", index, "z".repeat(1_000));
      }
      for (let index = 0; index < 50; index += 1) {
        await peer.expectText(`42["n",${index},"${"z".repeat(1_000)}"]`);
      }
      const left = onceValue(socket, "disconnect");
      peer.write(closeFrame(1000));
      expect(await peer.expectClose()).toBe(1000);
      expect(await left).toBe("transport close");
      await peer.ended();
    });
  }

  it("a Duplex that breaks ends the session, and one that ends does too", async () => {
    for (const how of ["destroy", "end"]) {
      const io = track(new implementation.Server(createServer()));
      const front = trackHttpServer(createServer());
      const carriers: Duplex[] = [];
      front.on("upgrade", (request, stream, head) => {
        carriers.push(new Wrapped(stream));
        io.engine.handleUpgrade(request as never, carriers[0] as never, head);
      });
      const port = await listenOnFreePort(front);
      const joined = onceValue<Socket>(io, "connection");
      const peer = await RawWebSocket.join(port);
      const left = onceValue(await joined, "disconnect");
      if (how === "destroy") {
        carriers[0]?.destroy(new Error("broken"));
      } else {
        peer.stream.end();
      }
      expect(await left).toBe("transport close");
      await peer.ended();
    }
  });

  it("a poll that waits on the same connection is answered into the stream of the websocket, as Node does it", async () => {
    const { io, port } = await startServer(implementation);
    const peer = await PollingPeer.join(port);
    const polling = [...io.sockets.sockets.values()][0] as Socket;
    const stream = await openStream(port);
    let text = "";
    stream.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
    });
    const joined = onceValue<any>(io.engine, "connection");
    stream.write(`GET ${peer.target()} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    stream.write(openingHandshake());
    const session = await joined;
    await eventually(() => text.includes('"maxPayload"'), "no open packet came");
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    text = "";
    polling.emit("to the poll");
    await eventually(() => text.endsWith('42["to the poll"]'), "the poll was not answered");
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    text = "";
    session.send("to the websocket");
    await eventually(() => text.length > 0, "the websocket sent nothing more");
    expect(text).toBe("\x81\x114to the websocket");
    const message = onceValue(session, "message");
    stream.write(frame("4from the websocket"));
    expect(await message).toBe("from the websocket");
  });

  it("a request that was answered before the upgrade on the same connection does no harm", async () => {
    const { io, port } = await startServer(implementation);
    const stream = await openStream(port);
    let text = "";
    stream.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
    });
    const session = onceValue<any>(io.engine, "connection");
    stream.write("GET /socket.io/?EIO=4&transport=polling&sid=none HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write(openingHandshake());
    const message = onceValue(await session, "message");
    stream.write(frame("4x"));
    expect(await message).toBe("x");
    await eventually(() => text.includes('"maxPayload"'), "no open packet came");
    expect(text).toMatch(/^HTTP\/1\.1 400 .*Session ID unknown.*HTTP\/1\.1 101 /s);
  });
});
