/**
 * The server: what it stands on (http servers, engines), its options, and its namespaces.
 *
 * It has the methods of its main namespace besides (main-namespace.ts), and all of EventEmitter's, which forward to the main namespace too.
 */
import { EventEmitter } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import cors from "cors";
import debugModule from "debug";
import { Adapter, SessionAwareAdapter } from "socket.io-adapter";
import type { Encoder } from "socket.io-parser";
import { InMemoryAdapter } from "./adapter";
import { Client, clientOf } from "./client";
import { completeDrain, type DrainOptions, drainSessions } from "./drain";
import { attach, type Server as Engine, type Socket as EngineSocket } from "./engine";
import * as inEngine from "./engine/in-engine";
import { completeOptions } from "./engine/options";
import { WebSocketTransport } from "./engine/transports";
import { ownListener } from "./engine/unseen";
import { uServer } from "./engine/userver";
import { MainNamespaceMethods } from "./main-namespace";
import { type Metrics, readMetrics } from "./metrics";
import { Namespace } from "./namespace";
import * as own from "./own";
import { ParentNamespace } from "./parent-namespace";
import * as parser from "./parser";
import { prometheusText } from "./prometheus";
import { RecoveryAdapter } from "./recovery-adapter";
import {
  type AdapterConstructor,
  CONNECT_TIMEOUT_MS,
  completeRecovery,
  DEFAULT_PATH,
  type ServerOptions,
  type TServerInstance,
} from "./server-options";
import type { Socket } from "./socket";
import { answerClientFile, isClientFile, sendClientFile } from "./static-files";
import type { DefaultEventsMap, EventsMap } from "./typed-events";
import { publishThrough, serveClientFiles, stopPublishing } from "./uws";

const debug = debugModule("socket.io:server");

/** What is made in the place of npm's adapters. */
const NATIVE: ReadonlyMap<unknown, AdapterConstructor> = new Map([
  [Adapter, InMemoryAdapter],
  [SessionAwareAdapter, RecoveryAdapter],
]);

/** Decides whether a namespace of this name may come into being; `auth` is what the client sent with its CONNECT packet. */
export type ParentNspNameMatchFn = (
  name: string,
  auth: { [key: string]: any },
  fn: (err: Error | null, success: boolean) => void,
) => void;

/**
 * A Socket.IO server.
 *
 * @example
 * const io = new Server(3000);
 *
 * io.on("connection", (socket) => {
 *   socket.emit("hello", "world");
 * });
 *
 * @typeParam ListenEvents - what clients send
 * @typeParam EmitEvents - what is sent to clients
 * @typeParam ServerSideEvents - what the servers of a cluster send to each other
 * @typeParam SocketData - the type of `socket.data`
 */
