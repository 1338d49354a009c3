/**
 * The commands to the core, as packed records; the Rust twin is src/server/command.rs.
 *
 * A record is two words (kind and flags, length), the fields as words, then bytes, padded to a multiple of four.
 */
import { CommandBuffer, HEAD } from "./command-buffer";
import type { OutboxPolicy } from "./engine/options";

/** One piece of a message: text, or bytes. */
export type Part = string | ArrayBufferView;

/** Flags of {@link CommandWriter.send}, {@link CommandWriter.broadcast} and {@link CommandWriter.multicast}. */
export const VOLATILE = 1;
/** It may be compressed. */
export const COMPRESS = 2;
/** The core reports when the unit was taken (`SENT`). */
export const NOTIFY = 4;
/** Broadcast only: targets are the given rooms and members, not the whole namespace. */
export const FILTERED = 8;

/** It may be dropped where the oldest have to make room for the newest. */
export const EXPENDABLE = 16;
/** Of {@link CommandWriter.send} and {@link CommandWriter.packet}: what is sent next goes into the same payload of polling. */
export const FOLLOWED = 32;

/** Flags of {@link CommandWriter.frame}: no further fragment follows. */
export const FRAME_FINAL = 16;
/** It may be compressed. */
export const FRAME_COMPRESS = 32;
/** The core reports when it was taken. */
export const FRAME_NOTIFY = 64;
/** Bits of the mask of {@link CommandWriter.watch}: close frames. */
export const WATCH_CLOSE = 1;
/** Pings and pongs. */
export const WATCH_HEARTBEATS = 2;
/** Messages, packets of the engine or not. */
export const WATCH_MESSAGES = 4;
/** Nothing is read. */
export const WATCH_HELD = 8;

/** What a session is opened with; times in milliseconds, `maxPayload` in bytes. */
export interface SessionOptions {
  websocket: boolean;
  protocol: number;
  /** The client takes binary messages only as base64. */
  textOnly: boolean;
  pingInterval: number;
  pingTimeout: number;
  upgradeTimeout: number;
  maxPayload: number;
}

/** Whom a broadcast reaches, in ids of its namespace. */
export interface BroadcastTarget {
  filtered: boolean;
  rooms: number[];
  members: number[];
  exceptRooms: number[];
  exceptMembers: number[];
}

/** All policies; the place of one is its number in {@link CommandWriter.budget}. */
export const OUTBOX_POLICIES: readonly OutboxPolicy[] = [
  "stalled",
  "disconnect",
  "drop-volatile",
  "drop-oldest",
];

/** The numbers of the kinds. */
export const KIND = {
  open: 1,
  send: 2,
  broadcast: 3,
  multicast: 4,
  memberAdd: 5,
  memberRemove: 6,
  join: 7,
  leave: 8,
  close: 9,
  poll: 10,
  pong: 11,
  observe: 13,
  bridgeData: 14,
  bridgeEof: 15,
  bridgeAck: 16,
  connDestroy: 17,
  received: 18,
  frame: 19,
  watch: 20,
  packet: 21,
  budget: 22,
  log: 23,
  finish: 24,
  expectCandidate: 25,
  tune: 26,
} as const;

/** Marks a binary part in the table of part lengths. */
export const BINARY = 0x8000_0000;
/** Above this many UTF-16 units the exact byte length is counted instead of reserving three bytes per unit. */
const EXACT_ABOVE = 8 * 1024;

export class CommandWriter extends CommandBuffer {
  private groupEncoded: string | Part[] | undefined;
  /** What was in `groupEncoded`: an array may be filled anew and used again. */
  private groupSources: Part[] = [];
  private groupParts: string | Part[] = "";
  private groupOptions: object | undefined;
  private groupFlags = 0;
  private groupSlots = new Uint32Array(256);
  private groupCount = 0;

  /** Opens a session; `handshake` is the JSON of its open packet. */
  open(slot: number, handshake: string, options: SessionOptions): void {
    const at = this.begin(HEAD + 6 * 4 + bound(handshake));
    const word = at >> 2;
    const flags =
      (options.websocket ? 1 : 0) | (options.protocol === 3 ? 2 : 0) | (options.textOnly ? 4 : 0);
    this.words[word + 2] = slot;
    this.words[word + 3] = milliseconds(options.pingInterval);
    this.words[word + 4] = milliseconds(options.pingTimeout);
    this.words[word + 5] = milliseconds(options.upgradeTimeout);
    this.words[word + 6] = payloadLimit(options.maxPayload);
    const written = this.buffer.utf8Write(handshake, at + 32);
    this.words[word + 7] = written;
    this.messages += 1;
    // Its stream or its poll follows. In between the core could send the first ping of a short interval.
    this.commitUnhurried(KIND.open, flags, at, at + 32 + written);
  }

