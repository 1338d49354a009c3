/**
 * A request and a socket that nobody has been shown do not stay: others are made in their place when somebody asks. Here it is shown that
 * they are what the originals were, and that whoever was shown an original finds that very object again.
 */
import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, type Server as HttpServer, IncomingMessage } from "node:http";
import { Socket as NetSocket } from "node:net";
import { Server, type ServerOptions } from "../../lib/engine";
import { UnseenSocket } from "../../lib/engine/husk";
import * as inEngine from "../../lib/engine/in-engine";
import { internals } from "../harness/internals";
import { FakeLink } from "./fake-link";
import { immediate, upgrade } from "./fixture";
import { chooseCarriersHere } from "./own-carrier";
import { RawPeer } from "./raw";

chooseCarriersHere();

interface Fixture {
  server: HttpServer;
  engine: Server;
  link: FakeLink;
  /** Opens a session over WebSocket. */
  open(headers?: string): Promise<{ peer: RawPeer; conn: any }>;
}

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) {
    cleanup();
  }
});

/** As fixture.ts has it, but nobody listens to the connections of the server. */
async function start(options: ServerOptions = {}, server = createServer()): Promise<Fixture> {
  const engine = new Server(options);
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
  const open = async (headers = ""): Promise<{ peer: RawPeer; conn: any }> => {
    const connection = once(engine, "connection");
    const peer = await RawPeer.connect(server);
    cleanups.push(() => peer.socket.destroy());
    peer.write(upgrade("transport=websocket&a=1&b=", headers));
    const [conn] = await connection;
    return { peer, conn };
  };
  return { server, engine, link, open };
}

function connections(server: HttpServer): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
}

/** Everything of a request that users look at. */
function factsOf(req: any): object {
  const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, upgrade, complete } = req;
  const { rawHeaders, headers, headersDistinct, rawTrailers, trailers, aborted, destroyed } = req;
  const { readable, readableEnded, readableLength, readableFlowing, statusCode, _query } = req;
  return {
    ...{ method, url, httpVersion, httpVersionMajor, httpVersionMinor, upgrade, complete },
    ...{ rawHeaders, headers, headersDistinct, rawTrailers, trailers, aborted, destroyed },
    ...{ readable, readableEnded, readableLength, readableFlowing, statusCode, _query },
    keys: Reflect.ownKeys(req).map(String).sort(),
    isMessage: req instanceof IncomingMessage,
    hasClient: req.client === req.socket,
  };
}

const HEADERS = [
  "",
  "Cookie: a=1\r\nCookie: b=2\r\n",
  "X-Forwarded-For: 10.0.0.1\r\nAuthorization: Bearer x\r\nX-Empty:\r\n",
  "ACCEPT: */*\r\naccept: text/html\r\nx-a: \u00fcber\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n",
  "Cookie:\r\nUser-Agent: x\r\nUser-Agent: y\r\nHost: other\r\n",
];

describe("engine: a request that nobody was shown", () => {
  it.each(HEADERS)("is made again as it was: %j", async (headers) => {
    const seen = await start({ allowRequest: (_req, callback) => callback(null, true) });
    const unseen = await start();
    const original = (await seen.open(headers)).conn.request;
    const { request } = (await unseen.open(headers)).conn;
    expect(unseen.link.streams[0]?.sink).toBeInstanceOf(UnseenSocket);
    expect(factsOf(request)).toEqual(factsOf(original));
  });

  it("joins duplicate headers if its server does", async () => {
    const { open } = await start({}, createServer({ joinDuplicateHeaders: true }));
    const { conn } = await open("User-Agent: x\r\nUser-Agent: y\r\n");
    expect(conn.request.headers["user-agent"]).toBe("x, y");
  });

  it("is made once", async () => {
    const { open } = await start();
    const { conn } = await open();
    const { request } = conn;
    request.user = "kept";
    expect(conn.request).toBe(request);
    expect(conn.request.socket).toBe(request.socket);
    expect(conn.transport.socket._socket).toBe(request.socket);
  });

  it.each(["facts", "request"])(
    "shares headers and query with what reads them, the %s first",
    async (first) => {
      const { open } = await start();
      const { conn } = await open("x-a: b\r\n");
      if (first === "request") {
        void conn.request;
      }
      const { headers, url, _query } = conn[inEngine.requestFacts];
      expect([headers["x-a"], url, _query]).toEqual([
        "b",
        "/engine.io/?EIO=4&transport=websocket&a=1&b=",
        { EIO: "4", transport: "websocket", a: "1", b: "" },
      ]);
      expect(conn.request.headers).toBe(headers);
      expect(conn.request._query).toBe(_query);
      expect(conn[inEngine.requestFacts].headers).toBe(headers);
    },
  );

  it("may be replaced and taken off the session before it was made", async () => {
    const { open } = await start();
    const { conn } = await open();
    conn.request = null;
    expect([conn.request, conn[inEngine.requestFacts]]).toEqual([null, null]);
    const other = (await open()).conn;
    delete other.request;
    expect([other.request, other[inEngine.requestFacts]]).toEqual([undefined, undefined]);
  });
});

