// What adapters, admin tools, frameworks and monitoring packages reach for beside the documented API: members that have to be
// there under their names, of their kind, on prototypes that can be patched and in fields that can be written.

import { createServer } from "node:http";
import { Server as Engine } from "engine.io";
import type { Socket } from "socket.io";
import { Adapter } from "socket.io-adapter";
import { eventually, nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startPair,
  startServer,
  track,
} from "../harness/servers";

/** Names of members by what they are; a function has to be found on the prototype. */
type Members = Partial<
  Record<"function" | "object" | "string" | "number" | "boolean" | "undefined", string>
>;

const EMITTER = "on once off emit addListener prependListener removeListener listeners";

const SERVER: Members = {
  object:
    "_nsps sockets engine eio httpServer opts encoder parentNsps parentNamespacesFromRegExp _parser",
  string: "_path",
  number: "_connectTimeout",
  boolean: "_serveClient",
  function:
    "_checkNamespace attachServe serve initEngine bind onconnection attach listen of close use except to in " +
    "fetchSockets socketsJoin socketsLeave disconnectSockets allSockets serverSideEmit serverSideEmitWithAck " +
    "adapter path connectTimeout serveClient timeout compress send write attachApp",
};

const NAMESPACE: Members = {
  object: "server sockets adapter _fns _preConnectSockets",
  string: "name",
  number: "_ids",
  function: `_onServerSideEmit _initAdapter _add _remove _doConnect run allSockets fetchSockets ${EMITTER}`,
  undefined: "close",
};

const SOCKET: Members = {
  object: "nsp server client conn adapter acks data handshake request rooms flags fns",
  string: "id",
  boolean: "connected recovered",
  function:
    "join leave leaveAll disconnect packet onevent ack onack ondisconnect dispatch _onpacket _onconnect " +
    `run buildHandshake _onclose _onerror _cleanup _error notifyOutgoingListeners newBroadcastOperator ${EMITTER}`,
  undefined: "readyState",
};

const CLIENT: Members = {
  object: "conn server request encoder decoder sockets nsps",
  string: "id",
  function: "writeToEngine _packet _remove _disconnect close connect doConnect _parseNamespace",
};

const OPERATOR: Members = {
  object: "adapter rooms exceptRooms flags",
  function: "emit to in except timeout fetchSockets socketsJoin",
};

const ADAPTER: Members = {
  object: "nsp rooms sids encoder",
  function:
    "init close serverCount addAll del delAll broadcast broadcastWithAck sockets socketRooms fetchSockets addSockets " +
    `delSockets disconnectSockets serverSideEmit persistSession restoreSession apply computeExceptSids _encode _del ${EMITTER}`,
};

const ENGINE: Members = {
  object: "opts clients",
  number: "clientsCount",
  function: `use handleRequest handleUpgrade generateId attach close ${EMITTER}`,
};

const CONN: Members = {
  object: "request transport server",
  string: "id remoteAddress readyState",
  number: "protocol",
  boolean: "upgraded",
  function: `send write close ${EMITTER}`,
};

/** The members that are not there, or of another kind. */
function lacks(object: object, members: Members): string[] {
  return Object.entries(members).flatMap(([kind, names]) =>
    names
      .split(" ")
      .filter((name) => {
        const value = internals(object)[name];
        if (kind === "object") return typeof value !== "object" || value === null;
        if (typeof value !== kind) return true;
        return kind === "function" && Object.hasOwn(object, name);
      })
      .map((name) => `${name} is ${typeof internals(object)[name]}, not ${kind}`),
  );
}

