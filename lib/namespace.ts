/**
 * A namespace: its sockets, the middlewares they come through, and what is sent to all of them.
 *
 * A socket is first in `_preConnectSockets`, while the middlewares run, and then in `sockets`. The order of what happens when one connects
 * is part of the contract: middlewares, then (always a tick later) the CONNECT packet, then `connect` and `connection` listeners.
 */
import debugModule from "debug";
import type { Adapter, Room, SocketId } from "socket.io-adapter";
import { BroadcastAcks } from "./broadcast-ack";
import { BroadcastOperator, type RemoteSocket } from "./broadcast-operator";
import type { Client } from "./client";
import { type Middleware, runMiddlewares } from "./middleware";
import * as own from "./own";
import type { Server } from "./server";
import { Socket } from "./socket";
import {
  type AllButLast,
  type DecorateAcknowledgements,
  type DecorateAcknowledgementsWithMultipleResponses,
  type DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  type DefaultEventsMap,
  type EventNames,
  type EventNamesWithAck,
  type EventNamesWithoutAck,
  type EventParams,
  type EventsMap,
  type FirstNonErrorArg,
  type Last,
  type RemoveAcknowledgements,
  StrictEventEmitter,
} from "./typed-events";
import { forgetUndecided, rememberUndecided } from "./undecided-sockets";

const debug = debugModule("socket.io:namespace");

/** What a middleware refuses a socket with: the client gets the message, and the data. */
export interface ExtendedError extends Error {
  data?: any;
}

/** Events that a namespace emits by itself, in this order. */
export interface NamespaceReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> {
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
}

/** Those, and the one of the server. */
export interface ServerReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  new_namespace: (
    namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ) => void;
}

/** Names that cannot be sent from server to server. */
export const RESERVED_EVENTS: ReadonlySet<string | symbol> = new Set<
  keyof ServerReservedEventsMap<never, never, never, never>
>(["connect", "connection", "new_namespace"]);

/**
 * A channel of its own over the clients' shared connections, with its own listeners, middlewares and rooms.
 *
 * @example
 * const orders = io.of("/orders");
 *
 * orders.use((socket, next) => (isAllowed(socket) ? next() : next(new Error("not allowed"))));
 * orders.on("connection", (socket) => socket.join("room1"));
 * orders.emit("hello");
 */
