/**
 * The engine: engine.io's `Server`, on Node's own http server. Requests are prepared, shown to the middlewares, verified, and then handed
 * to the session they name, or made into one (open-session.ts).
 */
import { EventEmitter } from "node:events";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import cors, { type CorsRequest } from "cors";
import debugModule from "debug";
import { currentLink, type Link } from "../link";
import { attachEngine } from "./attach";
import { deflateOptions } from "./deflate";
import {
  abortRequest,
  abortUpgrade,
  destroyOnError,
  ERROR_MESSAGES,
  ERRORS,
  type ErrorCallback,
  type ErrorCode,
  type ErrorContext,
} from "./errors";
import { type Middleware, runMiddlewares } from "./middlewares";
import { acceptWebSocket, openPollingSession } from "./open-session";
import {
  type AttachOptions,
  completeOptions,
  type EngineOptions,
  type ServerOptions,
  type TransportName,
} from "./options";
import { type EngineRequest, prepareRequest } from "./request";
import type { Session } from "./session";
import { generateSessionId } from "./session-id";
import type { Socket } from "./socket";
import { UpgradeResponse } from "./upgrade-response";
import { verifyRequest } from "./verify";
import { WebSocketGate } from "./websocket-gate";

const debug = debugModule("engine");

/** What each transport can be upgraded to. */
const UPGRADES: Readonly<Record<string, readonly TransportName[]>> = {
  polling: ["websocket", "webtransport"],
};

export class Server extends EventEmitter {
  /** Error codes by name. */
  static readonly errors = ERRORS;
  /** Texts by error code. */
  static readonly errorMessages = ERROR_MESSAGES;

  /** The options, read whenever they are needed: changes count from then on. */
  opts: EngineOptions;
  /** Open sessions by id. A plain object: look up own keys only. */
  clients: Record<string, Socket> = {};
  /** Number of open sessions. */
  clientsCount = 0;
  /** Run for every request and every upgrade, in order. */
  middlewares: Middleware[] = [];
  /** The http server made by `listen`. */
  httpServer: HttpServer | undefined;
  /** Whether WebSockets are accepted; engine.io has its ws server here. Undefined when the transport is switched off. */
  ws: WebSocketGate | undefined;
  /** The middleware of the `cors` option, if it shows requests to nobody. */
  private readonly cors: Middleware | undefined;
  private link: Link | undefined;

  /** @throws TypeError when an option has a value that cannot work */
  constructor(options?: ServerOptions) {
    super();
    this.opts = completeOptions(options);
    const { cors: corsOptions } = this.opts;
    if (corsOptions) {
      this.use(cors<CorsRequest>(corsOptions as cors.CorsOptions) as Middleware);
      if (typeof corsOptions !== "function") {
        this.cors = this.middlewares[0]; // a function would be shown the requests
      }
    }
    this._init();
  }

  /** The link to the core, made when the first session is opened. */
  get _link(): Link {
    this.link ??= currentLink();
    return this.link;
  }

  /** Whether somebody listens to `flush` or `drain`, so that every write has to tell. Read with each write, hence not `listenerCount`. */
  get _watchesWrites(): boolean {
    const { _events } = this as unknown as { _events: Record<string, unknown> };
    return _events.flush !== undefined || _events.drain !== undefined;
  }

  /** Captures the requests of an http server whose path is the engine's. */
  attach(server: HttpServer, options: AttachOptions = {}): void {
    attachEngine(this, server, options);
  }

  /** Handles a request, whatever its path. */
  handleRequest(req: IncomingMessage, res: ServerResponse): void {
    if (debug.enabled) {
      debug("handling %s request %j", req.method, req.url);
    }
    this.prepare(req);
    const request = req as EngineRequest;
    request.res = res;
    const decide: ErrorCallback = (code, context) => {
      if (code !== undefined) {
        this._reportError(request, code, context);
        abortRequest(res, code, context);
      } else if (request._query.sid) {
        (this.clients[request._query.sid] as Socket).transport.onRequest(request);
      } else {
        openPollingSession(this, request, (failure, why) => {
          this._reportError(request, failure as ErrorCode, why);
          abortRequest(res, failure as ErrorCode);
        });
      }
    };
    this.runAndVerify(request, res, false, decide);
  }

