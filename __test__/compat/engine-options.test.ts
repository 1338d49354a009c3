// What users do at the engine's door: middlewares, header events, CORS, allowRequest, connection_error.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerOptions } from "socket.io";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, request } from "../harness/raw-http";
import { openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startServer } from "../harness/servers";

const POLLING = "/socket.io/?EIO=4&transport=polling";

type Middleware = (
  req: IncomingMessage & Record<string, any>,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

async function startWith(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
  ...middlewares: Middleware[]
) {
  const running = await startServer(implementation, options);
  for (const middleware of middlewares) {
    running.io.engine.use(middleware);
  }
  return running;
}

describeBoth("engine options", (implementation) => {
  it("middlewares run in order, for every request and for upgrades, before anything is checked", async () => {
    const log: string[] = [];
    const running = await startWith(
      implementation,
      {},
      (req, _res, next) => {
        log.push(`first ${req.method} ${req._query.sid === undefined}`);
        next();
      },
      (_req, _res, next) => {
        log.push("second");
        setImmediate(next);
      },
    );
    const peer = await PollingPeer.open(running.port);
    await peer.send("40");
    await RawWebSocket.open(running.port);
    await request(running.port, { path: "/socket.io/?transport=unknown" });
    expect(log).toEqual([
      ...["first GET true", "second"],
      ...["first POST false", "second"],
      ...["first GET true", "second"],
      ...["first GET true", "second"],
    ]);
  });

  it("what a middleware puts on the request is found on socket.request", async () => {
    const running = await startWith(implementation, {}, (req, _res, next) => {
      req.user = { name: "alice" };
      next();
    });
    for (const transports of [["polling"], ["websocket"]]) {
      const { socket } = await joinPair(running, "/", { transports });
      expect((socket.request as any).user).toEqual({ name: "alice" });
    }
  });

  it("headers that a middleware sets are in the polling answer and in the 101", async () => {
    const running = await startWith(implementation, {}, (_req, res, next) => {
      res.setHeader("X-Mine", "1");
      expect(res.getHeader("X-Mine")).toBe("1");
      res.setHeader("X-Removed", "1");
      res.removeHeader("X-Removed");
      next();
    });
    const response = await request(running.port, { path: POLLING });
    expect(response.headers["x-mine"]).toBe("1");
    expect(response.headers["x-removed"]).toBeUndefined();
    const { head } = await RawWebSocket.open(running.port);
    expect(head.split("\r\n")).toContain("X-Mine: 1");
    expect(head).not.toContain("X-Removed");
  });

  it("res.writeHead is called before the 101, so that wrappers can add their headers", async () => {
    const running = await startWith(implementation, {}, (_req, res, next) => {
      const { writeHead } = res;
      res.writeHead = function (this: ServerResponse, ...args: any[]) {
        res.setHeader("X-Late", "yes");
        return (writeHead as any).apply(this, args);
      };
      next();
    });
    expect((await RawWebSocket.open(running.port)).head).toContain("X-Late: yes");
  });

  it("a middleware may answer itself", async () => {
    const running = await startWith(implementation, {}, (_req, res) => {
      res.statusCode = 503;
      res.end("closed for today");
    });
    const response = await request(running.port, { path: POLLING });
    expect([response.status, response.text]).toEqual([503, "closed for today"]);
    expect(await exchange(running.port, openingHandshake())).toBe("");
    expect(running.io.engine.clientsCount).toBe(0);
  });

  const failures: [string, Middleware][] = [
    ["next(error)", (_req, _res, next) => next(new Error("refused"))],
    [
      "a throw",
      () => {
        throw new Error("thrown");
      },
    ],
    ["a rejection", (async () => Promise.reject(new Error("rejected"))) as Middleware],
  ];
  for (const [title, middleware] of failures) {
    it(`${title} in a middleware is a bad request, over HTTP and for upgrades`, async () => {
      const running = await startWith(implementation, {}, middleware);
      const refused = once(running.io.engine, "connection_error");
      const response = await request(running.port, { path: POLLING });
      expect([response.status, response.text]).toEqual([400, '{"code":3,"message":"Bad request"}']);
      expect((await refused)[0]).toMatchObject({
        code: 3,
        context: { name: "MIDDLEWARE_FAILURE" },
      });
      expect(await exchange(running.port, openingHandshake())).toMatch(
        /^HTTP\/1\.1 400 Bad Request\r\n.*Bad request$/s,
      );
    });
  }

  it("a middleware that calls next twice goes on once", async () => {
    const log: string[] = [];
    const running = await startWith(
      implementation,
      {},
      (_req, _res, next) => {
        next();
        next();
      },
      (_req, _res, next) => {
        log.push("second");
        next();
      },
    );
    await PollingPeer.open(running.port);
    expect(log).toEqual(["second"]);
  });

  it("initial_headers and headers fire for the first answer, headers for the others, on a mutable object", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    running.io.engine.on(
      "initial_headers",
      (headers: Record<string, string>, req: IncomingMessage) => {
        log.push(`initial ${req.method}`);
        headers["x-initial"] = "1";
        headers["set-cookie"] = "mine=1";
      },
    );
    running.io.engine.on("headers", (headers: Record<string, string>, req: IncomingMessage) => {
      log.push(`headers ${req.method}`);
      headers["x-each"] = "1";
    });
    const peer = new PollingPeer(running.port);
    const first = await peer.handshake();
    peer.sid = JSON.parse(first.text.slice(1)).sid;
    expect([first.headers["x-initial"], first.headers["x-each"]]).toEqual(["1", "1"]);
    expect(first.headers["set-cookie"]).toEqual(["mine=1"]);
    const second = await peer.post("40");
    expect([second.headers["x-initial"], second.headers["x-each"]]).toEqual([undefined, "1"]);
    expect(log).toEqual(["initial GET", "headers GET", "headers POST"]);
    const upgrade = await RawWebSocket.open(running.port, { path: peer.target("websocket") });
    expect(upgrade.head).toContain("x-each: 1");
    expect(upgrade.head).not.toContain("x-initial");
    const direct = await RawWebSocket.open(running.port);
    expect(direct.head).toContain("x-initial: 1");
    expect(log.slice(3)).toEqual(["headers GET", "initial GET", "headers GET"]);
  });

  it("header events do not fire for refusals", async () => {
    const running = await startServer(implementation);
    const log: string[] = [];
    for (const name of ["initial_headers", "headers"]) {
      running.io.engine.on(name, () => log.push(name));
    }
    const statuses: number[] = [];
    for (const query of [
      "transport=unknown",
      "EIO=4&transport=polling&sid=nobody",
      "EIO=3&transport=polling",
    ]) {
      statuses.push((await request(running.port, { path: `/socket.io/?${query}` })).status);
    }
    const upgrade = openingHandshake({ path: "/socket.io/?EIO=4&transport=websocket&sid=nobody" });
    expect(await exchange(running.port, upgrade)).toMatch(/^HTTP\/1\.1 400 /);
    expect(statuses).toEqual([400, 400, 400]);
    expect(log).toEqual([]);
  });

  it("cors with a fixed origin echoes it and answers preflights", async () => {
    const running = await startServer(implementation, {
      cors: { origin: "http://a.example", methods: ["GET", "POST"], credentials: true },
    });
    const response = await request(running.port, {
      path: POLLING,
      headers: { Origin: "http://a.example" },
    });
    expect(response.headers["access-control-allow-origin"]).toBe("http://a.example");
    expect(response.headers["access-control-allow-credentials"]).toBe("true");
    expect(response.headers.vary).toBe("Origin");
    const preflight = await request(running.port, {
      method: "OPTIONS",
      path: "/socket.io/?EIO=4&transport=polling&sid=unknown",
      headers: { Origin: "http://a.example", "Access-Control-Request-Method": "POST" },
    });
    expect([preflight.status, preflight.text]).toEqual([204, ""]);
    expect(preflight.headers["access-control-allow-methods"]).toBe("GET,POST");
    expect(preflight.headers["content-length"]).toBe("0");
  });

  it("cors is told on refusals and on the 101 too", async () => {
    const running = await startServer(implementation, { cors: { origin: "*" } });
    const refused = await request(running.port, { path: "/socket.io/?transport=unknown" });
    expect(refused.status).toBe(400);
    expect(refused.headers["access-control-allow-origin"]).toBe("*");
    expect((await RawWebSocket.open(running.port)).head).toContain(
      "Access-Control-Allow-Origin: *",
    );
  });

  for (const [title, origin] of [
    ["a list", ["http://a.example", "http://b.example"]],
    ["a regex", /\.example$/],
    ["a function", (from: string, done: any) => done(null, from === "http://b.example")],
  ] as const) {
    it(`cors may match the origin by ${title}`, async () => {
      const running = await startServer(implementation, { cors: { origin: origin as never } });
      const allowed = await request(running.port, {
        path: POLLING,
        headers: { Origin: "http://b.example" },
      });
      expect(allowed.headers["access-control-allow-origin"]).toBe("http://b.example");
      const other = await request(running.port, {
        path: POLLING,
        headers: { Origin: "http://c.other" },
      });
      expect(other.headers["access-control-allow-origin"]).toBeUndefined();
      expect(other.status).toBe(200);
    });
  }

  it("without cors no such header is sent", async () => {
    const running = await startServer(implementation);
    const response = await request(running.port, {
      path: POLLING,
      headers: { Origin: "http://a.example" },
    });
    expect(Object.keys(response.headers).join()).not.toContain("access-control");
  });

  it("allowRequest may let through by header, and refused clients see connect_error", async () => {
    const running = await startServer(implementation, {
      allowRequest: (req, callback) => callback(null, req.headers.authorization === "right"),
    });
    await joinPair(running, "/", { extraHeaders: { Authorization: "right" } });
    for (const transports of [["polling"], ["websocket"]]) {
      const [error] = await once(running.connect("/", { transports }), "connect_error");
      expect(error).toBeInstanceOf(Error);
    }
  });

  it("connection_error tells the request, a code, a message and a context", async () => {
    const running = await startServer(implementation);
    const refused = once(running.io.engine, "connection_error");
    await request(running.port, { path: "/socket.io/?EIO=4&transport=polling&sid=gone" });
    const [error] = await refused;
    expect(Object.keys(error).sort()).toEqual(["code", "context", "message", "req"]);
    expect(error.req.headers.host).toBe(`127.0.0.1:${running.port}`);
    expect(error.context).toEqual({ sid: "gone" });
  });

  it("the engine's options stay readable, defaults included", async () => {
    const { io } = await startServer(implementation, {
      pingTimeout: 1_234,
      custom: "kept",
    } as never);
    expect((io.engine as any).opts).toMatchObject({
      pingTimeout: 1_234,
      pingInterval: 25_000,
      upgradeTimeout: 10_000,
      maxHttpBufferSize: 1e6,
      transports: ["polling", "websocket"],
      allowUpgrades: true,
      httpCompression: { threshold: 1_024 },
      cors: false,
      allowEIO3: false,
      custom: "kept",
    });
  });

  it("a session that is opened later uses the options as they are then", async () => {
    const { io, port } = await startServer(implementation);
    (io.engine as any).opts.pingInterval = 4_321;
    expect((await new PollingPeer(port).open()).pingInterval).toBe(4_321);
  });

  it("a session is counted off whatever its id, __proto__ too", async () => {
    const { io, port } = await startServer(implementation);
    const { engine } = io as any;
    engine.generateId = () => "__proto__";
    const connection = once(engine, "connection");
    const peer = await RawWebSocket.open(port);
    const [session] = await connection;
    expect(engine.clientsCount).toBe(1);
    const close = once(session, "close");
    peer.stream.destroy();
    await close;
    expect(engine.clientsCount).toBe(0);
  });
});
