// A client reaches the server over each transport, joins `/`, and both ends agree on what was opened.

import { TRANSPORTS } from "../harness/clients";
import { eventually, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, startPair, startServer } from "../harness/servers";

describeBoth("connection", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`a client connects over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      expect(client.connected).toBe(true);
      expect(socket.connected).toBe(true);
      expect(socket.disconnected).toBe(false);
      expect(client.id).toBe(socket.id);
    });

    it(`conn.transport.name tells the transport of a client over ${label}`, async () => {
      const { socket } = await startPair(implementation, {}, { transports });
      if (label === "upgrade") {
        if (socket.conn.transport.name !== "websocket") {
          await once(socket.conn, "upgrade");
        }
        expect(socket.conn.transport.name).toBe("websocket");
      } else {
        expect(socket.conn.transport.name).toBe(transports[0]);
      }
    });

    it(`an event goes both ways over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const up = once(socket, "up");
      const down = once(client, "down");
      client.emit("up", 1, "a", { nested: [true, null] });
      socket.emit("down", 2, "b", [{}]);
      expect(await up).toEqual([1, "a", { nested: [true, null] }]);
      expect(await down).toEqual([2, "b", [{}]]);
    });
  }

  it("connect is emitted before connection, with the same socket, whatever was registered first", async () => {
    const running = await startServer(implementation);
    const order: unknown[] = [];
    running.io.on("connection", (socket) => order.push("connection", socket));
    running.io.on("connect", (socket) => order.push("connect", socket));
    const { socket } = await joinPair(running);
    expect(order).toEqual(["connect", socket, "connection", socket]);
  });

  it("nsp.sockets and socket.rooms already hold the socket when connection fires", async () => {
    const { io, connect } = await startServer(implementation);
    const seen = new Promise((resolve) => {
      io.on("connection", (socket) => {
        resolve([io.sockets.sockets.get(socket.id) === socket, [...socket.rooms], socket.id]);
      });
    });
    connect();
    const [isListed, rooms, id] = (await seen) as [boolean, string[], string];
    expect(isListed).toBe(true);
    expect(rooms).toEqual([id]);
  });

  it("what a connection listener emits arrives after the CONNECT reply, in order", async () => {
    const { io, connect } = await startServer(implementation);
    io.on("connection", (socket) => {
      socket.emit("first");
      socket.emit("second");
    });
    const client = connect();
    const order: string[] = [];
    client.on("connect", () => order.push("connect"));
    client.onAny((event) => order.push(event));
    await once(client, "second");
    expect(order).toEqual(["connect", "first", "second"]);
  });

  it("socket ids are 20 url-safe characters, differ between sockets, and are not the session id", async () => {
    const running = await startServer(implementation);
    const first = await joinPair(running);
    const second = await joinPair(running);
    for (const { socket } of [first, second]) {
      expect(socket.id).toMatch(/^[\w-]{20}$/);
      expect(internals(socket.conn).id).toMatch(/^[\w-]{20}$/);
      expect(socket.id).not.toBe(internals(socket.conn).id);
    }
    expect(first.socket.id).not.toBe(second.socket.id);
    expect(internals(first.socket.conn).id).not.toBe(internals(second.socket.conn).id);
  });

  it("engine.clientsCount follows the sessions", async () => {
    const running = await startServer(implementation);
    expect(running.io.engine.clientsCount).toBe(0);
    const first = await joinPair(running);
    await joinPair(running);
    expect(running.io.engine.clientsCount).toBe(2);
    const closed = once(first.socket.conn, "close");
    first.client.disconnect();
    await closed;
    expect(running.io.engine.clientsCount).toBe(1);
  });

  it("engine.clients is an object from session id to conn", async () => {
    const { io, socket } = await startPair(implementation);
    const { clients } = internals(io.engine);
    expect(Object.keys(clients)).toEqual([internals(socket.conn).id]);
    expect(clients[internals(socket.conn).id]).toBe(socket.conn);
  });

  it("a client that reconnects gets a new socket with a new id", async () => {
    const { io, client, socket } = await startPair(implementation);
    const again = onceValue(io, "connection");
    const left = once(socket, "disconnect");
    client.disconnect().connect();
    const next = await again;
    await left;
    expect(next.id).not.toBe(socket.id);
    expect(next).not.toBe(socket);
  });

  it("many clients can connect at the same time", async () => {
    const { io, connect } = await startServer(implementation);
    const clients = Array.from({ length: 30 }, (_, index) =>
      connect("/", TRANSPORTS[index % 3] as { transports: string[] }),
    );
    await Promise.all(clients.map((client) => once(client, "connect")));
    expect(io.sockets.sockets.size).toBe(30);
    expect(new Set(clients.map((client) => client.id)).size).toBe(30);
  });

  it("a property of Object.prototype disturbs neither connections nor events", async () => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    prototype.polluted = "by the application";
    try {
      for (const { transports } of TRANSPORTS) {
        const { io, socket, client } = await startPair(implementation, {}, { transports });
        socket.on("q", (value, reply) => reply(value));
        const value = { list: [1], bytes: Buffer.from([1]) };
        expect(await client.emitWithAck("q", value)).toEqual(value);
        const heard = once(client, "all");
        io.to(socket.id).emit("all", value);
        expect(await heard).toEqual([value]);
      }
    } finally {
      delete prototype.polluted;
    }
  });

  it("handshakes whose ids take their time do not mix", async () => {
    const running = await startServer(implementation);
    const release: Record<string, () => void> = {};
    internals(running.io.engine).generateId = async ({ _query }: any) => {
      await new Promise<void>((resolve) => {
        release[_query.name] = resolve;
      });
      return `id-of-${_query.name}`.padEnd(20, "-");
    };
    const names = ["one", "two", "three"];
    const clients = names.map((name, index) =>
      running.connect("/", { query: { name }, ...TRANSPORTS[index % 2] }),
    );
    const connected = Promise.all(clients.map((client) => once(client, "connect")));
    await eventually(() => Object.keys(release).length === 3);
    for (const name of [...names].reverse()) {
      release[name]?.();
    }
    await connected;
    const sockets = [...running.io.sockets.sockets.values()];
    for (const { conn, handshake } of sockets) {
      expect(internals(conn).id).toBe(`id-of-${handshake.query.name}`.padEnd(20, "-"));
    }
    expect(sockets.map(({ handshake }) => handshake.query.name).sort()).toEqual([...names].sort());
  });
});
