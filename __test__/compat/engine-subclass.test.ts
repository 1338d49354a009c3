// A server of one's own that extends the engine's: what it overrides is asked wherever the engine asks it.

import { createServer } from "node:http";
import { engineModule, type RunningEngine, startEngine } from "../harness/engine-modules";
import { deferred, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, request, startRequest } from "../harness/raw-http";
import { openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { listenOnFreePort } from "../harness/servers";

const PATH = "/engine.io/";
const POLLING = `${PATH}?EIO=4&transport=polling`;
const WEBSOCKET = `${PATH}?EIO=4&transport=websocket`;

describeBoth("engine subclass", (implementation) => {
  // The types call half of what is overridden here private.
  const Base = engineModule(implementation.name).Server as any;

  /** Starts an engine of the class. */
  const start = (Own: any, options = {}): Promise<RunningEngine> =>
    startEngine(implementation.name, options, () => new Own(options));

  const openBoth = async (port: number): Promise<[PollingPeer, RawWebSocket]> => [
    await PollingPeer.open(port, { path: PATH }),
    await RawWebSocket.open(port, { path: WEBSOCKET }),
  ];

  it("_computePath decides what is captured", async () => {
    class Own extends Base {
      _computePath(options: { path?: string }): string {
        return `/v1${super._computePath(options)}`;
      }
    }
    const { port } = await start(Own);
    await PollingPeer.open(port, { path: "/v1/engine.io/" });
    await RawWebSocket.open(port, { path: `/v1${WEBSOCKET}` });
  });

  it("prepare is called for every request, and its query is the one that counts", async () => {
    const prepared: string[] = [];
    class Own extends Base {
      prepare(req: any): void {
        prepared.push(`${req.method} ${req.headers.upgrade ?? "-"}`);
        req._query = { EIO: "4", transport: "polling" };
        super.prepare(req);
        if (req.headers.upgrade !== undefined) {
          req._query.transport = "websocket";
        }
      }
    }
    const { engine, port } = await start(Own);
    const connection = once(engine, "connection");
    expect((await request(port, { path: PATH })).text).toMatch(/^0\{/);
    expect((await connection)[0].request._query).toEqual({ EIO: "4", transport: "polling" });
    await RawWebSocket.open(port, { path: PATH });
    expect(prepared).toEqual(["GET -", "GET websocket"]);
  });

  it("verify may refuse with code and context, on requests and on upgrades", async () => {
    class Own extends Base {
      verify(req: any, isUpgrade: boolean, callback: any): void {
        if (req.headers["x-pass"] === undefined) {
          callback(Base.errors.FORBIDDEN, { message: `no pass, ${isUpgrade}` });
        } else {
          super.verify(req, isUpgrade, callback);
        }
      }
    }
    const { engine, port } = await start(Own);
    const refusals: unknown[] = [];
    engine.on("connection_error", ({ code, message, context }: any) =>
      refusals.push([code, message, context]),
    );
    const refused = await request(port, { path: POLLING });
    expect([refused.status, refused.text]).toEqual([403, '{"code":4,"message":"no pass, false"}']);
    expect(await exchange(port, openingHandshake({ path: WEBSOCKET }))).toContain("no pass, true");
    expect(refusals).toEqual([
      [4, "Forbidden", { message: "no pass, false" }],
      [4, "Forbidden", { message: "no pass, true" }],
    ]);
    const headers = { "X-Pass": "1" };
    await PollingPeer.open(port, { path: PATH, headers });
    await RawWebSocket.open(port, { path: WEBSOCKET, headers });
  });

  for (const [title, generateId] of [
    ["at once", (count: number) => `id-${count}`],
    ["later", (count: number) => Promise.resolve(`id-${count}`)],
  ] as [string, (count: number) => unknown][]) {
    it(`generateId gives the id ${title}, and is shown the request`, async () => {
      const urls: string[] = [];
      class Own extends Base {
        generateId(req: any): unknown {
          urls.push(req._query.transport);
          return generateId(urls.length);
        }
      }
      const { engine, port } = await start(Own);
      const [peer, socket] = await openBoth(port);
      expect(peer.sid).toBe("id-1");
      await socket.expectText(/^0\{"sid":"id-2"/);
      expect([urls, Object.keys(engine.clients)]).toEqual([
        ["polling", "websocket"],
        ["id-1", "id-2"],
      ]);
    });
  }

  for (const [title, fail] of [
    [
      "throws",
      () => {
        throw new Error("no ids left");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no ids left"))],
  ] as [string, () => unknown][]) {
    it(`a generateId that ${title} refuses the handshake`, async () => {
      class Own extends Base {
        generateId(): unknown {
          return fail();
        }
      }
      const { engine, port } = await start(Own);
      const refusal = once(engine, "connection_error");
      expect((await request(port, { path: POLLING })).text).toBe(
        '{"code":3,"message":"Bad request"}',
      );
      const [{ code, context }] = await refusal;
      expect([code, context.name, context.error.message]).toEqual([
        3,
        "ID_GENERATION_ERROR",
        "no ids left",
      ]);
    });
  }

  it("upgrades decides what the open packet offers", async () => {
    class Own extends Base {
      upgrades(): string[] {
        return [];
      }
    }
    const { port } = await start(Own);
    expect((await new PollingPeer(port, { path: PATH }).open()).upgrades).toEqual([]);
  });

  it("handshake is asked once for each session, with the name of its transport, and may wait", async () => {
    const names: string[] = [];
    class Own extends Base {
      async handshake(name: string, req: any, closeConnection: any): Promise<unknown> {
        names.push(`${name} ${req._query.transport} ${typeof closeConnection}`);
        await new Promise(setImmediate);
        const transport = await super.handshake(name, req, closeConnection);
        names.push(transport.name);
        return transport;
      }
    }
    const { engine, port } = await start(Own);
    const [peer, socket] = await openBoth(port);
    await socket.expectText(/^0\{/);
    await peer.send("4a");
    expect(engine.clientsCount).toBe(2);
    expect(names).toEqual([
      "polling polling function",
      "polling",
      "websocket websocket function",
      "websocket",
    ]);
  });

  it("handshake may refuse", async () => {
    class Own extends Base {
      async handshake(_name: string, _req: any, closeConnection: any): Promise<void> {
        closeConnection(Base.errors.FORBIDDEN, { message: "full" });
      }
    }
    const { engine, port } = await start(Own);
    const { status, text } = await request(port, { path: POLLING });
    expect([status, text]).toEqual([403, '{"code":4,"message":"full"}']);
    expect(await exchange(port, openingHandshake({ path: WEBSOCKET }))).toContain("full");
    expect(engine.clientsCount).toBe(0);
  });

  it("createTransport may change the transport of a polling session", async () => {
    class Own extends Base {
      createTransport(name: string, req: any): any {
        const transport = super.createTransport(name, req);
        if (name === "polling") {
          transport.closeTimeout = 20;
        }
        return transport;
      }
    }
    const { engine, port } = await start(Own);
    const connection = once(engine, "connection");
    await PollingPeer.open(port, { path: PATH });
    const [session] = await connection;
    session.transport.closeTimeout = 20;
    const closed = once(session, "close", 1_000);
    session.close();
    expect((await closed)[0]).toBe("forced close");
  });

  it("a createTransport that throws refuses a polling handshake", async () => {
    class Own extends Base {
      createTransport(): any {
        throw new Error("no transport");
      }
    }
    const { engine, port } = await start(Own);
    const refusal = once(engine, "connection_error");
    expect((await request(port, { path: POLLING })).text).toBe(
      '{"code":3,"message":"Bad request"}',
    );
    const [{ context }] = await refusal;
    expect([context.name, context.error.message]).toEqual([
      "TRANSPORT_HANDSHAKE_ERROR",
      "no transport",
    ]);
  });

  it("_applyMiddlewares stands before every request", async () => {
    const calls: string[] = [];
    class Own extends Base {
      _applyMiddlewares(req: any, res: any, callback: any): void {
        calls.push(req.method);
        res.setHeader("X-Own", "1");
        super._applyMiddlewares(
          req,
          res,
          calls.length > 2 ? () => callback(new Error("no")) : callback,
        );
      }
    }
    const { port } = await start(Own);
    const response = await request(port, { path: POLLING });
    expect(response.headers["x-own"]).toBe("1");
    const { head } = await RawWebSocket.open(port, { path: WEBSOCKET });
    expect(head).toContain("X-Own: 1");
    expect((await request(port, { path: POLLING })).status).toBe(400);
    expect(calls).toEqual(["GET", "GET", "GET"]);
  });

  it("init is called by the constructor and when the http server listens, cleanup when the engine closes", async () => {
    const calls: string[] = [];
    class Own extends Base {
      init(): void {
        super.init();
        calls.push(`init ${this.ws !== undefined}`);
      }
      cleanup(): void {
        super.cleanup();
        calls.push("cleanup");
      }
    }
    const httpServer = createServer();
    const { engine } = await startEngine(
      implementation.name,
      {},
      () => new Own() as any,
      httpServer,
    );
    expect(calls).toEqual(["init true", "init true"]);
    engine.close();
    expect(calls.slice(2)).toEqual(["cleanup"]);
    const closed = once(httpServer, "close");
    httpServer.close();
    await closed;
    await listenOnFreePort(httpServer);
    expect(calls.slice(3)).toEqual(["cleanup", "init true"]);
  });

  it("handleRequest and handleUpgrade may be wrapped", async () => {
    const calls: string[] = [];
    class Own extends Base {
      handleRequest(req: any, res: any): void {
        calls.push(`request ${req.method}`);
        super.handleRequest(req, res);
      }
      handleUpgrade(req: any, socket: any, head: Buffer): void {
        calls.push(`upgrade ${head.length}`);
        super.handleUpgrade(req, socket, head);
      }
    }
    const { port } = await start(Own);
    await openBoth(port);
    expect(calls).toEqual(["request GET", "upgrade 0"]);
  });

  it("listeners that createTransport has set come before the engine's, and hear every packet", async () => {
    const told: string[] = [];
    class Own extends Base {
      createTransport(name: string, req: unknown): any {
        const transport = super.createTransport(name, req);
        transport.on("headers", () => told.push("transport"));
        transport.on("packet", ({ data }: { data: string }) => told.push(data));
        return transport;
      }
    }
    const { engine, port } = await start(Own);
    engine.on("headers", () => told.push("server"));
    const peer = await PollingPeer.open(port, { path: PATH });
    await peer.post("4hi");
    expect(told).toEqual(["transport", "server", "hi", "transport", "server"]);
  });

  it("on polling super.handshake resolves behind the headers and connection", async () => {
    const told: string[] = [];
    class Own extends Base {
      async handshake(...given: unknown[]): Promise<any> {
        const transport = await super.handshake(...given);
        told.push(`opened ${transport.name}`);
        return transport;
      }
    }
    const { engine, port } = await start(Own);
    for (const event of ["initial_headers", "headers", "connection"]) {
      engine.on(event, () => told.push(event));
    }
    await PollingPeer.open(port, { path: PATH });
    expect(told).toEqual(["initial_headers", "headers", "connection", "opened polling"]);
  });

  it("super.handshake rejects with what a listener of the headers throws", async () => {
    const told = deferred<unknown>();
    class Own extends Base {
      createTransport(name: string, req: unknown): any {
        return Object.assign(super.createTransport(name, req), { closeTimeout: 50 });
      }

      async handshake(...given: unknown[]): Promise<any> {
        try {
          return await super.handshake(...given);
        } catch (error) {
          told.resolve(error);
        }
      }
    }
    // engine.io keeps a session that nobody can reach until its deadline.
    const { engine, port } = await start(Own, { pingInterval: 50, pingTimeout: 50 });
    engine.on("headers", () => {
      throw new Error("no headers");
    });
    startRequest(port, { path: POLLING }).send();
    expect(await told.promise).toEqual(new Error("no headers"));
  });

  it("super.handshake resolves for a client that has gone before its answer", async () => {
    const told = deferred<unknown>();
    class Own extends Base {
      async handshake(name: string, req: any, refuse: unknown): Promise<any> {
        const opened = super.handshake(name, req, refuse);
        req.socket.destroy();
        told.resolve((await opened)?.name);
      }
    }
    const { port } = await start(Own);
    startRequest(port, { path: POLLING }).send();
    expect(await told.promise).toBe("polling");
  });
});
