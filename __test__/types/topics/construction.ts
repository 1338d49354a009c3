// What a server can be made of, and what it gives back.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import type { Server as Engine } from "engine.io";
import { type Namespace, Server, type ServerOptions } from "socket.io";
import { Adapter } from "socket.io-adapter";
import { accepts, is } from "./expect";

new Server();
new Server({ path: "/path/", serveClient: false });
new Server(3000, { transports: ["websocket"], cors: { origin: "*" } });
new Server(createServer());
new Server(createHttp2Server());
new Server(undefined, { path: "/path" });
new Server(undefined as Partial<ServerOptions> | number | undefined);
new Server(createTlsServer(), { pingInterval: 1, pingTimeout: 1, maxHttpBufferSize: 1 });
new Server(createSecureServer({ allowHTTP1: true }), { cookie: true });
new Server({ adapter: Adapter });
new Server({ adapter: (nsp) => new Adapter(nsp) });
// @ts-expect-error makes no adapter
new Server({ adapter: () => "adapter" });
// @ts-expect-error a text, not a number of milliseconds
new Server({ pingInterval: "soon" });
// @ts-expect-error no such option
new Server({ pingIntervall: 1 });
// @ts-expect-error no port
new Server(true);

const options: Partial<ServerOptions> = {
  connectionStateRecovery: { maxDisconnectionDuration: 1, skipMiddlewares: false },
  cleanupEmptyChildNamespaces: true,
  connectTimeout: 1,
  parser: {},
  allowEIO3: false,
  allowRequest: (req, callback) => callback(req.url ? null : "no", true),
  httpCompression: { threshold: 1 },
  perMessageDeflate: false,
  destroyUpgrade: false,
  addTrailingSlash: false,
};

class Derived extends Server {
  constructor() {
    super(options);
  }
}

const io = new Derived().listen(3000).attach(createServer(), { pingInterval: 1 });
is<Derived>()(io);
is<string>()(io.path());
is<Derived>()(io.path("/path"));
is<boolean>()(io.serveClient());
is<number>()(io.connectTimeout());
is<Derived>()(io.adapter(Adapter));
// @ts-expect-error makes no adapter
io.adapter(() => "adapter");
is<Promise<void>>()(io.close());
io.close((error) => is<Error | undefined>()(error));

is<Derived>()(io.bind(new Server().engine));
is<void>()(io.attachApp({}, { path: "/path" }));
is<Namespace>()(io.sockets);

is<Engine>()(io.engine);
is<number>()(io.engine.clientsCount);
io.engine.generateId = () => "id";
io.engine.on("initial_headers", (headers, _req) => {
  headers["x-header"] = "value";
});
io.engine.use((_req: unknown, _res: unknown, next: () => void) => next());
/** As middlewares of Express are typed, which ask for more than Node's request and response have. */
declare function ofExpress(
  req: IncomingMessage & { session: object; protocol: "http" | "https" },
  res: ServerResponse & { locals: object },
  next: (error?: "route" | Error) => void,
): void;
io.engine.use(ofExpress);
declare const session: { ready: Promise<unknown>; incomingBidirectionalStreams: unknown };
accepts<Promise<unknown>>(io.engine.onWebTransportSession(session));
