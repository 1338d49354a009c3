// One session over polling, over WebSocket and across the switch between them: order, content and what is observable.

import { openClient, record, settleDown, settleUp, TRANSPORTS } from "../harness/clients";
import { eventually, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startPair, startServer } from "../harness/servers";

const UPGRADE = { transports: ["polling", "websocket"] };

describeBoth("transports", (implementation) => {
  it("an upgrade emits upgrading and upgrade on conn, and changes conn.transport", async () => {
    const running = await startServer(implementation);
    const log: unknown[] = [];
    const upgraded = new Promise((resolve) => {
      running.io.engine.on("connection", (conn: any) => {
        const first = conn.transport;
        expect(first.name).toBe("polling");
        expect([conn.upgrading, conn.upgraded]).toEqual([false, false]);
        conn.on("upgrading", (transport: any) =>
          log.push("upgrading", transport.name, conn.transport.name),
        );
        conn.on("upgrade", (transport: any) => {
          log.push(
            "upgrade",
            transport === conn.transport,
            transport !== first,
            conn.upgraded,
            conn.upgrading,
          );
          resolve(undefined);
        });
      });
    });
    await joinPair(running, "/", UPGRADE);
    await upgraded;
    expect(log).toEqual(["upgrading", "websocket", "polling", "upgrade", true, true, true, false]);
  });

  it("conn.request is still the first polling request after an upgrade", async () => {
    const { socket } = await startPair(implementation, {}, UPGRADE);
    const { request } = socket.conn as any;
    if (!internals(socket.conn).upgraded) {
      await once(socket.conn, "upgrade");
    }
    expect((socket.conn as any).request).toBe(request);
    expect(request.url).toContain("transport=polling");
    expect(socket.request).toBe(request);
  });

  // A turn later: a session that is ended inside of the event leaves a timer of engine.io's behind for ever.
  const endings: [string, (conn: any) => void][] = [
    ["close()", (conn) => setImmediate(() => conn.close())],
    ["close(true)", (conn) => setImmediate(() => conn.close(true))],
  ];
  for (const [title, end] of endings) {
    // A client that hears of it between the answer to its probe and the end of its last poll keeps polling paused, until its ping timeout.
    it(`a client whose session is ended by ${title} while it moves to WebSocket comes back, at its ping timeout at the latest`, async () => {
      const { io, port } = await startServer(implementation, {
        pingInterval: 500,
        pingTimeout: 500,
      });
      const closed = new Promise((resolve) => {
        io.engine.once("connection", (conn: any) => {
          conn.once("upgrading", () => end(conn));
          conn.once("close", resolve);
        });
      });
      const returned = new Promise((resolve) => {
        io.engine.on("connection", (conn: any) => void closed.then(() => resolve(conn)));
      });
      const client = openClient(`http://127.0.0.1:${port}`, {
        ...UPGRADE,
        reconnection: true,
        reconnectionDelay: 20,
      });
      expect(await closed).toBe("forced close");
      await returned;
      await eventually(() => client.connected && io.engine.clientsCount === 1);
    });
  }

  it("nothing is lost, doubled or reordered across an upgrade, both ways", async () => {
    const { socket, client } = await startPair(implementation, {}, UPGRADE);
    const down = record(client);
    const up: any[][] = [];
    socket.on("n", (...args) => up.push(args));
    let sent = 0;
    const sendSome = (): void => {
      for (let index = 0; index < 5; index += 1) {
        socket.emit("n", sent, Buffer.from([sent & 255]));
        client.emit("n", sent);
        sent += 1;
      }
    };
    let isUpgraded = internals(socket.conn).upgraded;
    socket.conn.once("upgrade", () => {
      isUpgraded = true;
    });
    while (!isUpgraded) {
      sendSome();
      await new Promise((resolve) => setImmediate(resolve));
    }
    sendSome();
    await settleDown(socket, client);
    await settleUp(client, socket);
    expect(down.map(([, index]) => index)).toEqual(
      Array.from({ length: sent }, (_, index) => index),
    );
    expect(down.every(([, index, bytes]) => bytes[0] === (index & 255))).toBe(true);
    expect(up.map(([index]) => index)).toEqual(Array.from({ length: sent }, (_, index) => index));
  });

  it("an ack asked for on polling may be answered after the upgrade", async () => {
    const { socket, client } = await startPair(implementation, {}, UPGRADE);
    const asked = once(client, "q");
    const answer = socket.emitWithAck("q");
    const [reply] = await asked;
    if (client.io.engine.transport.name !== "websocket") {
      await once(client.io.engine, "upgrade");
    }
    reply("after the upgrade");
    expect(await answer).toBe("after the upgrade");
  });

  it("allowUpgrades: false offers no upgrade", async () => {
    const { client, socket } = await startPair(implementation, { allowUpgrades: false }, UPGRADE);
    await settleDown(socket, client);
    await settleUp(client, socket);
    expect(client.io.engine.transport.name).toBe("polling");
    expect(internals(client.io.engine).upgrades ?? []).toEqual([]);
  });

  it('transports: ["websocket"] refuses polling', async () => {
    const running = await startServer(implementation, { transports: ["websocket"] });
    const refused = running.connect("/", { transports: ["polling"] });
    const [error] = await once(refused, "connect_error");
    expect(error.description).toBe(400);
    await joinPair(running, "/", { transports: ["websocket"] });
  });

  it('transports: ["polling"] refuses websocket and offers no upgrade', async () => {
    const running = await startServer(implementation, { transports: ["polling"] });
    const refused = running.connect("/", { transports: ["websocket"] });
    await once(refused, "connect_error");
    const { client, socket } = await joinPair(running, "/", UPGRADE);
    await settleUp(client, socket);
    expect(client.io.engine.transport.name).toBe("polling");
  });

  it("conn and its transport tell their state", async () => {
    const { socket, client } = await startPair(implementation);
    await settleDown(socket, client);
    const { conn } = socket;
    expect(conn.readyState).toBe("open");
    expect(internals(conn).protocol).toBe(4);
    expect(internals(conn).server).toBeDefined();
    expect(conn.transport.readyState).toBe("open");
    expect(internals(conn.transport).discarded).toBe(false);
    expect(internals(conn.transport).protocol).toBe(4);
    expect(internals(conn.transport).supportsBinary).toBe(true);
    const closed = once(conn, "close");
    client.disconnect();
    await closed;
    expect(conn.readyState).toBe("closed");
  });

  it("a polling transport tells its limits, and b64 without a value asks for nothing", async () => {
    const running = await startServer(implementation);
    const { io, port } = running;
    const found: unknown[] = [];
    io.engine.on("connection", ({ transport }: any) => {
      found.push(transport.supportsBinary);
      if (transport.name === "polling") {
        const { closeTimeout, maxHttpBufferSize, httpCompression } = transport;
        found.push(closeTimeout, maxHttpBufferSize, httpCompression);
      }
    });
    const { socket } = await joinPair(running, "/", { transports: ["polling"] });
    expect(found.splice(0)).toEqual([true, 30_000, 1_000_000, { threshold: 1_024 }]);
    socket.disconnect(true);
    for (const query of ["&b64=", "&b64", "&b64=0"]) {
      const path = `/socket.io/?EIO=4&transport=websocket${query}`;
      await (await RawWebSocket.open(port, { path })).expectText(/^0\{/);
    }
    expect(found).toEqual([true, true, false]);
  });

  for (const { label, transports } of TRANSPORTS) {
    it(`conn is one object for the whole session over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const conn = internals(socket.conn);
      conn.peerCertificate = "mine";
      await settleUp(client, socket);
      expect(socket.conn).toBe(conn);
      expect(socket.client.conn).toBe(conn);
      expect(internals(socket.conn).peerCertificate).toBe("mine");
    });

    it(`a heartbeat keeps an idle client connected over ${label}`, async () => {
      const { socket, client } = await startPair(
        implementation,
        { pingInterval: 40, pingTimeout: 1_000 },
        { transports },
      );
      let beats = 0;
      await new Promise<void>((resolve) => {
        socket.conn.on("heartbeat", () => {
          beats += 1;
          if (beats === 3) {
            resolve();
          }
        });
      });
      expect(socket.connected).toBe(true);
      expect(client.connected).toBe(true);
    });
  }

  it('terminating the raw ws object is "transport close"', async () => {
    const { socket } = await startPair(implementation);
    const left = once(socket, "disconnect");
    internals(socket.conn.transport).socket.terminate();
    expect((await left)[0]).toBe("transport close");
  });

  it("destroying the request's TCP socket ends a websocket session", async () => {
    const { socket } = await startPair(implementation);
    const left = once(socket, "disconnect");
    socket.request.socket.destroy();
    expect((await left)[0]).toBe("transport close");
  });

  it("a client that upgrades while the server emits gets every event once", async () => {
    const running = await startServer(implementation);
    running.io.on("connection", (socket) => {
      for (let index = 0; index < 200; index += 1) {
        socket.emit("n", index);
      }
    });
    const client = running.connect("/", UPGRADE);
    const seen = record(client);
    await once(client, "connect");
    const socket = running.io.sockets.sockets.get(client.id as string);
    if (!internals((socket as any).conn).upgraded) {
      await once((socket as any).conn, "upgrade");
    }
    await settleDown(socket as any, client);
    expect(seen.map(([, index]) => index)).toEqual(
      Array.from({ length: 200 }, (_, index) => index),
    );
  });
});
