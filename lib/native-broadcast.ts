/**
 * Gives an adapter in memory, npm's own or one derived from it, the native fan-out: a broadcast is one command, whatever the number of
 * receivers.
 *
 * Rooms, Maps and events stay npm's: every method here calls the one it overrides, and tells the core what has changed (room-index.ts).
 * Sockets that cannot be left to the core, because somebody wants to see what is sent to them or because they live on another engine, are
 * served by npm's loop, and so is everybody else whom the same broadcast reaches: what users do meanwhile has to come between the right two
 * receivers. npm's way is also taken if a method that counts here has been patched, or the Maps were edited by hand.
 */
import type { EventEmitter } from "node:events";
import debugModule from "debug";
import { Adapter, type BroadcastOptions, type Room, type SocketId } from "socket.io-adapter";
import { Client, clientOfSlot } from "./client";
import { COMPRESS, packetsOf, VOLATILE } from "./commands";
import { type EncodedPacket, isSendable, type WriteOptions } from "./encoded-packet";
import * as inEngine from "./engine/in-engine";
import { isWritePatched } from "./engine/socket";
import { expendableFlag } from "./expendable";
import { currentLink } from "./link";
import { switchOf } from "./log-switch";
import type { Namespace } from "./namespace";
import * as own from "./own";
import type { Packet } from "./parser";
import { RoomIndex } from "./room-index";
import { Socket } from "./socket";

/** What the socket tells its adapter, if that has the native fan-out. */
export interface NativeBroadcaster {
  /** Whether the socket can be left to the core may have changed, or it has gone. */
  [own.reachChanged](socket: AnySocket): void;
}

type AnySocket = Socket<any, any, any, any>;
type Serve = (socket: AnySocket) => void;

/** npm's adapter with what it calls private, and everybody overrides. */
interface OpenAdapter extends EventEmitter {
  readonly nsp: Namespace;
  readonly encoder: { encode(packet: Packet): EncodedPacket };
  rooms: Map<Room, Set<SocketId>>;
  sids: Map<SocketId, Set<Room>>;
  addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void;
  computeExceptSids: unknown;
  _del(room: Room, id: SocketId): void;
  delAll(id: SocketId): void;
  broadcast(packet: Packet, opts: BroadcastOptions): void;
  broadcastWithAck(
    packet: Packet,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: any[]) => void,
  ): void;
  _encode(packet: Packet, packetOpts: WriteOptions): EncodedPacket;
  apply(opts: BroadcastOptions, callback: Serve): void;
}

/** Namespaces that print what becomes of each copy of a broadcast, so that JavaScript has to see it. */
const engineLog = switchOf(debugModule("engine:socket"));
const clientLog = switchOf(debugModule("socket.io:client"));

/** More broadcasts than this of one turn are not told apart when somebody reads `writable`. */
const MAX_TURN_BROADCASTS = 1024;

