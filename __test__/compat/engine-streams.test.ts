// Requests and streams that are given to the engine by hand: handleRequest and handleUpgrade, with whatever Duplex the application has.

import { createServer } from "node:http";
import { Duplex, PassThrough } from "node:stream";
import { engineModule, trackEngine } from "../harness/engine-modules";
import { eventually, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { closeFrame, frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { listenOnFreePort, trackHttpServer } from "../harness/servers";

const WEBSOCKET = "/anything?EIO=4&transport=websocket";

/** What becomes of the socket of an upgrade request before the engine gets it. */
type Prepare = (socket: Duplex, upgrade: (stream: Duplex, head?: Buffer) => void) => void;

/** A Duplex over a socket that has nothing of a socket. */
function wrapped(socket: Duplex): Duplex {
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk) => duplex.push(chunk) || socket.pause());
  socket.on("end", () => duplex.push(null));
  socket.on("error", () => duplex.destroy());
  return duplex;
}

const STREAMS: [title: string, prepare: Prepare, sentEarly?: Buffer][] = [
  ["the socket as it comes", (socket, upgrade) => upgrade(socket)],
  ["a Duplex without a descriptor", (socket, upgrade) => upgrade(wrapped(socket))],
  [
    "Duplex.from over the socket",
    (socket, upgrade) => upgrade(Duplex.from({ readable: socket, writable: socket } as never)),
  ],
  [
    "a socket that was paused, and is resumed",
    (socket, upgrade) => {
      socket.pause();
      setImmediate(() => {
        upgrade(socket);
        socket.resume();
      });
    },
  ],
  [
    "a Duplex that was paused, and is resumed",
    (socket, upgrade) => {
      const duplex = wrapped(socket);
      duplex.pause();
      setImmediate(() => {
        upgrade(duplex);
        duplex.resume();
      });
    },
  ],
  [
    "a socket whose first bytes were unshifted",
    (socket, upgrade) => {
      socket.unshift(frame("early", { opcode: OPCODE.ping }));
      upgrade(socket);
    },
    Buffer.from("early"),
  ],
  [
    "first bytes in a head of its own",
    (socket, upgrade) => upgrade(socket, frame("early", { opcode: OPCODE.ping })),
    Buffer.from("early"),
  ],
  [
    "a Duplex with a head",
    (socket, upgrade) => upgrade(wrapped(socket), frame("early", { opcode: OPCODE.ping })),
    Buffer.from("early"),
  ],
];

