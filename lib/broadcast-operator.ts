/**
 * Chooses whom something is sent to, and how, before it is sent: `io.to("room1").except("room2").volatile.emit("hello")`.
 *
 * Immutable: each step gives a new operator and leaves the old one as it was, so that operators can be kept and shared. What is done in the
 * end, the adapter does.
 */
import type { Adapter, BroadcastFlags, BroadcastOptions, Room, SocketId } from "socket.io-adapter";
import { collectAcks } from "./broadcast-ack";
import * as own from "./own";
import { type Packet, PacketType } from "./parser";
import { type Handshake, RESERVED_EVENTS } from "./socket-types";
import type {
  AllButLast,
  DecorateAcknowledgements,
  EventNames,
  EventNamesWithError,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  TypedEventBroadcaster,
} from "./typed-events";

/** How something is sent to many. */
export interface OperatorFlags extends BroadcastFlags {
  /** The acknowledgement is given the only response instead of an array: the target is one remote socket. */
  expectSingleResponse?: boolean;
}

export class BroadcastOperator<EmitEvents extends EventsMap, SocketData>
  implements TypedEventBroadcaster<EmitEvents>
{
  private readonly adapter: Adapter;
  private readonly rooms: Set<Room>;
  private readonly exceptRooms: Set<Room>;
  private readonly flags: OperatorFlags;

  /**
   * @param adapter of the namespace
   * @param rooms whose sockets are meant; none means all sockets of the namespace
   * @param exceptRooms whose sockets are left out
   */
  constructor(
    adapter: Adapter,
    rooms: Set<Room> = new Set(),
    exceptRooms: Set<Room> = new Set(),
    flags: OperatorFlags = {},
  ) {
    this.adapter = adapter;
    this.rooms = rooms;
    this.exceptRooms = exceptRooms;
    this.flags = flags;
  }

  /**
   * Chooses the sockets of a room, together with those of the rooms chosen before; each gets the event once.
   *
   * @example
   * io.to("room1").to(["room2", "room3"]).emit("hello");
   */
  to(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData> {
    return new BroadcastOperator(
      this.adapter,
      withRooms(this.rooms, room),
      this.exceptRooms,
      this.flags,
    );
  }

  /** The same as {@link BroadcastOperator.to}; reads better before other things than `emit`. */
  in(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData> {
    return this.to(room);
  }

  /**
   * Leaves the sockets of a room out.
   *
   * @example
   * io.except("room1").emit("hello");
   */
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData> {
    return new BroadcastOperator(
      this.adapter,
      this.rooms,
      withRooms(this.exceptRooms, room),
      this.flags,
    );
  }

  /** Whether the event may be compressed; true if never said. */
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData> {
    return this[own.withFlags]({ compress });
  }

  /** Clients that cannot take the event now, because something was just sent to them or their network is slow, do not get it. */
  get volatile(): BroadcastOperator<EmitEvents, SocketData> {
    return this[own.withFlags]({ volatile: true });
  }

  /** Only sockets that are connected to this very server, in a cluster of several. */
  get local(): BroadcastOperator<EmitEvents, SocketData> {
    return this[own.withFlags]({ local: true });
  }

  /**
   * How long the acknowledgements may take, in milliseconds.
   *
   * @example
   * io.timeout(1000).emit("question", (err, answers) => {
   *   // err when some client has not answered in time; `answers` has the others' answers
   * });
   */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData> {
    return this[own.withFlags]({ timeout }) as any;
  }

  /**
   * Sends an event. A function as the last argument is called with `(err, responses)` when all clients have acknowledged, or the time is
   * up; without `timeout()` that is at once.
   *
   * @returns true
   * @throws Error for a reserved name, and what `JSON.stringify` throws
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    if (RESERVED_EVENTS.has(ev)) {
      throw new Error(`"${String(ev)}" is a reserved event name`);
    }
    const data: any[] = [ev, ...args];
    const packet = { type: PacketType.EVENT, data } as Packet;
    if (typeof data[data.length - 1] !== "function") {
      this.adapter.broadcast(packet, this[own.target]());
      return true;
    }
    const ack = data.pop();
    collectAcks(this.adapter, packet, this[own.target](), (error, responses) =>
      ack.call(this, error, responses),
    );
    return true;
  }

  /**
   * Sends an event and waits for all acknowledgements. Needs `timeout()`.
   *
   * @returns a promise of the first arguments of all acknowledgements, in the order of their arrival
   * @throws (as a rejection) Error `operation has timed out` with the responses so far as `responses`
   */
  emitWithAck<Ev extends EventNamesWithError<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null, responses: any) =>
        error ? reject(Object.assign(error, { responses })) : resolve(responses);
      this.emit(ev as EventNames<EmitEvents>, ...([...args, settle] as any));
    });
  }

  /**
   * Ids of the sockets of the rooms; `except` does not count.
   *
   * @deprecated use {@link BroadcastOperator.fetchSockets}
   */
  allSockets(): Promise<Set<SocketId>> {
    if (!this.adapter) {
      throw new Error(
        "No adapter for this namespace, are you trying to get the list of clients of a dynamic namespace?",
      );
    }
    return this.adapter.sockets(this.rooms);
  }

  /**
   * The chosen sockets: those of this server themselves, those of the other servers of a cluster as {@link RemoteSocket}.
   *
   * @example
   * for (const socket of await io.in("room1").fetchSockets()) {
   *   console.log(socket.id, socket.rooms, socket.data);
   *   socket.leave("room1");
   * }
   */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]> {
    return this.adapter.fetchSockets(this[own.target]()).then((sockets) =>
      sockets.map((socket) =>
        // A socket of this server has a `server`, the details of a remote one have not.
        socket.server
          ? socket
          : new RemoteSocket(this.adapter, socket as SocketDetails<SocketData>),
      ),
    );
  }

  /** Makes the chosen sockets join one or more rooms. */
  socketsJoin(room: Room | Room[]): void {
    this.adapter.addSockets(this[own.target](), Array.isArray(room) ? room : [room]);
  }

  /** Makes the chosen sockets leave one or more rooms. */
  socketsLeave(room: Room | Room[]): void {
    this.adapter.delSockets(this[own.target](), Array.isArray(room) ? room : [room]);
  }

  /**
   * Disconnects the chosen sockets.
   *
   * @param close whether to close their sessions too
   */
  disconnectSockets(close = false): void {
    this.adapter.disconnectSockets(this[own.target](), close);
  }

  private [own.target](): BroadcastOptions {
    return { rooms: this.rooms, except: this.exceptRooms, flags: this.flags };
  }

  private [own.withFlags](flags: OperatorFlags): BroadcastOperator<EmitEvents, SocketData> {
    return new BroadcastOperator(this.adapter, this.rooms, this.exceptRooms, {
      ...this.flags,
      ...flags,
    });
  }
}

