// The engine's types: what compiles with `engine.io` has to compile with `sio-rs/engine`.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { AttachOptions, BaseServer, ErrorCallback, ServerOptions } from "engine.io";
import {
  attach,
  listen,
  parser,
  protocol,
  Server,
  type Socket,
  Transport,
  transports,
  uServer,
} from "engine.io";
import { accepts } from "./expect";

const options: ServerOptions & AttachOptions = {
  pingTimeout: 1,
  pingInterval: 1,
  upgradeTimeout: 1,
  maxHttpBufferSize: 1,
  allowRequest: (req: IncomingMessage, callback) => callback(req.url, true),
  transports: ["polling", "websocket", "webtransport"],
  allowUpgrades: true,
  perMessageDeflate: { threshold: 1 },
  httpCompression: { threshold: 1 },
  wsEngine: class {},
  initialPacket: "hello",
  cookie: { name: "io", path: "/", httpOnly: true },
  cors: { origin: "*" },
  allowEIO3: true,
  path: "/engine.io",
  destroyUpgrade: true,
  destroyUpgradeTimeout: 1,
  addTrailingSlash: true,
};

const httpServer = createServer();
const engine: Server = new Server(options);
engine.attach(httpServer, options);
accepts<Server>(attach(httpServer, options));
accepts<Server>(listen(0));
accepts<Server>(listen(0, options, () => {}));
accepts<BaseServer>(engine);
accepts<4>(protocol);
accepts<number>(engine.clientsCount);
accepts<Server>(engine.close());
accepts<0>(Server.errors.UNKNOWN_TRANSPORT);
accepts<string>(Server.errorMessages[5]);
accepts<string[]>(transports.polling.upgradesTo);
accepts<string[]>(Transport.upgradesTo);
accepts<string[]>(engine.upgrades("polling"));
engine.use((_req: IncomingMessage, _res: ServerResponse, next: (error?: any) => void) => next());
engine.handleRequest({} as IncomingMessage, {} as ServerResponse);
engine.handleUpgrade({} as IncomingMessage, {} as Duplex, Buffer.alloc(0));
accepts<string | PromiseLike<string>>(engine.generateId({} as IncomingMessage));
engine.opts.pingInterval = 2;

engine.on("connection", (socket: Socket) => {
  accepts<number>(socket.protocol);
  accepts<string>(socket.remoteAddress);
  accepts<IncomingMessage>(socket.request);
  accepts<boolean>(socket.upgraded);
  accepts<string>(socket.transport.name);
  accepts<boolean>(socket.transport.writable);
  accepts<Socket>(socket.send("text"));
  accepts<Socket>(socket.write(Buffer.alloc(1), { compress: false }, () => {}));
  socket.send("text", undefined, (transport: Transport) => transport.discard());
  socket.close(true);
  const state: "opening" | "open" | "closing" | "closed" = socket.readyState;
  void state;
});

const packets = parser.decodePayload("4a");
accepts<string>(packets[0].type);
parser.encodePayload(packets, (payload) => accepts<string>(payload));
void uServer;

class Own extends Server {
  protected override verify(req: any, upgrade: boolean, callback: ErrorCallback): void {
    callback(Server.errors.FORBIDDEN, { message: "no" });
    super.verify(req, upgrade, callback);
  }

  protected override _computePath(given: AttachOptions): string {
    return super._computePath(given);
  }

  protected override _applyMiddlewares(
    req: IncomingMessage,
    res: ServerResponse,
    callback: (error?: any) => void,
  ): void {
    super._applyMiddlewares(req, res, callback);
  }

  protected override handshake(name: any, req: any, closeConnection: ErrorCallback): Promise<any> {
    return super.handshake(name, req, closeConnection);
  }

  protected override init(): void {
    super.init();
  }

  protected override cleanup(): void {
    super.cleanup();
  }

  override generateId(_req: IncomingMessage): Promise<string> {
    return Promise.resolve("id");
  }
}
void new Own();

// @ts-expect-error: verify is for classes that extend the server
engine.verify;
// @ts-expect-error: there is no such transport
new Server({ transports: ["carrier pigeon"] });
// @ts-expect-error: a number of milliseconds
new Server({ pingInterval: "soon" });