export class Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends MainNamespaceMethods<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** The main namespace, `/`. */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** The engine that was attached or bound last; undefined before. */
  engine!: Engine;
  /** The http server that was attached to last. */
  httpServer!: TServerInstance;
  /** Makes encoders and decoders. */
  readonly _parser: typeof parser;
  /** One for all clients. */
  readonly encoder: Encoder;
  /** Namespaces by name. */
  _nsps: Map<string, Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>> = new Map();
  private readonly parentNsps: Map<
    ParentNspNameMatchFn,
    ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
  > = new Map();
  /** Those of `parentNsps` that were made with a regular expression. */
  private readonly parentNamespacesFromRegExp: Map<
    RegExp,
    ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
  > = new Map();
  private _adapter?: AdapterConstructor;
  private _serveClient!: boolean;
  private readonly opts: Partial<ServerOptions>;
  /** The engine, if `attach` has made it. */
  private eio!: Engine;
  /** All engines that were attached or bound. */
  private readonly [own.engines] = new Set<Engine>();
  /** Fulfilled when all sessions have ended; undefined unless that was asked for. */
  private [own.drained]: Promise<void> | undefined;
  private _path!: string;
  /** How long a client may stay without joining a namespace, in milliseconds. */
  _connectTimeout!: number;
  /** Adds CORS headers to the files of the client. */
  private readonly _corsMiddleware:
    | ((req: IncomingMessage, res: ServerResponse, next: () => void) => void)
    | undefined;

  /**
   * @param srv http server or port to attach to
   * @param opts options of the server and of the engine; they win over those given to `attach`
   */
  constructor(opts?: Partial<ServerOptions>);
  constructor(srv?: TServerInstance | number, opts?: Partial<ServerOptions>);
  constructor(
    srv: undefined | Partial<ServerOptions> | TServerInstance | number,
    opts?: Partial<ServerOptions>,
  );
  constructor(
    srv?: Partial<ServerOptions> | TServerInstance | number,
    opts: Partial<ServerOptions> = {},
  ) {
    super();
    const isOptions = typeof srv === "object" && srv !== null && !("listen" in srv && srv.listen);
    const options = isOptions ? (srv as Partial<ServerOptions>) : opts;
    completeOptions(options as Parameters<typeof completeOptions>[0]); // what cannot work is told now, not when a port is known
    this.path(options.path || DEFAULT_PATH);
    this.connectTimeout(options.connectTimeout || CONNECT_TIMEOUT_MS);
    this.serveClient(options.serveClient !== false);
    this._parser = options.parser || parser;
    this.encoder = new this._parser.Encoder();
    this.opts = options;
    // The caller's object is completed in place, as socket.io does: adapters read it through `server.opts`.
    if (options.connectionStateRecovery) {
      options.connectionStateRecovery = completeRecovery(options.connectionStateRecovery);
    }
    this.adapter(
      options.adapter || (options.connectionStateRecovery ? SessionAwareAdapter : Adapter),
    );
    options.cleanupEmptyChildNamespaces = Boolean(options.cleanupEmptyChildNamespaces);
    this.sockets = this.of("/");
    if (!isOptions && (srv || typeof srv === "number")) {
      this.attach(srv as TServerInstance | number);
    }
    this._corsMiddleware = options.cors ? cors(options.cors as cors.CorsOptions) : undefined;
  }

  /** The options given to the constructor. */
  get _opts(): Partial<ServerOptions> {
    return this.opts;
  }

  /** Whether the files of the client are served. Counts for what is attached later. */
  serveClient(v: boolean): this;
  serveClient(): boolean;
  serveClient(v?: boolean): this | boolean;
  serveClient(...args: [v?: boolean]): this | boolean {
    if (args.length === 0) {
      return this._serveClient;
    }
    this._serveClient = args[0] as boolean;
    return this;
  }

  /** The path below which the server answers, without the slash at its end. Counts for what is attached later. */
  path(v: string): this;
  path(): string;
  path(v?: string): this | string;
  path(...args: [v?: string]): this | string {
    if (args.length === 0) {
      return this._path;
    }
    const [path] = args;
    if (typeof path !== "string") {
      throw new TypeError(`option "path" must be a string, not ${String(path)}`);
    }
    this._path = path.replace(/\/$/, "");
    return this;
  }

  /** How long a client may stay without joining a namespace, in milliseconds. Counts for clients that come later. */
  connectTimeout(v: number): this;
  connectTimeout(): number;
  connectTimeout(v?: number): this | number;
  connectTimeout(v?: number): this | number {
    if (v === undefined) {
      return this._connectTimeout;
    }
    this._connectTimeout = v;
    return this;
  }

  /** What makes adapters: a class, or a function. Set, it makes the adapters of all namespaces anew; sockets that are connected keep theirs. */
  adapter(): AdapterConstructor | undefined;
  adapter(v: AdapterConstructor): this;
  adapter(...args: [v?: AdapterConstructor]): this | AdapterConstructor | undefined {
    if (args.length === 0) {
      return this._adapter;
    }
    this._adapter = args[0];
    for (const nsp of this._nsps.values()) {
      nsp._initAdapter();
    }
    return this;
  }

  /** The same as {@link Server.attach}. */
  listen(srv: TServerInstance | number, opts: Partial<ServerOptions> = {}): this {
    return this.attach(srv, opts);
  }

  /**
   * Attaches the server to an http server, or to one of its own on a port (0 for any). Requests below the path are the server's, the others
   * stay with the listeners that were there before.
   *
   * @param opts options of the engine
   * @throws Error for an Express application, which is no http server
   */
  attach(srv: TServerInstance | number, opts: Partial<ServerOptions> = {}): this {
    if (typeof srv === "function") {
      throw new Error(
        "You are trying to attach socket.io to an express request handler function. Please pass a http.Server instance.",
      );
    }
    const port = portOf(srv);
    if (port !== undefined) {
      debug("creating http server and binding to %d", port);
    }
    const httpServer = port === undefined ? (srv as TServerInstance) : emptyServer();
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    this.initEngine(httpServer, opts);
    if (port !== undefined) {
      httpServer.listen(port); // last: options that are refused leave nothing behind that listens
    }
    return this;
  }

  /**
   * Attaches the server to an app of uWebSockets.js. The engine is engine.io's `uServer` then, from the package engine.io, and not the core.
   *
   * @param opts options of the engine, and those of uWebSockets.js
   * @throws Error with the code `SIO_RS_NO_USERVER` when engine.io is not installed
   */
  attachApp(app: any, opts: Partial<ServerOptions> = {}): void {
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    if (debug.enabled) {
      debug("creating uWebSockets.js-based engine with opts %j", opts);
    }
    const engine = new uServer(opts);
    engine.attach(app, opts);
    this.bind(engine);
    if (this._serveClient) {
      serveClientFiles(app, this._path, (url) => this.extractFilename(url));
    }
    publishThrough(this, app);
  }

  /**
   * Takes the connections of an engine: engine.io's server, or anything with its API. Its http server and the files of the client are the
   * caller's affair.
   */
  bind(engine: any): this {
    this.engine = engine;
    this[own.engines].add(engine);
    if (this[own.drained]) {
      engine[inEngine.isDraining] = true;
    }
    engine.on("connection", this.onconnection.bind(this));
    return this;
  }

  /**
   * The namespace of a name, made if there is none; or, for a regular expression or a function, a parent of all namespaces that clients
   * name and it agrees to.
   *
   * @param fn a listener for `connect`
   * @throws Error for a regular expression with the flag `g` or `y`, which would match every other time
   */
  of(
    name: string | RegExp | ParentNspNameMatchFn,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    if (typeof name === "function" || name instanceof RegExp) {
      return this[own.makeParent](name, fn);
    }
    const path = String(name).startsWith("/") ? String(name) : `/${name}`;
    let nsp = this._nsps.get(path);
    if (nsp === undefined) {
      for (const [pattern, parent] of this.parentNamespacesFromRegExp) {
        if (pattern.test(path)) {
          debug("attaching namespace %s to parent namespace %s", path, pattern);
          return parent.createChild(path); // without `fn`, as with socket.io
        }
      }
      debug("initializing namespace %s", path);
      nsp = new Namespace(this, path);
      this._nsps.set(path, nsp);
      if (path !== "/") {
        this[own.announceNamespace](nsp);
      }
    }
    if (fn) {
      nsp.on("connect", fn as any);
    }
    return nsp;
  }

  /**
   * Disconnects all sockets (`disconnect` listeners have run when this returns), closes the adapters, then the engine, then the http server.
   *
   * @param fn called when the http server has closed, with an Error if it was not running
   * @returns a promise that is fulfilled in either case
   */
  async close(fn?: (err?: Error) => void): Promise<void> {
    await Promise.allSettled(
      [...this._nsps.values()].map(async (nsp) => {
        for (const socket of nsp.sockets.values()) {
          socket._onclose("server shutting down");
        }
        await nsp.adapter.close();
      }),
    );
    this.engine?.close();
    stopPublishing(this);
    const { httpServer } = this;
    if (!httpServer) {
      fn?.();
      return;
    }
    await new Promise<void>((resolve) => {
      httpServer.close((error) => {
        fn?.(error);
        if (error) {
          debug("server was not running");
        }
        resolve();
      });
    });
  }

  /**
   * Takes leave of all clients before the server goes, so that a deploy makes no storm: new sessions are refused (503) from now on, and the
   * present ones are closed one after the other, evenly over the given time. To clients it looks as if their connection had broken, with the
   * reason `transport close`, so they come back by themselves, to another server; `disconnect` listeners here are told `server shutting down`.
   * Connection state recovery keeps what it keeps of a connection that breaks.
   *
   * There is no way back, and a second call changes nothing. {@link Server.close} is still to be called, for the adapters and the http server,
   * which goes on answering till then.
   *
   * @returns a promise that is fulfilled when all sessions have ended: at once when there are none, a few seconds after the given time at the
   * latest. Rejected with a TypeError for an option that makes no sense
   *
   * @example
   * process.on("SIGTERM", async () => {
   *   await io.drain({ over: 30_000 });
   *   await io.close();
   * });
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    const { over, reason } = completeDrain(options);
    this[own.drained] ??= this[own.drainEngines](over, reason);
    return this[own.drained];
  }

  /**
   * What operators want to know: sessions and sockets, packets and bytes, what waits for slow clients, how late this thread is. Asking costs some
   * nanoseconds for each session; nothing is gathered for it that is not counted anyway.
   *
   * @param options `{ format: "prometheus" }` gives the text that Prometheus scrapes, to be sent as `text/plain; version=0.0.4`
   */
  metrics(): Metrics;
  metrics(options: { format: "prometheus" }): string;
  metrics(options?: { format: "prometheus" }): Metrics | string {
    const metrics = readMetrics({
      engines: [...this[own.engines]].filter(isOurs),
      namespaces: this._nsps.values(),
      isDraining: this[own.drained] !== undefined,
    });
    return options?.format === "prometheus" ? prometheusText(metrics) : metrics;
  }

  /** Asks the parents, in the order they were made, whether a namespace may come into being; false when none agrees. */
  _checkNamespace(
    name: string,
    auth: { [key: string]: any },
    fn: (nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> | false) => void,
  ): void {
    const parents = this.parentNsps.entries();
    const ask = (): void => {
      const next = parents.next();
      if (next.done) {
        fn(false);
        return;
      }
      const [isAllowed, parent] = next.value;
      isAllowed(name, auth, (error, allow) => {
        if (error || !allow) {
          ask();
          return;
        }
        const known = this._nsps.get(name); // made while the parent was thinking
        if (known) {
          debug("dynamic namespace %s already exists", name);
          fn(known);
          return;
        }
        const child = parent.createChild(name);
        debug("dynamic namespace %s was created", name);
        fn(child);
      });
    };
    ask();
  }

  /** Makes the adapter of a namespace: for npm's own in memory the one that does the same, and broadcasts through the core. */
  [own.makeAdapter](nsp: Namespace<any, any, any, any>): Adapter {
    const given = this.adapter() as AdapterConstructor;
    const make = NATIVE.get(given) ?? given;
    if (typeof make !== "function") {
      throw new TypeError("this.server.adapter(...) is not a constructor"); // in socket.io's words
    }
    return isConstructor(make)
      ? new (make as typeof Adapter)(nsp)
      : (make as (nsp: Namespace) => Adapter)(nsp);
  }

  /** Tells users of a new namespace. */
  [own.announceNamespace](
    nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ): void {
    EventEmitter.prototype.emit.call(this.sockets, "new_namespace", nsp);
  }

  private [own.makeParent](
    matcher: RegExp | ParentNspNameMatchFn,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    if (matcher instanceof RegExp && (matcher.global || matcher.sticky)) {
      throw new Error("stateful regular expressions are not supported");
    }
    const parent = new ParentNamespace(this);
    debug("initializing parent namespace %s", parent.name);
    if (matcher instanceof RegExp) {
      this.parentNsps.set((name, _auth, next) => next(null, matcher.test(name)), parent);
      this.parentNamespacesFromRegExp.set(matcher, parent);
    } else {
      this.parentNsps.set(matcher, parent);
    }
    if (fn) {
      parent.on("connect", fn as any);
    }
    return parent;
  }

  private [own.drainEngines](over: number, reason: string): Promise<void> {
    const sessions: EngineSocket[] = [];
    for (const engine of this[own.engines]) {
      engine[inEngine.isDraining] = true;
      sessions.push(...Object.values(engine.clients ?? {})); // whatever was bound
    }
    debug("saying goodbye to %d sessions over %d ms", sessions.length, over);
    return drainSessions(sessions, over, (conn) => sayGoodbye(conn, reason));
  }

  /** A session has been opened. */
  private onconnection(conn: EngineSocket): this {
    debug("incoming connection with id %s", conn.id);
    if (this[own.drained] !== undefined) {
      conn.close(); // its handshake had passed when the draining began, or its engine knows nothing of that
      return this;
    }
    const client = new Client(this, conn);
    if (conn.protocol === 3) {
      client.connect("/"); // clients of that protocol do not ask
    }
    return this;
  }

  /** Makes an engine on an http server, and puts the files of the client before it. */
  private initEngine(srv: TServerInstance, opts: Partial<ServerOptions>): void {
    if (debug.enabled) {
      debug("creating engine.io instance with opts %j", opts);
    }
    this.eio = attach(srv as Parameters<typeof attach>[0], opts);
    if (this._serveClient) {
      this.attachServe(srv);
    }
    this.httpServer = srv;
    this.bind(this.eio);
  }

  /** Serves the files of the client; other requests stay with the listeners that are there. */
  private attachServe(srv: TServerInstance): void {
    debug("attaching client serving req handler");
    const server = srv as EventEmitter;
    const others = server.listeners("request");
    server.removeAllListeners("request");
    const listener = ownListener((req: IncomingMessage, res: ServerResponse) => {
      const url = req.url as string;
      const name = url.startsWith(this._path) ? this.extractFilename(url) : "";
      if (!isClientFile(name)) {
        for (const listener of others) {
          listener.call(server, req, res);
        }
      } else if (this._corsMiddleware) {
        this._corsMiddleware(req, res, () => this.serve(name, req, res));
      } else {
        this.serve(name, req, res);
      }
    });
    server.on("request", listener);
  }

  /** What stands in a URL after the path and a slash, without the query. */
  private extractFilename(url: string): string {
    const start = this._path.length + 1;
    const end = url.indexOf("?", start);
    return end < 0 ? url.slice(start) : url.slice(start, end);
  }

  private serve(filename: string, req: IncomingMessage, res: ServerResponse): void {
    answerClientFile(filename, req, res, (...args) => Server.sendFile(...args));
  }

  /** Sends a file of the client; may be replaced. */
  private static sendFile(filename: string, req: IncomingMessage, res: ServerResponse): void {
    sendClientFile(filename, req, res);
  }
}