describe("engine: a socket that nobody was shown", () => {
  it("is counted and waited for though it does not exist", async () => {
    const { server, link, open } = await start();
    await open();
    expect(await connections(server)).toBe(1);
    server.close();
    server.closeAllConnections();
    let isClosed = false;
    server.on("close", () => {
      isClosed = true;
    });
    await immediate();
    expect(isClosed).toBe(false);
    link.streams[0]?.sink.onConnEnded();
    await once(server, "close");
    expect(await connections(server)).toBe(0);
  });

  it("is a real one when somebody asks, with the addresses of the original", async () => {
    const { server, open } = await start();
    const { peer, conn } = await open();
    const { socket } = conn.request;
    expect(socket).toBeInstanceOf(NetSocket);
    expect(socket.address()).toEqual(server.address());
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort } = socket;
    expect({ remoteAddress, remotePort, remoteFamily, localAddress, localPort }).toEqual({
      remoteAddress: "127.0.0.1",
      remotePort: peer.socket.localPort,
      remoteFamily: "IPv4",
      localAddress: "127.0.0.1",
      localPort: peer.socket.remotePort,
    });
    expect([socket.readable, socket.writable, socket.destroyed]).toEqual([true, true, false]);
    expect(socket.bytesWritten).toBeGreaterThan(0);
    expect(socket.server).toBe(server);
    expect(await connections(server)).toBe(1);
  });

  it("closes once, with its stream, and is then counted no more", async () => {
    const { server, link, open } = await start();
    const { conn } = await open();
    const events: string[] = [];
    conn.request.socket.on("close", () => events.push("close"));
    link.streams[0]?.sink.onConnEnded();
    await immediate();
    expect(events).toEqual(["close"]);
    expect(await connections(server)).toBe(0);
    expect(link.log.filter((line) => line.startsWith("connDestroy"))).toEqual([]);
  });

  it.each(["req.socket", "req"])("%s.destroy() drops the stream", async (what) => {
    const { server, link, open } = await start();
    const { request } = (await open()).conn;
    const closed = once(request.socket, "close");
    (what === "req" ? request : request.socket).destroy();
    await closed;
    expect(link.log).toContain("connDestroy 0");
    expect(await connections(server)).toBe(0);
    link.streams[0]?.sink.onConnEnded();
    expect(await connections(server)).toBe(0);
  });

  it("asked for after its end it is a destroyed one, which counts for nothing", async () => {
    const { server, link, open } = await start();
    const { conn } = await open();
    link.streams[0]?.sink.onConnEnded();
    expect(await connections(server)).toBe(0);
    expect(conn.request.socket.destroyed).toBe(true);
    await immediate();
    expect(await connections(server)).toBe(0);
    expect(conn.request.socket.remoteAddress).toBe("127.0.0.1");
  });

  it("stays unseen with the cors option, which shows requests to nobody", async () => {
    const { link, open } = await start({ cors: { origin: "http://a" } });
    await open("Origin: http://a\r\n");
    expect(link.streams[0]?.sink).toBeInstanceOf(UnseenSocket);
  });
});

/** What an application was shown. */
interface Shown {
  req?: unknown;
  socket?: unknown;
}

type Way = (fixture: Fixture, shown: Shown) => void;