export class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  /** Begins with a slash. */
  readonly name: string;
  /** Connected sockets by id, in the order in which they connected. */
  readonly sockets: Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>> =
    new Map();
  /** Keeps the rooms and does the broadcasts. */
  adapter!: Adapter;
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** The next ack id; one counter for all that is sent, which adapters count on too. */
  _ids = 0;
  /** Sockets whose middlewares are running. */
  private readonly _preConnectSockets: Map<
    SocketId,
    Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
  > = new Map();
  /** Middlewares, in order. */
  readonly _fns: Middleware<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>[] = [];
  /** What is still to be acknowledged of native broadcasts. */
  readonly [own.broadcastAcks] = new BroadcastAcks();

  /** Made by `io.of()`. */
  constructor(
    server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    name: string,
  ) {
    super();
    this.server = server;
    this.name = name;
    this._initAdapter();
  }

  /** Makes the adapter, and makes it anew when the server is given another. */
  _initAdapter(): void {
    this.adapter = this.server[own.makeAdapter](this);
    Promise.resolve(this.adapter.init()).catch((error) => {
      debug("error while initializing adapter: %s", error);
    });
  }

  /**
   * Adds a middleware for new sockets: it calls `next()` to let the socket in, or `next(err)` to refuse it; the client then gets a
   * `connect_error` with the error's `message` and `data`.
   */
  use(
    fn: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (err?: ExtendedError) => void,
    ) => void,
  ): this {
    this._fns.push(fn);
    return this;
  }

  /** Chooses the sockets of a room: {@link BroadcastOperator.to}. */
  to(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this[own.operator]().to(room);
  }

  /** The same as {@link Namespace.to}. */
  in(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this[own.operator]().in(room);
  }

  /** Leaves the sockets of a room out: {@link BroadcastOperator.except}. */
  except(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this[own.operator]().except(room);
  }

  /**
   * Takes a client in: makes its socket, runs the middlewares, connects it or tells the client why not.
   *
   * @param fn called when the client has been told that it is connected
   */
  async _add(
    client: Client<ListenEvents, EmitEvents, ServerSideEvents, any>,
    auth: Record<string, unknown>,
    fn: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Promise<void> {
    debug("adding socket to nsp %s", this.name);
    const socket = await this._createSocket(client, auth);
    this._preConnectSockets.set(socket.id, socket);
    if (
      this.server._opts.connectionStateRecovery?.skipMiddlewares &&
      socket.recovered &&
      client.conn.readyState === "open"
    ) {
      this._doConnect(socket, fn);
      return;
    }
    let isDecided = false; // a middleware may call `next` twice
    let hasAnswer = false;
    const abandon = (): void => {
      isDecided = true;
      socket._cleanup();
    };
    this.run(socket, (error) => {
      hasAnswer = true;
      process.nextTick(() => {
        if (!isDecided) {
          isDecided = true;
          forgetUndecided(client, abandon);
          this[own.decide](socket, error, fn);
        }
      });
    });
    if (!hasAnswer) {
      rememberUndecided(client, abandon);
    }
  }

  /** Runs the middlewares for a new socket; a method, because monitoring packages replace it. */
  private run(
    socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    fn: (error?: ExtendedError) => void,
  ): void {
    runMiddlewares(this._fns, socket, fn);
  }

  private [own.decide](
    socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    error: ExtendedError | undefined,
    fn: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): void {
    const { conn } = socket;
    if (conn.readyState !== "open") {
      debug("next called after client was closed - ignoring socket");
      socket._cleanup();
    } else if (error) {
      debug("middleware error, sending CONNECT_ERROR packet to the client");
      socket._cleanup();
      socket._error(
        conn.protocol === 3
          ? error.data || error.message
          : { message: error.message, data: error.data },
      );
    } else {
      this._doConnect(socket, fn);
    }
  }

  /** Makes a new socket, or one with the state that its client left behind. An adapter that fails to look for it has none. */
  private async _createSocket(
    client: Client<ListenEvents, EmitEvents, ServerSideEvents, any>,
    auth: Record<string, unknown>,
  ): Promise<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>> {
    const { pid, offset } = auth;
    if (
      this.server._opts.connectionStateRecovery &&
      typeof pid === "string" &&
      typeof offset === "string"
    ) {
      let session: Awaited<ReturnType<Adapter["restoreSession"]>> | undefined;
      try {
        session = await this.adapter.restoreSession(pid, offset);
      } catch (error) {
        debug("error while restoring session: %s", error);
      }
      if (session) {
        debug("connection state recovered for sid %s", session.sid);
        return new Socket(this as any, client, auth, session);
      }
    }
    return new Socket(this as any, client, auth);
  }

  /** The library's own book-keeping comes before the listeners, one of which may disconnect the socket again. */
  private _doConnect(
    socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): void {
    this._preConnectSockets.delete(socket.id);
    this.sockets.set(socket.id, socket);
    socket._onconnect();
    fn?.(socket); // whoever connects a socket by hand may have none
    this.emitReserved("connect", socket);
    this.emitReserved("connection", socket);
  }

  /** Forgets a socket. */
  _remove(socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>): void {
    if (!this.sockets.delete(socket.id)) {
      this._preConnectSockets.delete(socket.id);
    }
  }

  /**
   * Sends an event to all sockets of the namespace.
   *
   * @returns true
   * @throws Error for a reserved name, and what `JSON.stringify` throws
   */
  override emit<Ev extends EventNamesWithoutAck<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean {
    return new BroadcastOperator<EmitEvents, SocketData>(this.adapter).emit(ev, ...args);
  }

  /** Sends a `message` event to all sockets. */
  send(...args: EventParams<EmitEvents, "message">): this {
    this.emit("message" as any, ...args);
    return this;
  }

  /** The same as {@link Namespace.send}. */
  write(...args: EventParams<EmitEvents, "message">): this {
    this.emit("message" as any, ...args);
    return this;
  }

  /**
   * Sends an event to the other servers of the cluster, where it is emitted on this namespace. A function as the last argument is called
   * with `(err, responses)`, one response per server.
   *
   * @returns true
   * @throws Error for `connect`, `connection` and `new_namespace`
   */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<
      DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>,
      Ev
    >
  ): boolean {
    if (RESERVED_EVENTS.has(ev)) {
      throw new Error(`"${String(ev)}" is a reserved event name`);
    }
    this.adapter.serverSideEmit([ev, ...args]);
    return true;
  }

  /**
   * The same, waiting for the responses.
   *
   * @throws (as a rejection) the adapter's error, with the responses so far as `responses`
   */
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<ServerSideEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<ServerSideEvents, Ev>>>[]> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null, responses: any[]) =>
        error ? reject(Object.assign(error, { responses })) : resolve(responses);
      this.serverSideEmit(ev, ...([...args, settle] as any));
    });
  }

  /** An event of another server; called by the adapter. */
  _onServerSideEmit(args: [string, ...any[]]): void {
    this.emitUntyped(...args);
  }

  /**
   * Ids of the sockets of the namespace.
   *
   * @deprecated use {@link Namespace.fetchSockets}
   */
  allSockets(): Promise<Set<SocketId>> {
    return this[own.operator]().allSockets();
  }

  /** Whether what is sent may be compressed: {@link BroadcastOperator.compress}. */
  compress(
    compress: boolean,
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this[own.operator]().compress(compress);
  }

  /** Leaves out who cannot take it now: {@link BroadcastOperator.volatile}. */
  get volatile(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return this[own.operator]().volatile;
  }

  /** Only sockets of this very server: {@link BroadcastOperator.local}. */
  get local(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return this[own.operator]().local;
  }

  /** How long acknowledgements may take, in milliseconds: {@link BroadcastOperator.timeout}. */
  timeout(
    timeout: number,
  ): BroadcastOperator<
    DecorateAcknowledgements<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>>,
    SocketData
  > {
    return this[own.operator]().timeout(timeout);
  }

  /** The sockets of the namespace, on all servers of the cluster: {@link BroadcastOperator.fetchSockets}. */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]> {
    return new BroadcastOperator<EmitEvents, SocketData>(this.adapter).fetchSockets();
  }

  /** Makes all sockets join one or more rooms. */
  socketsJoin(room: Room | Room[]): void {
    this[own.operator]().socketsJoin(room);
  }

  /** Makes all sockets leave one or more rooms. */
  socketsLeave(room: Room | Room[]): void {
    this[own.operator]().socketsLeave(room);
  }

  /**
   * Disconnects all sockets.
   *
   * @param close whether to close their sessions too
   */
  disconnectSockets(close = false): void {
    this[own.operator]().disconnectSockets(close);
  }

  private [own.operator](): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return new BroadcastOperator(this.adapter);
  }
}
