// Parent namespaces: `io.of(regex)` and `io.of(function)`, their children, and what reaches them.

import { Adapter } from "socket.io-adapter";
import { record, settleDown } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { joinPair, startServer } from "../harness/servers";

describeBoth("dynamic namespaces", (implementation) => {
  it("a name that matches the regex becomes a namespace of its own", async () => {
    const running = await startServer(implementation);
    const parent = running.io.of(/^\/room-\d+$/);
    const joined: string[] = [];
    parent.on("connection", (socket) => joined.push(socket.nsp.name));
    const first = await joinPair(running, "/room-1");
    await joinPair(running, "/room-2");
    await joinPair(running, "/room-1");
    expect(joined).toEqual(["/room-1", "/room-2", "/room-1"]);
    expect(first.socket.nsp).toBe(running.io.of("/room-1"));
    expect(first.socket.nsp).not.toBe(parent);
    expect(running.io.of("/room-1").sockets.size).toBe(2);
  });

  it("a name that does not match is refused", async () => {
    const running = await startServer(implementation);
    running.io.of(/^\/room-\d+$/);
    const error = await onceValue(running.connect("/room-x"), "connect_error");
    expect(error.message).toBe("Invalid namespace");
    expect(running.io._nsps.has("/room-x")).toBe(false);
  });

  it("a function is asked with the name and the auth payload", async () => {
    const running = await startServer(implementation);
    const asked: unknown[] = [];
    running.io.of((name, auth, next) => {
      asked.push(name, auth);
      next(null, auth.token === "right");
    });
    await joinPair(running, "/dynamic", { auth: { token: "right" } });
    await once(running.connect("/other", { auth: { token: "wrong" } }), "connect_error");
    expect(asked).toEqual(["/dynamic", { token: "right" }, "/other", { token: "wrong" }]);
  });

  it("a function may answer later", async () => {
    const running = await startServer(implementation);
    running.io.of((_name, _auth, next) => setImmediate(next, null, true));
    await joinPair(running, "/later");
  });

  it("an error or a refusal of one parent passes the question on to the next", async () => {
    const running = await startServer(implementation);
    const asked: number[] = [];
    running.io.of((_name, _auth, next) => {
      asked.push(1);
      next(new Error("broken"), true);
    });
    running.io.of((_name, _auth, next) => {
      asked.push(2);
      next(null, false);
    });
    const third = running.io.of((_name, _auth, next) => {
      asked.push(3);
      next(null, true);
    });
    const { socket } = await joinPair(running, "/x");
    expect(asked).toEqual([1, 2, 3]);
    expect(internals(third).children).toEqual(new Set([socket.nsp]));
  });

  it("two clients that ask for the same new name at once share one namespace", async () => {
    const running = await startServer(implementation);
    let created = 0;
    running.io.on("new_namespace", () => {
      created += 1;
    });
    running.io.of((_name, _auth, next) => setImmediate(next, null, true));
    const clients = [running.connect("/race"), running.connect("/race")];
    await Promise.all(clients.map((client) => once(client, "connect")));
    expect(created).toBe(1);
    expect(running.io.of("/race").sockets.size).toBe(2);
  });

  it("a static namespace is found first, and no parent is asked", async () => {
    const running = await startServer(implementation);
    const asked: string[] = [];
    running.io.of("/static");
    running.io.of((name, _auth, next) => {
      asked.push(name);
      next(null, true);
    });
    await joinPair(running, "/static");
    expect(asked).toEqual([]);
  });

  it("new_namespace tells of each child before its first connection", async () => {
    const running = await startServer(implementation);
    const log: unknown[] = [];
    running.io.on("new_namespace", (nsp) => {
      log.push("new", nsp.name);
      nsp.use((_socket, next) => {
        log.push("middleware added by new_namespace");
        next();
      });
    });
    running.io.of(/^\/d-/).on("connection", () => log.push("connection"));
    await joinPair(running, "/d-1");
    expect(log).toEqual(["new", "/d-1", "middleware added by new_namespace", "connection"]);
  });

  it("children take over the parent's middlewares and listeners that are there at their creation", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    const parent = running.io.of(/^\/d-/);
    parent.use((socket, next) => {
      log.push(`middleware ${socket.nsp.name}`);
      next();
    });
    parent.on("connect", () => log.push("connect"));
    parent.on("connection", () => log.push("connection"));
    await joinPair(running, "/d-1");
    parent.on("connection", () => log.push("late"));
    await joinPair(running, "/d-1");
    await joinPair(running, "/d-2");
    const one = ["middleware /d-1", "connect", "connection"];
    expect(log).toEqual([...one, ...one, "middleware /d-2", "connect", "connection", "late"]);
  });

  it("emit of the parent reaches the sockets of all children, and returns true", async () => {
    const running = await startServer(implementation);
    const parent = running.io.of(/^\/d-/);
    const pairs = [await joinPair(running, "/d-1"), await joinPair(running, "/d-2")];
    const seen = pairs.map(({ client }) => record(client));
    expect(parent.emit("all", 1)).toBe(true);
    await Promise.all(pairs.map(({ socket, client }) => settleDown(socket, client)));
    expect(seen).toEqual([[["all", 1]], [["all", 1]]]);
  });

  it("operators of the parent broadcast through every child", async () => {
    const running = await startServer(implementation);
    const parent = running.io.of(/^\/d-/);
    const pairs = [
      await joinPair(running, "/d-1"),
      await joinPair(running, "/d-2"),
      await joinPair(running, "/d-2"),
    ];
    pairs[0]?.socket.join("r");
    pairs[2]?.socket.join("r");
    const seen = pairs.map(({ client }) => record(client));
    parent.to("r").emit("room");
    parent.except("r").emit("others");
    await Promise.all(pairs.map(({ socket, client }) => settleDown(socket, client)));
    expect(seen).toEqual([[["room"]], [["others"]], [["room"]]]);
  });

  it("the parent is no namespace of the server and counts its children", async () => {
    const { io } = await startServer(implementation);
    const parent = io.of(/^\/d-/);
    expect(parent).toBeInstanceOf(implementation.Namespace);
    expect(parent.name).toMatch(/^\/_\d+$/);
    expect(io._nsps.has(parent.name)).toBe(false);
    expect(internals(parent).children).toEqual(new Set());
    expect(io.of(/^\/d-/)).not.toBe(parent);
  });

  it("fetchSockets() of the parent throws at once", async () => {
    const { io } = await startServer(implementation);
    const parent = io.of(/^\/d-/);
    expect(() => parent.fetchSockets()).toThrow(
      "fetchSockets() is not supported on parent namespaces",
    );
  });

  it("a name created by hand becomes a child of a matching regex parent", async () => {
    const running = await startServer(implementation);
    const parent = running.io.of(/^\/d-/);
    const log: string[] = [];
    parent.on("connection", (socket) => log.push(socket.nsp.name));
    const child = running.io.of("/d-101");
    expect(internals(parent).children).toEqual(new Set([child]));
    await joinPair(running, "/d-101");
    expect(log).toEqual(["/d-101"]);
  });

  it("a name created by hand does not ask function parents", async () => {
    const { io } = await startServer(implementation);
    const asked: string[] = [];
    const parent = io.of((name, _auth, next) => {
      asked.push(name);
      next(null, true);
    });
    io.of("/by-hand");
    expect(asked).toEqual([]);
    expect(internals(parent).children.size).toBe(0);
  });

  it("a stateful regex is refused", async () => {
    const { io } = await startServer(implementation);
    for (const regex of [/^\/a/g, /^\/a/y]) {
      expect(() => io.of(regex)).toThrow("stateful regular expressions are not supported");
    }
  });

  it("the function given with a regex is a listener of every child", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    running.io.of(/^\/d-/, (socket) => log.push(socket.nsp.name));
    await joinPair(running, "/d-1");
    await joinPair(running, "/d-2");
    expect(log).toEqual(["/d-1", "/d-2"]);
  });

  it("of the parents that match, the one that was made first gets the namespace", async () => {
    const running = await startServer(implementation);
    const first = running.io.of(/^\/d-/);
    const second = running.io.of(/^\/d-\d/);
    const { socket } = await joinPair(running, "/d-1");
    const byHand = running.io.of("/d-2");
    expect(internals(first).children).toEqual(new Set([socket.nsp, byHand]));
    expect(internals(second).children.size).toBe(0);
  });

  it("a function given with a name that a regex parent takes is not called", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    running.io.of(/^\/d-/, () => log.push("of the parent"));
    running.io.of("/d-1", () => log.push("lost"));
    running.io.of("/d-1", () => log.push("of the child"));
    await joinPair(running, "/d-1");
    expect(log).toEqual(["of the parent", "of the child"]);
  });

  it("the parent has no adapter of the server's, neither at first nor when another is set; its children have", async () => {
    const { io } = await startServer(implementation);
    const Base = io.adapter() as any;
    class Own extends Base {}
    class Other extends Base {}
    io.adapter(Own as never);
    const parent = io.of(/^\/d-/);
    const child = io.of("/d-1");
    const { adapter } = parent;
    expect([adapter instanceof Own, child.adapter instanceof Own]).toEqual([false, true]);
    io.adapter(Other as never);
    expect([parent.adapter === adapter, child.adapter instanceof Other]).toEqual([true, true]);
  });

  it("sockets of the children are not found through the parent, and no ack is asked of them", async () => {
    const running = await startServer(implementation);
    const parent = running.io.of(/^\/d-/);
    const { socket, client } = await joinPair(running, "/d-1");
    socket.join("r");
    const seen = record(client);
    expect(await parent.in("r").fetchSockets()).toEqual([]);
    expect(await parent.allSockets()).toEqual(new Set());
    parent.socketsJoin("s");
    parent.in("r").socketsLeave("r");
    parent.disconnectSockets();
    const answered = await new Promise<unknown[]>((resolve) => {
      parent.timeout(1_000).emit("q", (...args: unknown[]) => resolve(args));
    });
    expect(answered).toEqual([null, []]);
    await settleDown(socket, client);
    expect([socket.connected, [...socket.rooms], seen]).toEqual([true, [socket.id, "r"], []]);
  });

  it("a function is asked with an empty object when CONNECT has no payload", async () => {
    const { io, port } = await startServer(implementation);
    const asked: unknown[] = [];
    io.of((name, auth, next) => {
      asked.push(name, auth);
      next(null, true);
    });
    const peer = await PollingPeer.open(port);
    await peer.send("40/dynamic,");
    expect(await peer.poll()).toMatch(/^40\/dynamic,\{/);
    expect(asked).toEqual(["/dynamic", {}]);
  });

  it("a middleware that a parent gets later does not hold for the children that are there", async () => {
    const running = await startServer(implementation);
    const parent = running.io.of(/^\/d-/);
    await joinPair(running, "/d-1");
    const log: string[] = [];
    parent.use((socket, next) => {
      log.push(socket.nsp.name);
      next();
    });
    await joinPair(running, "/d-1");
    await joinPair(running, "/d-2");
    expect(log).toEqual(["/d-2"]);
  });

  it("what listens once to a parent listens always to its children", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    running.io.of(/^\/d-/).once("connection", (socket) => log.push(socket.nsp.name));
    await joinPair(running, "/d-1");
    await joinPair(running, "/d-1");
    expect(log).toEqual(["/d-1", "/d-1"]);
  });

  it("parents are numbered through the process, each with an adapter that init is not called of", () => {
    const { init } = Adapter.prototype;
    let calls = 0;
    const first = new implementation.Server();
    const second = new implementation.Server();
    Adapter.prototype.init = () => {
      calls += 1;
    };
    try {
      const parents = [
        first.of(/^\/a/),
        second.of(/^\/b/),
        first.of((_n, _a, next) => next(null, true)),
      ];
      const [one, two, three] = parents.map(({ name }) => Number(name.slice(2)));
      expect([two, three]).toEqual([Number(one) + 1, Number(one) + 2]);
      for (const { adapter } of parents) {
        expect(adapter).toBeInstanceOf(Adapter);
      }
    } finally {
      Adapter.prototype.init = init;
    }
    expect(calls).toBe(0);
  });

  it("_checkNamespace gives the namespace, or false where no parent allows it", async () => {
    const io = new implementation.Server();
    const check = (name: string): Promise<unknown> =>
      new Promise((resolve) => internals(io)._checkNamespace(name, {}, resolve));
    expect(await check("/d-1")).toBe(false);
    io.of((name, _auth, next) => setImmediate(next, null, name === "/d-1"));
    expect(await check("/other")).toBe(false);
    const made = await check("/d-1");
    expect(made).toBe(io.of("/d-1"));
    expect(await check("/d-1")).toBe(made);
  });

  it("an operator of the parent gives one packet and its flags to the adapters of all children", async () => {
    const { io } = await startServer(implementation);
    const parent = io.of(/^\/d-/);
    const calls: any[] = [];
    for (const name of ["/d-1", "/d-2"]) {
      internals(io.of(name).adapter).broadcast = (packet: any, opts: any) =>
        calls.push({ packet, rooms: [...opts.rooms], flags: { ...opts.flags } });
    }
    parent.to("r").volatile.compress(false).emit("event", 1);
    const [first, second] = calls;
    expect(second).toEqual(first);
    expect(second.packet).toBe(first.packet);
    expect(first).toMatchObject({
      packet: { type: 2, data: ["event", 1] },
      rooms: ["r"],
      flags: { volatile: true, compress: false },
    });
    expect(parent.send("text")).toBe(parent);
    expect(calls.slice(2).map(({ packet }) => packet.data)).toEqual([
      ["message", "text"],
      ["message", "text"],
    ]);
  });
});
