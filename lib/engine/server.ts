/**
 * The engine: engine.io's `Server`, on Node's own http server. Requests are prepared, shown to the middlewares, verified, and then handed
 * to the session they name, or made into one (open-session.ts).
 */
import { EventEmitter } from "node:events";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import cors, { type CorsRequest } from "cors";
import debugModule from "debug";
import { type CloseReason, currentLink, type Link } from "../link";
import { refreshSwitches } from "../log-switch";
import { attachEngine, computePath } from "./attach";
import { deflateOptions } from "./deflate";
import {
  abortDraining,
  abortDrainingUpgrade,
  abortRequest,
  abortUpgrade,
  destroyOnError,
  ERROR_MESSAGES,
  ERRORS,
  type ErrorCallback,
  type ErrorCode,
  type ErrorContext,
} from "./errors";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { createPolling } from "./jsonp";
import { type Middleware, runMiddlewares } from "./middlewares";
import { acceptWebSocket, openSession } from "./open-session";
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
import { Tally } from "./tally";
import { transports } from "./transport-table";
import type { Transport } from "./transports";
import { UpgradeResponse } from "./upgrade-response";
import { verifyRequest } from "./verify";
import { Watchdog } from "./watchdog";
import { WebSocketGate } from "./websocket-gate";
import { acceptWebTransport, type WebTransportSession } from "./webtransport";
import { acceptFromWsEngine, makeWsEngine, type WsEngine } from "./ws-engine";

const debug = debugModule("engine");

/** engine.io's name for what servers on other foundations than Node's http have in common with this one. */
export type BaseServer = Server;

/** The methods that a request goes through: whoever replaces one is shown requests. */
const REQUEST_METHODS = [
  "handleRequest",
  "handleUpgrade",
  "prepare",
  "verify",
  "generateId",
  "handshake",
  "createTransport",
  "_applyMiddlewares",
  "emit",
];

/**
 * engine.io's server. It may be extended: `verify`, `prepare`, `generateId`, `upgrades`, `handshake`, `createTransport`, `init`, `cleanup`,
 * `_computePath` and `_applyMiddlewares` are asked wherever engine.io asks them. There is no `onWebSocket`: a stream belongs to the core
 * from the 101 on, so everything is decided before it.
 */
export class Server extends EventEmitter {
  /** Error codes by name. */
  static readonly errors = ERRORS;
  /** Texts by error code. */
  static readonly errorMessages = ERROR_MESSAGES;

  private static readonly [inEngine.plainMethods]: ReadonlyMap<string, unknown> = new Map(
    REQUEST_METHODS.map((name) => [name, methodOf(Server.prototype, name)]),
  );

  /** The options, read whenever they are needed: changes count from then on, those of delays for sessions that open later. */
  opts: EngineOptions;
  /** Open sessions by id. A plain object: look up own keys only. */
  clients: Record<string, Socket> = {};
  /** Number of open sessions. */
  clientsCount = 0;
  /** Run for every request and every upgrade, in order. */
  middlewares: Middleware[] = [];
  /** The http server made by `listen`. */
  httpServer: HttpServer | undefined;
  /** Whether WebSockets are accepted, or what the `wsEngine` option has made. Undefined when the transport is switched off. */
  ws: WebSocketGate | WsEngine | undefined;
  /** What it has counted. */
  readonly [inEngine.tally] = new Tally();
  /** New sessions are refused, since the server is about to go. */
  [inEngine.isDraining] = false;
  private [inEngine.watchdog]: Watchdog | undefined;
  /** The middleware of the `cors` option, if it shows requests to nobody. */
  private readonly [inEngine.cors]: Middleware | undefined;
  private [inEngine.madeLink]: Link | undefined;

  /** @throws TypeError when an option has a value that cannot work */
  constructor(options?: ServerOptions) {
    super();
    this.opts = completeOptions(options);
    const { cors: corsOptions } = this.opts;
    if (corsOptions) {
      this.use(cors<CorsRequest>(corsOptions as cors.CorsOptions));
      if (typeof corsOptions !== "function") {
        this[inEngine.cors] = this.middlewares[0]; // a function would be shown the requests
      }
    }
    this.init();
  }

  /** The link to the core, made when the first session is opened. */
  get [inEngine.link](): Link {
    this[inEngine.madeLink] ??= currentLink();
    return this[inEngine.madeLink];
  }

  /** Whether somebody listens to `flush` or `drain`, so that every write has to tell. Read with each write, hence not `listenerCount`. */
  get [inEngine.watchesWrites](): boolean {
    const { _events } = this as unknown as { _events: Record<string, unknown> };
    return _events.flush !== undefined || _events.drain !== undefined;
  }

  /** Captures the requests of an http server whose path is the engine's. */
  attach(server: HttpServer, options: AttachOptions = {}): void {
    attachEngine(this, server, options, this._computePath(options), () => this.init());
  }

