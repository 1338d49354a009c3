/**
 * One Engine.IO session as the socket.io layer sees it: its sockets, one per namespace, what is written to it and what comes from it.
 *
 * The session may be our own (`conn._slot` is a number) or one of any engine with engine.io's API. To our own packets go straight to the
 * core, unless somebody watches what is written; else they go through `conn.write`. There is one client per connection, so what few
 * clients need is made when it is needed: the Maps of sockets with the second namespace, the decoder with the first attachment.
 */
import type { IncomingMessage } from "node:http";
import debugModule from "debug";
import { COMPRESS, VOLATILE } from "./commands";
import { packetQueue, queueAlone } from "./delivery";
import { type EncodedPacket, isSendable, type WriteOptions } from "./encoded-packet";
import type { Socket as EngineSocket } from "./engine";
import { expendableFlag } from "./expendable";
import type { HandshakeRequest } from "./handshake";
import { refreshSwitches, switchOf } from "./log-switch";
import type { Namespace } from "./namespace";
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

/** Those of other engines, by session. */
const foreignClients = new WeakMap<EngineSocket, AnyClient>();

/** The client of a session, if it has one. */
export function clientOf(conn: EngineSocket): AnyClient | undefined {
  return conn._slot === undefined ? foreignClients.get(conn) : clients[conn._slot];
}

