// Clients of socket.io 2 with `allowEIO3`: connection, events, binary, acks, namespaces, refusals, broadcasts, the end, over each transport.

import type { Socket } from "socket.io";
import { closePollingSoon } from "../harness/bare-engine";
import { TRANSPORTS } from "../harness/clients";
import { collect, deferred, eventually, nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { type OldClient, openV2Client } from "../harness/old-clients";
import { joinPair, type Running, startServer } from "../harness/servers";
import { stubSession } from "../harness/stub-session";

interface OldPair extends Running {
  client: OldClient;
  socket: Socket;
}

/** Starts a server and connects one old client, which has its final transport then. */
async function startOldPair(
  implementation: Implementation,
  transports: string[],
  options: object = {},
): Promise<OldPair> {
  const running = await startAllowing(implementation, options);
  return { ...running, ...(await joinOld(running, transports)) };
}

async function startAllowing(implementation: Implementation, options = {}): Promise<Running> {
  const running = await startServer(implementation, { allowEIO3: true, ...options });
  closePollingSoon(running.io.engine);
  return running;
}

async function joinOld(
  running: Running,
  transports: string[],
): Promise<{ client: OldClient; socket: Socket }> {
  const connected = onceValue<Socket>(running.io, "connection");
  const client = openV2Client(running.url, { transports });
  const [socket] = await Promise.all([connected, once(client, "connect")]);
  if (transports.length > 1) {
    const conn = internals(socket.conn);
    await eventually(() => conn.upgraded && client.io.engine.transport.name === "websocket");
  }
  return { client, socket };
}

const BYTES = [0, 1, 4, 127, 128, 255];

describeBoth("socket.io 2 clients", (implementation) => {
  it("are refused unless allowEIO3 is set", async () => {
    for (const transports of [["polling"], ["websocket"]]) {
      const { url, io } = await startServer(implementation);
      const refused = onceValue(io.engine, "connection_error");
      const client = openV2Client(url, { transports });
      await once(client, "connect_error");
      expect(await refused).toMatchObject({
        code: 5,
        message: "Unsupported protocol version",
        context: { protocol: 3 },
      });
    }
  });

  for (const { label, transports } of TRANSPORTS) {
    it(`are in the main namespace from the start, under the id of the session (${label})`, async () => {
      const { client, socket, io } = await startOldPair(implementation, transports);
      expect(socket.conn.protocol).toBe(3);
      expect(socket.id).toBe(internals(socket.conn).id);
      expect(client.id).toBe(socket.id);
      expect(io.sockets.sockets.get(client.id)).toBe(socket);
      expect(socket.handshake.query.EIO).toBe("3");
      expect(socket.handshake.auth).toEqual({});
    });

    it(`exchange events and acks (${label})`, async () => {
      const { client, socket } = await startOldPair(implementation, transports);
      socket.on("up", (...args) => args.pop()("heard", ...args));
      const up = deferred<unknown[]>();
      client.emit("up", 1, "€😀\u2028", { a: [null, true] }, (...args: unknown[]) =>
        up.resolve(args),
      );
      expect(await up.promise).toEqual(["heard", 1, "€😀\u2028", { a: [null, true] }]);

      client.on("down", (...args: any[]) => args.pop()("heard", ...args));
      const down = deferred<unknown[]>();
      socket.emit("down", "é😀", [2], (...args: unknown[]) => down.resolve(args));
      expect(await down.promise).toEqual(["heard", "é😀", [2]]);
    });

    it(`exchange binary data (${label})`, async () => {
      const { client, socket } = await startOldPair(implementation, transports);
      socket.on("up", (data, reply) => reply({ ...data, again: data.bytes }));
      const up = deferred<any>();
      client.emit("up", { bytes: Buffer.from(BYTES), text: "€" }, up.resolve);
      const { bytes, again, text } = await up.promise;
      expect([[...bytes], [...again], text]).toEqual([BYTES, BYTES, "€"]);

      const heard = collect(client, "down", 3);
      socket.emit("down", "before");
      socket.emit("down", Buffer.from(BYTES), "text 😀", new Uint8Array([7, 8]));
      socket.emit("down", "after");
      const [before, [first, middle, second], after] = (await heard) as any[];
      expect([before, middle, after]).toEqual([["before"], "text 😀", ["after"]]);
      expect([[...new Uint8Array(first)], [...new Uint8Array(second)]]).toEqual([BYTES, [7, 8]]);
    });

    it(`keep the order of many packets (${label})`, async () => {
      const { client, socket } = await startOldPair(implementation, transports);
      const numbers = Array.from({ length: 100 }, (_, index) => index);
      const [up, down] = [collect(socket, "n", 100), collect(client, "n", 100)];
      for (const number of numbers) {
        client.emit("n", number, ...(number % 7 === 0 ? [Buffer.from([number])] : []));
        socket.emit("n", number, ...(number % 5 === 0 ? [Buffer.from([number])] : []));
      }
      expect((await up).map(([number]) => number)).toEqual(numbers);
      expect((await down).map(([number]) => number)).toEqual(numbers);
    });

    it(`ping, and stay as long as they do (${label})`, async () => {
      const options = { pingInterval: 40, pingTimeout: 2_000 };
      const { client, socket } = await startOldPair(implementation, transports, options);
      const pongs = collect(client.io.engine, "pong", 3);
      await collect(internals(socket.conn), "heartbeat", 3);
      await pongs;
      expect(client.connected && socket.connected).toBe(true);
    });

    it(`join a namespace with a query, which becomes the auth (${label})`, async () => {
      const { client, io, url } = await startOldPair(implementation, transports);
      const connected = onceValue<Socket>(io.of("/admin"), "connection");
      const admin = client.io.socket("/admin", { query: { token: "a b&c", n: 1 } });
      const [socket] = await Promise.all([connected, once(admin, "connect")]);
      expect(socket.nsp.name).toBe("/admin");
      expect(socket.id).toBe(`/admin#${internals(socket.conn).id}`);
      expect(admin.id).toBe(socket.id);
      expect(socket.handshake.auth).toEqual({ token: "a b&c", n: "1" });
      expect(Object.getPrototypeOf(socket.handshake.auth)).toBeNull();

      const heard = once(admin, "down");
      socket.emit("down", url);
      expect(await heard).toEqual([url]);
      const gone = once(socket, "disconnect");
      admin.disconnect();
      expect(await gone).toEqual(["client namespace disconnect"]);
      expect(client.connected).toBe(true);
    });

    it(`see why a middleware refuses them (${label})`, async () => {
      const { client, io } = await startOldPair(implementation, transports);
      const refusals = new Map<string, Error & { data?: unknown }>([
        ["/text", new Error("not you")],
        ["/data", Object.assign(new Error("not you"), { data: { code: 7 } })],
        ["/string", Object.assign(new Error("not you"), { data: "why" })],
      ]);
      const seen: unknown[] = [];
      for (const [name, refusal] of refusals) {
        io.of(name).use((_socket, next) => next(refusal));
        seen.push(await onceValue(client.io.socket(name), "error"));
      }
      expect(seen).toEqual(["not you", { code: 7 }, "why"]);
    });

    it(`are told of a namespace that does not exist (${label})`, async () => {
      const { client } = await startOldPair(implementation, transports);
      const error = await onceValue(client.io.socket("/nowhere"), "error");
      expect(error).toEqual({ message: "Invalid namespace" });
    });

    it(`get the same broadcasts as clients of this line, binary ones too (${label})`, async () => {
      const running = await startOldPair(implementation, transports);
      const other = await joinOld(running, ["polling"]);
      const clients = [running.client, other.client];
      for (const transport of ["polling", "websocket"]) {
        clients.push((await joinPair(running, "/", { transports: [transport] })).client);
      }
      for (const [index, socket] of [...running.io.sockets.sockets.values()].entries()) {
        socket.join(index % 2 === 0 ? "even" : "odd");
      }
      const all = clients.map((client) => collect(client, "all", 2));
      const even = [clients[0], clients[2]].map((client) => onceValue(client, "even"));
      running.io.emit("all", "€😀");
      running.io.emit("all", Buffer.from(BYTES));
      running.io.to("even").emit("even", 1);
      for (const [[text], [bytes]] of (await Promise.all(all)) as any[]) {
        expect([text, [...new Uint8Array(bytes)]]).toEqual(["€😀", BYTES]);
      }
      expect(await Promise.all(even)).toEqual([1, 1]);
    });

    it(`acknowledge broadcasts (${label})`, async () => {
      const running = await startOldPair(implementation, transports);
      const { client: present } = await joinPair(running);
      running.client.on("question", (reply: any) => reply("old"));
      present.on("question", (reply) => reply("new"));
      const answers = await running.io.timeout(4_000).emitWithAck("question");
      expect(answers.sort()).toEqual(["new", "old"]);
    });

    it(`leave by disconnect() (${label})`, async () => {
      const { client, socket, io } = await startOldPair(implementation, transports);
      const gone = once(socket, "disconnect");
      client.disconnect();
      expect(["client namespace disconnect", "transport close"]).toContain((await gone)[0]);
      await eventually(() => io.engine.clientsCount === 0);
    });

    it(`are told to leave (${label})`, async () => {
      const { client, socket, io } = await startOldPair(implementation, transports);
      const gone = onceValue(client, "disconnect");
      socket.disconnect(true);
      expect(await gone).toBe("io server disconnect");
      await eventually(() => io.engine.clientsCount === 0);
    });

    it(`come back after their session was closed (${label})`, async () => {
      const running = await startAllowing(implementation);
      const first = onceValue<Socket>(running.io, "connection");
      const client = openV2Client(running.url, {
        transports,
        reconnection: true,
        reconnectionDelay: 10,
      });
      const socket = await first;
      await once(client, "connect");
      const second = onceValue<Socket>(running.io, "connection");
      const again = once(client, "connect");
      internals(socket.conn).close();
      const [next] = await Promise.all([second, again]);
      expect(next.id).not.toBe(socket.id);
      expect(client.id).toBe(next.id);
    });
  }

  it("have an auth without prototype in other namespaces, whether or not they name a query", async () => {
    const io = new implementation.Server();
    const seen: unknown[] = [];
    for (const name of ["/", "/n", "/with%20space"]) {
      io.of(name).on("connection", ({ nsp, id, handshake: { auth } }) => {
        seen.push([nsp.name, id, { ...auth }, Object.getPrototypeOf(auth) === null]);
      });
    }
    const { conn, sent } = stubSession(3);
    internals(io).onconnection(conn);
    await eventually(() => seen.length === 1);
    for (const packet of ["0/n?a=1&a=2&b", "1/n", "0/n", "0/with space?"]) {
      conn.emit("data", packet);
      await nextTurn();
    }
    expect(seen).toEqual([
      ["/", "stub", {}, false],
      ["/n", "/n#stub", { a: "2", b: "" }, true],
      ["/n", "/n#stub", {}, true],
      ["/with%20space", "/with%20space#stub", {}, true],
    ]);
    expect(sent).toEqual(["0", "0/n,", "0/n,", "0/with%20space,"]);
  });

  it("drop the second of two volatile packets of a turn", async () => {
    const { client, socket } = await startOldPair(implementation, ["websocket"]);
    const seen: unknown[] = [];
    client.on("v", (value: unknown) => seen.push(value));
    const last = once(client, "last");
    socket.volatile.emit("v", 1);
    socket.volatile.emit("v", 2);
    socket.emit("last");
    await last;
    expect(seen).toEqual([1]);
  });

  it("have io.use() before the implicit connection to the main namespace", async () => {
    const running = await startAllowing(implementation);
    running.io.use((_socket, next) => next(new Error("closed")));
    const client = openV2Client(running.url);
    expect(await onceValue(client, "error")).toBe("closed");
    expect(running.io.engine.clientsCount).toBe(1);
  });
});
