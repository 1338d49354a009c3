// Names are the application's: what socket.io and engine.io do not use, a program may put on any of their objects, and what they have as plain
// fields it may assign to. Every private name that sio-rs once had is tried.

import type { Socket } from "socket.io";
import { eventually, once, onceValue } from "../harness/events";
import { describeBoth, it, loadImplementation } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, startPair, startServer } from "../harness/servers";
import { namesOf, visibleObjects } from "../harness/visible-objects";

/** Names that sio-rs has and upstream has not, since they are documented additions, or Node's own. */
const ADDITIONS: Record<string, string> = {
  "the server": "drain metrics",
  "a session": "bufferedAmount",
  // What Node's ServerResponse has too, besides the members that engine.io's response has.
  "what middlewares answer an upgrade with":
    "appendHeader getHeaders getHeaderNames hasHeader flushHeaders statusCode headersSent",
  // Upstream has these on engines that `listen` has made, with recovery, and once a POST has come.
  "the engine": "httpServer",
  "a socket": "pid",
  "a JSONP transport": "dataReq dataRes",
};

const OBJECTS: [string, string, (socket: Socket) => object][] = [
  [
    "the server",
    "engines drained makeParent drainEngines _makeAdapter _announceNamespace auth user",
    (socket) => internals(socket).server,
  ],
  ["a namespace", "operator decide _broadcastAcks removeWhenEmpty auth user", ({ nsp }) => nsp],
  [
    "a socket",
    "auth user ownAcks ownData ownFlags ownMiddlewares builtHandshake handshakeRequest issuedAfter restore takeFlags " +
      "notifyAnyListeners _reachChanged _hasOutgoingListeners _listensAt _forgetAck _buildHandshake",
    (socket) => socket,
  ],
  [
    "a client",
    "only list add clear maps makeDecoder writeToConn ownDecoder socketsById socketsByNamespace beforeRequestReplaced " +
      "onWritesWatched _socketOf _leave _requestFacts user",
    ({ client }) => client,
  ],
  [
    "the adapter",
    "index served isBroadcasting encoded packetOpts encodeFor deliver isLoopCheaper isTarget noteBroadcast admit dismiss " +
      "_reachChanged",
    ({ nsp }) => nsp.adapter,
  ],
  [
    "the engine",
    "watchdog cors link _link _tally _isDraining _register _forget _announce _watchesWrites refusesNew isPlain runAndVerify",
    (socket) => internals(socket).server.engine,
  ],
  [
    "a session",
    "bits waiting freeAt outgoing current carrier candidate has watch finish abandon onMessage onSent onClosed onEnded _slot " +
      "_commands _stamp _observed _request _requestUser isBusyInTurn hasWaiting transportOf user",
    ({ conn }) => conn,
  ],
  [
    "a transport",
    "session carrier facade isClosing isHeldBack state polls data messages answer waiting forget noteListener onFrame _end",
    ({ conn }) => conn.transport,
  ],
];

/** Fields of upstream that can be found through others here. */
const FIELDS: [string, string, (socket: Socket) => object][] = [
  ["a socket", "server acks fns flags data handshake nsp client adapter", (socket) => socket],
  ["a client", "id sockets nsps decoder encoder conn server", ({ client }) => client],
  ["a session", "packetsFn sentCallbackFn cleanupFn writeBuffer", ({ conn }) => conn],
  ["a transport", "protocol sid supportsBinary socket writable", ({ conn }) => conn.transport],
];