  /** Sends one message: text, or a text packet with its attachments. */
  send(slot: number, parts: string | Part[], flags: number): void {
    if (isEmptyUnit(parts)) {
      return;
    }
    const at = this.begin(HEAD + 4 + boundParts(parts));
    this.words[(at >> 2) + 2] = slot;
    this.messages += packetsOf(parts);
    this.commitMessage(KIND.send, flags, at, this.writeParts(at + HEAD + 4, parts));
  }

  /** Sends one packet that is no message; `digit` names its type. */
  packet(slot: number, digit: number, text: string, flags: number): void {
    const at = this.begin(HEAD + 3 * 4 + bound(text));
    const word = at >> 2;
    this.words[word + 2] = slot;
    this.words[word + 3] = digit;
    const written = this.buffer.utf8Write(text, at + 20);
    this.words[word + 4] = written;
    this.messages += 1;
    this.commitMessage(KIND.packet, flags, at, at + 20 + written);
  }

  /** What is followed waits for that: a flush in between would send it alone. */
  private commitMessage(kind: number, flags: number, at: number, end: number): void {
    if ((flags & FOLLOWED) !== 0) {
      this.commitUnhurried(kind, flags, at, end);
    } else {
      this.commit(kind, flags, at, end);
    }
  }

  /** Sends one message to every member of the target, each session once. */
  broadcast(
    namespace: number,
    target: BroadcastTarget,
    parts: string | Part[],
    flags: number,
  ): void {
    if (isEmptyUnit(parts)) {
      return;
    }
    const { rooms, members, exceptRooms, exceptMembers } = target;
    const ids = rooms.length + members.length + exceptRooms.length + exceptMembers.length;
    const at = this.begin(HEAD + 5 * 4 + ids * 4 + boundParts(parts));
    let word = (at >> 2) + 2;
    this.words[word++] = namespace;
    this.words[word++] = rooms.length;
    this.words[word++] = members.length;
    this.words[word++] = exceptRooms.length;
    this.words[word++] = exceptMembers.length;
    for (const list of [rooms, members, exceptRooms, exceptMembers]) {
      for (let i = 0; i < list.length; i++) {
        this.words[word++] = list[i] as number;
      }
    }
    this.messages += packetsOf(parts);
    const all = target.filtered ? flags | FILTERED : flags;
    this.commit(KIND.broadcast, all, at, this.writeParts(word << 2, parts));
  }

  /**
   * Sends one message to one session of a loop: consecutive calls with the same `encoded` and `options` become ONE record. This is how the
   * JavaScript broadcast loop of a third-party adapter gets the native fan-out.
   */
  multicast(slot: number, encoded: string | Part[], options: object, flags: number): void {
    if (isEmptyUnit(encoded)) {
      return;
    }
    if (
      options !== this.groupOptions ||
      encoded !== this.groupEncoded ||
      flags !== this.groupFlags ||
      !isAsBefore(encoded, this.groupSources)
    ) {
      this.closeGroup();
      this.startTurn();
      this.groupOptions = options;
      this.groupEncoded = encoded;
      this.groupSources = typeof encoded === "string" ? [] : encoded.slice();
      this.groupParts = snapshot(encoded);
      this.groupFlags = flags;
    } else if (this.groupCount === this.groupSlots.length) {
      const grown = new Uint32Array(this.groupSlots.length * 2);
      grown.set(this.groupSlots);
      this.groupSlots = grown;
    }
    this.groupSlots[this.groupCount++] = slot;
    if (this.isExiting) {
      this.closeGroup();
    }
  }

  /** Makes a socket reachable by native broadcasts. */
  memberAdd(namespace: number, member: number, slot: number): void {
    this.three(KIND.memberAdd, namespace, member, slot);
  }

  /** Forgets a socket; its rooms have been left before. */
  memberRemove(namespace: number, member: number): void {
    this.two(KIND.memberRemove, 0, namespace, member);
  }

  join(namespace: number, member: number, room: number): void {
    this.three(KIND.join, namespace, member, room);
  }

  leave(namespace: number, member: number, room: number): void {
    this.three(KIND.leave, namespace, member, room);
  }

  /** Closes a session; with `discard` nothing is waited for. With `isOver` it has ended here, so no GET will come that could be told. */
  close(slot: number, discard: boolean, isOver = false): void {
    this.one(KIND.close, (discard ? 1 : 0) | (isOver ? 2 : 0), slot);
  }

