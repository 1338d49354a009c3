// Opening a session: the bytes of the polling answer, the `open` packet over both transports, ids and cookies.

import type { ServerResponse } from "node:http";
import { startBareEngine } from "../harness/bare-engine";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer, packetsOf } from "../harness/polling-peer";
import { exchange, headerLines, request } from "../harness/raw-http";
import { OPCODE, RawWebSocket } from "../harness/raw-websocket";

const POLLING = "/socket.io/?EIO=4&transport=polling";

describeBoth("engine handshake", (implementation) => {
  it("the polling answer has these headers in this order, and the keys of open in this order", async () => {
    const { port } = await startBareEngine(implementation);
    const response = await request(port, { path: POLLING });
    expect(response.status).toBe(200);
    const { sid } = JSON.parse(response.text.slice(1));
    expect(response.text).toBe(
      `0{"sid":"${sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
    );
    expect(headerLines(response)).toEqual([
      "Content-Type: text/plain; charset=UTF-8",
      `Content-Length: ${response.body.length}`,
      "cache-control: no-store",
    ]);
  });

  it("the websocket answer is an open packet without upgrades", async () => {
    const { port } = await startBareEngine(implementation);
    const peer = await RawWebSocket.open(port);
    const open = await peer.expectText(/^0\{/);
    const { sid, ...rest } = JSON.parse(open.slice(1));
    expect(sid).toMatch(/^[\w-]{20}$/);
    expect(rest).toEqual({
      upgrades: [],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 1_000_000,
    });
  });

  it("open tells the options of the server", async () => {
    const { port } = await startBareEngine(implementation, {
      pingInterval: 300,
      pingTimeout: 200,
      maxHttpBufferSize: 1_234,
      allowUpgrades: false,
    });
    const { sid: _sid, ...rest } = await new PollingPeer(port).open();
    expect(rest).toEqual({ upgrades: [], pingInterval: 300, pingTimeout: 200, maxPayload: 1_234 });
  });

  it("connection is emitted with the session, which is already registered", async () => {
    const { port, engine, nextSession } = await startBareEngine(implementation);
    const seen: unknown[] = [];
    engine.on("connection", (session: any) => {
      seen.push(session.id, session.readyState, engine.clientsCount, session.transport.name);
      seen.push((engine as any).clients[session.id] === session);
    });
    const session = nextSession();
    const peer = await PollingPeer.open(port);
    expect((await session).id).toBe(peer.sid);
    expect(seen).toEqual([peer.sid, "open", 1, "polling", true]);
  });

  it("it can be found by its id as soon as the headers of the answer have been told, before a client can have them", async () => {
    const { port, engine } = await startBareEngine(implementation);
    const found: unknown[] = [];
    engine.on("initial_headers", () => {
      queueMicrotask(() =>
        found.push(...Object.keys((engine as any).clients), engine.clientsCount),
      );
    });
    const { sid } = await PollingPeer.open(port);
    expect(found).toEqual([sid, 1]);
  });

  it("connection over polling comes when Node has been given the answer, its headers and its body", async () => {
    const { port, engine } = await startBareEngine(implementation);
    const seen: unknown[] = [];
    engine.use((_req: unknown, res: ServerResponse, next: () => void) => {
      engine.once("connection", () => seen.push(res.headersSent, res.writableEnded));
      next();
    });
    await PollingPeer.open(port);
    expect(seen).toEqual([true, true]);
  });

  it("an id that is given twice belongs to the second session", async () => {
    const { port, engine } = await startBareEngine(implementation);
    (engine as any).generateId = () => "same";
    const sessions: any[] = [];
    engine.on("connection", (session: unknown) => sessions.push(session));
    const statuses = [];
    for (let count = 0; count < 2; count += 1) {
      statuses.push((await request(port, { path: POLLING })).status);
    }
    const { same } = (engine as any).clients;
    for (const session of sessions) {
      session.close(true);
    }
    expect(statuses).toEqual([200, 200]);
    expect(same).toBe(sessions[1]);
  });

  it("session.request is the request of the handshake, with its query", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const session = nextSession();
    await PollingPeer.open(port, { query: { token: "a b" }, headers: { "X-Mine": "1" } });
    const { request: handshake, remoteAddress, protocol } = await session;
    expect(handshake._query).toMatchObject({ EIO: "4", transport: "polling", token: "a b" });
    expect(handshake.headers["x-mine"]).toBe("1");
    expect(handshake.method).toBe("GET");
    expect(remoteAddress).toMatch(/127\.0\.0\.1$/);
    expect(protocol).toBe(4);
  });

  it("initialPacket follows open in the same payload", async () => {
    const { port } = await startBareEngine(implementation, { initialPacket: "welcome" } as never);
    const { text } = await new PollingPeer(port).handshake();
    const [open, first] = packetsOf(text);
    expect(open).toMatch(/^0\{/);
    expect(first).toBe("4welcome");
  });

  it("initialPacket follows open as the next websocket frame", async () => {
    const { port } = await startBareEngine(implementation, { initialPacket: "welcome" } as never);
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0\{/);
    await peer.expectText("4welcome");
  });

  it("initialPacket may be bytes, in both revisions, and one that is empty is none", async () => {
    const start = (initialPacket: unknown) =>
      startBareEngine(implementation, { initialPacket, allowEIO3: true } as never);
    const { port } = await start(Buffer.from([1, 2]));
    for (const [revision, bytes] of [
      ["4", [1, 2]],
      ["3", [4, 1, 2]],
    ] as const) {
      const path = `/socket.io/?EIO=${revision}&transport=websocket`;
      const peer = await RawWebSocket.open(port, { path });
      await peer.expectText(/^0\{/);
      const { opcode, payload } = await peer.nextFrame();
      expect([opcode, [...payload]]).toEqual([OPCODE.binary, bytes]);
    }
    expect(packetsOf((await request(port, { path: POLLING })).text)[1]).toBe("bAQI=");
    for (const nothing of ["", 0, null]) {
      const { port: other } = await start(nothing);
      expect(packetsOf((await request(other, { path: POLLING })).text)).toHaveLength(1);
    }
  });

  it("ids are 20 url-safe characters and all different", async () => {
    const { port } = await startBareEngine(implementation);
    const ids = await Promise.all(
      Array.from({ length: 40 }, async () => (await PollingPeer.open(port)).sid),
    );
    expect(new Set(ids).size).toBe(40);
    expect(ids.every((id) => /^[\w-]{20}$/.test(id))).toBe(true);
  });

  it("generateId may be replaced, and may answer later", async () => {
    const { port, engine } = await startBareEngine(implementation);
    let count = 0;
    (engine as any).generateId = async (handshake: any) => {
      count += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return `${handshake._query.transport}-${count}`;
    };
    expect((await PollingPeer.open(port)).sid).toBe("polling-1");
    const peer = await RawWebSocket.open(port);
    expect(await peer.expectText(/^0\{/)).toContain('"sid":"websocket-2"');
  });

  it("a rejected generateId is a bad request", async () => {
    const { port, engine } = await startBareEngine(implementation);
    (engine as any).generateId = () => Promise.reject(new Error("no id left"));
    const refused = once(engine, "connection_error");
    const response = await request(port, { path: POLLING });
    expect(response.status).toBe(400);
    expect(response.text).toBe('{"code":3,"message":"Bad request"}');
    const [{ code, message, context }] = await refused;
    expect([code, message, context.name]).toEqual([3, "Bad request", "ID_GENERATION_ERROR"]);
    expect(context.error.message).toBe("no id left");
    expect(engine.clientsCount).toBe(0);
  });

  it("a last duplicate of a query parameter wins", async () => {
    const { port } = await startBareEngine(implementation);
    const good = await request(port, {
      path: "/socket.io/?EIO=3&EIO=4&transport=x&transport=polling",
    });
    expect(good.status).toBe(200);
    const bad = await request(port, { path: "/socket.io/?EIO=4&EIO=3&transport=polling" });
    expect(bad.text).toBe('{"code":5,"message":"Unsupported protocol version"}');
  });

  it("the query is percent-decoded, and malformed sequences do no harm", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const session = nextSession();
    const response = await request(port, { path: `${POLLING}&a=%E2%82%AC&b=%zz&c=1+2` });
    expect(response.status).toBe(200);
    expect((await session).request._query).toMatchObject({ a: "€", c: "1 2" });
  });

  it("the path is a prefix, compared as it stands", async () => {
    const { port } = await startBareEngine(implementation);
    const query = "?EIO=4&transport=polling";
    expect((await request(port, { path: `/socket.io/foo/bar${query}` })).status).toBe(200);
    expect((await request(port, { path: `/socket.io//${query}` })).status).toBe(200);
  });

  it("addTrailingSlash: false takes the path without the slash", async () => {
    const { port } = await startBareEngine(implementation, { addTrailingSlash: false } as never);
    expect((await request(port, { path: "/socket.io?EIO=4&transport=polling" })).status).toBe(200);
  });

  it("a path of one's own, with or without its last slash", async () => {
    for (const path of ["/own/path", "/own/path/"]) {
      const { port } = await startBareEngine(implementation, { path });
      const response = await request(port, { path: "/own/path/?EIO=4&transport=polling" });
      expect(response.status).toBe(200);
    }
  });

  it("HTTP/1.0 is answered too", async () => {
    const { port } = await startBareEngine(implementation);
    const answer = await exchange(port, `GET ${POLLING} HTTP/1.0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toMatch(/\r\n\r\n0\{"sid"/);
  });

  it("cookie: true sets io with the default attributes, on the polling handshake alone", async () => {
    const { port } = await startBareEngine(implementation, { cookie: true } as never);
    const peer = new PollingPeer(port);
    const response = await peer.handshake();
    peer.sid = JSON.parse(response.text.slice(1)).sid;
    expect(response.headers["set-cookie"]).toEqual([
      `io=${peer.sid}; Path=/; HttpOnly; SameSite=Lax`,
    ]);
    const post = await peer.post("4x");
    expect(post.headers["set-cookie"]).toBeUndefined();
    expect((await RawWebSocket.open(port)).head.toLowerCase()).not.toContain("set-cookie");
  });

  it("the cookie takes the attributes it is given, in the order of the cookie package", async () => {
    const { port } = await startBareEngine(implementation, {
      cookie: {
        name: "mine",
        path: "/sub",
        httpOnly: false,
        secure: true,
        sameSite: "strict",
        maxAge: 60,
        domain: "example.org",
      },
    });
    const response = await new PollingPeer(port).handshake();
    const { sid } = JSON.parse(response.text.slice(1));
    expect(response.headers["set-cookie"]).toEqual([
      `mine=${sid}; Max-Age=60; Domain=example.org; Path=/sub; Secure; SameSite=Strict`,
    ]);
  });

  it("cookie: false sets none", async () => {
    const { port } = await startBareEngine(implementation, { cookie: false } as never);
    expect((await new PollingPeer(port).handshake()).headers["set-cookie"]).toBeUndefined();
  });
});
