// What a socket tells of the request that opened it, and the objects around it: handshake, request, conn, client, data.

import { EventEmitter } from "node:events";
import { settleDown } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";
import { joinOver, joinPair, startPair, startServer } from "../harness/servers";

describeBoth("handshake", (implementation) => {
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    it(`handshake tells the first request over ${transports.join(" and ")}`, async () => {
      const before = Date.now();
      const { socket } = await startPair(
        implementation,
        {},
        {
          transports,
          query: { token: "a b&c", EIO: "ignored" },
          extraHeaders: { "X-Mine": "1", Cookie: "a=b" },
          auth: { user: "alice" },
        },
      );
      const { handshake } = socket;
      expect(Object.keys(handshake).sort()).toEqual([
        "address",
        "auth",
        "headers",
        "issued",
        "query",
        "secure",
        "time",
        "url",
        "xdomain",
      ]);
      expect(handshake.headers).toBe(socket.request.headers);
      expect(handshake.headers).toMatchObject({ "x-mine": "1", cookie: "a=b" });
      expect(handshake.query).toMatchObject({ token: "a b&c", transport: transports[0], EIO: "4" });
      expect(handshake.auth).toEqual({ user: "alice" });
      expect(handshake.url).toMatch(/^\/socket\.io\/\?/);
      expect(handshake.secure).toBe(false);
      expect(handshake.xdomain).toBe(false);
      expect(handshake.address).toMatch(/127\.0\.0\.1$/);
      expect(handshake.issued).toBeGreaterThanOrEqual(before);
      expect(handshake.issued).toBeLessThanOrEqual(Date.now());
      expect(Math.abs(new Date(handshake.time).getTime() - handshake.issued)).toBeLessThan(2_000);
    });
  }

  it("xdomain tells an Origin", async () => {
    const { socket } = await startPair(
      implementation,
      {},
      { extraHeaders: { Origin: "http://a.example" } },
    );
    expect(socket.handshake.xdomain).toBe(true);
  });

  it("handshake is a plain object of the socket's own, kept and mutable", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const { socket, client } = await joinPair(running);
    const other = await joinOver(running, client, "/n");
    expect(other.socket.handshake).not.toBe(socket.handshake);
    expect(other.socket.request).toBe(socket.request);
    (socket.handshake as any).session = { id: 1 };
    expect((socket.handshake as any).session).toEqual({ id: 1 });
    expect((other.socket.handshake as any).session).toBeUndefined();
  });

  it("the query of another namespace is not the one of the connection", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const { client } = await joinPair(running, "/", { query: { of: "connection" } });
    const { socket } = await joinOver(running, client, "/n", { auth: { of: "namespace" } });
    expect(socket.handshake.query.of).toBe("connection");
    expect(socket.handshake.auth).toEqual({ of: "namespace" });
  });

  it("a CONNECT without a payload has an empty auth", async () => {
    const { io, port } = await startServer(implementation);
    const joined = once(io, "connection");
    await PollingPeer.join(port);
    const [socket] = await joined;
    expect(socket.handshake.auth).toEqual({});
  });

  it("auth keeps keys that are dangerous elsewhere", async () => {
    const { io, port } = await startServer(implementation);
    const joined = once(io, "connection");
    const peer = await PollingPeer.open(port);
    await peer.send('40{"__proto__":{"polluted":1},"a":1}');
    const [socket] = await joined;
    expect(socket.handshake.auth.a).toBe(1);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  for (const transport of ["polling", "websocket"]) {
    it(`handshake says what the request over ${transport} said when the socket was made`, async () => {
      const running = await startServer(implementation);
      running.io.of("/later");
      const { client, socket } = await joinPair(running, "/", {
        transports: [transport],
        query: { token: "abc" },
        extraHeaders: { Origin: "http://a.example" },
      });
      const request = internals(socket.request);
      const { url, _query: query } = request;
      request.url = "/rewritten"; // as Express does when a router is mounted
      request._query = { other: "1" };
      delete request.headers.origin;
      expect(socket.handshake.url).toBe(url);
      expect(socket.handshake.query).toBe(query);
      expect(socket.handshake.query.token).toBe("abc");
      expect(socket.handshake.xdomain).toBe(true);
      expect(socket.handshake.headers).toBe(request.headers);
      expect(socket.handshake.headers.origin).toBeUndefined();
      const later = await joinOver(running, client, "/later");
      expect(later.socket.handshake).toMatchObject({
        url: "/rewritten",
        query: { other: "1" },
        xdomain: false,
      });
    });
  }

  it("handshake says what a request that a middleware has seen said when the socket was made", async () => {
    const running = await startServer(implementation);
    const requests: any[] = [];
    running.io.engine.use((request: object, _response: object, next: () => void) => {
      requests.push(request);
      next();
    });
    const { socket } = await joinPair(running, "/", {
      transports: ["websocket"],
      query: { token: "abc" },
      extraHeaders: { Origin: "http://a.example" },
    });
    const [request] = requests;
    const { url } = request;
    request.url = "/rewritten";
    request._query = {};
    delete request.headers.origin;
    internals(socket.conn).remoteAddress = "10.0.0.1";
    expect(socket.handshake).toMatchObject({ url, query: { token: "abc" }, xdomain: true });
    expect(socket.handshake.address).toMatch(/127\.0\.0\.1$/);
  });

  it("what is taken out of the query of the request is not in the handshake", async () => {
    const { socket } = await startPair(implementation, {}, { query: { token: "abc" } });
    delete internals(socket.request)._query.token;
    expect(socket.handshake.query).not.toHaveProperty("token");
  });

  for (const transport of ["polling", "websocket"]) {
    it(`request.websocket is the ws object of a session over websocket, looked for over ${transport}`, async () => {
      const { socket } = await startPair(implementation, {}, { transports: [transport] });
      const websocket = internals(socket.conn.transport).socket;
      expect(internals(socket.request).websocket).toBe(websocket);
      expect("websocket" in socket.request).toBe(transport === "websocket");
      internals(socket.request).websocket = "mine";
      expect(internals(socket.request).websocket).toBe("mine");
    });
  }

  it("request.websocket is there on a request that a middleware has seen", async () => {
    const running = await startServer(implementation);
    const requests: any[] = [];
    running.io.engine.use((request: object, _response: object, next: () => void) => {
      requests.push(request);
      next();
    });
    const { socket } = await joinPair(running, "/", { transports: ["websocket"] });
    expect(requests[0].websocket).toBe(internals(socket.conn.transport).socket);
    expect(typeof requests[0].websocket.ping).toBe("function");
  });

  it("the fields of a fresh socket are what they begin as", async () => {
    const { io, socket } = await startPair(implementation);
    const fields = internals(socket);
    const { adapter } = io.of("/");
    expect(fields).toMatchObject({ connected: true, disconnected: false, recovered: false });
    expect([fields.data, fields.flags, fields.fns]).toEqual([{}, {}, []]);
    expect(fields.data).toBe(fields.data);
    expect(fields.flags).toBe(fields.flags);
    expect(fields.pid).toBeUndefined();
    expect([fields._anyListeners, fields._anyOutgoingListeners]).toEqual([undefined, undefined]);
    io.adapter(io.adapter() as never);
    expect(io.of("/").adapter).not.toBe(adapter);
    expect(fields.adapter).toBe(adapter);
  });

  it("pid is there with recovery", async () => {
    const { socket } = await startPair(implementation, { connectionStateRecovery: {} });
    expect(internals(socket).pid).toMatch(/^[\w-]{20}$/);
  });

  it("data is the user's: empty, mutable, replaceable by anything", async () => {
    const { io, socket } = await startPair(implementation);
    expect(socket.data).toEqual({});
    socket.data.user = "alice";
    expect((await io.fetchSockets())[0]?.data).toEqual({ user: "alice" });
    const proxied = new Proxy({} as Record<string, unknown>, { get: () => "from the proxy" });
    socket.data = proxied;
    expect(socket.data).toBe(proxied);
    socket.data = "text";
    expect(socket.data).toBe("text");
  });

  it("client ties socket, connection and server together", async () => {
    const { io, socket } = await startPair(implementation);
    const client = internals(socket.client);
    expect(client.conn).toBe(socket.conn);
    expect(client.id).toBe(internals(socket.conn).id);
    expect(client.server).toBe(io);
    expect(client.request).toBe(socket.request);
    expect(client.sockets.get(socket.id)).toBe(socket);
    expect(client.nsps.get("/")).toBe(socket);
    client.user = "anything may be put on it";
    expect(internals(socket.client).user).toBeDefined();
  });

  it("a socket is an EventEmitter that takes any property, and has no readyState", async () => {
    const { io, socket } = await startPair(implementation);
    expect(socket).toBeInstanceOf(EventEmitter);
    expect(socket).toBeInstanceOf(implementation.Socket);
    expect(socket.nsp).toBe(io.of("/"));
    expect(internals(socket).server).toBe(io);
    expect(internals(socket).adapter).toBe(io.of("/").adapter);
    expect(internals(socket).readyState).toBeUndefined();
    internals(socket).custom = { a: 1 };
    expect(internals(socket).custom).toEqual({ a: 1 });
    expect(internals(socket).acks).toBeInstanceOf(Map);
    expect(internals(socket).fns).toEqual([]);
    expect(socket.recovered).toBe(false);
  });

  it("request may be deleted or nulled, and later handshakes have empty values", async () => {
    const running = await startServer(implementation);
    running.io.of("/late");
    for (const take of ["delete", "null"]) {
      const { socket, client } = await joinPair(running);
      const first = socket.handshake;
      if (take === "delete") {
        delete internals(socket.conn).request;
      } else {
        internals(socket.conn).request = null;
      }
      expect(socket.request ?? null).toBeNull();
      expect(socket.handshake).toBe(first);
      expect(first.headers.host).toBeDefined();
      const late = await joinOver(running, client, "/late");
      expect(late.socket.handshake.headers).toEqual({});
      expect(late.socket.handshake.query).toEqual({});
    }
  });

  it("headers that the HTTP server has cut off are not in the handshake either", async () => {
    const running = await startServer(implementation);
    running.httpServer.maxHeadersCount = 6; // the five of the opening handshake, and one more
    const headers = { "X-Sixth": "6", "X-Seventh": "7" };
    const refusal = await RawWebSocket.join(running.port, { headers }).then(
      () => "",
      (error: Error) => error.message,
    );
    if (refusal !== "") {
      // So do newer releases of Node, which cut nothing off any more.
      expect(refusal).toContain("HTTP/1.1 431 Request Header Fields Too Large");
      return;
    }
    const [socket] = running.io.sockets.sockets.values();
    expect(socket?.handshake.headers).toMatchObject({ "x-sixth": "6", upgrade: "websocket" });
    expect(socket?.handshake.headers).not.toHaveProperty("x-seventh");
    expect(socket?.request.headers).toBe(socket?.handshake.headers);
    expect(socket?.request.headersDistinct).not.toHaveProperty("x-seventh");
    expect(socket?.request.rawHeaders).toContain("X-Seventh");
  });

  it("handshake and data are still there after the disconnection", async () => {
    const { socket, client } = await startPair(implementation, {}, { auth: { a: 1 } });
    socket.data.kept = true;
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(socket.handshake.auth).toEqual({ a: 1 });
    expect(socket.data).toEqual({ kept: true });
    expect(socket.id).toMatch(/^[\w-]{20}$/);
  });

  it("request may be gone before the first handshake", async () => {
    const running = await startServer(implementation);
    running.io.engine.on("connection", (conn: { request?: unknown }) => {
      delete conn.request;
    });
    for (const transports of [["polling"], ["websocket"]]) {
      const { socket, client } = await joinPair(running, "/", { transports, auth: { a: 1 } });
      expect(socket.request).toBeUndefined();
      const { headers, query, auth, secure, xdomain, url } = socket.handshake;
      expect([headers, query, auth, secure, xdomain, url]).toEqual([
        ...[{}, {}, { a: 1 }, true],
        ...[false, undefined],
      ]);
      expect(socket.handshake.address).toMatch(/127\.0\.0\.1$/);
      await settleDown(socket, client);
    }
  });
});
