// AsyncLocalStorage: which store listeners see, and that no socket sees another one's.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { type Session, startBareEngine } from "../harness/bare-engine";
import { deferred, eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { frame, RawWebSocket } from "../harness/raw-websocket";
import { startServer } from "../harness/servers";

const storage = new AsyncLocalStorage<string>();

/** Runs every request and upgrade request in a store of its own, as tracing libraries do. */
function runRequestsInStores(server: HttpServer): void {
  const { emit } = server;
  let requests = 0;
  server.emit = function (this: HttpServer, event: any, ...args: any[]) {
    const call = () => Reflect.apply(emit, this, [event, ...args]);
    if (event !== "request" && event !== "upgrade") {
      return call();
    }
    requests += 1;
    return storage.run(`${event} ${requests}`, call);
  } as HttpServer["emit"];
}

async function start(implementation: Implementation) {
  const running = await startServer(implementation);
  const log: unknown[] = [];
  const note = (name: string): void => void log.push([name, storage.getStore()]);
  return { ...running, log, note };
}

/** One segment with several text frames. */
function segment(...texts: string[]): Buffer {
  return Buffer.concat(texts.map((text) => frame(text)));
}

describeBoth("async context", (implementation) => {
  // First of the file: what is made for the first session of a process must not keep its store.
  it("over websocket only the handshake sees the store of the request", async () => {
    const server = await startBareEngine(implementation, { pingInterval: 50 });
    runRequestsInStores(server.httpServer);
    for (const request of ["upgrade 1", "upgrade 2"]) {
      const log: unknown[] = [];
      const note = (name: string): void => void log.push([name, storage.getStore()]);
      server.engine.once("initial_headers", () => note("initial_headers"));
      const opened = new Promise<Session>((resolve) => {
        server.engine.once("connection", (session: Session) => {
          note("connection");
          for (const event of ["message", "heartbeat", "close"]) {
            session.on(event, () => note(event));
          }
          resolve(session);
        });
      });
      const peer = await RawWebSocket.open(server.port);
      await peer.expectText(/^0/);
      const session = await opened;
      peer.send("4hello");
      await peer.expectText("2");
      peer.send("3");
      await once(session, "heartbeat");
      peer.stream.destroy();
      await once(session, "close");
      expect(log).toEqual([
        ["initial_headers", request],
        ["connection", request],
        ["message", undefined],
        ["heartbeat", undefined],
        ["close", undefined],
      ]);
    }
  });

  it("over polling the handshake sees the store of its request, and messages do not", async () => {
    const server = await startBareEngine(implementation);
    runRequestsInStores(server.httpServer);
    const stores: unknown[] = [];
    const opened = new Promise<Session>((resolve) => {
      server.engine.once("connection", (session: Session) => {
        stores.push(storage.getStore());
        session.on("message", () => stores.push(storage.getStore()));
        resolve(session);
      });
    });
    const peer = await PollingPeer.open(server.port);
    const session = await opened;
    await peer.send("4hello");
    expect(stores).toEqual(["request 1", undefined]);
    session.close(true);
  });

  it("a response of polling ends in the store that its own request has entered", async () => {
    const server = await startBareEngine(implementation);
    const log: unknown[] = [];
    server.engine.on("connection", (session: Session) => {
      session.on("message", (text: string) => storage.enterWith(text));
    });
    server.engine.use((req: IncomingMessage, res: ServerResponse, next: () => void) => {
      if (req.method === "POST") {
        res.on("finish", () => log.push(storage.getStore()));
      }
      next();
    });
    const peers = await Promise.all(["one", "two"].map(() => PollingPeer.open(server.port)));
    await Promise.all(peers.map((peer, index) => peer.send(`4peer ${index}`)));
    await eventually(() => log.length === 2);
    expect(log.sort()).toEqual(["peer 0", "peer 1"]);
  });

  it("listeners of a socket see no store of the handshake, of other sockets or of whoever added them", async () => {
    const { io, httpServer, port, log, note } = await start(implementation);
    runRequestsInStores(httpServer);
    io.use((_socket, next) => {
      note("io.use");
      next();
    });
    io.on("connection", (socket) => {
      note("connection");
      storage.run("added", () => {
        socket.on("event", () => note("event"));
        socket.on("disconnect", () => note("disconnect"));
        socket.onAny(() => note("onAny"));
      });
    });
    const peer = await RawWebSocket.join(port);
    peer.send('42["event"]');
    await eventually(() => log.length === 4);
    peer.stream.destroy();
    await eventually(() => log.length === 5);
    expect(log).toEqual(
      ["io.use", "connection", "onAny", "event", "disconnect"].map((name) => [name, undefined]),
    );
  });

  it("a store that a middleware of the namespace runs next in is seen by connection", async () => {
    const { io, port } = await start(implementation);
    let clients = 0;
    io.use((_socket, next) => {
      clients += 1;
      storage.run(`client ${clients}`, next);
    });
    const stores: unknown[] = [];
    io.on("connection", (socket) => {
      stores.push(storage.getStore());
      socket.on("event", () => stores.push(storage.getStore()));
    });
    const first = await RawWebSocket.join(port);
    await RawWebSocket.join(port);
    first.send('42["event"]');
    await eventually(() => stores.length === 3);
    expect(stores).toEqual(["client 1", "client 2", undefined]);
  });

  it("a store that a middleware of the socket runs next in is seen by the listener of that event alone", async () => {
    const { io, port, log, note } = await start(implementation);
    io.on("connection", (socket) => {
      socket.use(([name], next) => {
        if (name === "plain") {
          next();
        } else {
          storage.run(`store of ${name}`, next);
        }
      });
      for (const name of ["one", "two", "plain"]) {
        socket.on(name, () => note(name));
      }
    });
    io.of("/other").on("connection", (socket) => {
      socket.on("elsewhere", () => note("elsewhere"));
    });
    const peer = await RawWebSocket.join(port);
    peer.send("40/other,");
    await peer.expectText(/^40\/other,/);
    peer.write(
      segment('42["one"]', '42/other,["elsewhere"]', '42["two"]', '42["plain"]', '42["one"]'),
    );
    await eventually(() => log.length === 5);
    expect(log).toEqual([
      ["one", "store of one"],
      ["elsewhere", undefined],
      ["two", "store of two"],
      ["plain", undefined],
      ["one", "store of one"],
    ]);
  });

  it("a store that a listener enters ends with it", async () => {
    const { io, port, log, note } = await start(implementation);
    io.on("connection", (socket) => {
      socket.on("enter", () => storage.enterWith("entered"));
      socket.on("ack", (answer: () => void) => {
        storage.enterWith("entered by ack");
        answer();
      });
      socket.on("event", () => note("event"));
      socket.on("disconnect", () => {
        note("disconnect");
        storage.enterWith("entered by disconnect");
      });
    });
    const first = await RawWebSocket.join(port);
    first.write(segment('42["enter"]', '42["event"]', '421["ack"]', '42["event"]'));
    await first.expectText("431[]");
    await eventually(() => log.length === 2);
    first.stream.destroy();
    await eventually(() => log.length === 3);
    const second = await RawWebSocket.join(port);
    second.send('42["event"]');
    await eventually(() => log.length === 4);
    expect(log).toEqual(["event", "event", "disconnect", "event"].map((name) => [name, undefined]));
  });

  it("a store that onAny or a middleware enters is seen by the listener of that event alone", async () => {
    const { io, port, log, note } = await start(implementation);
    io.on("connection", (socket) => {
      socket.onAny((name) => {
        if (name === "any") {
          storage.enterWith("entered by onAny");
        }
      });
      socket.use(([name], next) => {
        if (name === "middle") {
          storage.enterWith("entered by use");
        }
        next();
      });
      for (const name of ["any", "middle", "plain"]) {
        socket.on(name, () => note(name));
      }
    });
    io.of("/other").on("connection", (socket) => {
      socket.on("elsewhere", () => note("elsewhere"));
    });
    const peer = await RawWebSocket.join(port);
    peer.send("40/other,");
    await peer.expectText(/^40\/other,/);
    peer.write(
      segment('42["any"]', '42["plain"]', '42["middle"]', '42/other,["elsewhere"]', '42["plain"]'),
    );
    await eventually(() => log.length === 5);
    expect(log).toEqual([
      ["any", "entered by onAny"],
      ["plain", undefined],
      ["middle", "entered by use"],
      ["elsewhere", undefined],
      ["plain", undefined],
    ]);
  });

  it("a store that a message listener of one session enters is not seen by another session", async () => {
    const server = await startBareEngine(implementation);
    const sessions: Session[] = [];
    const peers: RawWebSocket[] = [];
    for (let index = 0; index < 2; index += 1) {
      const opened = server.nextSession();
      const peer = await RawWebSocket.open(server.port);
      await peer.expectText(/^0/);
      peers.push(peer);
      sessions.push(await opened);
    }
    sessions[0].on("message", () => storage.enterWith("entered"));
    const entered = once(sessions[0], "message");
    peers[0]?.send("4x");
    await entered;
    const seen = deferred<unknown>();
    sessions[1].on("message", () => seen.resolve(storage.getStore()));
    peers[1]?.send("4x");
    expect(await seen.promise).toBeUndefined();
  });

  it("an acknowledgement is called without the store of the emit, its timeout and its promise with it", async () => {
    const { io, port, log, note } = await start(implementation);
    const connected = new Promise<any>((resolve) => io.on("connection", resolve));
    const peer = await RawWebSocket.join(port);
    const socket = await connected;
    storage.run("emit", () => {
      socket.emit("a", () => note("ack"));
      socket.timeout(20).emit("never", () => note("timeout"));
      socket.emitWithAck("b").then(() => note("promise"));
    });
    await peer.expectText('420["a"]');
    await peer.expectText('421["never"]');
    await peer.expectText('422["b"]');
    await eventually(() => log.length === 1);
    peer.send("430[]");
    await eventually(() => log.length === 2);
    peer.send("432[]");
    await eventually(() => log.length === 3);
    expect(log).toEqual([
      ["timeout", "emit"],
      ["ack", undefined],
      ["promise", "emit"],
    ]);
  });
});
