// The edges of the front door: targets and protocol versions that are rare, what a refusal leaves out, streams that fail
// while nobody has answered them yet, and the first frames of a WebSocket.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { closeClientAfterTest } from "../harness/cleanup";
import { eventually, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, headerLines, openStream, type RawResponse, request } from "../harness/raw-http";
import { frame, openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { listenOnFreePort, track } from "../harness/servers";

const POLLING = "/socket.io/?EIO=4&transport=polling";
const KEY = { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" };

/** Answers of a session that are no payloads, each from a session of its own. */
const BARE_ERRORS: [
  string,
  number,
  (peer: PollingPeer, session: Session) => Promise<RawResponse>,
][] = [
  ["another method", 500, (peer) => peer.get({ method: "PUT" })],
  [
    "invalid content",
    400,
    (peer) => peer.post("4x", { "Content-Type": "application/octet-stream" }),
  ],
  ["a body over the limit", 413, (peer) => peer.post("4".repeat(21))],
  [
    "an overlap",
    400,
    async (peer, session) => {
      peer.start("GET").send();
      await eventually(() => session.transport.writable, "the poll was not held");
      return peer.get();
    },
  ],
];

async function expectToServe({ port }: BareEngine): Promise<void> {
  await (await RawWebSocket.open(port)).expectText(/^0\{/);
}

describeBoth("front door", (implementation) => {
  it("a request target in absolute form is foreign", async () => {
    const httpServer = createServer((_req, res) => res.end("foreign"));
    track(new implementation.Server(httpServer));
    const port = await listenOnFreePort(httpServer);
    const answer = await exchange(
      port,
      `GET http://127.0.0.1:${port}${POLLING} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toContain("foreign");
  });

  it("the path is not decoded, and dots in it are not resolved", async () => {
    const httpServer = createServer((_req, res) => res.end("foreign"));
    track(new implementation.Server(httpServer));
    const port = await listenOnFreePort(httpServer);
    const query = "?EIO=4&transport=polling";
    for (const path of ["/%73ocket.io/", "/Socket.io/", "/x/../socket.io/", "//socket.io/"]) {
      expect((await request(port, { path: `${path}${query}` })).text).toBe("foreign");
    }
    const path = `/socket.io/../elsewhere${query}`;
    expect((await request(port, { path })).text).toMatch(/^0\{/);
  });

  it("the length of a refused upgrade counts bytes", async () => {
    const { port } = await startBareEngine(implementation, {
      allowRequest: (_req, callback) => callback("größer €" as never, false),
    });
    const answer = Buffer.from(await exchange(port, openingHandshake()), "latin1").toString();
    expect(answer).toMatch(/\r\nContent-Length: 12\r\n\r\ngrößer €$/);
  });

  it("cors may be a function that is asked for each request", async () => {
    const asked: unknown[] = [];
    const { port } = await startBareEngine(implementation, {
      cors: (req: IncomingMessage, callback: (error: null, options: object) => void) => {
        asked.push(req.method);
        callback(null, { origin: req.headers["x-from"] });
      },
    } as never);
    const origins: unknown[] = [];
    for (const from of ["http://a.example", "http://b.example"]) {
      const headers = { "X-From": from, Origin: "http://c.example" };
      const response = await request(port, { path: POLLING, headers });
      origins.push(response.headers["access-control-allow-origin"]);
    }
    expect(origins).toEqual(["http://a.example", "http://b.example"]);
    expect(asked).toEqual(["GET", "GET"]);
  });

  it("over HTTP/1.0 a refusal is ended by its connection", async () => {
    const { port } = await startBareEngine(implementation);
    const answer = await exchange(port, "GET /socket.io/?transport=unknown HTTP/1.0\r\n\r\n");
    const [head = "", body] = answer.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(head).not.toMatch(/Content-Length|Transfer-Encoding/i);
    expect(body).toBe('{"code":0,"message":"Transport unknown"}');
  });

  for (const [title, status, cause] of BARE_ERRORS) {
    it(`${title} is a bare ${status}: no body, no event for its headers, no connection_error`, async () => {
      const server = await startBareEngine(implementation, { maxHttpBufferSize: 20 });
      const opened = server.nextSession();
      const peer = await PollingPeer.open(server.port);
      const session = await opened;
      const told: string[] = [];
      for (const event of ["initial_headers", "headers", "connection_error"]) {
        server.engine.on(event, () => told.push(event));
      }
      const overlapping = title === "an overlap" ? ["headers"] : []; // of the poll that waited
      const response = await cause(peer, session);
      expect([response.status, response.text]).toEqual([status, ""]);
      expect(headerLines(response).map((line) => line.toLowerCase())).toEqual(
        response.headers["transfer-encoding"]
          ? ["transfer-encoding: chunked"]
          : ["content-length: 0"],
      );
      expect(told).toEqual(overlapping);
    });
  }

  it("a middleware finds the response on the request, and a session keeps none", async () => {
    const { engine, port } = await startBareEngine(implementation);
    const found: boolean[] = [];
    engine.use(
      (req: IncomingMessage & { res?: unknown }, res: ServerResponse, next: () => void) => {
        found.push(req.res === res);
        next();
      },
    );
    const sessions: Session[] = [];
    engine.on("connection", (session: Session) => sessions.push(session));
    await PollingPeer.open(port);
    await (await RawWebSocket.open(port)).expectText(/^0\{/);
    expect(found[0]).toBe(true);
    expect(sessions.map(({ request }) => request.res ?? "none")).toEqual(["none", "none"]);
  });

  it("the status of a preflight may be chosen", async () => {
    const { port } = await startBareEngine(implementation, {
      cors: { origin: true, optionsSuccessStatus: 200 },
    });
    const headers = { Origin: "http://a.example", "Access-Control-Request-Method": "POST" };
    const response = await request(port, { method: "OPTIONS", path: POLLING, headers });
    expect([response.status, response.text]).toEqual([200, ""]);
    expect(response.headers["access-control-allow-origin"]).toBe("http://a.example");
  });

  it("the WebSocket server checks method, Upgrade, key, version and subprotocols, in this order", async () => {
    const { port } = await startBareEngine(implementation);
    const peer = await PollingPeer.open(port);
    const headers: Record<string, string> = {
      Upgrade: "other",
      "Sec-WebSocket-Key": "short",
      "Sec-WebSocket-Version": "1",
      "Sec-WebSocket-Protocol": "a,,b",
    };
    const answers: (string | undefined)[] = [];
    const ask = async (method: string): Promise<void> => {
      const handshake = { path: peer.target("websocket"), method, headers };
      const [head = "", text] = (await exchange(port, openingHandshake(handshake))).split(
        "\r\n\r\n",
      );
      answers.push(head.split("\r\n")[0], text);
    };
    await ask("PUT");
    for (const repaired of [{}, { Upgrade: "websocket" }, KEY, { "Sec-WebSocket-Version": "13" }]) {
      Object.assign(headers, repaired);
      await ask("GET");
    }
    expect(answers).toEqual([
      ...["HTTP/1.1 405 Method Not Allowed", "Invalid HTTP method"],
      ...["HTTP/1.1 400 Bad Request", "Invalid Upgrade header"],
      ...["HTTP/1.1 400 Bad Request", "Missing or invalid Sec-WebSocket-Key header"],
      ...["HTTP/1.1 400 Bad Request", "Missing or invalid Sec-WebSocket-Version header"],
      ...["HTTP/1.1 400 Bad Request", "Invalid Sec-WebSocket-Protocol header"],
    ]);
    await peer.send("4still here");
  });

  it("a destroyUpgradeTimeout of 0 is the default of one second", async () => {
    const { port } = await startBareEngine(implementation, { destroyUpgradeTimeout: 0 } as never);
    const sentAt = Date.now();
    expect(await exchange(port, openingHandshake({ path: "/nobody" }))).toBe("");
    expect(Date.now() - sentAt).toBeGreaterThan(900);
  });

  it("an error of a foreign upgrade's stream is nobody's, before and after its time", async () => {
    const { httpServer, port } = await startBareEngine(implementation, {
      destroyUpgradeTimeout: 30,
    } as never);
    const arrived = onceValue<IncomingMessage>(httpServer, "upgrade");
    const stream = await openStream(port);
    stream.write(openingHandshake({ path: "/nobody" }));
    const { socket } = await arrived;
    closeClientAfterTest(() => socket.destroy());
    expect(socket.emit("error", new Error("reset"))).toBe(true);
    await once(stream, "end");
    expect(socket.emit("error", new Error("reset"))).toBe(true);
  });

  it("a peer that has gone when its upgrade is decided on harms nobody", async () => {
    for (const accepted of [false, true]) {
      let decide: (() => void) | undefined;
      const server = await startBareEngine(implementation, {
        allowRequest: (_req, callback) => {
          if (decide === undefined) {
            decide = () => callback(null, accepted);
          } else {
            callback(null, true);
          }
        },
      });
      const stream = await openStream(server.port);
      stream.write(openingHandshake());
      await eventually(() => decide !== undefined, "allowRequest was not asked");
      const gone = once(stream, "close");
      stream.destroy();
      await gone;
      decide?.();
      await expectToServe(server);
      await eventually(() => server.engine.clientsCount === 1, "the vanished peer has a session");
    }
  });

  for (const [title, bytes] of [
    ["a frame without a mask", frame("4x", { isMasked: false })],
    ["a frame that is too long", frame("", { announcedLength: 2n ** 40n })],
    ["no frames at all", Buffer.alloc(100, 0xff)],
  ] as const) {
    it(`${title} in the segment of the request, while an id is made, harms nobody`, async () => {
      const server = await startBareEngine(implementation);
      const { engine } = server as any;
      const { generateId } = engine;
      engine.generateId = async (req: IncomingMessage) => {
        await new Promise((resolve) => setImmediate(resolve));
        return generateId.call(engine, req);
      };
      const peer = await RawWebSocket.open(server.port, { trailing: bytes });
      await peer.expectClose();
      peer.stream.destroy();
      await expectToServe(server);
      await eventually(() => engine.clientsCount === 1, "the session of the broken peer stayed");
    });
  }
});
