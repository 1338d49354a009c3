/**
 * The handshake request of a session that has moved from polling to a WebSocket: it and its socket do not stay, unless somebody has been shown
 * them; what is made in their place is what they were.
 */
import { once } from "node:events";
import { createServer, type Server as HttpServer, type RequestListener } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { Server } from "../../lib/engine";
import * as inEngine from "../../lib/engine/in-engine";
import { DeferredRequest } from "../../lib/engine/unseen/deferred-request";
import { FakeLink } from "./fake-link";
import { immediate, upgrade } from "./fixture";
import { RawPeer } from "./raw";

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) {
    cleanup();
  }
});

interface Fixture {
  server: HttpServer;
  engine: Server;
  /** Opens a session by polling, on a connection that stays open. */
  open(headers?: string): Promise<{ peer: RawPeer; conn: any }>;
  /** Moves it to a WebSocket. */
  move(conn: any): Promise<void>;
}

async function start(listener?: RequestListener): Promise<Fixture> {
  const server = createServer(listener);
  const engine = new Server();
  const link = FakeLink.under(engine);
  engine.attach(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    for (const { sink } of link.streams) {
      sink.onConnEnded();
    }
    server.close();
    server.closeAllConnections();
  });
  const connect = async (): Promise<RawPeer> => {
    const peer = await RawPeer.connect(server);
    cleanups.push(() => peer.socket.destroy());
    return peer;
  };
  const open = async (headers = ""): Promise<{ peer: RawPeer; conn: any }> => {
    const connection = once(engine, "connection");
    const peer = await connect();
    peer.write(`${HANDSHAKE}${headers}\r\n`);
    const [conn] = await connection;
    await peer.until(/"sid"/);
    return { peer, conn };
  };
  const move = async (conn: any): Promise<void> => {
    const before = link.streams.length;
    (await connect()).write(upgrade(`transport=websocket&sid=${conn.id}`));
    while (link.streams.length === before) {
      await immediate();
    }
    conn[inEngine.onUpgraded](before);
    expect(conn.transport.name).toBe("websocket");
  };
  return { server, engine, open, move };
}

const HANDSHAKE = "GET /engine.io/?EIO=4&transport=polling&t=abc HTTP/1.1\r\nHost: x\r\n";

/** Whether another request would be made in place of the original. */
function isReleased(conn: any): boolean {
  return Reflect.get(conn[inEngine.request], "current") instanceof DeferredRequest;
}

async function endConnection(peer: RawPeer, server: HttpServer): Promise<void> {
  const before = await connections(server);
  peer.socket.destroy();
  while ((await connections(server)) === before) {
    await immediate();
  }
  await immediate();
}

function connections(server: HttpServer): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
}

/** Everything of a request that users look at. */
function factsOf(req: any): object {
  const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, upgrade, complete } = req;
  const { rawHeaders, headers, headersDistinct, rawTrailers, trailers, aborted, destroyed } = req;
  const { readable, readableEnded, readableLength, closed, errored, statusCode, _query } = req;
  return {
    ...{ method, url, httpVersion, httpVersionMajor, httpVersionMinor, upgrade, complete },
    ...{ rawHeaders, headers, headersDistinct, rawTrailers, trailers, aborted, destroyed },
    ...{ readable, readableEnded, readableLength, closed, errored, statusCode, _query },
    ...{ readableAborted: req.readableAborted, res: req.res },
    hasClient: req.client === req.socket,
  };
}

describe("engine: the answered request of an upgraded session", () => {
  it("is made again as it was", async () => {
    const { open, move } = await start();
    const headers = "Cookie: a=1\r\nX-A: b\r\nx-a: c\r\n";
    const seen = (await open(headers)).conn;
    const original = seen.request;
    const { conn } = await open(headers);
    await move(seen);
    await move(conn);
    expect([isReleased(seen), isReleased(conn)]).toEqual([false, true]);
    expect(seen.request).toBe(original);
    expect(factsOf(conn.request)).toEqual(factsOf(original));
    expect(conn.request).toBe(conn.request);
  });

  it("stays when it was shown, with its socket", async () => {
    const { server, open, move } = await start();
    const { peer, conn } = await open();
    const { request } = conn;
    const { socket } = request;
    await move(conn);
    await endConnection(peer, server);
    expect(conn.request).toBe(request);
    expect(conn.request.socket).toBe(socket);
  });

  it("keeps the headers and the query that were read of it", async () => {
    const { open, move } = await start();
    const { conn } = await open("x-a: b\r\n");
    const { headers, _query, url } = conn[inEngine.requestFacts];
    await move(conn);
    expect(isReleased(conn)).toBe(true);
    expect([conn[inEngine.requestFacts].headers, conn[inEngine.requestFacts]._query]).toEqual([
      headers,
      _query,
    ]);
    expect(conn.request.headers).toBe(headers);
    expect(conn.request._query).toBe(_query);
    expect([conn.request.url, conn[inEngine.requestFacts].url]).toEqual([url, url]);
  });

  it("has its own socket as long as that is open", async () => {
    const { server, open, move } = await start();
    const { peer, conn } = await open();
    await move(conn);
    const { socket } = conn.request;
    expect([socket.destroyed, socket.remotePort]).toEqual([false, peer.socket.localPort]);
    conn.request.destroy(); // it is over, so this does nothing
    await immediate();
    expect(socket.destroyed).toBe(false);
    await endConnection(peer, server);
    expect(conn.request.socket).toBe(socket);
    expect(socket.destroyed).toBe(true);
  });

  it("has a closed socket after that, which counts for nothing and tells nothing", async () => {
    const { server, open, move } = await start();
    const { peer, conn } = await open();
    const port = peer.socket.localPort;
    await move(conn);
    await endConnection(peer, server);
    const count = await connections(server);
    const { socket } = conn.request;
    let isTold = false;
    socket.on("close", () => {
      isTold = true;
    });
    const { destroyed, closed, remoteAddress, remotePort, localAddress } = socket;
    expect({ destroyed, closed, remoteAddress, remotePort, localAddress }).toEqual({
      destroyed: true,
      closed: true,
      remoteAddress: "127.0.0.1",
      remotePort: port,
      localAddress: undefined,
    });
    await immediate();
    expect(isTold).toBe(false);
    expect(await connections(server)).toBe(count);
  });

  it("has the socket that was shown with another request, though it has closed", async () => {
    const shown: NetSocket[] = [];
    const { server, open, move } = await start((req, res) => {
      shown.push(req.socket);
      res.end();
    });
    const { peer, conn } = await open();
    await move(conn);
    peer.received = "";
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await peer.until(/^HTTP\/1.1 200 OK/);
    await endConnection(peer, server);
    expect(shown).toHaveLength(1);
    expect(conn.request.socket).toBe(shown[0]);
  });

  it.each(["request", "checkContinue", "checkExpectation"])(
    "stays when somebody has listened to %s",
    async (event) => {
      const { server, open, move } = await start();
      server.on(event, () => {});
      const { conn } = await open();
      await move(conn);
      expect(isShownToSomebody(conn)).toBe(true);
    },
  );

  it("stays when a middleware was shown it", async () => {
    const { engine, open, move } = await start();
    let shown: unknown;
    engine.use((req, _res, next) => {
      shown ??= req;
      next();
    });
    const { conn } = await open();
    await move(conn);
    expect(conn.request).toBe(shown);
  });
});

/** Whether the session holds Node's request itself. */
function isShownToSomebody(conn: any): boolean {
  return conn[inEngine.request] === conn.request;
}