describeBoth("free names", (implementation) => {
  it("a guard by socket.auth lets nobody in who has not logged in", async () => {
    const { socket } = await startPair(implementation, {}, { auth: { anything: 1 } });
    expect("auth" in socket).toBe(false);
    internals(socket).auth = { user: "bob" };
    expect(socket.handshake.auth).toEqual({ anything: 1 });
  });

  for (const [title, names, find] of OBJECTS) {
    it(`${title} keeps what an application puts on it, and works on`, async () => {
      const running = await startServer(implementation);
      const { io } = running;
      const { client, socket } = await joinPair(running, "/", {
        transports: ["websocket"],
        auth: { a: 1 },
      });
      const object = internals(find(socket));
      for (const name of names.split(" ")) {
        object[name] = `mine: ${name}`;
      }
      const heard: string[] = [];
      client.onAny((event) => heard.push(event));
      client.on("question", (reply) => reply("client"));
      socket.on("question", (reply) => reply("server"));
      socket.join("room");
      socket.emit("direct");
      io.to("room").emit("to the room");
      io.emit("to all");
      expect(await client.emitWithAck("question")).toBe("server");
      expect(await socket.emitWithAck("question")).toBe("client");
      expect(heard).toEqual(["direct", "to the room", "to all", "question"]);
      expect(socket.handshake.auth).toEqual({ a: 1 });
      socket.data.x = 1;
      io.of("/new");
      io.of(/^\/dynamic/);
      await once(running.connect("/dynamic-1"), "connect");
      for (const name of names.split(" ")) {
        expect(object[name]).toBe(`mine: ${name}`);
      }
      const left = onceValue(socket, "disconnect");
      client.disconnect();
      expect(await left).toBe("client namespace disconnect");
      expect([...io.sockets.sockets.keys(), ...io.sockets.adapter.sids.keys()]).toEqual([]);
    });
  }

  for (const [title, names, find] of FIELDS) {
    it(`the fields of ${title} can be assigned to`, async () => {
      const { client, socket } = await startPair(implementation, {}, { transports: ["websocket"] });
      const object = internals(find(socket));
      for (const name of names.split(" ")) {
        const value = object[name];
        object[name] = value; // a throw in strict code, which this is
        expect(object[name]).toBe(value);
      }
      client.on("question", (reply) => reply("client"));
      expect(await socket.emitWithAck("question")).toBe("client");
    });
  }

  it("a socket takes another server, and other Maps of acknowledgements and sockets", async () => {
    const { client, socket } = await startPair(implementation);
    const { server } = internals(socket);
    const view = Object.create(server);
    internals(socket).server = view;
    expect(internals(socket).server).toBe(view);
    const acks = new Map();
    internals(socket).acks = acks;
    const answered = socket.emitWithAck("question");
    expect(acks.size).toBe(1);
    client.once("question", (reply) => reply(1));
    await answered;
    const { client: holder } = internals(socket);
    holder.sockets = new Map(holder.sockets);
    holder.nsps = new Map(holder.nsps);
    expect([holder.sockets.get(socket.id), holder.nsps.get("/")]).toEqual([socket, socket]);
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect([holder.sockets.size, holder.nsps.size]).toEqual([0, 0]);
  });

  it("a socket that a Proxy or Object.create stands before can be used through it", async () => {
    const { client, socket } = await startPair(implementation);
    const heard: string[] = [];
    client.onAny((event) => heard.push(event));
    client.on("question", (reply) => reply("client"));
    for (const view of [new Proxy(socket, {}), Object.create(socket) as Socket]) {
      view.emit("through a view");
      view.volatile.compress(false).emit("with flags");
      view.to("room").emit("to nobody");
      expect(await view.timeout(5_000).emitWithAck("question")).toBe("client");
      expect(view.handshake.auth).toEqual({});
      expect(view.rooms.has(socket.id)).toBe(true);
    }
    expect(heard.filter((event) => event === "through a view")).toHaveLength(2);
  });

  it("what a view of a socket by Object.create is the first to ask for is the socket's", async () => {
    const { client, socket } = await startPair(implementation);
    client.on("question", (reply) => reply("client"));
    const view = Object.create(socket) as Socket;
    view.data.user = 1;
    view.handshake.auth.seen = true;
    view.use(([event], next) => next(event === "refused" ? new Error("no") : undefined));
    expect(await view.emitWithAck("question")).toBe("client");
    expect([view.data, view.handshake, view.rooms]).toEqual([
      socket.data,
      socket.handshake,
      socket.rooms,
    ]);
    expect(socket.data).toEqual({ user: 1 });
    expect(socket.handshake.auth).toEqual({ seen: true });
    expect(internals(view).acks).toBe(internals(socket).acks);
    const refused = onceValue(socket, "error");
    client.emit("refused");
    expect(await refused).toMatchObject({ message: "no" });
    view.data = "its own";
    expect(socket.data).toEqual({ user: 1 });
  });

  it("functions of a client may be taken off it", async () => {
    const { socket } = await startPair(implementation);
    const { ondata, ondecoded, onerror, onclose } = internals(socket.client);
    const heard: unknown[] = [];
    socket.on("event", (value) => heard.push(value));
    socket.on("error", ({ message }) => heard.push(message));
    ondata('2["event",1]');
    const last = once(socket, "event");
    ondecoded({ type: 2, nsp: "/", data: ["event", 2] });
    await last;
    await eventually(() => heard.length === 2);
    const left = onceValue(socket, "disconnect");
    onerror(new Error("boom"));
    expect(await left).toBe("forced close");
    expect(heard).toEqual([1, 2, "boom"]);
    expect(() => onclose("transport close")).not.toThrow();
  });

  it("middlewares of a socket are run by a run that may be replaced", async () => {
    const { client, socket } = await startPair(implementation);
    const { run } = internals(socket);
    const asked: unknown[] = [];
    internals(socket).run = function (this: object, event: unknown[], done: () => void) {
      asked.push(event[0]);
      return run.call(this, event, done);
    };
    socket.use((_event, next) => next());
    const heard = once(socket, "event");
    client.emit("event");
    await heard;
    expect(asked).toEqual(["event"]);
  });

  it("a socket builds a handshake when it is asked to, and a client reads what a packet names", async () => {
    const { socket } = await startPair(implementation);
    const built = internals(socket).buildHandshake({ token: 1 });
    expect(built).toMatchObject({ auth: { token: 1 }, url: socket.handshake.url, secure: false });
    expect(built.headers).toBe(socket.handshake.headers);
    expect(internals(socket.client)._parseNamespace({ nsp: "/a", data: 1 })).toEqual({
      namespace: "/a",
      authPayload: 1,
    });
  });
});

describe("names of members", () => {
  test("every name on an object of sio-rs is one that upstream has, or a documented addition", async () => {
    const ours = await visibleObjects(loadImplementation("sio-rs"));
    const theirs = await visibleObjects(loadImplementation("socket.io"));
    const found = Object.entries(ours).map(([title, object]) => {
      const known = namesOf(theirs[title] as object);
      return [title, [...namesOf(object)].filter((name) => !known.has(name)).sort()];
    });
    const expected = Object.keys(ours).map((title) => {
      return [title, (ADDITIONS[title] ?? "").split(" ").filter(Boolean).sort()];
    });
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
  });
});
