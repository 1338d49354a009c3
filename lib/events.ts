/**
 * Reads the packed events of the core and calls the sinks they are for; the Rust twin is src/server/event.rs.
 *
 * A batch is read to its end even when a listener throws: the error goes to Node as an uncaught one, the rest follows in a turn of its own.
 */
import { runApart } from "./async-context";
import * as inEngine from "./engine/in-engine";

/** Why a session ended, in socket.io's words. */
export type CloseReason =
  | "transport error"
  | "transport close"
  | "forced close"
  | "ping timeout"
  | "parse error";

/** What the core tells a session. */
export interface SessionSink {
  /** One engine message, without the leading `4`. */
  [inEngine.onMessage](data: string | Buffer): void;
  /**
   * The core has ended the session; `description` is `""` when there is none. An end that `isAwaited` waits for the command FINISH: what was
   * sent before that still goes out.
   */
  [inEngine.onClosed](reason: CloseReason, description: string, isAwaited: boolean): void;
  /** The core has forgotten the session; its slot may be given to another one. */
  [inEngine.onEnded](): void;
  /** Answers a parked poll; bytes are a binary payload of protocol 3. */
  [inEngine.onRespond](request: number, payload: string | Buffer, compress: boolean): void;
  /** The candidate sent its probe. */
  [inEngine.onUpgrading](conn: number): void;
  /** The candidate now carries the session. */
  [inEngine.onUpgraded](conn: number): void;
  /** The candidate is gone; the session stays on polling. */
  [inEngine.onUpgradeFailed](conn: number, failure: number): void;
  /** The client's half of the heartbeat came over the WebSocket (observed sessions). */
  [inEngine.onHeartbeat](): void;
  /** A packet came over the WebSocket that means nothing to a server (observed sessions). `digit` names its type. */
  [inEngine.onControl](digit: number, text: string): void;
  /** A ping was sent (observed sessions). */
  [inEngine.onPingSent](): void;
  /** `count` more units flagged NOTIFY were taken, in order. 0 of a stream: it took too little for a while, and now has taken everything. */
  [inEngine.onSent](count: number): void;
}

/** What the core tells the owner of a stream: the husk of an adopted socket, or a byte bridge. */
export interface StreamSink {
  /** The stream is closed. */
  onConnEnded(): void;
  onBridgeWrite(bytes: Buffer): void;
  onBridgeEnd(): void;
  onBridgePause(): void;
  onBridgeResume(): void;
  onBridgeDestroy(): void;
  // The next two are told of WebSockets whose frames are the core's.
  /** A frame of the peer that was asked for; of a close frame the payload is the code and the reason. */
  onFrame?(opcode: number, payload: Buffer): void;
  /** `count` more of the user's own frames flagged NOTIFY were taken, in order. */
  onFramesSent?(count: number): void;
}

/** Who is behind the numbers in a record. */
export interface Receivers {
  /** The session of a slot; undefined once it is forgotten. */
  session(slot: number): SessionSink | undefined;
  /** The owner of a stream. */
  stream(conn: number): StreamSink | undefined;
  /** The slot is free again. */
  sessionEnded(slot: number): void;
  /** The stream's number is free again. */
  streamEnded(conn: number): void;
}

const EVENT = {
  message: 1,
  closed: 2,
  ended: 3,
  connEnded: 4,
  respond: 5,
  upgrading: 6,
  upgraded: 7,
  upgradeFailed: 8,
  heartbeat: 9,
  pingSent: 10,
  sent: 11,
  bridgeWrite: 12,
  bridgeEnd: 13,
  bridgePause: 14,
  bridgeResume: 15,
  bridgeDestroy: 16,
  frame: 17,
  framesSent: 18,
  control: 19,
} as const;

/** What is done even while the process exits. */
const OUTPUT = new Set<number>([EVENT.respond, EVENT.bridgeWrite, EVENT.bridgeEnd]);

/** By the number in a CLOSED record. */
const REASONS: readonly CloseReason[] = [
  "transport error", // 0 is not used
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "parse error",
];

// Flags of MESSAGE.
const BINARY = 1;
const ASCII = 2;
// Flag of CLOSED.
const CLOSED_AWAITED = 1;
// Flags of RESPOND.
const RESPOND_COMPRESS = 1;
const RESPOND_BINARY = 2;
/** Where the bytes of a MESSAGE, CLOSED, BRIDGE_WRITE or FRAME record begin; those of a RESPOND come one word later. */
const BYTES = 16;

/** A Buffer whose read methods skip the argument checks of `toString`. */
interface RawBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

export class EventReader {
  private buffer: RawBuffer;
  private words: Uint32Array;
  private at = 0;
  private end = 0;
  /** The process is about to exit: only what goes out to peers is still done. */
  private isLeaving = false;

  constructor(
    private readonly receivers: Receivers,
    capacity: number,
  ) {
    this.buffer = Buffer.allocUnsafeSlow(capacity) as RawBuffer;
    this.words = wordsOf(this.buffer);
  }

  /** The memory which the core fills. */
  get target(): Buffer {
    return this.buffer;
  }

  /** Whether records of an earlier batch are still to be read: a listener threw. */
  get hasRest(): boolean {
    return this.at < this.end;
  }

  /** Replaces the memory, whose records have all been read. */
  resize(bytes: number): void {
    this.buffer = Buffer.allocUnsafeSlow(bytes) as RawBuffer;
    this.words = wordsOf(this.buffer);
  }

