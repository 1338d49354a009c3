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

export class RoomIndex {
  private link: Link | undefined;
  private namespace = -1;
  private readonly memberNumbers = new Numbers();
  private readonly roomNumbers = new Numbers();
  /** Sockets that the core can reach, with their numbers. */
  private readonly members = new Map<SocketId, number>();
  /** Rooms that the core knows, with their numbers. */
  private readonly roomIds = new Map<Room, number>();
  /** Filled anew for each broadcast. */
  private readonly target: BroadcastTarget = {
    filtered: false,
    rooms: [],
    members: [],
    exceptRooms: [],
    exceptMembers: [],
  };

  constructor(private readonly maps: AdapterMaps) {}

  /** Whether the core can reach a socket. */
  has(id: SocketId): boolean {
    return this.members.has(id);
  }

  /** Number of sockets that the core can reach. */
  get size(): number {
    return this.members.size;
  }

  /** Lets the core reach a socket, in all the rooms that it is in. */
  add(id: SocketId, slot: number): void {
    if (this.link === undefined) {
      this.link = currentLink();
      this.namespace = this.link.reserveNamespace();
    }
    const member = this.memberNumbers.take();
    this.members.set(id, member);
    this.commands.memberAdd(this.namespace, member, slot);
    for (const room of this.maps.sids.get(id) ?? []) {
      this.join(id, room);
    }
  }

  /** The socket has joined a room. */
  join(id: SocketId, room: Room): void {
    const member = this.members.get(id);
    const ids = this.maps.rooms.get(room);
    if (member === undefined || !ids?.has(id)) {
      return;
    }
    let number = this.roomIds.get(room);
    if (number === undefined) {
      if (room === id && ids.size === 1) {
        return;
      }
      number = this.roomNumbers.take();
      this.roomIds.set(room, number);
      // Until now the room was perhaps somebody's own. That one has to be in it, too.
      const owner = room !== id && ids.has(room) ? this.members.get(room) : undefined;
      if (owner !== undefined) {
        this.commands.join(this.namespace, owner, number);
      }
    }
    this.commands.join(this.namespace, member, number);
  }

  /** The socket is about to leave a room. */
  leave(id: SocketId, room: Room): void {
    const member = this.members.get(id);
    const number = this.roomIds.get(room);
    if (member !== undefined && number !== undefined && this.maps.rooms.get(room)?.has(id)) {
      this.commands.leave(this.namespace, member, number);
    }
  }

  /** Takes a socket out of the core's reach, and out of its rooms there; false when it was not in it. */
  remove(id: SocketId): boolean {
    const member = this.members.get(id);
    if (member === undefined) {
      return false;
    }
    for (const room of this.maps.sids.get(id) ?? []) {
      this.leave(id, room);
    }
    this.members.delete(id);
    this.commands.memberRemove(this.namespace, member);
    this.memberNumbers.giveBack(member);
    return true;
  }

  /** The room exists no longer. */
  freeRoom(room: Room): void {
    const number = this.roomIds.get(room);
    if (number !== undefined) {
      this.roomIds.delete(room);
      this.roomNumbers.giveBack(number);
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
      const number = this.roomIds.get(name);
      if (number !== undefined) {
        rooms.push(number);
      } else if (this.maps.rooms.get(name)?.has(name)) {
        const member = this.members.get(name);
        if (member !== undefined) {
          members.push(member);
        }
      }
    }
  }

  private get commands(): CommandWriter {
    return (this.link as Link).commands;
  }
}