  /** Says how the candidate that comes next takes binary messages: `textOnly` is only as base64. */
  expectCandidate(slot: number, textOnly: boolean): void {
    this.one(KIND.expectCandidate, textOnly ? 1 : 0, slot);
  }

  /** All that came before a CLOSED that waits for it is dealt with: the core says goodbye to the peer. */
  finish(slot: number): void {
    this.one(KIND.finish, 0, slot);
  }

  /** A GET is parked; the core answers it with a RESPOND event of this request number. */
  poll(slot: number, request: number): void {
    this.two(KIND.poll, 0, slot, request);
  }

  /** The client's half of the heartbeat arrived in a POST body: a pong, or in protocol 3 a ping, which the core answers. */
  pong(slot: number): void {
    this.one(KIND.pong, 0, slot);
  }

  /** Another packet than that arrived in a POST body. Of the commands of a turn it is not the first that leaves at once. */
  received(slot: number): void {
    const at = this.begin(HEAD + 4);
    this.words[(at >> 2) + 2] = slot;
    this.commitUnhurried(KIND.received, 0, at, at + HEAD + 4);
  }

  /** Chooses the extra events of a session: bit 0 posts HEARTBEAT and PING_SENT. */
  observe(slot: number, mask: number): void {
    this.two(KIND.observe, 0, slot, mask);
  }

  /** Bytes that a bridge's Duplex has read. With `wantsWord` the core posts BRIDGE_RESUME when it has taken them. */
  bridgeData(conn: number, bytes: Uint8Array, wantsWord: boolean): void {
    const at = this.begin(HEAD + 2 * 4 + bytes.byteLength);
    this.words[(at >> 2) + 2] = conn;
    this.words[(at >> 2) + 3] = bytes.byteLength;
    this.buffer.set(bytes, at + HEAD + 8);
    this.commit(KIND.bridgeData, wantsWord ? 1 : 0, at, at + HEAD + 8 + bytes.byteLength);
  }

  /** A message that came over a WebSocket whose frames are not the core's. */
  bridgeMessage(conn: number, content: Uint8Array, isBinary: boolean, wantsWord: boolean): void {
    const length = content.byteLength + 1;
    const at = this.begin(HEAD + 2 * 4 + length);
    this.words[(at >> 2) + 2] = conn;
    this.words[(at >> 2) + 3] = length;
    this.buffer[at + HEAD + 8] = isBinary ? 1 : 0;
    this.buffer.set(content, at + HEAD + 9);
    this.commit(KIND.bridgeData, wantsWord ? 1 : 0, at, at + HEAD + 8 + length);
  }

  /** The peer of a bridge has half-closed. */
  bridgeEof(conn: number): void {
    this.one(KIND.bridgeEof, 0, conn);
  }

  /** The Duplex of a bridge has taken `bytes` bytes. */
  bridgeAck(conn: number, bytes: number): void {
    this.two(KIND.bridgeAck, 0, conn, bytes);
  }

  /**
   * Puts a frame of the user's own into what goes out on a stream; a close frame ends the session. With {@link FRAME_NOTIFY} the core reports
   * when it was taken (`FRAMES_SENT`).
   */
  frame(conn: number, opcode: number, flags: number, payload: Uint8Array): void {
    const at = this.begin(HEAD + 2 * 4 + payload.byteLength);
    this.words[(at >> 2) + 2] = conn;
    this.words[(at >> 2) + 3] = payload.byteLength;
    this.buffer.set(payload, at + HEAD + 8);
    this.commit(KIND.frame, opcode | flags, at, at + HEAD + 8 + payload.byteLength);
  }

  /** Replaces the default budget of a session's outbox. */
  budget(slot: number, maxBytes: number, policy: OutboxPolicy): void {
    this.three(KIND.budget, slot, byteLimit(maxBytes), OUTBOX_POLICIES.indexOf(policy));
  }

  /** Chooses which frames of the peer are told (`FRAME`), and whether the stream is read at all. */
  watch(conn: number, mask: number): void {
    this.one(KIND.watch, mask, conn);
  }

  /** Whether small writes leave at once, on the socket under a stream. */
  noDelay(conn: number, isOn: boolean): void {
    this.two(KIND.tune, isOn ? 1 : 0, conn, 0);
  }

  /** Whether the kernel looks after a peer that is silent for so many seconds; 0 leaves the time as it is. */
  keepAlive(conn: number, isOn: boolean, seconds: number): void {
    this.two(KIND.tune, (isOn ? 1 : 0) | 2, conn, seconds);
  }

  /** Chooses whether the heartbeat, and the messages of WebSockets as they came, are told of all sessions (`HEARTBEAT`, `PING_SENT`, `FRAME`). */
  log(isOn: boolean): void {
    this.one(KIND.log, 0, isOn ? 1 : 0);
  }