  /** The same, unless a listener threw and the rest is still to be read. */
  resizeWhenRead(bytes: number): void {
    if (!this.hasRest) {
      this.resize(bytes);
    }
  }

  /** Reads `length` new bytes of the target. */
  read(length: number): void {
    this.at = 0;
    this.end = length;
    this.resume();
  }

  /** From now on only output is dispatched: poll responses and the bytes of bridges. No listener is called any more. */
  leave(): void {
    this.isLeaving = true;
  }

  /** Goes on after a listener has thrown. */
  resume(): void {
    while (this.at < this.end) {
      const at = this.at;
      const word = at >> 2;
      // Moved on before the call: a record whose listener throws is not read twice.
      this.at = at + (this.words[word + 1] as number);
      this.dispatch(this.words[word] as number, at, word);
    }
  }

  private dispatch(head: number, at: number, word: number): void {
    const kind = head & 0xff;
    if (this.isLeaving && !OUTPUT.has(kind)) {
      return;
    }
    const id = this.words[word + 2] as number;
    if (kind === EVENT.message) {
      this.receivers
        .session(id)
        ?.[inEngine.onMessage](this.content(head >> 8, at, this.words[word + 3] as number));
    } else if (kind >= EVENT.bridgeWrite && kind <= EVENT.bridgeDestroy) {
      this.dispatchToStream(kind, head >> 8, id, at, word);
    } else if (kind === EVENT.connEnded || kind === EVENT.frame || kind === EVENT.framesSent) {
      runApart(this.dispatchToStream, this, kind, head >> 8, id, at, word);
    } else {
      runApart(this.dispatchToSession, this, kind, head >> 8, id, at, word);
    }
  }

  private dispatchToSession(
    kind: number,
    flags: number,
    slot: number,
    at: number,
    word: number,
  ): void {
    const session = this.receivers.session(slot);
    if (kind === EVENT.ended) {
      this.receivers.sessionEnded(slot);
    }
    if (session === undefined) {
      return;
    }
    const argument = this.words[word + 3] as number;
    switch (kind) {
      case EVENT.closed: {
        const length = this.words[word + 4] as number;
        const text = this.buffer.utf8Slice(at + BYTES + 4, at + BYTES + 4 + length);
        const isAwaited = (flags & CLOSED_AWAITED) !== 0;
        session[inEngine.onClosed](REASONS[argument] ?? "transport error", text, isAwaited);
        break;
      }
      case EVENT.ended:
        session[inEngine.onEnded]();
        break;
      case EVENT.respond: {
        const length = this.words[word + 4] as number;
        const start = at + BYTES + 4;
        const payload =
          (flags & RESPOND_BINARY) !== 0
            ? this.copy(start, length)
            : this.buffer.utf8Slice(start, start + length);
        session[inEngine.onRespond](argument, payload, (flags & RESPOND_COMPRESS) !== 0);
        break;
      }
      case EVENT.upgrading:
        session[inEngine.onUpgrading](argument);
        break;
      case EVENT.upgraded:
        session[inEngine.onUpgraded](argument);
        break;
      case EVENT.upgradeFailed:
        session[inEngine.onUpgradeFailed](argument, flags);
        break;
      case EVENT.heartbeat:
        session[inEngine.onHeartbeat]();
        break;
      case EVENT.control:
        session[inEngine.onControl](
          flags,
          this.buffer.utf8Slice(at + BYTES, at + BYTES + argument),
        );
        break;
      case EVENT.pingSent:
        session[inEngine.onPingSent]();
        break;
      case EVENT.sent:
        session[inEngine.onSent](argument);
        break;
    }
  }

  private dispatchToStream(
    kind: number,
    flags: number,
    conn: number,
    at: number,
    word: number,
  ): void {
    const stream = this.receivers.stream(conn);
    if (kind === EVENT.connEnded) {
      this.receivers.streamEnded(conn);
    }
    if (stream === undefined) {
      return;
    }
    switch (kind) {
      case EVENT.connEnded:
        stream.onConnEnded();
        break;
      case EVENT.bridgeWrite:
        stream.onBridgeWrite(this.copy(at + BYTES, this.words[word + 3] as number));
        break;
      case EVENT.bridgeEnd:
        stream.onBridgeEnd();
        break;
      case EVENT.bridgePause:
        stream.onBridgePause();
        break;
      case EVENT.bridgeResume:
        stream.onBridgeResume();
        break;
      case EVENT.bridgeDestroy:
        stream.onBridgeDestroy();
        break;
      case EVENT.frame:
        stream.onFrame?.(flags, this.copy(at + BYTES, this.words[word + 3] as number));
        break;
      case EVENT.framesSent:
        stream.onFramesSent?.(this.words[word + 3] as number);
        break;
    }
  }

  private content(flags: number, at: number, length: number): string | Buffer {
    const start = at + BYTES;
    if ((flags & BINARY) !== 0) {
      return this.copy(start, length);
    }
    // V8 makes a one-byte string out of ASCII about twice as fast when it is told so.
    return (flags & ASCII) !== 0
      ? this.buffer.latin1Slice(start, start + length)
      : this.buffer.utf8Slice(start, start + length);
  }

  /** The target is filled again by the next batch, so bytes that leave are copied. */
  private copy(start: number, length: number): Buffer {
    return Buffer.from(this.buffer.subarray(start, start + length));
  }
}

function wordsOf(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
}
