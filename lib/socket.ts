/**
 * One client in one namespace: the object that users hold.
 *
 * Emitting encodes at once and writes through the client. Receiving takes two ticks (delivery.ts): from the decoder to `_onpacket`, and
 * from `dispatch` to the listeners. The methods in between (`onevent`, `ack`, `onack`, `packet`, …) are looked up on the object with each
 * call, because libraries replace them. State that few sockets need is made when it is needed.
 */
import type { IncomingMessage } from "node:http";
import debugModule from "debug";
import type { Adapter, Room, Session, SocketId } from "socket.io-adapter";
import { BroadcastOperator } from "./broadcast-operator";
import type { Client } from "./client";
import { listenerQueue } from "./delivery";
import type { WriteOptions } from "./encoded-packet";
import type { Socket as EngineSocket } from "./engine";
import { generateSessionId } from "./engine/session-id";
import {
  buildHandshake,
  type HandshakeRequest,
  type HandshakeSource,
  handshakeSource,
  isHandshakeSource,
  keepFacts,
} from "./handshake";
import { switchOf } from "./log-switch";
import { runMiddlewares } from "./middleware";
import type { Namespace } from "./namespace";
import type { NativeBroadcaster } from "./native-broadcast";
import * as own from "./own";
import { letAssign } from "./own-value";
import { type Packet, PacketType } from "./parser";
import { tellWhenReplaced } from "./replaceable";
import type { Server } from "./server";
import { type AckCallback, type Event, holderOf, SocketState } from "./socket-state";
import { type DisconnectReason, type Handshake, RESERVED_EVENTS } from "./socket-types";
import type {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
} from "./typed-events";

export type { Event } from "./socket-state";

const debug = debugModule("socket.io:socket");
const log = switchOf(debug);

/** After these the state of the socket is kept for a client that comes back, if recovery is on. */
const RECOVERABLE_REASONS: ReadonlySet<DisconnectReason> = new Set<DisconnectReason>([
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "server shutting down",
  "forced server close",
]);

/** Time zero of the times that sockets keep, in milliseconds since the epoch. */
const LOADED_AT = Date.now();

function noop(): void {}

/**
 * A client in a namespace.
 *
 * @example
 * io.on("connection", (socket) => {
 *   socket.emit("hello", "world");
 *   socket.on("chat", (text) => io.to("room1").emit("chat", text));
 *   socket.join("room1");
 *   socket.on("disconnect", (reason) => console.log(`${socket.id} left: ${reason}`));
 * });
 */
export class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends SocketState<ListenEvents, EmitEvents, SocketData> {
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents>;
  readonly client: Client<ListenEvents, EmitEvents, ServerSideEvents>;
  /** Identifies the socket, on both sides: 20 characters of `[A-Za-z0-9_-]`. The socket is alone in the room of this name. */
  readonly id: SocketId;
  /** Whether the client has come back to a state that was kept: its id, rooms and data are the old ones, missed events have been sent. */
  readonly recovered: boolean;
  /** Whether events can come; false in the middlewares of the namespace, and after the disconnection. */
  connected = false;
  /** The secret by which the client can come back to this socket's state. */
  private readonly pid: string | undefined = undefined;
  /** The namespace's adapter when the socket was made. */
  private readonly adapter: Adapter;
  /** The handshake, or what it is built from when somebody asks for it; with the time (as a small integer), and what came with the CONNECT packet. */
  private [own.handshake]: Handshake | HandshakeSource;
  private readonly [own.issuedAfter] = Math.trunc(Date.now() - LOADED_AT);
  /** Undefined for a plain empty object, which most clients send: it would take 56 bytes. */
  private readonly [own.auth]: Record<string, unknown> | undefined;

  /** Made by the namespace. */
  constructor(
    nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents>,
    client: Client<ListenEvents, EmitEvents, ServerSideEvents>,
    auth: Record<string, unknown>,
    previousSession?: Session,
  ) {
    super();
    this.nsp = nsp;
    this.client = client;
    this.adapter = nsp.adapter;
    this[own.handshake] = handshakeSource(requestFactsOf(client), client.conn.remoteAddress);
    this[own.auth] = isPlainAndEmpty(auth) ? undefined : auth;
    if (previousSession) {
      this.id = previousSession.sid;
      this.pid = previousSession.pid;
      this.recovered = true;
      this[own.restore](previousSession);
    } else {
      this.id = newSocketId(nsp.name, client.conn);
      this.recovered = false;
      if (nsp.server._opts.connectionStateRecovery) {
        this.pid = generateSessionId();
      }
    }
  }

