/** The options of the engine, ids, and the other parts that need neither a stream nor a core. */
import { EventEmitter } from "node:events";
import { createServer, type Server as HttpServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import * as reference from "engine.io";
import { attach, listen, protocol, Server, Socket } from "../../lib/engine";
import { computePath } from "../../lib/engine/attach";
import { FakeLink } from "./fake-link";

describe("engine: options", () => {
  it("has the defaults of engine.io", () => {
    const { opts } = new Server();
    const expected: any = new reference.Server().opts;
    expect(typeof expected.wsEngine).toBe("function");
    expect(opts).toEqual({ ...expected, wsEngine: expect.any(Function) });
  });

  it("takes an explicit undefined as the default, numeric strings as numbers, and keeps unknown keys", () => {
    const { opts } = new Server({
      pingInterval: undefined,
      pingTimeout: "300" as any,
      maxHttpBufferSize: Number.POSITIVE_INFINITY,
      transports: "websocket" as any,
      tobi: 1,
    } as any);
    expect(opts).toMatchObject({
      pingInterval: 25_000,
      pingTimeout: 300,
      maxHttpBufferSize: Number.POSITIVE_INFINITY,
      transports: ["websocket"],
      tobi: 1,
    });
  });

  it.each([
    ["pingInterval", -1],
    ["pingInterval", Number.NaN],
    ["pingInterval", 2 ** 31],
    ["pingTimeout", "soon"],
    ["pingTimeout", null],
    ["upgradeTimeout", {}],
    ["maxHttpBufferSize", "1MB"],
    ["transports", ["pigeon"]],
    ["transports", {}],
    ["allowRequest", true],
    ["carrier", "pigeon"],
  ])("refuses %s: %p by name", (name, value) => {
    expect(() => new Server({ [name]: value })).toThrow(
      expect.objectContaining({
        code: "SIO_RS_INVALID_OPTION",
        message: expect.stringContaining(`"${name}"`),
      }),
    );
  });

  it("refuses a cookie that cannot be serialised before the first client comes", () => {
    expect(() => new Server({ cookie: { name: "a b" } })).toThrow(/name/);
    expect(new Server({ cookie: true }).opts.cookie).toEqual({
      name: "io",
      path: "/",
      httpOnly: true,
      sameSite: "lax",
    });
  });

  it("an http server in the place of the options attaches nothing", () => {
    const server = createServer();
    new Server(server as any);
    expect(server.listeners("request")).toEqual([]);
  });
});

describe("engine: the server object", () => {
  it("has engine.io's statics and surface", () => {
    expect(Server.errors).toEqual(reference.Server.errors);
    expect(Server.errorMessages).toEqual(reference.Server.errorMessages);
    expect(protocol).toBe(reference.protocol);
    const engine = new Server();
    expect([engine.clients, engine.clientsCount, engine.middlewares]).toEqual([{}, 0, []]);
    expect(engine.ws).toBeTruthy();
    expect(new Server({ transports: ["polling"] }).ws).toBeUndefined();
    expect(engine.close()).toBe(engine);
    expect(engine.close()).toBe(engine);
  });

  it("upgrades() names what a transport can become", () => {
    const engine = new Server();
    expect(engine.upgrades("polling")).toEqual(["websocket", "webtransport"]);
    expect(engine.upgrades("websocket")).toEqual([]);
    expect(new Server({ allowUpgrades: false }).upgrades("polling")).toEqual([]);
  });

  it("ids are 20 characters, never twice the same, with a counter in the end", () => {
    const engine = new Server();
    const ids = Array.from({ length: 1000 }, () => engine.generateId({} as any) as string);
    expect(new Set(ids).size).toBe(1000);
    expect(ids.every((id) => /^[\w-]{20}$/.test(id))).toBe(true);
    const counters = ids.map((id) => Buffer.from(id, "base64url").readUIntBE(12, 3));
    expect(
      counters.every((counter, i) => i === 0 || counter === (counters[i - 1] as number) + 1),
    ).toBe(true);
  });

  it("sessions are EventEmitters that cost no table before the first listener", () => {
    const engine = new Server();
    FakeLink.under(engine);
    const socket: any = new Socket("id", engine, { _query: {}, socket: {} } as any, 4);
    expect(socket).toBeInstanceOf(EventEmitter);
    expect(socket._events).toBeUndefined();
    let seen = 0;
    socket.once("x", () => {
      seen += 1;
    });
    expect([socket.emit("x"), socket.emit("x"), seen]).toEqual([true, false, 1]);
  });

  it.each([
    [{}, "/engine.io/"],
    [{ path: "/a" }, "/a/"],
    [{ path: "/a/" }, "/a/"],
    [{ path: "/a/", addTrailingSlash: false }, "/a"],
  ])("the path of %j is %s", (options, path) => {
    expect(computePath(options)).toBe(path);
  });

  it("listen() answers 501 to everything else", async () => {
    const engine = await new Promise<Server>((resolve) => {
      const made = listen(0, () => resolve(made));
    });
    const server = engine.httpServer as HttpServer;
    const { port } = server.address() as AddressInfo;
    const [status, body] = await new Promise<[number | undefined, string]>((resolve) => {
      httpRequest({ port, path: "/" }, (res) => {
        let text = "";
        res.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        res.on("end", () => resolve([res.statusCode, text]));
      }).end();
    });
    expect([status, body]).toEqual([501, "Not Implemented"]);
    server.closeAllConnections();
    server.close();
  });

  it("several engines share one http server, each with its path", () => {
    const server = createServer();
    const seen: string[] = [];
    for (const path of ["/one", "/two"]) {
      attach(server, { path }).handleRequest = (req) => void seen.push(`${path} ${req.url}`);
    }
    server.on("request", () => {});
    server.emit("request", { url: "/one/?a" }, {});
    server.emit("request", { url: "/two/?a" }, {});
    server.emit("request", { url: "/two?a" }, {});
    expect(seen).toEqual(["/one /one/?a", "/two /two/?a"]);
  });
});
