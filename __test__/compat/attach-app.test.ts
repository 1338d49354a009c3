// `attachApp`: servers on an app of uWebSockets.js, which is scripted here, with the engine of the package engine.io.

import { version } from "socket.io/package.json";
import { Adapter } from "socket.io-adapter";
import { openClient, record, settleDown, settleUp, TRANSPORTS } from "../harness/clients";
import { collect, once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { request } from "../harness/raw-http";
import {
  type ClientOptions,
  describeRunning,
  joinPair,
  type Running,
  startServer,
  track,
} from "../harness/servers";
import { UwsApp } from "../harness/uws-app";

interface OnApp extends Running {
  app: UwsApp;
}

async function startOnApp(implementation: Implementation, options = {}): Promise<OnApp> {
  const app = new UwsApp();
  const io = track(new implementation.Server(options));
  expect(io.attachApp(app)).toBeUndefined();
  const port = await app.listen();
  return { ...describeRunning(io, undefined as never, port), app };
}

async function join(running: OnApp, options: ClientOptions = {}, namespace = "/") {
  return joinPair(running, namespace, options);
}

/** The topics of each WebSocket, in the order in which they came. */
function topics({ app }: OnApp): string[][] {
  return [...app.webSockets].map((webSocket) => [...webSocket.topics].sort());
}

const POLLING = { transports: ["polling"] };

describeBoth("attachApp", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`events, acks and binary go both ways over ${label}`, async () => {
      const { client, socket } = await join(await startOnApp(implementation), { transports });
      socket.on("question", (bytes: Buffer, ack: (answer: unknown) => void) => ack([bytes, "b"]));
      const [bytes, text] = await client.emitWithAck("question", Buffer.from([1, 2]));
      expect([Buffer.from(bytes), text]).toEqual([Buffer.from([1, 2]), "b"]);
      client.on("question", (a: number, ack: (answer: number) => void) => ack(a + 1));
      expect(await socket.timeout(3_000).emitWithAck("question", 1)).toBe(2);
      const disconnected = once(socket, "disconnect");
      client.disconnect();
      expect((await disconnected)[0]).toBe("client namespace disconnect");
    });

    it(`a broadcast reaches everybody in a room over ${label}, and nobody else`, async () => {
      const running = await startOnApp(implementation);
      const first = await join(running, { transports });
      const second = await join(running, { transports });
      if (transports.length === 2) {
        await Promise.all(
          [first, second].map(async ({ socket }) => {
            if (socket.conn.transport.name !== "websocket") await once(socket.conn, "upgrade");
          }),
        );
      }
      first.socket.join("a");
      const seen = [record(first.client), record(second.client)];
      running.io.to("a").emit("to a", 1);
      running.io.emit("to all", Buffer.from([3]));
      running.io.except("a").emit("to others");
      first.socket.broadcast.emit("from the first");
      first.socket.leave("a");
      running.io.to("a").emit("to nobody");
      await Promise.all([first, second].map(({ socket, client }) => settleDown(socket, client)));
      expect(seen.map((events) => events.map(([name]) => name))).toEqual([
        ["to a", "to all"],
        ["to all", "to others", "from the first"],
      ]);
    });
  }

  it("the engine is engine.io's uServer, with the options of the constructor", async () => {
    const { io } = await startOnApp(implementation, { pingInterval: 12_345, path: "/own" });
    expect(io.engine.constructor).toBe(require("engine.io").uServer);
    expect(io.engine.opts.pingInterval).toBe(12_345);
    expect(internals(io).httpServer).toBeUndefined();
  });

  it("sockets of WebSockets subscribe to their namespace and rooms, others do not", async () => {
    const running = await startOnApp(implementation);
    await join(running, POLLING);
    const { socket } = await join(running);
    socket.join(["a", "b"]);
    socket.leave("b");
    expect(topics(running)).toEqual([["/", `/\x1f${socket.id}`, "/\x1fa"].sort()]);
  });

  it("after an upgrade the rooms that were joined before are subscribed to", async () => {
    const running = await startOnApp(implementation);
    running.io.on("connection", (socket) => void socket.join("early"));
    const { socket } = await join(running, { transports: ["polling", "websocket"] });
    if (topics(running)[0]?.length !== 3) {
      await once(socket.conn, "upgrade");
    }
    expect(topics(running)).toEqual([["/", `/\x1f${socket.id}`, "/\x1fearly"].sort()]);
  });

  it("a broadcast to all or to one room is published once; any other selection is a loop", async () => {
    const running = await startOnApp(implementation);
    const pairs = [await join(running), await join(running)];
    pairs[0]?.socket.join(["a", "b"]);
    const { io, app } = running;
    io.emit("all", 1);
    io.to("a").emit("room", Buffer.from([7]));
    io.of("/other").emit("namespace");
    io.to(["a", "b"]).emit("two rooms");
    io.except("a").emit("others");
    expect(app.published).toEqual([
      ["/", '42["all",1]'],
      ["/\x1fa", '451-["room",{"_placeholder":true,"num":0}]'],
      ["/\x1fa", Buffer.from([7])],
      ["/other", '42/other,["namespace"]'],
    ]);
    await Promise.all(pairs.map(({ socket, client }) => settleDown(socket, client)));
  });

  it("events of a middleware's refusal and of dynamic namespaces work", async () => {
    const running = await startOnApp(implementation);
    running.io.of(/^\/dynamic-\d$/).use((socket, next) => {
      next(socket.handshake.auth.ok ? undefined : new Error("no"));
    });
    const refused = openClient(`${running.url}/dynamic-1`);
    expect((await onceValue<Error>(refused, "connect_error")).message).toBe("no");
    const accepted = openClient(`${running.url}/dynamic-1`, { auth: { ok: true } });
    await once(accepted, "connect");
    const arrived = once(accepted, "hello");
    running.io.of("/dynamic-1").emit("hello");
    await arrived;
  });

  it("middlewares of the engine and listeners of headers are asked", async () => {
    const { io, port } = await startOnApp(implementation);
    io.engine.use((_req: unknown, res: any, next: () => void) => {
      res.setHeader("x-middleware", "1");
      next();
    });
    io.engine.on("initial_headers", (headers: Record<string, string>) => {
      headers["x-initial"] = "2";
    });
    const response = await request(port, { path: "/socket.io/?EIO=4&transport=polling" });
    expect([response.status, response.text[0]]).toEqual([200, "0"]);
    expect([response.headers["x-middleware"], response.headers["x-initial"]]).toEqual(["1", "2"]);
  });

  for (const name of ["socket.io.js", "socket.io.esm.min.js.map"]) {
    it(`${name} is served with the headers of the http server, but for its length`, async () => {
      const { port } = await startOnApp(implementation);
      const { port: httpPort } = await startServer(implementation);
      const path = `/socket.io/${name}?x=1`;
      const response = await request(port, { path });
      const usual = await request(httpPort, { path });
      expect(response.status).toBe(200);
      expect(response.text).toBe(usual.text);
      for (const header of ["cache-control", "content-type", "etag", "content-encoding"]) {
        expect([header, response.headers[header]]).toEqual([header, usual.headers[header]]);
      }
      expect(response.headers["content-length"]).toBe(String(response.body.length));
      for (const etag of [`"${version}"`, `W/"${version}"`]) {
        const known = await request(port, { path, headers: { "If-None-Match": etag } });
        expect([known.status, known.text, known.headers.etag]).toEqual([304, "", undefined]);
      }
    });
  }

  it("other names below the path are left to other routes", async () => {
    const { port, app } = await startOnApp(implementation);
    expect((await request(port, { path: "/socket.io/other.js" })).status).toBe(404);
    app.any("/socket.io/*", (res) => res.end("mine"));
    expect((await request(port, { path: "/socket.io/other.js" })).text).toBe("mine");
  });

  it("serveClient: false serves no files, and path is heeded", async () => {
    const { port } = await startOnApp(implementation, { serveClient: false });
    expect((await request(port, { path: "/socket.io/socket.io.js" })).status).toBe(404);
    const own = await startOnApp(implementation, { path: "/own" });
    expect((await request(own.port, { path: "/own/socket.io.js" })).status).toBe(200);
    await join(own, { path: "/own" });
  });

  it("close() ends the sessions and gives npm's Adapter its methods back", async () => {
    const before = { ...internals(Adapter.prototype) };
    const methods = ["addAll", "del", "broadcast"].map(
      (name) => internals(Adapter.prototype)[name],
    );
    const running = await startOnApp(implementation);
    expect(internals(Adapter.prototype).broadcast).not.toBe(methods[2]);
    const { client } = await join(running);
    const disconnected = once(client, "disconnect");
    await running.io.close();
    await disconnected;
    expect(
      ["addAll", "del", "broadcast"].map((name) => internals(Adapter.prototype)[name]),
    ).toEqual(methods);
    expect({ ...internals(Adapter.prototype) }).toEqual(before);
  });

  it("acknowledged broadcasts are collected from every transport", async () => {
    const running = await startOnApp(implementation);
    const pairs = [await join(running), await join(running, POLLING)];
    for (const [index, { client }] of pairs.entries()) {
      client.on("question", (ack: (answer: number) => void) => ack(index));
    }
    const answers = await running.io.timeout(3_000).emitWithAck("question");
    expect([...answers].sort()).toEqual([0, 1]);
  });

  it("a client that is cut off is a transport close, whatever rooms it was in", async () => {
    const running = await startOnApp(implementation);
    const { socket } = await join(running);
    socket.join("a");
    const disconnected = once(socket, "disconnect");
    for (const { inner } of running.app.webSockets) {
      inner.terminate();
    }
    expect((await disconnected)[0]).toBe("transport close");
    expect(running.io.sockets.adapter.rooms.size).toBe(0);
  });

  it("volatile events and catch-all listeners of clients work", async () => {
    const running = await startOnApp(implementation);
    const { client, socket } = await join(running);
    const seen: unknown[][] = [];
    socket.onAny((...event) => seen.push(event));
    client.volatile.emit("one", 1);
    await settleUp(client, socket);
    const arrived = collect(client, "two", 1);
    socket.volatile.emit("two", 2);
    expect(await arrived).toEqual([[2]]);
    expect(seen[0]).toEqual(["one", 1]);
  });
});