/** Whether an engine counts what it does. */
function isOurs(engine: Engine): boolean {
  return engine[inEngine.tally] !== undefined;
}

/** RFC 6455 section 7.4.1: the server is going down. */
const GOING_AWAY = 1001;

/** Ends a session of a server that goes; a listener of `disconnect` that throws does not keep it. */
function sayGoodbye(conn: EngineSocket, reason: string): void {
  try {
    clientOf(conn)?.[own.leave](reason);
  } finally {
    if (conn[inEngine.slot] !== undefined && conn.transport instanceof WebSocketTransport) {
      conn.transport.socket.close(GOING_AWAY, reason);
    } else {
      conn.close();
    }
  }
}

/** A number, or what equals one, such as the text that environment variables have. */
function portOf(srv: unknown): number | undefined {
  switch (typeof srv) {
    case "number":
      return srv;
    case "string":
    case "bigint":
    case "boolean":
      return Number.isNaN(Number(srv)) ? undefined : Number(srv);
    default:
      return undefined;
  }
}

/** An http server that has nothing of its own to answer. */
function emptyServer(): TServerInstance {
  return createServer((_req, res) => {
    res.writeHead(404);
    res.end();
  });
}

/** Whether `new` works; does not for arrow functions. Calls nothing. */
function isConstructor(value: unknown): boolean {
  try {
    Reflect.construct(Object, [], value as new () => unknown);
    return true;
  } catch {
    return false;
  }
}

// `io.on(…)` is `io.sockets.on(…)`, for every method of EventEmitter; what these return is the namespace.
for (const [name, method] of Object.entries(EventEmitter.prototype)) {
  if (typeof method === "function") {
    Object.defineProperty(Server.prototype, name, {
      configurable: true,
      enumerable: true,
      writable: true,
      value(this: Server, ...args: unknown[]) {
        const { sockets } = this;
        return (sockets as any)[name](...args);
      },
    });
  }
}