  /** Handles a request, whatever its path. */
  handleRequest(req: IncomingMessage, res: ServerResponse): void {
    refreshSwitches();
    if (debug.enabled) {
      debug('handling "%s" http request "%s"', req.method, req.url);
    }
    this.prepare(req);
    const request = req as EngineRequest;
    request.res = res;
    const decide: ErrorCallback = (code, context) => {
      if (code !== undefined) {
        this[inEngine.reportError](request, code, context);
        abortRequest(res, code, context);
      } else if (this[inEngine.refusesNew](request)) {
        abortDraining(res);
      } else if (request._query.sid) {
        debug("setting new request for existing client");
        (this.clients[request._query.sid] as Socket).transport.onRequest(request);
      } else {
        const transport = request._query.transport as TransportName;
        this.handshake(transport, request, (failure, why) => {
          abortRequest(res, failure as ErrorCode, why);
        });
      }
    };
    this[inEngine.runAndVerify](request, res, false, decide);
  }

  /** Handles an upgrade request, whatever its path. Any Duplex will do; `head` is what came with the request. */
  handleUpgrade(req: IncomingMessage, stream: Duplex, head: Buffer): void {
    refreshSwitches();
    this.prepare(req);
    const request = req as EngineRequest;
    stream.on("error", destroyOnError);
    // Only middlewares see the response, and it lives as long as the connection.
    const isSeen = this.middlewares.length > 0 || !this[inEngine.isPlain]("_applyMiddlewares");
    const res = isSeen ? new UpgradeResponse(request, stream) : undefined;
    const refuse: ErrorCallback = (code, context) => {
      this[inEngine.reportError](request, code as ErrorCode, context);
      abortUpgrade(stream, code as ErrorCode, context);
    };
    this[inEngine.runAndVerify](
      request,
      res as unknown as ServerResponse,
      true,
      (code, context) => {
        if (code !== undefined) {
          refuse(code, context);
        } else if (this[inEngine.refusesNew](request)) {
          abortDrainingUpgrade(stream);
        } else {
          res?.writeHead();
          const upgrade = {
            server: this,
            req: request,
            stream,
            head,
            headers: res?.[inTransport.table] ?? {},
            refuse,
          };
          const accept = this[inEngine.hasWsEngine]() ? acceptFromWsEngine : acceptWebSocket;
          accept(upgrade, () => {
            this.handshake("websocket", request, (failure, why) => {
              abortUpgrade(stream, failure as ErrorCode, why);
            });
          });
        }
      },
    );
  }

  /**
   * Serves a client that has opened a session of WebTransport: any object of the shape that the W3C gives `WebTransport`.
   * Resolves once it was accepted or refused. Typed as engine.io types it: HTTP/3 servers have declarations of their own for the same shape.
   */
  onWebTransportSession(session: any): Promise<any> {
    return acceptWebTransport(this, session as WebTransportSession);
  }

  /** Parses the query of a request into `req._query`. May be replaced. */
  protected prepare(req: IncomingMessage): void {
    prepareRequest(req);
  }

  /** Adds a middleware. Those of Express are taken too, which ask for requests that have more. */
  use(middleware: Middleware): void;
  use(middleware: any): void;
  use(middleware: Middleware): void {
    this.middlewares.push(middleware);
  }

  /** Decides whether a request is accepted: `callback` gets an error code and its context, or nothing. May be replaced. */
  protected verify(req: EngineRequest, isUpgrade: boolean, callback: ErrorCallback): void {
    verifyRequest(this, req, isUpgrade, callback);
  }

  /** Makes the id of a new session, a string or a promise of one. May be replaced. */
  generateId(_req: IncomingMessage): string | PromiseLike<string> {
    return generateSessionId();
  }

  /** The transports that a session on `transport` may be upgraded to. */
  upgrades(transport: TransportName): TransportName[] {
    const isKnown = Object.hasOwn(transports, transport);
    return this.opts.allowUpgrades && isKnown ? [...transports[transport].upgradesTo] : [];
  }

  /** Closes every session at once. New polling sessions are accepted as long as the http server runs. */
  close(): this {
    debug("closing all open clients");
    for (const session of Object.values(this.clients)) {
      session.close(true);
    }
    this.cleanup();
    this[inEngine.watchdog]?.stop();
    this[inEngine.watchdog] = undefined;
    return this;
  }

  /**
   * Opens the session that a verified request asks for, over WebSocket before the 101 is written. May be replaced, to refuse with
   * `closeConnection(code)`, or to have something done first.
   *
   * @returns the transport of the session, when it was opened and on polling told of by `connection` too; undefined when it was refused
   */
  protected async handshake(
    transportName: TransportName,
    req: EngineRequest,
    closeConnection: ErrorCallback,
  ): Promise<Transport | undefined> {
    const refuse: ErrorCallback = (code, context) => {
      this[inEngine.reportError](req, code as ErrorCode, context);
      closeConnection(code);
    };
    const session = await openSession(this, req, refuse, () =>
      this.createTransport(transportName, req),
    );
    if (session === undefined || this[inEngine.isPlain]("handshake")) {
      return undefined; // the object for a WebSocket is made when somebody looks, and the engine itself does not
    }
    const { transport } = session; // which an upgrade may replace
    await session[inEngine.handshakeOver]();
    return transport;
  }