/** Derives an adapter class with the native fan-out. */
export function withNativeBroadcast<Base extends typeof Adapter>(Base: Base): Base {
  const OpenBase = Base as unknown as new (nsp: any) => OpenAdapter;

  class NativeAdapter extends OpenBase implements NativeBroadcaster {
    private readonly [own.index] = new RoomIndex(this);
    /** Connected sockets that are not left to the core, by id. */
    private readonly [own.served] = new Map<SocketId, AnySocket>();
    /** Whether the next `_encode` and `apply` are those of npm's `broadcast`. */
    private [own.isBroadcasting] = false;
    private [own.encoded]: EncodedPacket | undefined = undefined;
    private [own.packetOpts]: WriteOptions = {};

    override addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
      const socket = this.nsp.sockets?.get(id);
      if (socket !== undefined && !this[own.knows](id, socket)) {
        this[own.dismiss](id); // another socket may have had the id: a recovered session, or a user's own choice
        this[own.admit](id, socket);
      }
      return super.addAll(id, rooms);
    }

    /** The event comes when the Maps have changed and before anybody is told: the one moment that is right for the core. */
    override emit(event: string | symbol, ...args: any[]): boolean {
      if (event === "join-room") {
        const [room, id] = args;
        this[own.index].joined(id, room);
      }
      return super.emit(event, ...args);
    }

    override _del(room: Room, id: SocketId): void {
      this[own.index].leaving(id, room);
      super._del(room, id);
      if (!this.rooms.has(room)) {
        this[own.index].freeRoom(room);
      }
    }

    override delAll(id: SocketId): void {
      super.delAll(id);
      this[own.dismiss](id);
    }

    override broadcast(packet: Packet, opts: BroadcastOptions): void {
      this[own.isBroadcasting] = isUnpatched(this, NativeAdapter.prototype);
      try {
        super.broadcast(packet, opts);
      } finally {
        this[own.isBroadcasting] = false;
        this[own.encoded] = undefined;
      }
    }

    override broadcastWithAck(
      packet: Packet,
      opts: BroadcastOptions,
      clientCountCallback: (clientCount: number) => void,
      ack: (...args: any[]) => void,
    ): void {
      if (!isUnpatched(this, NativeAdapter.prototype)) {
        super.broadcastWithAck(packet, opts, clientCountCallback, ack);
        return;
      }
      const packetOpts = packetOptions(opts);
      packet.nsp = this.nsp.name;
      packet.id = this.nsp._ids++;
      const encoded = this[own.encodeFor](packet, packetOpts);
      const receivers = new Set<SocketId>();
      super.apply(opts, (socket) => receivers.add(socket.id));
      const clientCount = receivers.size;
      this.nsp[own.broadcastAcks].expect(packet.id, receivers, ack);
      this[own.deliver](opts, encoded, packetOpts, (socket) => {
        socket.notifyOutgoingListeners(packet);
        socket.client.writeToEngine(encoded, packetOpts);
      });
      clientCountCallback(clientCount);
    }

    /** Called by npm's `broadcast`, which then calls `apply`. Arguments with a `toJSON` run users' code. */
    override _encode(packet: Packet, packetOpts: WriteOptions): EncodedPacket {
      if (!this[own.isBroadcasting]) {
        return super._encode(packet, packetOpts);
      }
      this[own.isBroadcasting] = false;
      const encoded = this[own.encodeFor](packet, packetOpts);
      this[own.encoded] = encoded;
      this[own.packetOpts] = packetOpts;
      return encoded;
    }

    override apply(opts: BroadcastOptions, callback: Serve): void {
      const { [own.encoded]: encoded, [own.packetOpts]: packetOpts } = this;
      if (encoded === undefined) {
        super.apply(opts, callback);
      } else {
        this[own.encoded] = undefined;
        this[own.deliver](opts, encoded, packetOpts, callback);
      }
    }

    [own.reachChanged](socket: AnySocket): void {
      const { id } = socket;
      if (this[own.knows](id, socket)) {
        this[own.dismiss](id);
        if (socket.connected) {
          this[own.admit](id, socket);
        }
      }
    }

    /** Only who is served in JavaScript has a use for the WebSocket frame that npm's adapter prepares. */
    private [own.encodeFor](packet: Packet, packetOpts: WriteOptions): EncodedPacket {
      return this[own.served].size > 0
        ? super._encode(packet, packetOpts)
        : this.encoder.encode(packet);
    }

    private [own.deliver](
      opts: BroadcastOptions,
      encoded: EncodedPacket,
      packetOpts: WriteOptions,
      serve: Serve,
    ): void {
      // Who is served may run users' code, which then sends, joins and leaves between one receiver and the next: npm's loop has the order.
      if (!isSendable(encoded) || !this[own.mirrorsMaps](opts) || this[own.reachesServed](opts)) {
        super.apply(opts, serve);
        return;
      }
      if (this[own.index].size > 0) {
        const flags =
          (packetOpts.volatile ? VOLATILE : 0) |
          (packetOpts.compress === false ? 0 : COMPRESS) |
          expendableFlag(this.nsp.server.engine, encoded);
        if (this[own.index].broadcast(opts, encoded, flags)) {
          this[own.noteBroadcast](opts, packetsOf(encoded), packetOpts.volatile === true);
        }
      }
    }

    /** Whether the Maps hold what this was told of; see {@link RoomIndex.mirrors}. */
    private [own.mirrorsMaps](opts: BroadcastOptions): boolean {
      const known = this[own.index].size + this[own.served].size;
      return (
        this.nsp.sockets.size >= known &&
        (opts.rooms.size > 0 || this.sids.size === known) &&
        this[own.index].mirrors(opts)
      );
    }

    /** Whether somebody who is served is among the targets, or finding out would take longer than going through them. */
    private [own.reachesServed](opts: BroadcastOptions): boolean {
      const { [own.served]: served } = this;
      if (served.size === 0) {
        return false;
      }
      if (this[own.isLoopCheaper](opts)) {
        return true;
      }
      for (const id of served.keys()) {
        if (this[own.isTarget](id, opts)) {
          return true;
        }
      }
      return false;
    }

    /** Whether looking at the targets takes less than looking at all that are served. */
    private [own.isLoopCheaper]({ rooms }: BroadcastOptions): boolean {
      let targets = rooms.size > 0 ? 0 : this.sids.size;
      for (const room of rooms) {
        targets += this.rooms.get(room)?.size ?? 0;
      }
      return targets < this[own.served].size * 2;
    }

    private [own.isTarget](id: SocketId, { rooms, except }: BroadcastOptions): boolean {
      const isIn = (room: Room) => this.rooms.get(room)?.has(id) === true;
      return (
        this.sids.has(id) &&
        (rooms.size === 0 || [...rooms].some(isIn)) &&
        !(except !== undefined && [...except].some(isIn))
      );
    }

    /** A native broadcast leaves no mark on the sessions that it reaches, so they ask when their `writable` is read. */
    private [own.noteBroadcast](
      opts: BroadcastOptions,
      packets: number,
      isVolatile: boolean,
    ): void {
      const { broadcasts } = currentLink();
      if (broadcasts.length < MAX_TURN_BROADCASTS) {
        broadcasts.push({
          reaches: (slot) => {
            const socket = clientOfSlot(slot)?.[own.socketOf](this.nsp.name);
            return socket !== undefined && this[own.isTarget](socket.id, opts);
          },
          packets,
          isVolatile,
        });
      } else if (broadcasts.length === MAX_TURN_BROADCASTS) {
        broadcasts.push({ reaches: () => true, packets: 1, isVolatile: false });
      }
    }

    private [own.knows](id: SocketId, socket: AnySocket): boolean {
      return (
        this[own.served].get(id) === socket ||
        this[own.index].slotOf(id) === socket.conn[inEngine.slot]
      );
    }

    private [own.admit](id: SocketId, socket: AnySocket): void {
      if (mustBeServed(socket)) {
        this[own.served].set(id, socket);
      } else {
        this[own.index].add(id, socket.conn[inEngine.slot]);
      }
    }

    /** False when the socket was not known. */
    private [own.dismiss](id: SocketId): boolean {
      return this[own.served].delete(id) || this[own.index].remove(id);
    }
  }

  // To whoever asks an adapter what it is, it is npm's, and the server makes this class wherever that one is asked for.
  Object.defineProperty(NativeAdapter.prototype, "constructor", {
    value: Base,
    configurable: true,
    writable: true,
  });
  return NativeAdapter as unknown as Base;
}

