// Who has the last word on the headers of a handshake: cookie option, middlewares and header events, on a poll's answer
// and on the 101; and what the response that middlewares see on an upgrade does with what they write to it.

import type { ServerResponse } from "node:http";
import type { ServerOptions } from "socket.io";
import { type BareEngine, startBareEngine } from "../harness/bare-engine";
import { eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, request } from "../harness/raw-http";
import { openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startServer } from "../harness/servers";

type Headers = Record<string, string>;
type Middleware = (req: unknown, res: ServerResponse, next: (error?: Error) => void) => void;

const POLLING = "/socket.io/?EIO=4&transport=polling";

async function startWith(
  implementation: Implementation,
  options: object,
  middleware?: Middleware,
): Promise<BareEngine> {
  const server = await startBareEngine(implementation, options as Partial<ServerOptions>);
  if (middleware !== undefined) {
    server.engine.use(middleware as never);
  }
  return server;
}

describeBoth("engine headers", (implementation) => {
  it("the cookie is there before initial_headers, which may add another", async () => {
    const { engine, port } = await startWith(implementation, { cookie: true });
    engine.on("initial_headers", (headers: Headers) => {
      headers["set-cookie"] = "mine=1";
    });
    const { headers, text } = await request(port, { path: POLLING });
    const { sid } = JSON.parse(text.slice(1));
    expect(headers["set-cookie"]).toEqual([`io=${sid}; Path=/; HttpOnly; SameSite=Lax`, "mine=1"]);
  });

  it("the cookie's value is percent-encoded, any truthy httpOnly counts, and path: false leaves the path out", async () => {
    const { engine, port } = await startWith(implementation, {
      cookie: { name: "own", httpOnly: "yes", path: false },
    });
    (engine as any).generateId = () => "a b;c";
    const { headers } = await request(port, { path: POLLING });
    expect(headers["set-cookie"]).toEqual(["own=a%20b%3Bc; HttpOnly; SameSite=Lax"]);
  });

  it("on polling a header event replaces a middleware's header, whatever its case", async () => {
    const { engine, port } = await startWith(implementation, {}, (_req, res, next) => {
      res.setHeader("Set-Cookie", ["a=1", "b=2"]);
      res.setHeader("X-Kept", "1");
      next();
    });
    engine.on("headers", (headers: Headers) => {
      headers["set-cookie"] = "c=3";
    });
    const { headers } = await request(port, { path: POLLING });
    expect([headers["set-cookie"], headers["x-kept"]]).toEqual([["c=3"], "1"]);
  });

  it("a transport's listener of headers that is set in connection comes behind the server's, a prepended one before it", async () => {
    const { engine, port } = await startWith(implementation, {});
    const told: string[] = [];
    engine.on("headers", (headers: Headers) => {
      told.push("server");
      headers["x-told"] = "server";
    });
    engine.on("connection", ({ transport }: any) => {
      transport.on("headers", (headers: Headers, req: { method: string }) => {
        told.push(`behind ${req.method} ${headers["x-told"]}`);
        headers["x-told"] = "behind";
      });
      transport.prependListener("headers", (headers: Headers) => {
        told.push(`before ${headers["x-told"]}`);
      });
    });
    const peer = await PollingPeer.open(port);
    const { headers } = await peer.post("4hi");
    expect(headers["x-told"]).toBe("behind");
    expect(told).toEqual(["server", "before undefined", "server", "behind POST server"]);
  });

  it("the way of a client that upgrades gives one initial_headers and at least three headers", async () => {
    const running = await startServer(implementation);
    const counts = { initial_headers: 0, headers: 0 };
    for (const event of ["initial_headers", "headers"] as const) {
      running.io.engine.on(event, () => {
        counts[event] += 1;
      });
    }
    const upgraded = new Promise<void>((resolve) => {
      running.io.engine.once("connection", (session: any) => session.once("upgrade", resolve));
    });
    await joinPair(running, "/", { transports: ["polling", "websocket"] });
    await upgraded;
    expect(counts.initial_headers).toBe(1);
    expect(counts.headers).toBeGreaterThanOrEqual(3);
  });

  it("a middleware that fails after it has sent headers has its answer ended as it is", async () => {
    const { engine, port } = await startWith(implementation, {}, (_req, res, next) => {
      res.writeHead(418, { "X-Mine": "1" });
      next(new Error("too late"));
    });
    const refused = once(engine, "connection_error");
    const { status, headers, text } = await request(port, { path: POLLING });
    expect([status, headers["x-mine"], text]).toEqual([418, "1", ""]);
    expect((await refused)[0].code).toBe(3);
  });

  it("a middleware starts later than the listeners of its request", async () => {
    const log: string[] = [];
    const { httpServer, port } = await startWith(implementation, {}, (_req, _res, next) => {
      log.push("middleware");
      next();
    });
    httpServer.on("request", () => log.push("listener"));
    await PollingPeer.open(port);
    expect(log).toEqual(["listener", "middleware"]);
  });

  it("a 101 has its header events though its WebSocket is closed at once", async () => {
    const { engine, port } = await startWith(implementation, {});
    const told: string[] = [];
    for (const event of ["initial_headers", "headers"]) {
      engine.on(event, () => told.push(event));
    }
    const noTransport = await RawWebSocket.open(port, { path: POLLING });
    expect(await noTransport.expectClose()).toBeUndefined();
    expect(told.splice(0)).toEqual(["initial_headers", "headers"]);
    const polling = await PollingPeer.open(port);
    const path = polling.target("websocket");
    const candidate = await RawWebSocket.open(port, { path });
    told.splice(0);
    const second = await RawWebSocket.open(port, { path });
    expect(await second.expectClose()).toBeUndefined();
    expect(told).toEqual(["headers"]);
    candidate.stream.destroy();
  });

  it("the response of an upgrade tells close when the connection has closed, refused or left by its client, and no finish", async () => {
    const told: string[] = [];
    const { port, nextSession } = await startWith(implementation, {}, (_req, res, next) => {
      res.on("finish", () => told.push("finish"));
      res.on("close", () => told.push("close"));
      next();
    });
    await exchange(port, openingHandshake({ path: "/socket.io/?EIO=4&transport=unknown" }));
    await eventually(() => told.length > 0, "the end of what was refused was not told");
    const opened = nextSession();
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0\{/);
    const session = await opened;
    const heard = once(session, "message");
    peer.send("4x");
    await heard;
    expect(told).toEqual(["close"]);
    peer.stream.destroy();
    await eventually(() => told.length > 1, "the end of the session was not told");
    expect(told).toEqual(["close", "close"]);
  });

  it("the response of an upgrade tells names apart by case, and writes nothing but headers", async () => {
    const seen: unknown[] = [];
    const { port } = await startWith(implementation, {}, (req: any, res, next) => {
      res.setHeader("X-Mine", "1");
      seen.push(res.getHeader("X-Mine"), res.getHeader("x-mine"));
      seen.push(res.req === req, res.socket === req.socket);
      res.write("no such body");
      res.writeHead(500);
      next();
    });
    const peer = await RawWebSocket.open(port);
    expect(peer.head.split("\r\n").at(-1)).toBe("X-Mine: 1");
    await peer.expectText(/^0\{/);
    expect(seen).toEqual(["1", undefined, true, true]);
  });
});