type AnyClient = Client<any, any, any, any>;

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
  private only: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData> | undefined;
  private socketsById: Map<string, Socket> | undefined;
  private socketsByNamespace: Map<string, Socket> | undefined;
  private ownDecoder: Decoder | undefined;

  constructor(
    server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    conn: EngineSocket,
  ) {
    this.server = server;
    this.conn = conn;
    this.encoder = server.encoder as Encoder;
    this.connectTimeout = undefined;
    this.only = undefined;
    this.socketsById = undefined;
    this.socketsByNamespace = undefined;
    this.ownDecoder = server._parser.Decoder === Decoder ? undefined : this.makeDecoder();
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
  get _requestFacts(): HandshakeRequest {
    const { conn } = this;
    return conn._slot === undefined ? conn.request : conn._requestFacts;
  }

  /** Connected sockets by id. */
  get sockets(): Map<string, Socket> {
    return this.maps().byId;
  }

  /** Connected sockets by the name of their namespace. */
  get nsps(): Map<string, Socket> {
    return this.maps().byNamespace;
  }

  /** Decodes what the session delivers, unless that is plain text for the default parser, which needs no decoder. */
  get decoder(): Decoder {
    this.ownDecoder ??= this.makeDecoder();
    return this.ownDecoder;
  }

  /** The connected socket of a namespace. */
  _socketOf(namespace: string): Socket | undefined {
    const { only } = this;
    if (only !== undefined) {
      return only.nsp.name === namespace ? (only as unknown as Socket) : undefined;
    }
    return this.socketsByNamespace?.get(namespace);
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
      this.add(socket, nsp);
      clearTimeout(this.connectTimeout);
      this.connectTimeout = undefined;
    });
  }

  /** Disconnects all sockets and closes the session after what was sent. */
  _disconnect(): void {
    for (const socket of this.list()) {
      socket.disconnect();
    }
    this.clear();
    this.close();
  }

  /** Disconnects all sockets as the end of the server does, and leaves it to the caller to close the session. */
  _leave(description: string): void {
    for (const socket of this.list()) {
      socket._onclose("server shutting down", description);
    }
  }

  /** Forgets a socket. */
  _remove(socket: Socket<any, any, any, any>): void {
    if (this.only !== undefined && this.only.id === socket.id) {
      this.only = undefined;
    } else if (this.socketsById?.has(socket.id)) {
      const known = this.socketsById.get(socket.id) as Socket;
      this.socketsById.delete(socket.id);
      this.socketsByNamespace?.delete(known.nsp.name);
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
    const slot = conn._slot;
    if (!(slot >= 0) || conn._observed() || log.isOn || !isSendable(encoded)) {
      this.writeToConn(encoded, opts);
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
      conn._commands.multicast(slot, encoded, opts, flags);
    } else {
      const isOneText = encoded.length === 1 && typeof encoded[0] === "string";
      conn._commands.send(slot, isOneText ? (encoded[0] as string) : encoded, flags);
    }
    conn._stamp(typeof encoded === "string" ? 1 : encoded.length, !opts.volatile);
  }

  /** Takes a message of the session. */
  ondata(data: any): void {
    try {
      if (typeof data === "string" && this.ownDecoder === undefined && !isBinaryPacket(data)) {
        this.ondecoded(decodePacket(data));
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
      ({ name, auth } = splitQuery(name));
    }
    const socket = this._socketOf(name);
    const { type } = packet;
    if (socket === undefined) {
      if (type === PacketType.CONNECT) {
        this.connect(name, auth);
        return;
      }
    } else if (type !== PacketType.CONNECT && type !== PacketType.CONNECT_ERROR) {
      if (conn._slot === undefined) {
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

  /** Tells the sockets of an error and closes the session. */
  onerror(error: Error): void {
    for (const socket of this.list()) {
      socket._onerror(error);
    }
    this.conn.close();
  }

  /** The session has ended. */
  onclose(reason: DisconnectReason, description?: any): void {
    debug("client close with reason %s", reason);
    packetQueue.seal();
    this.destroy();
    for (const socket of this.list()) {
      socket._onclose(reason, description);
    }
    this.clear();
    abandonUndecided(this);
    this.ownDecoder?.destroy();
  }

  /** Called by our own engine before `conn.request` is replaced. */
  beforeRequestReplaced(): void {
    for (const socket of this.list()) {
      socket._buildHandshake();
    }
  }

  /** Called by our own engine when somebody begins to watch what is written to the session. */
  onWritesWatched(): void {
    for (const socket of this.list()) {
      socket._reachChanged();
    }
  }

  private setup(): void {
    const { conn } = this;
    if (conn._slot === undefined) {
      this.ondata = this.ondata.bind(this);
      this.onerror = this.onerror.bind(this);
      this.onclose = this.onclose.bind(this);
      foreignClients.set(conn, this);
      conn.on("data", this.ondata);
      conn.on("error", this.onerror);
      conn.on("close", this.onclose);
    } else {
      clients[conn._slot] = this;
      conn._requestUser = this;
      listenToSession(conn);
    }
    this.connectTimeout = setTimeout(() => {
      if (this.only === undefined && !this.socketsByNamespace?.size) {
        debug("no namespace joined yet, close the client");
        this.close();
      } else {
        debug("the client has already joined a namespace, nothing to do");
      }
    }, this.server._connectTimeout);
  }

  private destroy(): void {
    const { conn } = this;
    if (conn._slot === undefined) {
      conn.removeListener("data", this.ondata);
      conn.removeListener("error", this.onerror);
      conn.removeListener("close", this.onclose);
    } else {
      if (clients[conn._slot] === this) {
        clients[conn._slot] = undefined;
      }
      ignoreSession(conn);
    }
    this.ownDecoder?.removeListener("decoded", this.ondecoded);
    clearTimeout(this.connectTimeout);
    this.connectTimeout = undefined;
  }

  private makeDecoder(): Decoder {
    this.ondecoded = this.ondecoded.bind(this);
    const decoder = new this.server._parser.Decoder() as Decoder;
    decoder.on("decoded", this.ondecoded);
    return decoder;
  }

  /** The way of packets that somebody watches, or whose session belongs to another engine. */
  private writeToConn(encoded: EncodedPacket, opts: WriteOptions): void {
    const { conn } = this;
    if (opts.volatile && !conn.transport.writable) {
      debug("volatile packet is discarded since the transport is not currently writable");
    } else if (!Array.isArray(encoded)) {
      conn.write(encoded, opts);
    } else if (encoded.length > 1 && conn._slot >= 0) {
      conn._writeUnit(encoded, opts);
    } else {
      for (const part of encoded) {
        conn.write(part, opts);
      }
    }
  }

  private add(
    socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ): void {
    if (this.only === undefined && this.socketsById === undefined) {
      this.only = socket;
    } else {
      const { byId, byNamespace } = this.maps();
      byId.set(socket.id, socket as unknown as Socket);
      byNamespace.set(nsp.name, socket as unknown as Socket);
    }
  }

  /** The Maps of sockets; from the first call on they hold what `only` held. */
  private maps(): { byId: Map<string, Socket>; byNamespace: Map<string, Socket> } {
    this.socketsById ??= new Map();
    this.socketsByNamespace ??= new Map();
    const { socketsById: byId, socketsByNamespace: byNamespace } = this;
    if (this.only !== undefined) {
      byId.set(this.only.id, this.only as unknown as Socket);
      byNamespace.set(this.only.nsp.name, this.only as unknown as Socket);
      this.only = undefined;
    }
    return { byId, byNamespace };
  }

  private list(): Socket[] {
    if (this.only !== undefined) {
      return [this.only as unknown as Socket];
    }
    return this.socketsById === undefined ? [] : [...this.socketsById.values()];
  }

  private clear(): void {
    this.only = undefined;
    this.socketsById?.clear();
  }
}

// A native broadcast does not come by here.
tellWhenReplaced(Client.prototype, "writeToEngine", (client) => client.onWritesWatched());

/** Clients of protocol 3 name the namespace with a query in the place of `auth`: `/admin?token=x`. */
function splitQuery(nsp: string): { name: string; auth: Record<string, string> } {
  const url = new URL(nsp, "https://socket.io");
  const auth: Record<string, string> = Object.create(null);
  for (const [key, value] of url.searchParams) {
    auth[key] = value;
  }
  return { name: url.pathname, auth };
}