/** Ways to see a request or its socket. */
const WAYS: Record<string, Way> = {
  allowRequest: ({ engine }, shown) => {
    engine.opts.allowRequest = (req, callback) => {
      shown.req = req;
      callback(null, true);
    };
  },
  "a middleware": ({ engine }, shown) => {
    engine.use((req, _res, next) => {
      shown.req = req;
      next();
    });
  },
  initial_headers: ({ engine }, shown) => {
    engine.on("initial_headers", (_headers, req) => {
      shown.req = req;
    });
  },
  headers: ({ engine }, shown) => {
    engine.on("headers", (_headers, req) => {
      shown.req = req;
    });
  },
  "headers of engine.ws": ({ engine }, shown) => {
    engine.ws?.on?.("headers", (_lines, req) => {
      shown.req = req;
    });
  },
  generateId: ({ engine }, shown) => {
    engine.generateId = (req) => {
      shown.req = req;
      return "id";
    };
  },
  ...Object.fromEntries(
    ["verify", "prepare", "_applyMiddlewares", "handshake"].map((name): [string, Way] => [
      `a replaced ${name}`,
      ({ engine }, shown) => {
        const server = internals(engine);
        const original = server[name];
        server[name] = (...args: any[]) => {
          shown.req = args.find((arg) => arg instanceof IncomingMessage);
          return original.apply(engine, args);
        };
      },
    ]),
  ),
  "a wrapped handleUpgrade": ({ engine }, shown) => {
    const { handleUpgrade } = engine;
    engine.handleUpgrade = (req, socket, head) => {
      Object.assign(shown, { req, socket });
      handleUpgrade.call(engine, req, socket, head);
    };
  },
  "a connection listener": ({ server }, shown) => {
    server.on("connection", (socket) => {
      shown.socket = socket;
    });
  },
  "a connection listener that has gone": ({ server }, shown) => {
    server.once("connection", (socket) => {
      shown.socket = socket;
    });
  },
  "a later upgrade listener": ({ server }, shown) => {
    server.on("upgrade", (req, socket) => Object.assign(shown, { req, socket }));
  },
  "an upgrade listener that came first and has gone": ({ server }, shown) => {
    server.prependOnceListener("upgrade", (req, socket) => Object.assign(shown, { req, socket }));
  },
  "a patched emit": ({ server }, shown) => {
    const { emit } = server;
    server.emit = function (this: HttpServer, ...args: any[]) {
      if (args[0] === "connection") {
        shown.socket = args[1];
      }
      return Reflect.apply(emit, this, args);
    };
  },
  "a diagnostics channel": (_fixture, shown) => {
    const note = (message: any): void => {
      shown.socket = message.socket;
    };
    channel("net.server.socket").subscribe(note);
    cleanups.push(() => channel("net.server.socket").unsubscribe(note));
  },
};

describe("engine: who was shown a request or a socket finds it again", () => {
  it.each(Object.keys(WAYS))("by %s", async (way) => {
    const fixture = await start();
    const shown: Shown = {};
    WAYS[way]?.(fixture, shown);
    const { conn } = await fixture.open();
    expect(shown).not.toEqual({});
    const { req = conn.request, socket = conn.request.socket } = shown;
    expect(conn.request).toBe(req);
    expect(conn.request.socket).toBe(socket);
    expect(conn.transport.socket._socket).toBe(socket);
  });

  it("by a cors function", async () => {
    const shown: Shown = {};
    const cors = (req: unknown, callback: (error: null, options: object) => void): void => {
      shown.req = req;
      callback(null, {});
    };
    const { open } = await start({ cors: cors as ServerOptions["cors"] });
    const { conn } = await open();
    expect(conn.request).toBe(shown.req);
  });

  it("by a listener that was there before the engine", async () => {
    const server = createServer();
    const shown: Shown = {};
    server.on("connection", (socket) => {
      shown.socket = socket;
    });
    const { open } = await start({}, server);
    const { conn } = await open();
    expect(conn.request.socket).toBe(shown.socket);
  });

  it("by a class of its own for requests", async () => {
    class OwnMessage extends IncomingMessage {}
    const { open } = await start({}, createServer({ IncomingMessage: OwnMessage }));
    const { conn } = await open();
    expect(conn.request).toBeInstanceOf(OwnMessage);
  });

  it("by a request that came before on the same connection", async () => {
    const server = createServer();
    const shown: Shown = {};
    server.on("request", (req, res) => {
      shown.socket = req.socket;
      res.end();
    });
    const { engine } = await start({}, server);
    const connection = once(engine, "connection");
    const peer = await RawPeer.connect(server);
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await peer.until(/^0\r\n\r\n|Content-Length: 0\r\n\r\n/m);
    peer.write(upgrade("transport=websocket"));
    const [conn] = await connection;
    expect(conn.request.socket).toBe(shown.socket);
    peer.socket.destroy();
  });
});
