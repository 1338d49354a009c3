// `io.use` and `nsp.use`: order, refusal, the error that the client sees, and what a refused socket leaves behind.

import type { ExtendedError, Socket } from "socket.io";
import { settleDown } from "../harness/clients";
import { deferred, nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { joinPair, startServer } from "../harness/servers";

describeBoth("namespace middleware", (implementation) => {
  it("middlewares run one after another, each once per connection", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    running.io.use((_socket, next) => {
      log.push("first");
      setImmediate(() => {
        log.push("first done");
        next();
      });
    });
    running.io.use((_socket, next) => {
      log.push("second");
      next();
    });
    running.io.on("connection", () => log.push("connection"));
    await joinPair(running, "/", { transports: ["polling"] });
    expect(log).toEqual(["first", "first done", "second", "connection"]);
  });

  it("next(error) refuses the connection with message and data, and the rest is not run", async () => {
    const { io, connect } = await startServer(implementation);
    const log: string[] = [];
    io.use((_socket, next) => {
      const error: ExtendedError = new Error("not for you");
      error.data = { code: 7, list: [1] };
      next(error);
    });
    io.use(() => void log.push("second"));
    io.on("connection", () => log.push("connection"));
    const client = connect();
    const error = await onceValue(client, "connect_error");
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe("not for you");
    expect(error.data).toEqual({ code: 7, list: [1] });
    expect(client.connected).toBe(false);
    expect(log).toEqual([]);
  });

  it("an error without data has none at the client", async () => {
    const { io, connect } = await startServer(implementation);
    io.use((_socket, next) => next(new Error("bare")));
    const error = await onceValue(connect(), "connect_error");
    expect(error.message).toBe("bare");
    expect(error.data).toBeUndefined();
  });

  it("next with a string refuses too, with an empty message", async () => {
    const { io, connect } = await startServer(implementation);
    io.use((_socket, next) => (next as (reason: unknown) => void)("a string"));
    const error = await onceValue(connect(), "connect_error");
    expect(error.message).toBeFalsy();
  });

  it("next with a falsy argument goes on", async () => {
    const running = await startServer(implementation);
    for (const falsy of [undefined, null, 0, "", false]) {
      running.io.use((_socket, next) => (next as (value: unknown) => void)(falsy));
    }
    await joinPair(running);
  });

  it("the connection of a refused client stays open and may try again", async () => {
    const running = await startServer(implementation);
    running.io.use((socket, next) => {
      next(socket.handshake.auth.token === "right" ? undefined : new Error("wrong token"));
    });
    const client = running.connect("/", { auth: { token: "wrong" } });
    await once(client, "connect_error");
    expect(running.io.engine.clientsCount).toBe(1);
    client.auth = { token: "right" };
    const connected = once(client, "connect");
    client.connect();
    await connected;
    expect(running.io.engine.clientsCount).toBe(1);
  });

  it("a refused socket has left its rooms and gets no disconnect event", async () => {
    const { io, connect } = await startServer(implementation);
    const log: string[] = [];
    io.use((socket, next) => {
      socket.on("disconnect", () => log.push("disconnect"));
      socket.join(["a", "b"]);
      next(new Error("refused"));
    });
    const client = connect();
    await once(client, "connect_error");
    expect(io.of("/").adapter.rooms.size).toBe(0);
    expect(io.of("/").adapter.sids.size).toBe(0);
    expect(internals(io.sockets)._preConnectSockets.size).toBe(0);
    const conn = Object.values(internals(io.engine).clients)[0] as never;
    const closed = once(conn, "close");
    client.io.engine.close();
    await closed;
    expect(log).toEqual([]);
  });

  it("a socket whose middleware closes the session and goes on leaves its rooms and is forgotten", async () => {
    const { io, port } = await startServer(implementation);
    const connections: unknown[] = [];
    io.on("connection", (socket) => connections.push(socket));
    const ran = deferred<void>();
    io.use((socket, next) => {
      socket.join(["a", "b"]);
      socket.conn.close(); // on polling it is closing until the next poll
      next();
      ran.resolve();
    });
    const peer = await PollingPeer.open(port);
    await peer.send("40");
    await ran.promise;
    await nextTurn();
    const { adapter, _preConnectSockets: undecided } = internals(io.sockets);
    expect([undecided.size, adapter.rooms.size, adapter.sids.size]).toEqual([0, 0, 0]);
    expect(connections).toEqual([]);
    expect(await peer.poll()).toBe("6\x1e1");
  });

  it("middlewares of one namespace do not run for another", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    running.io.use((_socket, next) => {
      log.push("main");
      next();
    });
    running.io.of("/n").use((_socket, next) => {
      log.push("n");
      next();
    });
    const { client } = await joinPair(running, "/n");
    expect(log).toEqual(["n"]);
    await once(client.io.socket("/"), "connect");
    expect(log).toEqual(["n", "main"]);
  });

  it("use returns its namespace, and a later middleware holds for later connections only", async () => {
    const running = await startServer(implementation);
    const nsp = running.io.of("/n");
    const log: string[] = [];
    const started = deferred<() => void>();
    expect(
      nsp.use((_socket, next) => {
        started.resolve(next);
        if (log.length > 0) {
          next();
        }
      }),
    ).toBe(nsp);
    const first = running.connect("/n");
    const next = await started.promise;
    nsp.use((_socket, goOn) => {
      log.push("late");
      goOn();
    });
    const connected = once(first, "connect");
    next();
    await connected;
    expect(log).toEqual([]);
    log.push("second client");
    await joinPair(running, "/n");
    expect(log).toEqual(["second client", "late"]);
  });

  it("an async middleware may take its time", async () => {
    const running = await startServer(implementation);
    running.io.use(async (socket, next) => {
      await nextTurn();
      socket.data.user = "alice";
      next();
    });
    const { socket, client } = await joinPair(running);
    expect(socket.data).toEqual({ user: "alice" });
    await settleDown(socket, client);
  });

  it("a middleware may register listeners for what the client sends at once", async () => {
    const { io, connect } = await startServer(implementation);
    const heard = deferred<unknown>();
    io.use((socket, next) => {
      socket.on("hello", (value) => heard.resolve(value));
      next();
    });
    const client = connect();
    client.emit("hello", "buffered until connected");
    expect(await heard.promise).toBe("buffered until connected");
  });

  it("disconnect() in a middleware does nothing, since the socket is not connected", async () => {
    const running = await startServer(implementation);
    running.io.use((socket, next) => {
      socket.disconnect();
      next();
    });
    const { socket } = await joinPair(running);
    expect(socket.connected).toBe(true);
  });

  it("calling next again after a refusal does not connect the socket", async () => {
    const { io, connect } = await startServer(implementation);
    const connections: unknown[] = [];
    io.on("connection", (socket) => connections.push(socket));
    io.use((_socket, next) => next(new Error("refused")));
    await once(connect(), "connect_error");
    await nextTurn();
    expect(connections).toEqual([]);
    expect(io.sockets.sockets.size).toBe(0);
  });

  it("a socket that was refused joins nothing any more", async () => {
    const { io, connect } = await startServer(implementation);
    const refused = deferred<Socket>();
    io.use((socket, next) => {
      refused.resolve(socket);
      next(new Error("refused"));
    });
    await once(connect(), "connect_error");
    const socket = await refused.promise;
    expect(socket.join("late")).toBeUndefined();
    expect(socket.rooms).toEqual(new Set());
    const { rooms, sids } = io.of("/").adapter;
    expect([rooms.size, sids.size]).toEqual([0, 0]);
  });
});