  /**
   * Makes the transport of a new polling session; a throw refuses the handshake. May be replaced, to change what `super.createTransport`
   * gives. Not asked for WebSockets, whose transport is the core's.
   */
  protected createTransport(transportName: TransportName, req: EngineRequest): Transport {
    if (transportName !== "polling") {
      throw new TypeError(`there is no transport ${JSON.stringify(transportName)}`);
    }
    return createPolling(req);
  }

  /** The prefix of the paths that `attach` captures. May be replaced. */
  protected _computePath(options: AttachOptions): string {
    return computePath(options);
  }

  /** Calls `callback` when all middlewares have called `next`, with what the one said that failed. May be replaced. */
  protected _applyMiddlewares(
    req: IncomingMessage,
    res: ServerResponse,
    callback: (error?: any) => void,
  ): void {
    if (this.middlewares.length === 0) {
      debug("no middleware to apply, skipping");
      callback();
    } else {
      runMiddlewares(this.middlewares, req, res, callback);
    }
  }

  /** Called by `close` when the sessions are closed: WebSockets are refused from now on. May be replaced. */
  protected cleanup(): void {
    if (this.ws !== undefined) {
      debug("closing webSocketServer");
      this.ws.close();
    }
  }

  /** Called by the constructor, and when the http server listens again after a `close`. May be replaced. */
  protected init(): void {
    this.ws?.close();
    const { transports, wsEngine, perMessageDeflate, watchdog } = this.opts;
    if (watchdog !== undefined) {
      this[inEngine.watchdog] ??= new Watchdog(watchdog.stalledAfter, (duration) =>
        this[inEngine.onStalled](duration),
      );
    }
    if (!transports.includes("websocket")) {
      this.ws = undefined;
    } else if (wsEngine !== WebSocketGate) {
      this.ws = makeWsEngine(this);
    } else {
      this.ws = new WebSocketGate(deflateOptions(perMessageDeflate));
    }
  }

  /** Whether the frames of WebSockets are those of a `wsEngine`. */
  [inEngine.hasWsEngine](): boolean {
    return this.ws !== undefined && !(this.ws instanceof WebSocketGate);
  }

  /** A session has been opened. */
  [inEngine.register](session: Socket): void {
    this.clients[session.id] = session;
    this.clientsCount += 1;
    this[inEngine.tally].opened(session[inEngine.transportName]);
  }

  /** Tells of a new session. What a listener throws is an unhandled rejection, as with engine.io, whose handshake is asynchronous. */
  [inEngine.announce](session: Session): void {
    try {
      this.emit("connection", session);
    } catch (error) {
      void Promise.reject(error);
    }
  }

  /** A session has closed. */
  [inEngine.forget](session: Session, reason: CloseReason): void {
    const { clients } = this;
    // An application may have written over the id, or have changed the table: the session is counted off all the same.
    const id =
      clients[session.id] === session
        ? session.id
        : Object.keys(clients).find((key) => clients[key] === session);
    if (id !== undefined) {
      delete clients[id];
    }
    this.clientsCount -= 1;
    this[inEngine.tally].closed(session[inEngine.transportName], reason);
  }

  /** Tells why a request was refused. */
  [inEngine.reportError](req: EngineRequest, code: ErrorCode, context?: ErrorContext): void {
    this[inEngine.tally].refused(code);
    this.emit("connection_error", { req, code, message: ERROR_MESSAGES[code], context });
  }

  /** Whether no code but the engine's own is shown requests. */
  [inEngine.keepsRequestsToItself](): boolean {
    const { middlewares, ws } = this;
    return (
      (middlewares.length === 0 ||
        (middlewares.length === 1 && middlewares[0] === this[inEngine.cors])) &&
      !this.opts.allowRequest &&
      this.listenerCount("initial_headers") === 0 &&
      this.listenerCount("headers") === 0 &&
      (ws === undefined || (ws instanceof WebSocketGate && ws.listenerCount("headers") === 0)) &&
      REQUEST_METHODS.every((name) => this[inEngine.isPlain](name))
    );
  }

  /** Whether a request asks for a new session while there are to be none. */
  private [inEngine.refusesNew](req: EngineRequest): boolean {
    const isRefused = this[inEngine.isDraining] && !req._query.sid;
    if (isRefused) {
      debug("a new session is refused, since the server is drained");
      this[inEngine.tally].refusals.draining += 1;
    }
    return isRefused;
  }

  private [inEngine.onStalled](duration: number): void {
    this[inEngine.tally].stalls.count += 1;
    this[inEngine.tally].stalls.duration += duration;
    this.emit("stalled", { duration });
  }

  private [inEngine.isPlain](name: string): boolean {
    return methodOf(this, name) === Server[inEngine.plainMethods].get(name);
  }

  private [inEngine.runAndVerify](
    req: EngineRequest,
    res: ServerResponse,
    isUpgrade: boolean,
    decide: ErrorCallback,
  ): void {
    this._applyMiddlewares(req, res, (error) => {
      if (error) {
        decide(ERRORS.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE" });
      } else {
        this.verify(req, isUpgrade, decide);
      }
    });
  }
}

function methodOf(server: Server, name: string): unknown {
  return (server as unknown as Record<string, unknown>)[name];
}
