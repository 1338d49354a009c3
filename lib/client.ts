/**
 * One Engine.IO session as the socket.io layer sees it: its sockets, one per namespace, what is written to it and what comes from it.
 *
 * The session may be our own (it has a slot in the core) or one of any engine with engine.io's API. To our own packets go straight to the
 * core, unless somebody watches what is written; else they go through `conn.write`. There is one client per connection, so what few
 * clients need is made when it is needed: the Maps of sockets with the second namespace, the decoder with the first attachment.
 */
import type { IncomingMessage } from "node:http";
import debugModule from "debug";
import { bindOnRead } from "./bound-methods";
import { COMPRESS, VOLATILE } from "./commands";
import { packetQueue, queueAlone } from "./delivery";
import { type EncodedPacket, isSendable, type WriteOptions } from "./encoded-packet";
import type { Socket as EngineSocket } from "./engine";
import * as inEngine from "./engine/in-engine";
import { expendableFlag } from "./expendable";
import type { HandshakeRequest } from "./handshake";
import { refreshSwitches, switchOf } from "./log-switch";
import type { Namespace } from "./namespace";
import * as own from "./own";
import { letAssign } from "./own-value";
import {
  Decoder,
  decodePacket,
  type Encoder,
  isBinaryPacket,
  type Packet,
  PacketType,
} from "./parser";
import { tellWhenReplaced } from "./replaceable";
import type { Server } from "./server";
import { ignoreSession, listenToSession } from "./session-listeners";
import type { Socket } from "./socket";
import type { DisconnectReason } from "./socket-types";
import type { EventsMap } from "./typed-events";
import { abandonUndecided } from "./undecided-sockets";

const debug = debugModule("socket.io:client");
const log = switchOf(debug);

/** Clients of our own engine's sessions, by slot. */
const clients: (AnyClient | undefined)[] = [];

/** The client of a session of our own engine. */
export function clientOfSlot(slot: number): AnyClient | undefined {
  return clients[slot];
}

/** Those that are guests, by session. */
const guests = new WeakMap<EngineSocket, AnyClient>();

/** The client of a session, if it has one. */
export function clientOf(conn: EngineSocket): AnyClient | undefined {
  const slot = conn[inEngine.slot];
  return (slot === undefined ? undefined : clients[slot]) ?? guests.get(conn);
}

type AnyClient = Client<any, any, any, any>;

/** Whether a session is one of our own engine's, itself and no wrapper of it, and no other server has a client for it. */
function isVacant(conn: EngineSocket): boolean {
  const slot = conn[inEngine.slot];
  return slot >= 0 && clients[slot] === undefined && conn.server.clients[conn.id] === conn;
}