  /** Drops a stream at once: its husk was destroyed, or its Duplex is closed. */
  connDestroy(conn: number): void {
    this.one(KIND.connDestroy, 0, conn);
  }

  private one(kind: number, flags: number, a: number): void {
    const at = this.begin(HEAD + 4);
    this.words[(at >> 2) + 2] = a;
    this.commit(kind, flags, at, at + HEAD + 4);
  }

  private two(kind: number, flags: number, a: number, b: number): void {
    const at = this.begin(HEAD + 8);
    this.words[(at >> 2) + 2] = a;
    this.words[(at >> 2) + 3] = b;
    this.commit(kind, flags, at, at + HEAD + 8);
  }

  private three(kind: number, a: number, b: number, c: number): void {
    const at = this.begin(HEAD + 12);
    this.words[(at >> 2) + 2] = a;
    this.words[(at >> 2) + 3] = b;
    this.words[(at >> 2) + 4] = c;
    this.commit(kind, 0, at, at + HEAD + 12);
  }

  protected closeGroup(): void {
    if (this.groupOptions === undefined) {
      return;
    }
    const { groupParts: parts } = this;
    const count = this.groupCount;
    this.groupOptions = undefined;
    this.groupEncoded = undefined;
    this.groupParts = "";
    this.groupCount = 0;
    const at = this.room(HEAD + 4 + count * 4 + boundParts(parts));
    const word = (at >> 2) + 2;
    this.words[word] = count;
    this.words.set(this.groupSlots.subarray(0, count), word + 1);
    this.messages += packetsOf(parts);
    const end = this.writeParts((word + 1 + count) << 2, parts);
    this.commit(KIND.multicast, this.groupFlags, at, end);
  }

  /** Writes the table of lengths and the bytes of all parts; returns the end. */
  private writeParts(start: number, parts: string | Part[]): number {
    const table = start >> 2;
    if (typeof parts === "string") {
      this.words[table] = 1;
      const written = this.buffer.utf8Write(parts, start + 8);
      this.words[table + 1] = written;
      return start + 8 + written;
    }
    this.words[table] = parts.length;
    let at = start + 4 + parts.length * 4;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as Part;
      if (typeof part === "string") {
        const written = this.buffer.utf8Write(part, at);
        this.words[table + 1 + i] = written;
        at += written;
      } else {
        this.buffer.set(bytesOf(part), at);
        this.words[table + 1 + i] = (part.byteLength | BINARY) >>> 0;
        at += part.byteLength;
      }
    }
    return at;
  }
}

/** Whether an array still has the parts that it had; texts are what they are. */
function isAsBefore(parts: string | Part[], sources: Part[]): boolean {
  return (
    typeof parts === "string" ||
    (parts.length === sources.length && parts.every((part, index) => part === sources[index]))
  );
}

/** The bytes of this moment: a group is written when it ends, and users may reuse their memory before that. */
function snapshot(parts: string | Part[]): string | Part[] {
  return typeof parts === "string"
    ? parts
    : parts.map((part) => (typeof part === "string" ? part : Buffer.from(bytesOf(part))));
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array
    ? view
    : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** How many packets a message is: one, and one for each attachment. */
export function packetsOf(parts: string | readonly unknown[]): number {
  return typeof parts === "string" ? 1 : parts.length;
}

/** A custom encoder may give no part at all for a packet; there is nothing to send then. */
function isEmptyUnit(parts: string | Part[]): boolean {
  return typeof parts !== "string" && parts.length === 0;
}

/** An upper bound of the UTF-8 bytes of a text. */
function bound(text: string): number {
  return text.length > EXACT_ABOVE ? Buffer.byteLength(text) : text.length * 3;
}

function boundParts(parts: string | Part[]): number {
  if (typeof parts === "string") {
    return 8 + bound(parts);
  }
  let bytes = 4 + parts.length * 4;
  for (const part of parts) {
    bytes += typeof part === "string" ? bound(part) : part.byteLength;
  }
  return bytes;
}

/** A delay as the core takes it: whole milliseconds in 32 bits. */
function milliseconds(value: number): number {
  return value > 0 ? Math.min(Math.round(value), 0xffff_ffff) : 0;
}

/** `maxHttpBufferSize` as the core takes it; as with ws, 0 and Infinity lift the limit. */
function payloadLimit(value: number): number {
  return value > 0 ? byteLimit(value) : 0xffff_ffff;
}

/** A number of bytes as the core takes it; more than 32 bits can say is no limit. */
function byteLimit(value: number): number {
  return value < 0xffff_ffff ? Math.floor(value) : 0xffff_ffff;
}