describeBoth("engine streams", (implementation) => {
  const { Server } = engineModule(implementation.name);

  for (const [title, prepare, early] of STREAMS) {
    it(`handleUpgrade takes ${title}`, async () => {
      const engine: any = trackEngine(new Server());
      const httpServer = trackHttpServer(createServer());
      httpServer.on("upgrade", (req, socket, head) => {
        prepare(socket, (stream, own = head) => engine.handleUpgrade(req, stream, own));
      });
      const port = await listenOnFreePort(httpServer);
      const connection = once(engine, "connection");
      const peer = await RawWebSocket.open(port, { path: WEBSOCKET });
      const [session] = await connection;
      const frames = [await peer.nextFrame()];
      if (early !== undefined) {
        frames.push(await peer.nextFrame());
      }
      expect(frames.map(({ text }) => text.slice(0, 6)).sort()).toEqual(
        early === undefined ? ['0{"sid'] : ['0{"sid', "early"],
      );
      session.on("message", (data: any) => session.send(data));
      const text = "x".repeat(100_000);
      peer.send(`4${text}`);
      peer.send(Buffer.from([1, 2, 3]), { opcode: OPCODE.binary });
      await peer.expectText(`4${text}`);
      expect((await peer.nextFrame()).payload).toEqual(Buffer.from([1, 2, 3]));
      const closed = once(session, "close");
      peer.write(closeFrame(1000));
      expect(await peer.expectClose()).toBe(1000);
      expect((await closed)[0]).toBe("transport close");
      await peer.ended();
    });
  }

  it("a Duplex that is destroyed ends its session", async () => {
    const engine: any = trackEngine(new Server());
    const httpServer = trackHttpServer(createServer());
    let duplex: Duplex | undefined;
    httpServer.on("upgrade", (req, socket, head) => {
      duplex = wrapped(socket);
      engine.handleUpgrade(req, duplex, head);
    });
    const port = await listenOnFreePort(httpServer);
    const connection = once(engine, "connection");
    const peer = await RawWebSocket.open(port, { path: WEBSOCKET });
    const [session] = await connection;
    const closed = once(session, "close");
    duplex?.destroy();
    expect((await closed)[0]).toBe("transport close");
    await peer.ended();
    expect(engine.clientsCount).toBe(0);
  });

  for (const [when, fail] of [
    ["at once", (done: (error: Error) => void, error: Error) => done(error)],
    ["later", (done: (error: Error) => void, error: Error) => void setImmediate(() => done(error))],
  ] as const) {
    it(`a Duplex that fails to write, ${when}, ends its session with a transport error that says why`, async () => {
      const engine: any = trackEngine(new Server());
      const httpServer = trackHttpServer(createServer());
      const failure = new Error("no more");
      let fails = false;
      httpServer.on("upgrade", (req, socket, head) => {
        const duplex = wrapped(socket);
        const { _write } = duplex;
        duplex._write = (chunk, encoding, done) =>
          fails ? fail(done, failure) : _write.call(duplex, chunk, encoding, done);
        engine.handleUpgrade(req, duplex, head);
      });
      const port = await listenOnFreePort(httpServer);
      const connection = once(engine, "connection");
      const peer = await RawWebSocket.open(port, { path: WEBSOCKET });
      const [session] = await connection;
      await peer.expectText(/^0\{/);
      const told: unknown[] = [];
      session.transport.on("error", (error: any) => told.push(error.message, session.readyState));
      const closed = once(session, "close");
      fails = true;
      session.send("a");
      expect(session.readyState).toBe("open");
      const [reason, error] = await closed;
      expect([reason, error.message, error.type, error.description]).toEqual([
        "transport error",
        "write error",
        "TransportError",
        failure.stack,
      ]);
      await peer.ended();
      expect(told.slice(0, 2)).toEqual(["write error", "closed"]);
      expect(engine.clientsCount).toBe(0);
    });
  }

  it("connection is told when handleUpgrade has returned, and before anything else happens", async () => {
    const engine: any = trackEngine(new Server());
    const httpServer = trackHttpServer(createServer());
    const log: string[] = [];
    engine.on("connection", () => log.push("connection"));
    httpServer.on("upgrade", (req, socket, head) => {
      engine.handleUpgrade(req, socket, head);
      log.push("returned");
      void Promise.resolve().then(() => log.push("promise"));
      setImmediate(() => log.push("immediate"));
    });
    const port = await listenOnFreePort(httpServer);
    await RawWebSocket.open(port, { path: WEBSOCKET });
    await eventually(() => log.length === 4);
    expect(log).toEqual(["returned", "connection", "promise", "immediate"]);
  });

  it("a Duplex that fails while the engine refuses it harms nobody", async () => {
    const engine: any = trackEngine(new Server());
    const httpServer = trackHttpServer(createServer());
    const refusal = once(engine, "connection_error");
    httpServer.on("upgrade", (req, socket, head) => {
      const duplex = wrapped(socket);
      engine.handleUpgrade(req, duplex, head);
      duplex.destroy(new Error("the line is cut"));
    });
    const port = await listenOnFreePort(httpServer);
    await RawWebSocket.open(port, { path: "/anything?transport=no" }).catch(() => {});
    expect((await refusal)[0].code).toBe(0);
  });

  it("handleRequest takes a request without a socket", async () => {
    const engine: any = trackEngine(new Server());
    const connection = once(engine, "connection");
    const request = Object.assign(new PassThrough(), {
      url: "/anything?EIO=4&transport=polling",
      method: "GET",
      headers: {},
      connection: { remoteAddress: "192.0.2.1" },
    });
    const answer = new Promise<string>((resolve) => {
      const response = { writeHead: () => response, end: (body: string) => resolve(String(body)) };
      engine.handleRequest(request, response);
    });
    expect(await answer).toMatch(/^0\{"sid":/);
    expect((await connection)[0].remoteAddress).toBe("192.0.2.1");
  });

  it("handleRequest takes requests of any path, and a query that is there already", async () => {
    const engine: any = trackEngine(new Server());
    const httpServer = trackHttpServer(
      createServer((req, res) => {
        if (req.url?.startsWith("/query")) {
          (req as any)._query = { EIO: "4", transport: "polling", mine: "yes" };
        }
        engine.handleRequest(req, res);
      }),
    );
    const port = await listenOnFreePort(httpServer);
    const connection = once(engine, "connection");
    await PollingPeer.open(port, { path: "/anything/" });
    await connection;
    const second = once(engine, "connection");
    await PollingPeer.open(port, { path: "/query" });
    expect((await second)[0].request._query).toEqual({
      EIO: "4",
      transport: "polling",
      mine: "yes",
    });
    await eventually(() => engine.clientsCount === 2);
  });
});