export class Client<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData = any,
> {
  /** The session: engine.io's `Socket`. */
  readonly conn: EngineSocket;
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  readonly encoder: Encoder;
  /** Closes the session when no namespace is joined in time. */
  private connectTimeout: NodeJS.Timeout | undefined;
  /** The only socket, as long as there is one and nobody has asked for the Maps. */
  private [own.only]: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData> | undefined;
  private [own.socketsById]: Map<string, Socket> | undefined;
  private [own.socketsByNamespace]: Map<string, Socket> | undefined;
  private [own.decoder]: Decoder | undefined;
  /**
   * Knows the session by its public members alone: it belongs to another engine, or is a wrapper that wants to see what is called, or another
   * server's client was there first. Own only where it is true.
   */
  declare readonly [own.isGuest]: boolean;

  constructor(
    server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    conn: EngineSocket,
  ) {
    this.server = server;
    this.conn = conn;
    this.encoder = server.encoder as Encoder;
    this.connectTimeout = undefined;
    this[own.only] = undefined;
    this[own.socketsById] = undefined;
    this[own.socketsByNamespace] = undefined;
    this[own.decoder] = server._parser.Decoder === Decoder ? undefined : this[own.makeDecoder]();
    if (!isVacant(conn)) {
      Object.defineProperty(this, own.isGuest, { value: true });
    }
    this.setup();
  }

  /** The id of the session. A secret: who knows it can take the session over. */
  get id(): string {
    return this.conn.id;
  }

  /** The request that opened the session. */
  get request(): IncomingMessage {
    return this.conn.request;
  }

  /** What can be read of that request: our own engine makes the request itself only when somebody asks for it. */
  get [own.requestFacts](): HandshakeRequest {
    const { conn } = this;
    return this[own.isGuest] ? conn.request : conn[inEngine.requestFacts];
  }

  /** Connected sockets by id. */
  get sockets(): Map<string, Socket> {
    return this[own.maps]().byId;
  }

  set sockets(sockets: Map<string, Socket>) {
    this[own.maps]();
    this[own.socketsById] = sockets;
  }

  /** Connected sockets by the name of their namespace. */
  get nsps(): Map<string, Socket> {
    return this[own.maps]().byNamespace;
  }

  set nsps(sockets: Map<string, Socket>) {
    this[own.maps]();
    this[own.socketsByNamespace] = sockets;
  }

  /** Decodes what the session delivers, unless that is plain text for the default parser, which needs no decoder. */
  get decoder(): Decoder {
    this[own.decoder] ??= this[own.makeDecoder]();
    return this[own.decoder];
  }

  set decoder(decoder: Decoder) {
    this[own.decoder] = decoder;
  }

  /** The connected socket of a namespace. */
  [own.socketOf](namespace: string): Socket | undefined {
    const { [own.only]: only } = this;
    if (only !== undefined) {
      return only.nsp.name === namespace ? (only as unknown as Socket) : undefined;
    }
    return this[own.socketsByNamespace]?.get(namespace);
  }

  /** Connects to a namespace, or tells the client that there is none of that name. */
  connect(name: string, auth: Record<string, unknown> = {}): void {
    if (this.server._nsps.has(name)) {
      debug("connecting to namespace %s", name);
      this.doConnect(name, auth);
      return;
    }
    this.server._checkNamespace(name, auth, (namespace) => {
      if (namespace) {
        this.doConnect(name, auth);
        return;
      }
      debug("creation of namespace %s was denied", name);
      this._packet({
        type: PacketType.CONNECT_ERROR,
        nsp: name,
        data: { message: "Invalid namespace" },
      });
    });
  }

  /** Connects to a namespace that exists. */
  doConnect(name: string, auth: Record<string, unknown>): void {
    const nsp = this.server.of(name);
    nsp._add(this, auth, (socket) => {
      this[own.add](socket, nsp);
      clearTimeout(this.connectTimeout);
      this.connectTimeout = undefined;
    });
  }

  /** Disconnects all sockets and closes the session after what was sent. */
  _disconnect(): void {
    for (const socket of this[own.list]()) {
      socket.disconnect();
    }
    this[own.clear]();
    this.close();
  }

  /** Disconnects all sockets as the end of the server does, and leaves it to the caller to close the session. */
  [own.leave](description: string): void {
    for (const socket of this[own.list]()) {
      socket._onclose("server shutting down", description);
    }
  }

  /** Forgets a socket. */
  _remove(socket: Socket<any, any, any, any>): void {
    if (this[own.only] !== undefined && this[own.only].id === socket.id) {
      this[own.only] = undefined;
    } else if (this[own.socketsById]?.has(socket.id)) {
      const known = this[own.socketsById].get(socket.id) as Socket;
      this[own.socketsById].delete(socket.id);
      this[own.socketsByNamespace]?.delete(known.nsp.name);
    } else {
      debug("ignoring remove for %s", socket.id);
    }
  }

  /** Closes the session after what was sent. */
  close(): void {
    if (this.conn.readyState === "open") {
      debug("forcing transport close");
      this.conn.close();
      this.onclose("forced server close");
    }
  }

  /** Encodes and writes a packet. Packets for a session that is not open are dropped. */
  _packet(packet: Packet | EncodedPacket, opts: WriteOptions = {}): void {
    if (this.conn.readyState !== "open") {
      debug("ignoring packet write %j", packet);
      return;
    }
    // Adapters before 2.3 come here, through `socket.packet`, with what they have encoded.
    const encoded = opts.preEncoded
      ? (packet as EncodedPacket)
      : this.encoder.encode(packet as Packet);
    this.writeToEngine(encoded, opts);
  }

  /**
   * Writes an encoded packet; a volatile one is dropped as a whole when the session cannot take it. Broadcast loops in JavaScript call this
   * with the same objects for each session, and become one record to the core.
   */
  writeToEngine(encoded: EncodedPacket, opts: WriteOptions): void {
    const { conn } = this;
    const slot = conn[inEngine.slot];
    const isDirect = slot >= 0 && !this[own.isGuest];
    if (!isDirect || conn[inEngine.observed]() || log.isOn || !isSendable(encoded)) {
      this[own.writeToConn](encoded, opts);
      return;
    }
    if (conn.readyState !== "open") {
      return;
    }
    const flags =
      (opts.volatile ? VOLATILE : 0) |
      (opts.compress === false ? 0 : COMPRESS) |
      expendableFlag(conn.server, encoded);
    if (opts.preEncoded) {
      conn[inEngine.commands].multicast(slot, encoded, opts, flags);
    } else {
      const isOneText = encoded.length === 1 && typeof encoded[0] === "string";
      conn[inEngine.commands].send(slot, isOneText ? (encoded[0] as string) : encoded, flags);
    }
    conn[inEngine.stamp](typeof encoded === "string" ? 1 : encoded.length, !opts.volatile);
  }

  /** Takes a message of the session. */
  ondata(data: any): void {
    try {
      if (typeof data === "string" && this[own.decoder] === undefined && !isBinaryPacket(data)) {
        methods.ondecoded.call(this, decodePacket(data));
      } else {
        this.decoder.add(data);
      }
    } catch (error) {
      debug("invalid packet format");
      this.onerror(error as Error);
    }
  }

  /** Takes a packet: connects, gives it to its socket in the next tick, or closes the session when it makes no sense. */
  ondecoded(packet: Packet): void {
    const { conn } = this;
    let { nsp: name, data: auth } = packet;
    if (conn.protocol === 3) {
      ({ namespace: name, authPayload: auth } = this._parseNamespace(packet));
    }
    const socket = this[own.socketOf](name);
    const { type } = packet;
    if (socket === undefined) {
      if (type === PacketType.CONNECT) {
        this.connect(name, auth);
        return;
      }
    } else if (type !== PacketType.CONNECT && type !== PacketType.CONNECT_ERROR) {
      if (this[own.isGuest]) {
        refreshSwitches(); // an engine that is not ours has no batches
        queueAlone(socket, packet);
      } else {
        packetQueue.push(socket, packet);
      }
      return;
    }
    debug("invalid state (packet type: %s)", type);
    this.close();
  }

  /** What a packet names: clients of protocol 3 name the namespace with a query in the place of `auth`: `/admin?token=x`. */
  _parseNamespace(packet: Packet): { namespace: string; authPayload: any } {
    if (this.conn.protocol !== 3) {
      return { namespace: packet.nsp, authPayload: packet.data };
    }
    const { pathname, searchParams } = new URL(packet.nsp, "https://socket.io");
    const auth: Record<string, string> = Object.create(null);
    for (const [key, value] of searchParams) {
      auth[key] = value;
    }
    return { namespace: pathname, authPayload: auth };
  }

  /** Tells the sockets of an error and closes the session. */
  onerror(error: Error): void {
    for (const socket of this[own.list]()) {
      socket._onerror(error);
    }
    this.conn.close();
  }

  /** The session has ended. */
  onclose(reason: DisconnectReason, description?: any): void {
    debug("client close with reason %s", reason);
    packetQueue.seal();
    this.destroy();
    for (const socket of this[own.list]()) {
      socket._onclose(reason, description);
    }
    this[own.clear]();
    abandonUndecided(this);
    this[own.decoder]?.destroy();
  }

  /** The session of our own engine has a message. */
  [own.tellData](data: unknown): void {
    methods.ondata.call(this, data);
  }

  /** It has failed, or ended. */
  [own.tellEnd](method: "onerror" | "onclose", what: unknown, description?: unknown): void {
    methods[method].call(this, what, description);
  }

  /** Called by our own engine before `conn.request` is replaced. */
  [inEngine.beforeRequestReplaced](): void {
    for (const socket of this[own.list]()) {
      void socket.handshake;
    }
  }

  /** Called by our own engine before `conn.request` is shown to somebody for the first time. */
  [inEngine.beforeRequestShown](): void {
    for (const socket of this[own.list]()) {
      socket[own.keepHandshake]();
    }
  }

  /** Called by our own engine when somebody begins to watch what is written to the session. */
  [inEngine.onWritesWatched](): void {
    for (const socket of this[own.list]()) {
      socket[own.reachChanged]();
    }
  }

  private setup(): void {
    const { conn } = this;
    if (this[own.isGuest]) {
      this.ondata = this.ondata.bind(this);
      this.onerror = this.onerror.bind(this);
      this.onclose = this.onclose.bind(this);
      guests.set(conn, this);
      conn.on("data", this.ondata);
      conn.on("error", this.onerror);
      conn.on("close", this.onclose);
    } else {
      clients[conn[inEngine.slot]] = this;
      conn[inEngine.requestUser] = this;
      listenToSession(conn);
    }
    this.connectTimeout = setTimeout(() => {
      if (this[own.only] === undefined && !this[own.socketsByNamespace]?.size) {
        debug("no namespace joined yet, close the client");
        this.close();
      } else {
        debug("the client has already joined a namespace, nothing to do");
      }
    }, this.server._connectTimeout);
  }

  private destroy(): void {
    const { conn } = this;
    if (this[own.isGuest]) {
      conn.removeListener("data", this.ondata);
      conn.removeListener("error", this.onerror);
      conn.removeListener("close", this.onclose);
    } else {
      if (clients[conn[inEngine.slot]] === this) {
        clients[conn[inEngine.slot]] = undefined;
      }
      ignoreSession(conn);
    }
    this[own.decoder]?.removeListener("decoded", this.ondecoded);
    clearTimeout(this.connectTimeout);
    this.connectTimeout = undefined;
  }

  private [own.makeDecoder](): Decoder {
    this.ondecoded = this.ondecoded.bind(this);
    const decoder = new this.server._parser.Decoder() as Decoder;
    decoder.on("decoded", this.ondecoded);
    return decoder;
  }

  /** The way of packets that somebody watches, or whose session belongs to another engine. */
  private [own.writeToConn](encoded: EncodedPacket, opts: WriteOptions): void {
    const { conn } = this;
    if (opts.volatile && !conn.transport.writable) {
      debug("volatile packet is discarded since the transport is not currently writable");
    } else if (!Array.isArray(encoded)) {
      conn.write(encoded, opts);
    } else if (encoded.length > 1 && conn[inEngine.slot] >= 0 && !this[own.isGuest]) {
      conn[inEngine.writeUnit](encoded, opts);
    } else {
      for (const part of encoded) {
        conn.write(part, opts);
      }
    }
  }

  private [own.add](
    socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ): void {
    if (this[own.only] === undefined && this[own.socketsById] === undefined) {
      this[own.only] = socket;
    } else {
      const { byId, byNamespace } = this[own.maps]();
      byId.set(socket.id, socket as unknown as Socket);
      byNamespace.set(nsp.name, socket as unknown as Socket);
    }
  }

  /** The Maps of sockets; from the first call on they hold what `only` held. */
  private [own.maps](): { byId: Map<string, Socket>; byNamespace: Map<string, Socket> } {
    const byId = this[own.socketsById] ?? new Map<string, Socket>();
    const byNamespace = this[own.socketsByNamespace] ?? new Map<string, Socket>();
    this[own.socketsById] = byId;
    this[own.socketsByNamespace] = byNamespace;
    const only = this[own.only];
    if (only !== undefined) {
      byId.set(only.id, only as unknown as Socket);
      byNamespace.set(only.nsp.name, only as unknown as Socket);
      this[own.only] = undefined;
    }
    return { byId, byNamespace };
  }

  private [own.list](): Socket[] {
    if (this[own.only] !== undefined) {
      return [this[own.only] as unknown as Socket];
    }
    return this[own.socketsById] === undefined ? [] : [...this[own.socketsById].values()];
  }

  private [own.clear](): void {
    this[own.only] = undefined;
    this[own.socketsById]?.clear();
  }
}

// A native broadcast does not come by here.
tellWhenReplaced(Client.prototype, "writeToEngine", (client) => client[inEngine.onWritesWatched]());

letAssign(Client.prototype, ["id"]);

Object.defineProperty(Client.prototype, own.isGuest, { value: false });

/**
 * socket.io binds these when it makes a client, so that they can be taken off it, and so that what is put in their place on one client does not
 * count for what its session tells.
 */
const methods = bindOnRead(Client.prototype, ["ondata", "ondecoded", "onerror", "onclose"]);