  /** Handles an upgrade request, whatever its path. Any Duplex will do; `head` is what came with the request. */
  handleUpgrade(req: IncomingMessage, stream: Duplex, head: Buffer): void {
    this.prepare(req);
    const request = req as EngineRequest;
    stream.on("error", destroyOnError);
    // Only middlewares see the response, and it lives as long as the connection.
    const res = this.middlewares.length > 0 ? new UpgradeResponse(request, stream) : undefined;
    const refuse: ErrorCallback = (code, context) => {
      this._reportError(request, code as ErrorCode, context);
      abortUpgrade(stream, code as ErrorCode, context);
    };
    this.runAndVerify(request, res as unknown as ServerResponse, true, (code, context) => {
      if (code !== undefined) {
        refuse(code, context);
      } else {
        res?.writeHead();
        acceptWebSocket(this, request, stream, head, res?.table ?? {}, refuse);
      }
    });
  }

  /** Parses the query of a request into `req._query`. May be replaced. */
  prepare(req: IncomingMessage): void {
    prepareRequest(req);
  }

  /** Adds a middleware. */
  use(middleware: Middleware): void {
    this.middlewares.push(middleware);
  }

  /** Decides whether a request is accepted. May be replaced. */
  verify(req: EngineRequest, isUpgrade: boolean, callback: ErrorCallback): void {
    verifyRequest(this, req, isUpgrade, callback);
  }

  /** Makes the id of a new session, a string or a promise of one. May be replaced. */
  generateId(_req: IncomingMessage): string | PromiseLike<string> {
    return generateSessionId();
  }

  /** The transports that a session on `transport` may be upgraded to. */
  upgrades(transport: string): TransportName[] {
    return this.opts.allowUpgrades ? [...(UPGRADES[transport] ?? [])] : [];
  }

  /** Closes every session at once. New polling sessions are accepted as long as the http server runs. */
  close(): this {
    debug("closing all sessions");
    for (const session of Object.values(this.clients)) {
      session.close(true);
    }
    this.ws?.close();
    return this;
  }

  /** Called at the beginning, and when the http server listens again after a `close`. */
  _init(): void {
    this.ws?.close();
    this.ws = this.opts.transports.includes("websocket")
      ? new WebSocketGate(deflateOptions(this.opts.perMessageDeflate))
      : undefined;
  }

  /** A session has been opened. */
  _register(session: Socket): void {
    this.clients[session.id] = session;
    this.clientsCount += 1;
  }

  /** Tells of a new session. What a listener throws is an unhandled rejection, as with engine.io, whose handshake is asynchronous. */
  _announce(session: Session): void {
    try {
      this.emit("connection", session);
    } catch (error) {
      void Promise.reject(error);
    }
  }

  /** A session has closed. */
  _forget(session: Session): void {
    if (Object.hasOwn(this.clients, session.id) && this.clients[session.id] === session) {
      delete this.clients[session.id];
      this.clientsCount -= 1;
    }
  }

  /** Tells why a request was refused. */
  _reportError(req: EngineRequest, code: ErrorCode, context?: ErrorContext): void {
    this.emit("connection_error", { req, code, message: ERROR_MESSAGES[code], context });
  }

  /** Whether no code but the engine's own is shown requests. */
  _keepsRequestsToItself(): boolean {
    const { middlewares, ws } = this;
    return (
      (middlewares.length === 0 || (middlewares.length === 1 && middlewares[0] === this.cors)) &&
      !this.opts.allowRequest &&
      this.listenerCount("initial_headers") === 0 &&
      this.listenerCount("headers") === 0 &&
      (ws === undefined || ws.listenerCount("headers") === 0) &&
      this.handleRequest === plain.handleRequest &&
      this.handleUpgrade === plain.handleUpgrade &&
      this.prepare === plain.prepare &&
      this.verify === plain.verify &&
      this.generateId === plain.generateId &&
      this.emit === plain.emit
    );
  }

  private runAndVerify(
    req: EngineRequest,
    res: ServerResponse,
    isUpgrade: boolean,
    decide: ErrorCallback,
  ): void {
    if (this.middlewares.length === 0) {
      this.verify(req, isUpgrade, decide);
      return;
    }
    runMiddlewares(this.middlewares, req, res, (error) => {
      if (error) {
        decide(ERRORS.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE" });
      } else {
        this.verify(req, isUpgrade, decide);
      }
    });
  }
}

/** The methods that a request goes through, as they were when this was loaded. */
const { handleRequest, handleUpgrade, prepare, verify, generateId, emit } = Server.prototype;
const plain = { handleRequest, handleUpgrade, prepare, verify, generateId, emit };