/** What a server tells the others of a socket. */
export interface SocketDetails<SocketData> {
  id: SocketId;
  handshake: Handshake;
  rooms: Room[];
  data: SocketData;
}

/** A socket of another server of the cluster, as `fetchSockets()` gives it: a copy of what it is, and a way to act on it. */
export class RemoteSocket<EmitEvents extends EventsMap, SocketData>
  implements TypedEventBroadcaster<EmitEvents>
{
  readonly id: SocketId;
  readonly handshake: Handshake;
  readonly rooms: Set<Room>;
  readonly data: SocketData;
  private readonly operator: BroadcastOperator<EmitEvents, SocketData>;

  constructor(adapter: Adapter, details: SocketDetails<SocketData>) {
    this.id = details.id;
    this.handshake = details.handshake;
    this.rooms = new Set(details.rooms);
    this.data = details.data;
    this.operator = new BroadcastOperator(adapter, new Set([this.id]), new Set(), {
      expectSingleResponse: true,
    });
  }

  /** How long the acknowledgement of the next event may take, in milliseconds. */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData> {
    return this.operator.timeout(timeout);
  }

  /** Sends an event, as `Socket.emit` does. */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    return this.operator.emit(ev, ...args);
  }

  /** Joins one or more rooms. */
  join(room: Room | Room[]): void {
    this.operator.socketsJoin(room);
  }

  /** Leaves a room. */
  leave(room: Room): void {
    this.operator.socketsLeave(room);
  }

  /**
   * Disconnects the socket.
   *
   * @param close whether to close its session too
   */
  disconnect(close = false): this {
    this.operator.disconnectSockets(close);
    return this;
  }
}

function withRooms(rooms: Set<Room>, room: Room | Room[]): Set<Room> {
  const all = new Set(rooms);
  if (Array.isArray(room)) {
    for (const each of room) {
      all.add(each);
    }
  } else {
    all.add(room);
  }
  return all;
}
