/**
 * The JavaScript end of the core's rooms index, for one adapter: which sockets are members, which rooms the core knows, and by what numbers.
 *
 * Names of rooms never cross; each is interned as long as the room exists, so 42 and "42" are different rooms without further ado. A socket's
 * own room (its id, with nobody else in it) is not kept in the core: it is addressed as the member it is.
 */
import type { BroadcastOptions, Room, SocketId } from "socket.io-adapter";
import type { BroadcastTarget, CommandWriter, Part } from "./commands";
import { currentLink, type Link } from "./link";

/** The Maps of the adapter, which this only reads. */
interface AdapterMaps {
  readonly rooms: Map<Room, Set<SocketId>>;
  readonly sids: Map<SocketId, Set<Room>>;
}

/** Numbers from 0 on; the one that was freed last is given out first. */
class Numbers {
  private readonly free: number[] = [];
  private next = 0;

  take(): number {
    return this.free.pop() ?? this.next++;
  }

  giveBack(number: number): void {
    this.free.push(number);
  }
}

/** A room that the core knows. */
interface KnownRoom {
  readonly number: number;
  /** How many ids are in it, as far as this was told; those that the core cannot reach count, too. */
  size: number;
}

export class RoomIndex {
  private link: Link | undefined;
  private namespace = -1;
  private readonly memberNumbers = new Numbers();
  private readonly roomNumbers = new Numbers();
  /** Sockets that the core can reach, with their numbers. */
  private readonly members = new Map<SocketId, number>();
  /** By member: the slot of its session, and how many rooms it is in there. */
  private readonly slots: number[] = [];
  private readonly entries: number[] = [];
  private readonly rooms = new Map<Room, KnownRoom>();
  /** Filled anew for each broadcast. */
  private readonly target: BroadcastTarget = {
    filtered: false,
    rooms: [],
    members: [],
    exceptRooms: [],
    exceptMembers: [],
  };

  constructor(private readonly maps: AdapterMaps) {}

  /** The slot of the session that the core reaches under this id; -1 if there is none. */
  slotOf(id: SocketId): number {
    const member = this.members.get(id);
    return member === undefined ? -1 : (this.slots[member] as number);
  }

  /** Number of sockets that the core can reach. */
  get size(): number {
    return this.members.size;
  }

  /**
   * Whether the rooms that `options` name hold as many ids as this was told of. Who edits the Maps by hand, or mutes the adapter's events,
   * is found out by this, and the Maps decide, as with npm's adapter.
   */
  mirrors({ rooms, except }: BroadcastOptions): boolean {
    return this.mirrorsEach(rooms) && (except === undefined || this.mirrorsEach(except));
  }

  /** Lets the core reach a socket, in all the rooms that it is in. */
  add(id: SocketId, slot: number): void {
    if (this.link === undefined) {
      this.link = currentLink();
      this.namespace = this.link.reserveNamespace();
    }
    const member = this.memberNumbers.take();
    this.members.set(id, member);
    this.slots[member] = slot;
    this.entries[member] = 0;
    this.commands.memberAdd(this.namespace, member, slot);
    for (const room of this.maps.sids.get(id) ?? []) {
      const known = this.rooms.get(room);
      if (known !== undefined && this.maps.rooms.get(room)?.has(id)) {
        this.enter(id, known);
      }
    }
  }

  /** The socket has joined a room. */
  joined(id: SocketId, room: Room): void {
    const ids = this.maps.rooms.get(room);
    if (!ids?.has(id)) {
      return; // an event that somebody else has emitted
    }
    const known = this.rooms.get(room);
    if (known !== undefined) {
      known.size += 1;
      this.enter(id, known);
    } else if (room !== id || ids.size > 1) {
      this.know(room, ids);
    }
  }

  /** The socket is about to leave a room. */
  leaving(id: SocketId, room: Room): void {
    const known = this.rooms.get(room);
    if (known !== undefined && this.maps.rooms.get(room)?.has(id)) {
      known.size -= 1;
      this.exit(id, known);
    }
  }

  /** Takes a socket out of the core's reach, and out of its rooms there; false when it was not in it. */
  remove(id: SocketId): boolean {
    const member = this.members.get(id);
    if (member === undefined) {
      return false;
    }
    for (const room of this.maps.sids.get(id) ?? []) {
      const known = this.rooms.get(room);
      if (known !== undefined && this.maps.rooms.get(room)?.has(id)) {
        this.exit(id, known);
      }
    }
    this.members.delete(id);
    this.commands.memberRemove(this.namespace, member);
    if (this.entries[member] === 0) {
      this.memberNumbers.giveBack(member); // else it is in rooms of the core that the Maps have lost, where the next of this number would be found
    }
    return true;
  }

  /** The room exists no longer. */
  freeRoom(room: Room): void {
    const known = this.rooms.get(room);
    if (known !== undefined) {
      this.rooms.delete(room);
      if (known.size === 0) {
        this.roomNumbers.giveBack(known.number); // else somebody is still in it, see `remove`
      }
    }
  }

  /** Sends a message to the members that `options` mean; false if there are none. */
  broadcast(options: BroadcastOptions, parts: string | Part[], flags: number): boolean {
    const { rooms, except } = options;
    const { target } = this;
    target.filtered = rooms.size > 0;
    this.resolve(rooms, target.rooms, target.members);
    this.resolve(except, target.exceptRooms, target.exceptMembers);
    const reachesNobody = target.filtered && target.rooms.length + target.members.length === 0;
    if (this.members.size === 0 || reachesNobody) {
      return false;
    }
    this.commands.broadcast(this.namespace, target, parts, flags);
    return true;
  }

  /** Rooms as the core has them: by number, or as the one member that is in it. */
  private resolve(names: Set<Room> | undefined, rooms: number[], members: number[]): void {
    rooms.length = 0;
    members.length = 0;
    for (const name of names ?? []) {
      const known = this.rooms.get(name);
      if (known !== undefined) {
        rooms.push(known.number);
      } else if (this.maps.rooms.get(name)?.has(name)) {
        const member = this.members.get(name);
        if (member !== undefined) {
          members.push(member);
        }
      }
    }
  }

  private mirrorsEach(names: Set<Room>): boolean {
    for (const name of names) {
      const ids = this.maps.rooms.get(name);
      const size = ids?.size ?? 0;
      const known = this.rooms.get(name);
      const isOwn = known === undefined && size === 1 && ids?.has(name);
      if (size !== (known?.size ?? 0) && !isOwn) {
        return false;
      }
    }
    return true;
  }

  /** Lets the core know a room with all who are in it: until now it was somebody's own, or did not exist. */
  private know(room: Room, ids: Set<SocketId>): void {
    const known = { number: this.roomNumbers.take(), size: ids.size };
    this.rooms.set(room, known);
    for (const id of ids) {
      this.enter(id, known);
    }
  }

  private enter(id: SocketId, { number }: KnownRoom): void {
    const member = this.members.get(id);
    if (member !== undefined) {
      this.entries[member] = (this.entries[member] as number) + 1;
      this.commands.join(this.namespace, member, number);
    }
  }

  private exit(id: SocketId, { number }: KnownRoom): void {
    const member = this.members.get(id);
    if (member !== undefined) {
      this.entries[member] = (this.entries[member] as number) - 1;
      this.commands.leave(this.namespace, member, number);
    }
  }

  private get commands(): CommandWriter {
    return (this.link as Link).commands;
  }
}
