// What a server can be made of, and what it gives back.

import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import { Server, type ServerOptions } from "socket.io";
import type { DefaultEventsMap, EventsMap } from "socket.io/dist/typed-events";
import { Adapter } from "socket.io-adapter";
import { accepts, is } from "./expect";

new Server();
new Server({ path: "/path/", serveClient: false });
new Server(3000, { transports: ["websocket"], cors: { origin: "*" } });
new Server(createServer());
new Server(createTlsServer(), { pingInterval: 1, pingTimeout: 1, maxHttpBufferSize: 1 });
new Server(createSecureServer({ allowHTTP1: true }), { cookie: true });
new Server({ adapter: Adapter });
new Server({ adapter: (nsp) => new Adapter(nsp) });
// @ts-expect-error makes no adapter
new Server({ adapter: () => "adapter" });
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
is<Promise<void>>()(io.close());
io.close((error) => is<Error | undefined>()(error));

is<number>()(io.engine.clientsCount);
io.engine.generateId = () => "id";
io.engine.on("initial_headers", (headers, _req) => {
  headers["x-header"] = "value";
});
io.engine.use((_req: unknown, _res: unknown, next: () => void) => next());

accepts<EventsMap>({} as DefaultEventsMap);
