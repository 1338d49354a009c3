// The engine without the layer above: npm's `engine.io`, and `sio-rs/engine`.

import { EventEmitter } from "node:events";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { runModule } from "../harness/child";
import { ENGINE_PATHS, engineModule, startEngine, trackEngine } from "../harness/engine-modules";
import { eventually, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, request } from "../harness/raw-http";
import { closeFrame, openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { listenOnFreePort, trackHttpServer } from "../harness/servers";

const NAMES = [
  "Server",
  "Socket",
  "Transport",
  "attach",
  "listen",
  "parser",
  "protocol",
  "transports",
  "uServer",
];
const PATH = "/engine.io/";
const POLLING = `${PATH}?EIO=4&transport=polling`;
const WEBSOCKET = `${PATH}?EIO=4&transport=websocket`;

const openWebSocket = (port: number, path = WEBSOCKET): Promise<RawWebSocket> =>
  RawWebSocket.open(port, { path });

describeBoth("engine entry", (implementation) => {
  const module = engineModule(implementation.name);

  it("require() gives an object with these exports", () => {
    expect(Object.keys(module).sort()).toEqual(NAMES);
    expect(typeof module).toBe("object");
    expect([module.protocol, module.parser.protocol]).toEqual([4, 4]);
  });

  it("the ES module has the same exports by name", async () => {
    const entry =
      implementation.name === "sio-rs"
        ? join(dirname(ENGINE_PATHS["sio-rs"]), "engine.mjs")
        : join(dirname(ENGINE_PATHS["socket.io"]), "..", "wrapper.mjs");
    const { stdout, exitCode } = await runModule(
      implementation,
      () => `
        import { createRequire } from "node:module";
        import * as entry from ${JSON.stringify(`file://${entry}`)};
        const required = createRequire(import.meta.url)(${JSON.stringify(ENGINE_PATHS[implementation.name])});
        console.log(Object.keys(entry).filter((name) => entry[name] === required[name]).sort().join());
      `,
    );
    expect([exitCode, stdout]).toEqual([0, `${NAMES.join()}\n`]);
  });

  it("the classes are EventEmitters, and sessions and transports their instances", async () => {
    const { engine, port } = await startEngine(implementation.name);
    for (const path of [POLLING, WEBSOCKET]) {
      const connection = once(engine, "connection");
      await (path === POLLING ? new PollingPeer(port, { path: PATH }).open() : openWebSocket(port));
      const [session] = await connection;
      expect(session).toBeInstanceOf(module.Socket);
      expect(session.transport).toBeInstanceOf(module.Transport);
      expect(session.server).toBe(engine);
    }
    for (const { prototype } of [module.Server, module.Socket, module.Transport]) {
      expect(prototype).toBeInstanceOf(EventEmitter);
    }
  });

  it("transports tells what can be upgraded to what", () => {
    const { polling, websocket, webtransport } = module.transports;
    expect(Object.keys(module.transports)).toEqual(["polling", "websocket", "webtransport"]);
    expect(polling.upgradesTo).toEqual(["websocket", "webtransport"]);
    expect((websocket as any).upgradesTo).toEqual([]);
    expect((webtransport as any).upgradesTo).toEqual([]);
    expect([
      (polling as any).prototype.handlesUpgrades,
      Boolean(Object.getOwnPropertyDescriptor(websocket.prototype, "handlesUpgrades")),
    ]).toEqual([undefined, true]);
    expect((polling as any)({ _query: {} }).name).toBe("polling");
    expect(new (polling as any)({ _query: { j: "1" } }).name).toBe("polling");
  });

  it("parser is engine.io-parser", () => {
    expect(module.parser.decodePayload("4a\x1ebAQID")).toEqual([
      { type: "message", data: "a" },
      { type: "message", data: Buffer.from([1, 2, 3]) },
    ]);
    expect(Object.keys(module.parser).sort()).toEqual(
      Object.keys(require("engine.io-parser")).sort(),
    );
  });

  it("the statics name the errors", () => {
    expect(module.Server.errors).toEqual({
      UNKNOWN_TRANSPORT: 0,
      UNKNOWN_SID: 1,
      BAD_HANDSHAKE_METHOD: 2,
      BAD_REQUEST: 3,
      FORBIDDEN: 4,
      UNSUPPORTED_PROTOCOL_VERSION: 5,
    });
    expect(Object.values(module.Server.errorMessages)).toEqual([
      "Transport unknown",
      "Session ID unknown",
      "Bad handshake method",
      "Bad request",
      "Forbidden",
      "Unsupported protocol version",
    ]);
  });

  for (const [title, withOptions] of [
    ["options", true],
    ["none", false],
  ] as const) {
    it(`listen with ${title} makes an http server that answers 501 to everything else`, async () => {
      let listening = (): void => {};
      const listened = new Promise<void>((resolve) => {
        listening = resolve;
      });
      const listen = module.listen as (...args: unknown[]) => any;
      const engine = trackEngine(
        withOptions ? listen(0, { pingInterval: 7_000 }, listening) : listen(0, listening),
      );
      const httpServer = trackHttpServer(engine.httpServer);
      await listened;
      const { port } = httpServer.address();
      expect(engine.opts.pingInterval).toBe(withOptions ? 7_000 : 25_000);
      const { status, text } = await request(port, { path: "/other" });
      expect([status, text]).toEqual([501, "Not Implemented"]);
      const peer = await openWebSocket(port);
      await peer.expectText(/^0\{/);
    });
  }

  it("attach makes an engine on an http server, whose other requests stay with their listeners", async () => {
    const httpServer = trackHttpServer(createServer((_req, res) => void res.end("theirs")));
    const engine: any = trackEngine(module.attach(httpServer, { path: "/own" } as never));
    const port = await listenOnFreePort(httpServer);
    expect(engine).toBeInstanceOf(module.Server);
    expect(engine.httpServer).toBeUndefined();
    expect((await request(port, { path: "/" })).text).toBe("theirs");
    await PollingPeer.open(port, { path: "/own/" });
    expect(engine.clientsCount).toBe(1);
  });

  it("new Server(httpServer) attaches to nothing, and does no harm", async () => {
    const httpServer = trackHttpServer(createServer((_req, res) => void res.end("theirs")));
    const engine: any = trackEngine(new (module.Server as any)(httpServer));
    const port = await listenOnFreePort(httpServer);
    expect((await request(port, { path: POLLING })).text).toBe("theirs");
    expect([engine.opts.pingInterval, engine.clientsCount]).toEqual([25_000, 0]);
    expect(httpServer.listenerCount("upgrade")).toBe(0);
  });

  it("several engines share an http server by their paths", async () => {
    const httpServer = trackHttpServer(createServer((_req, res) => void res.end("theirs")));
    const engines = ["/one", "/two"].map((path) =>
      trackEngine(module.attach(httpServer, { path } as never)),
    ) as any[];
    const port = await listenOnFreePort(httpServer);
    for (const [index, path] of ["/one/", "/two/"].entries()) {
      await PollingPeer.open(port, { path });
      const connection = once(engines[index], "connection");
      await openWebSocket(port, `${path}?EIO=4&transport=websocket`);
      await connection;
    }
    expect(engines.map(({ clientsCount }) => clientsCount)).toEqual([2, 2]);
    expect((await request(port, { path: "/three/" })).text).toBe("theirs");
  });

  it("one engine serves several http servers, and takes the one's sessions down with it", async () => {
    const first = await startEngine(implementation.name);
    const second = trackHttpServer(createServer());
    first.engine.attach(second, { path: "/second" });
    const secondPort = await listenOnFreePort(second);
    const peer = await openWebSocket(first.port);
    await PollingPeer.open(secondPort, { path: "/second/" });
    await eventually(() => first.engine.clientsCount === 2);
    second.close();
    await peer.expectClose(); // the end of either server closes the engine
    expect(first.engine.clientsCount).toBe(0);
  });

  it("an http server that listens again finds WebSockets accepted again, and so does another that is attached", async () => {
    const { engine, httpServer, port } = await startEngine(implementation.name);
    const closed = once(httpServer, "close");
    httpServer.close();
    await closed;
    expect(engine.ws).toBeTruthy();
    const again = await listenOnFreePort(httpServer);
    await (await openWebSocket(again)).expectText(/^0\{/);
    engine.close();
    expect(await exchange(again, openingHandshake({ path: WEBSOCKET }))).toContain("503 ");
    const other = trackHttpServer(createServer());
    engine.attach(other);
    const otherPort = await listenOnFreePort(other);
    await (await openWebSocket(otherPort)).expectText(/^0\{/);
    expect(port).toBeGreaterThan(0);
  });

  it("close closes every session, may be called twice, and returns the engine", async () => {
    const { engine, port } = await startEngine(implementation.name);
    const reasons: string[] = [];
    engine.on("connection", (session: any) =>
      session.on("close", (why: string) => reasons.push(why)),
    );
    await PollingPeer.open(port, { path: PATH });
    await openWebSocket(port);
    await eventually(() => engine.clientsCount === 2);
    expect(engine.close()).toBe(engine);
    expect(engine.close()).toBe(engine);
    expect([reasons, engine.clientsCount, Object.keys(engine.clients)]).toEqual([
      ["forced close", "forced close"],
      0,
      [],
    ]);
  });

  it("clients is a plain object of the open sessions by id", async () => {
    const { engine, port } = await startEngine(implementation.name);
    const { sid } = await new PollingPeer(port, { path: PATH }).open();
    expect(Object.keys(engine.clients)).toEqual([sid]);
    expect(engine.clients[sid].id).toBe(sid);
    expect(Object.getPrototypeOf(engine.clients)).toBe(Object.prototype);
    expect(engine.clientsCount).toBe(1);
  });

  it("upgrades tells what a transport may become, as long as that is allowed", () => {
    const engine: any = new module.Server();
    expect([engine.upgrades("polling"), engine.upgrades("websocket")]).toEqual([
      ["websocket", "webtransport"],
      [],
    ]);
    engine.opts.allowUpgrades = false;
    expect(engine.upgrades("polling")).toEqual([]);
  });

  it("opts keeps the defaults, what was given and what nobody knows", () => {
    const engine: any = new module.Server({ pingTimeout: 5, anything: 1, cookie: true } as never);
    expect(engine.opts).toMatchObject({
      pingTimeout: 5,
      pingInterval: 25_000,
      upgradeTimeout: 10_000,
      maxHttpBufferSize: 1e6,
      transports: ["polling", "websocket"],
      allowUpgrades: true,
      httpCompression: { threshold: 1024 },
      cors: false,
      allowEIO3: false,
      anything: 1,
      cookie: { name: "io", path: "/", httpOnly: true, sameSite: "lax" },
    });
    expect((new module.Server({ perMessageDeflate: true }) as any).opts.perMessageDeflate).toEqual({
      threshold: 1024,
    });
  });

  it("size limit and compression of a polling session are those of its opening, on its transport", async () => {
    const { engine, port } = await startEngine(implementation.name, { maxHttpBufferSize: 10 });
    const connection = once(engine, "connection");
    const peer = await PollingPeer.open(port, { path: PATH });
    const [session] = await connection;
    engine.opts.maxHttpBufferSize = 1;
    engine.opts.httpCompression = false;
    expect((await peer.post("4abcdefghi")).status).toBe(200);
    expect([session.transport.maxHttpBufferSize, session.transport.httpCompression]).toEqual([
      10,
      { threshold: 1024 },
    ]);
    session.transport.maxHttpBufferSize = 3;
    expect((await peer.post("4abc")).status).toBe(413);
  });

  it("maxHttpBufferSize: 0 is no limit for a WebSocket and takes no body over polling", async () => {
    const { engine, port } = await startEngine(implementation.name, { maxHttpBufferSize: 0 });
    const peer = await PollingPeer.open(port, { path: PATH });
    expect((await peer.post("4")).status).toBe(413);
    const connection = once(engine, "connection");
    const socket = await openWebSocket(port);
    const [session] = await connection;
    const message = once(session, "message");
    socket.send(`4${"a".repeat(2_000_000)}`);
    expect((await message)[0]).toHaveLength(2_000_000);
  });

  it("a session talks both ways, over polling, its upgrade and WebSocket", async () => {
    const { engine, port } = await startEngine(implementation.name);
    engine.on("connection", (session: any) =>
      session.on("message", (data: any) => session.send(data)),
    );
    const peer = await PollingPeer.open(port, { path: PATH });
    await peer.send("4over polling");
    expect(await peer.poll()).toBe("4over polling");
    const socket = await openWebSocket(port, `${WEBSOCKET}&sid=${peer.sid}`);
    socket.send("2probe");
    await socket.expectText("3probe");
    socket.send("5");
    socket.send("4over WebSocket");
    await socket.expectText("4over WebSocket");
    const direct = await openWebSocket(port);
    await direct.expectText(/^0\{/);
    direct.send("4a");
    await direct.expectText("4a");
    direct.write(closeFrame(1000));
    await direct.expectClose();
  });

  it("destroyUpgradeTimeout: 0 means a second, like nothing at all", async () => {
    const httpServer = createServer();
    const { port } = await startEngine(
      implementation.name,
      { destroyUpgradeTimeout: 0 },
      undefined,
      httpServer,
    );
    const upgraded = once(httpServer, "upgrade").then(() => Date.now());
    expect(await exchange(port, openingHandshake({ path: "/foreign" }))).toBe("");
    expect(Date.now() - (await upgraded)).toBeGreaterThan(900);
  });
});