/** Whether a socket cannot be left to the core: it lives on another engine, or somebody wants to see what is sent to it. */
function mustBeServed(socket: AnySocket): boolean {
  const { conn, client } = socket;
  return (
    client[own.isGuest] ||
    !(conn[inEngine.slot] >= 0) ||
    conn[inEngine.observed]() ||
    socket[own.hasOutgoingListeners] ||
    socket.notifyOutgoingListeners !== plain.notifyOutgoingListeners ||
    client.writeToEngine !== plain.writeToEngine
  );
}

function packetOptions({ flags = {} }: BroadcastOptions): WriteOptions {
  return { preEncoded: true, volatile: flags.volatile, compress: flags.compress };
}

const npm = Adapter.prototype as unknown as OpenAdapter & { del: unknown };

/** The methods that a broadcast consists of, as they were when this was loaded. */
const plain = {
  addAll: npm.addAll,
  del: npm.del,
  _del: npm._del,
  delAll: npm.delAll,
  broadcast: npm.broadcast,
  broadcastWithAck: npm.broadcastWithAck,
  apply: npm.apply,
  _encode: npm._encode,
  computeExceptSids: npm.computeExceptSids,
  notifyOutgoingListeners: Socket.prototype.notifyOutgoingListeners,
  writeToEngine: Client.prototype.writeToEngine,
};

/** Whether nobody has patched one of these, on npm's class or on the adapter, and nobody watches or logs all writes of the engine. */
function isUnpatched(adapter: OpenAdapter, native: OpenAdapter): boolean {
  return (
    npm.addAll === plain.addAll &&
    npm.del === plain.del &&
    npm._del === plain._del &&
    npm.delAll === plain.delAll &&
    npm.broadcast === plain.broadcast &&
    npm.broadcastWithAck === plain.broadcastWithAck &&
    npm.apply === plain.apply &&
    npm._encode === plain._encode &&
    npm.computeExceptSids === plain.computeExceptSids &&
    adapter.apply === native.apply &&
    adapter._encode === native._encode &&
    adapter.addAll === native.addAll &&
    adapter.computeExceptSids === plain.computeExceptSids &&
    Socket.prototype.notifyOutgoingListeners === plain.notifyOutgoingListeners &&
    Client.prototype.writeToEngine === plain.writeToEngine &&
    !isWritePatched() &&
    !adapter.nsp.server.engine?.[inEngine.watchesWrites] &&
    !engineLog.isOn &&
    !clientLog.isOn
  );
}