describeBoth("reached internals", (implementation) => {
  const objects: [string, Members, (socket: Socket) => object][] = [
    ["a Server", SERVER, (socket) => internals(socket).server],
    ["a Namespace", NAMESPACE, (socket) => socket.nsp],
    ["a Socket", SOCKET, (socket) => socket],
    ["a Client", CLIENT, (socket) => socket.client],
    ["a broadcast operator", OPERATOR, (socket) => socket.to("room")],
    ["the adapter", ADAPTER, (socket) => socket.nsp.adapter],
    ["the engine", ENGINE, (socket) => internals(socket).server.engine],
    ["a session", CONN, (socket) => socket.conn],
  ];
  for (const [title, members, find] of objects) {
    it(`${title} has the members that packages use, methods on its prototype`, async () => {
      const { socket } = await startPair(implementation);
      expect(lacks(find(socket), members)).toEqual([]);
    });
  }

  it("a parent namespace has its children, and makes one by name", async () => {
    const { io } = await startServer(implementation);
    const parent = internals(io.of(/^\/dynamic-\d+$/));
    const child = parent.createChild("/dynamic-1");
    expect([...parent.children]).toEqual([child]);
    expect(io._nsps.get("/dynamic-1")).toBe(child);
  });

  it("the collections are Maps and Sets", async () => {
    const { io, socket } = await startPair(implementation);
    const { nsp, client } = internals(socket);
    for (const map of [io._nsps, nsp.sockets, nsp._preConnectSockets, nsp.adapter.rooms]) {
      expect(map).toBeInstanceOf(Map);
    }
    for (const map of [nsp.adapter.sids, client.sockets, client.nsps, internals(socket).acks]) {
      expect(map).toBeInstanceOf(Map);
    }
    for (const set of [socket.rooms, nsp.adapter.rooms.get(socket.id)]) {
      expect(set).toBeInstanceOf(Set);
    }
    const operator = internals(io.to("a").except("b"));
    expect([operator.rooms, operator.exceptRooms]).toEqual([new Set(["a"]), new Set(["b"])]);
    expect(internals(io.volatile.to("a")).flags).toEqual({ volatile: true });
  });

  it("a namespace that is taken out of _nsps is unknown to new clients", async () => {
    const running = await startServer(implementation);
    running.io.of("/gone");
    running.io._nsps.delete("/gone");
    const error = await onceValue(running.connect("/gone"), "connect_error");
    expect(error.message).toBe("Invalid namespace");
  });

  it("new_namespace tells of each namespace, of dynamic ones too", async () => {
    const running = await startServer(implementation);
    const names: string[] = [];
    running.io.on("new_namespace", ({ name }) => names.push(name));
    running.io.of("/static");
    running.io.of(/^\/yjs\|.*$/);
    await once(running.connect("/yjs|my document"), "connect");
    expect(names).toEqual(["/static", "/yjs|my document"]);
  });

  it("prependListener puts a connection listener before those that are there", async () => {
    const running = await startServer(implementation);
    const order: string[] = [];
    running.io.on("connection", () => order.push("first"));
    running.io.sockets.prependListener("connection", () => order.push("prepended"));
    await joinPair(running);
    expect(order).toEqual(["prepended", "first"]);
  });

  it("a socket that a middleware refused leaves its rooms and _preConnectSockets", async () => {
    const running = await startServer(implementation);
    const { io } = running;
    const waiting: number[] = [];
    io.use((socket, next) => {
      socket.join("early");
      waiting.push(internals(io.sockets)._preConnectSockets.size);
      next(new Error("no"));
    });
    await once(running.connect(), "connect_error");
    await nextTurn();
    expect(waiting).toEqual([1]);
    expect(internals(io.sockets)._preConnectSockets.size).toBe(0);
    expect([...io.sockets.adapter.rooms.keys(), ...io.sockets.adapter.sids.keys()]).toEqual([]);
  });

  it("disconnect takes any true value for the word to close", async () => {
    const { client, socket } = await startPair(implementation);
    const other = client.io.socket("/other");
    internals(socket).server.of("/other");
    await once(other, "connect");
    const closed = once(client.io.engine, "close");
    internals(socket).disconnect("unauthorized");
    await closed;
  });

  it("the request and the client take properties of any package", async () => {
    const running = await startServer(implementation);
    running.io.use((socket, next) => {
      internals(socket.client).user = { name: "ada" };
      internals(socket.request).user = { name: "grace" };
      internals(socket).feathers = { provider: "socketio" };
      next();
    });
    const { client, socket } = await joinPair(running);
    expect(internals(socket.client).user).toEqual({ name: "ada" });
    expect(internals(socket.conn.request).user).toEqual({ name: "grace" });
    expect(internals(socket).feathers).toEqual({ provider: "socketio" });
    const other = client.io.socket("/other");
    running.io.of("/other").on("connection", (second) => {
      second.emit("user", internals(second.client).user.name);
    });
    expect(await onceValue(other, "user")).toBe("ada");
  });

  it("a Socket may be made by hand, of what stands for its client, and connected", async () => {
    const { io } = await startServer(implementation);
    const nsp = internals(io.of("/by-hand"));
    const sent: unknown[] = [];
    const request = {
      headers: { origin: "http://elsewhere" },
      url: "/path",
      _query: { token: "abc" },
      connection: { encrypted: true },
    };
    const client = {
      conn: { protocol: 4, readyState: "open", remoteAddress: "192.0.2.1" },
      request,
      _packet: ({ type, data }: { type: number; data?: unknown }) => sent.push([type, data]),
      _remove: () => sent.push("removed"),
    };
    const Made = internals(implementation).Socket;
    const socket = new Made(nsp, client, { user: 1 });
    expect(socket.handshake).toEqual({
      headers: request.headers,
      time: expect.any(String),
      address: "192.0.2.1",
      xdomain: true,
      secure: true,
      issued: expect.any(Number),
      url: "/path",
      query: { token: "abc" },
      auth: { user: 1 },
    });
    nsp._doConnect(socket);
    expect([socket.connected, [...socket.rooms]]).toEqual([true, [socket.id]]);
    socket.emit("hello", 1);
    socket._onpacket({ type: 3, id: 99, data: [] });
    socket.disconnect();
    expect(sent).toEqual([[0, { sid: socket.id }], [2, ["hello", 1]], [1, undefined], "removed"]);
    expect([socket.connected, nsp.sockets.size]).toEqual([false, 0]);
  });

  it("socket.data may be replaced by a Proxy, and is read when it is asked for", async () => {
    const { io, socket } = await startPair(implementation);
    const written: unknown[] = [];
    socket.data = new Proxy(
      { name: "ada" },
      {
        set(target, property, value) {
          written.push(property);
          return Reflect.set(target, property, value);
        },
      },
    );
    socket.data.count = 1;
    expect(written).toEqual(["count"]);
    const [remote] = await io.fetchSockets();
    expect(remote?.data).toBe(socket.data);
  });

  it("an engine of npm may be bound after the first attach, and methods of the instance replaced", async () => {
    const httpServer = createServer();
    const io = track(new implementation.Server(httpServer));
    expect(internals(io)._serveClient).toBe(true);
    const engine = new Engine({ pingInterval: 12_345 });
    const served: unknown[] = [];
    internals(io).attachServe = (server: unknown) => served.push(server);
    internals(io).attachServe(httpServer);
    httpServer.removeAllListeners("request");
    httpServer.removeAllListeners("upgrade");
    engine.attach(httpServer, { path: internals(io)._path });
    io.bind(engine as never);
    expect(io.engine).toBe(engine);
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const { client, socket } = await joinPair(running);
    expect(internals(socket.conn).server).toBe(engine);
    expect(internals(client.io.engine)._pingInterval).toBe(12_345);
    socket.on("question", (bytes, reply) => reply(bytes));
    expect(await client.emitWithAck("question", Buffer.from([1]))).toEqual(Buffer.from([1]));
    expect(served).toEqual([httpServer]);
  });

  it("an adapter that is given after namespaces exist replaces theirs", async () => {
    const running = await startServer(implementation);
    const { io } = running;
    const before = io.of("/early").adapter;
    class Own extends Adapter {}
    io.adapter(Own);
    expect([before instanceof Own, io.of("/early").adapter instanceof Own]).toEqual([false, true]);
    const { client, socket } = await joinPair(running, "/early");
    await socket.join("blue");
    const heard = once(client, "news");
    io.of("/early").to("blue").emit("news");
    await heard;
  });

  it("_ids of a namespace is a counter that adapters may push on", async () => {
    const { io, client, socket } = await startPair(implementation);
    const before = internals(io.sockets)._ids;
    internals(io.sockets)._ids += 5;
    const ids: unknown[] = [];
    client.io.on("packet", ({ id }) => ids.push(id));
    client.on("question", (reply) => reply());
    await socket.emitWithAck("question");
    expect(ids).toEqual([before + 5]);
    expect(internals(io.sockets)._ids).toBe(before + 6);
  });

  it("a run that is replaced on the prototype is asked about each new socket", async () => {
    const prototype = internals(implementation.Namespace.prototype);
    const { run } = prototype;
    const asked: unknown[] = [];
    prototype.run = function (this: object, socket: Socket, done: () => void) {
      asked.push(socket.nsp.name);
      return run.call(this, socket, done);
    };
    try {
      await startPair(implementation);
    } finally {
      prototype.run = run;
    }
    expect(asked).toEqual(["/"]);
  });

  it("Namespace#emit goes through the prototype of the operator, so that it can be traced", async () => {
    const { io, client, socket } = await startPair(implementation);
    const prototype = Object.getPrototypeOf(io.to("room"));
    const { emit } = prototype;
    const traced: unknown[] = [];
    prototype.emit = function (this: object, ...args: unknown[]) {
      traced.push(args[0]);
      return emit.apply(this, args);
    };
    try {
      const heard = once(client, "three");
      io.emit("one");
      io.of("/").to(socket.id).emit("two");
      socket.nsp.emit("three");
      socket.broadcast.emit("four");
      await heard;
    } finally {
      prototype.emit = emit;
    }
    expect(traced).toEqual(["one", "two", "three", "four"]);
  });

  it("packetCreate and packet tell of all traffic to whoever listens", async () => {
    const { io, client, socket } = await startPair(implementation);
    const seen: string[] = [];
    for (const event of ["packetCreate", "packet"]) {
      socket.conn.on(event as "packet", ({ type, data }) => seen.push(`${event} ${type} ${data}`));
    }
    socket.on("up", (reply) => reply("yes"));
    socket.emit("direct");
    io.emit("to all");
    await client.emitWithAck("up");
    await eventually(() => seen.length === 4);
    expect(seen).toEqual([
      'packetCreate message 2["direct"]',
      'packetCreate message 2["to all"]',
      'packet message 20["up"]',
      'packetCreate message 30["yes"]',
    ]);
  });
});