  /** The server that the namespace belongs to. */
  get server(): Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    return this.nsp.server as Server<any, any, any, any>;
  }

  /** The Engine.IO session under the socket. */
  get conn(): EngineSocket {
    return this.client.conn;
  }

  /** The request that opened the session; undefined when there was none, or when it was taken off the session. */
  get request(): IncomingMessage {
    return this.client.request;
  }

  /** Facts about that request. A plain object that may be changed. */
  get handshake(): Handshake {
    const handshake = this[own.handshake];
    if (!isHandshakeSource(handshake)) {
      return handshake;
    }
    const built = this.buildHandshake(this[own.auth] ?? {});
    holderOf(this, own.handshake)[own.handshake] = built;
    return built;
  }

  set handshake(handshake: Handshake) {
    this[own.handshake] = handshake;
  }

  /** The rooms of the socket, its own included; empty after the disconnection. */
  get rooms(): Set<Room> {
    return this.adapter.socketRooms(this.id) || new Set();
  }

  /** The opposite of `connected`. */
  get disconnected(): boolean {
    return !this.connected;
  }

  /**
   * Sends an event to this client. A function as the last argument is called with the client's acknowledgement.
   *
   * The arguments are encoded before this returns; binary data may be anywhere in them.
   *
   * @example
   * socket.emit("hello", 1, "2", { 3: Buffer.from([4]) }, (answer) => {
   *   // ...
   * });
   *
   * @returns true
   * @throws Error for a reserved name, and what `JSON.stringify` throws
   */
  override emit<Ev extends EventNames<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean {
    if (RESERVED_EVENTS.has(ev)) {
      throw new Error(`"${String(ev)}" is a reserved event name`);
    }
    const data: any[] = [ev, ...args];
    const packet = { type: PacketType.EVENT, data } as Packet;
    if (typeof data[data.length - 1] === "function") {
      const id = this.nsp._ids++;
      if (log.isOn) {
        debug("emitting packet with ack id %d", id);
      }
      this.registerAckCallback(id, data.pop());
      packet.id = id;
    }
    const flags = this[own.takeFlags]();
    if (this.server._opts.connectionStateRecovery) {
      // Only what goes through the adapter is kept for a client that comes back.
      this.adapter.broadcast(packet, { rooms: new Set([this.id]), except: new Set(), flags });
    } else {
      this.notifyOutgoingListeners(packet);
      this.packet(packet, flags);
    }
    return true;
  }

  /**
   * Sends an event and waits for the client's acknowledgement.
   *
   * @example
   * const answer = await socket.timeout(1000).emitWithAck("question");
   *
   * @returns a promise of the first argument of the acknowledgement. Without `timeout()` it stays pending when the client does not answer.
   * @throws (as a rejection) Error `operation has timed out`
   */
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>> {
    const hasTimeout = this[own.flags]?.timeout !== undefined;
    return new Promise((resolve, reject) => {
      const settle = hasTimeout
        ? (error: Error | null, answer: any) => (error ? reject(error) : resolve(answer))
        : resolve;
      this.emit(ev, ...([...args, settle] as any));
    });
  }

  /**
   * Sends to the sockets of a room (each at most once), without this one.
   *
   * @example
   * socket.to("room1").to(["room2", "room3"]).emit("hello");
   */
  to(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this.newBroadcastOperator().to(room);
  }

  /** The same as {@link Socket.to}. */
  in(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this.newBroadcastOperator().in(room);
  }

  /** Sends to the namespace without the sockets of a room, and without this one. */
  except(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this.newBroadcastOperator().except(room);
  }

  /** Sends a `message` event. */
  send(...args: EventParams<EmitEvents, "message">): this {
    this.emit("message" as EventNames<EmitEvents>, ...args);
    return this;
  }

  /** The same as {@link Socket.send}. */
  write(...args: EventParams<EmitEvents, "message">): this {
    this.emit("message" as EventNames<EmitEvents>, ...args);
    return this;
  }

  /**
   * Joins one or more rooms.
   *
   * @returns nothing, or a promise, as the adapter has it
   */
  join(rooms: Room | Array<Room>): Promise<void> | void {
    if (log.isOn) {
      debug("join room %s", rooms);
    }
    return this.adapter.addAll(this.id, new Set(Array.isArray(rooms) ? rooms : [rooms]));
  }

  /**
   * Leaves a room.
   *
   * @returns nothing, or a promise, as the adapter has it
   */
  leave(room: string): Promise<void> | void {
    if (log.isOn) {
      debug("leave room %s", room);
    }
    return this.adapter.del(this.id, room);
  }

  /**
   * Disconnects the socket, with the reason `server namespace disconnect`. The client does not come back by itself.
   *
   * @param close whether to disconnect the client's other namespaces too, and to close the session
   */
  disconnect(close = false): this {
    if (!this.connected) {
      return this;
    }
    if (close) {
      this.client._disconnect();
    } else {
      this.packet({ type: PacketType.DISCONNECT });
      this._onclose("server namespace disconnect");
    }
    return this;
  }

  /** Whether the next event may be compressed; true if never said. */
  compress(compress: boolean): this {
    this.flags.compress = compress;
    return this;
  }

  /** The next event is dropped when the client cannot take it now: something was just sent, or its network is slow. */
  get volatile(): this {
    this.flags.volatile = true;
    return this;
  }

  /** Sends to all other sockets of the namespace. */
  get broadcast(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return this.newBroadcastOperator();
  }

  /** Sends to the other sockets that are connected to this very server, in a cluster of several. */
  get local(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return this.newBroadcastOperator().local;
  }

  /**
   * How long the acknowledgement of the next event may take, in milliseconds. After that the callback gets an Error
   * `operation has timed out`; otherwise its first argument is null, and the client's come after it.
   */
  timeout(
    timeout: number,
  ): Socket<ListenEvents, DecorateAcknowledgements<EmitEvents>, ServerSideEvents, SocketData> {
    this.flags.timeout = timeout;
    return this as any;
  }

  /**
   * Adds a middleware for the events of this client: it sees the name and the arguments, may change them, and calls `next()`, or `next(err)`
   * to refuse the event, which the socket then emits as `error`.
   */
  use(fn: (event: Event, next: (err?: Error) => void) => void): this {
    this.fns.push(fn);
    return this;
  }

  /** Writes a packet of this namespace. */
  private packet(packet: Partial<Packet>, opts: WriteOptions = {}): void {
    packet.nsp = this.nsp.name;
    opts.compress = opts.compress !== false;
    this.client._packet(packet as Packet, opts);
  }

  private leaveAll(): void {
    this.adapter.delAll(this.id);
  }

  /** Called by the namespace after its middlewares: the socket joins its own room, and the client is told. */
  _onconnect(): void {
    debug("socket connected - writing packet");
    this.connected = true;
    this.join(this.id);
    if (this.conn.protocol === 3) {
      this.packet({ type: PacketType.CONNECT });
    } else {
      this.packet({ type: PacketType.CONNECT, data: { sid: this.id, pid: this.pid } });
    }
  }

  /** Takes a packet of the client, a tick after it was decoded. */
  _onpacket(packet: Packet): void {
    if (log.isOn) {
      debug("got packet %j", packet);
    }
    switch (packet.type) {
      case PacketType.EVENT:
      case PacketType.BINARY_EVENT:
        this.onevent(packet);
        break;
      case PacketType.ACK:
      case PacketType.BINARY_ACK:
        this.onack(packet);
        break;
      case PacketType.DISCONNECT:
        this.ondisconnect();
        break;
    }
  }

  /** Whether users' code runs when the packet is taken, and not only a tick later. */
  [own.listensAt]({ type }: Packet): boolean {
    const isEvent = type === PacketType.EVENT || type === PacketType.BINARY_EVENT;
    return (
      !isEvent ||
      this.run !== plainRun ||
      Boolean(this[own.middlewares]?.length || this._anyListeners?.length)
    );
  }

  private onevent(packet: Packet): void {
    const event = packet.data || [];
    if (log.isOn) {
      debug("emitting event %j", event);
    }
    if (packet.id !== undefined && packet.id !== null) {
      if (log.isOn) {
        debug("attaching ack callback to event");
      }
      event.push(this.ack(packet.id));
    }
    if (this[own.notifyAnyListeners](event)) {
      // Before and after: the tick belongs to the context that the listeners have left.
      listenerQueue.seal();
      this.dispatch(event);
      listenerQueue.seal();
    } else {
      this.dispatch(event);
    }
  }

  /** Makes the function by which a listener acknowledges; it does so once. */
  private ack(id: number): AckCallback {
    let isSent = false;
    return (...args) => {
      if (!isSent) {
        if (log.isOn) {
          debug("sending ack %j", args);
        }
        this.packet({ id, type: PacketType.ACK, data: args });
        isSent = true;
      }
    };
  }

  private onack(packet: Packet): void {
    const id = packet.id as number;
    const ack = this[own.acks]?.get(id);
    if (typeof ack === "function") {
      if (log.isOn) {
        debug("calling ack %s with %j", id, packet.data);
      }
      ack.apply(this, packet.data);
      this.acks.delete(id);
    } else if (!this.nsp[own.broadcastAcks].answer(id, this, packet.data)) {
      debug("bad ack %s", id);
    }
    listenerQueue.seal();
  }

  private ondisconnect(): void {
    debug("got disconnect packet");
    this._onclose("client namespace disconnect");
    listenerQueue.seal();
  }

  /** Runs the middlewares and then, in the next tick, the listeners. */
  private dispatch(event: Event): void {
    if (log.isOn) {
      debug("dispatching an event %j", event);
    }
    if (this.run === plainRun && !this[own.middlewares]?.length) {
      listenerQueue.push(this, event);
      return;
    }
    this.run(event, (error) => {
      listenerQueue.seal();
      if (error) {
        process.nextTick(() => this._onerror(error));
      } else {
        listenerQueue.push(this, event);
        listenerQueue.seal(); // the tick belongs to the context in which the middleware has called
      }
    });
  }

  /** Runs the middlewares for an event; a method, because monitoring packages replace it. */
  private run(event: Event, done: (error?: Error) => void): void {
    runMiddlewares(this[own.middlewares] ?? [], event, done);
  }

  /** Tells users of an error of the connection, or of what a middleware has refused. */
  _onerror(error: Error): void {
    this.emitReserved("error", error);
  }

  /** The one way a connected socket ends. */
  _onclose(reason: DisconnectReason, description?: any): this | undefined {
    if (!this.connected) {
      return this;
    }
    debug("closing socket - reason %s", reason);
    this.emitReserved("disconnecting", reason, description);
    if (this.server._opts.connectionStateRecovery && RECOVERABLE_REASONS.has(reason)) {
      this.adapter.persistSession({
        sid: this.id,
        pid: this.pid as string,
        rooms: [...this.rooms],
        data: this.data,
      });
    }
    this._cleanup();
    this.client._remove(this);
    this.connected = false;
    this[own.reachChanged](); // whatever an overridden delAll has done
    this.emitReserved("disconnect", reason, description);
    return;
  }

  /** Takes the socket out of its rooms and its namespace. A `join` that comes later, out of a promise perhaps, must not bring it back. */
  _cleanup(): void {
    this.leaveAll();
    this.nsp._remove(this);
    this.join = noop;
  }

  /** Tells the client that the namespace has refused it. */
  _error(error: any): void {
    this.packet({ type: PacketType.CONNECT_ERROR, data: error });
  }

  /** Builds a handshake: the one of this socket, or if that is done, one of this moment. */
  private buildHandshake(auth: Record<string, unknown>): Handshake {
    const { remoteAddress } = this.conn;
    const known = this[own.handshake];
    return isHandshakeSource(known)
      ? buildHandshake(known, remoteAddress, LOADED_AT + this[own.issuedAfter], auth)
      : buildHandshake(
          handshakeSource(requestFactsOf(this.client), remoteAddress),
          remoteAddress,
          Date.now(),
          auth,
        );
  }

  /** Keeps what the handshake is to say, since the request may change from now on. */
  [own.keepHandshake](): void {
    const handshake = this[own.handshake];
    if (isHandshakeSource(handshake)) {
      this[own.handshake] = keepFacts(handshake, this.conn.remoteAddress);
    }
  }

  override [own.reachChanged](): void {
    const adapter = this.adapter as Partial<NativeBroadcaster>;
    const present = this.nsp.adapter as Partial<NativeBroadcaster>; // the server may have been given another one since
    adapter[own.reachChanged]?.(this);
    if (present !== adapter) {
      present[own.reachChanged]?.(this);
    }
  }

  private [own.restore]({ rooms, data, missedPackets }: Session): void {
    for (const room of rooms) {
      this.join(room);
    }
    this.data = data as SocketData;
    for (const missed of missedPackets) {
      this.packet({ type: PacketType.EVENT, data: missed });
    }
  }

  private newBroadcastOperator(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return new BroadcastOperator(
      this.adapter,
      new Set(),
      new Set([this.id]),
      this[own.takeFlags](),
    );
  }
}

letAssign(Socket.prototype, ["server"]);

/** To see whether somebody has replaced it. */
const plainRun = (Socket.prototype as unknown as { run: unknown }).run;

/** A client that was made by hand, as tests of applications do, has nothing but the request itself. */
function requestFactsOf(client: Client<any, any, any>): HandshakeRequest {
  return own.requestFacts in client
    ? client[own.requestFacts]
    : (client as { request: HandshakeRequest }).request;
}

/** Parsers of one's own may give anything, and what names no query has no prototype for clients of protocol 3. */
function isPlainAndEmpty(auth: object): boolean {
  return Object.getPrototypeOf(auth) === Object.prototype && Object.keys(auth).length === 0;
}

/** Never the session's id, which is a secret; except for clients of protocol 3, which take the two for one. */
function newSocketId(namespace: string, conn: EngineSocket): string {
  if (conn.protocol === 3) {
    return namespace === "/" ? conn.id : `${namespace}#${conn.id}`;
  }
  return generateSessionId();
}

// A native broadcast does not come by here.
tellWhenReplaced(Socket.prototype, "notifyOutgoingListeners", (socket) =>
  socket[own.reachChanged](),
);
