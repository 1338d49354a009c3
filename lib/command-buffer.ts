/**
 * The one buffer that commands to the core are packed into, and the turns of the event loop that they are counted in.
 *
 * The first command of a turn is submitted at once, so that `emit("progress")` leaves before a handler blocks;
 * the rest goes in the nextTick that the first one queued, or when the buffer is full. That nextTick ends the turn: its number travels
 * with the commands, because a volatile packet is dropped when its session already sent in the same turn.
 */
import type { BindingLink } from "./native";

/** Bytes of the standing buffer; a longer record gets one of its own. */
const CAPACITY = 64 * 1024;
/** The two words before the fields of a record: kind and flags, length. */
export const HEAD = 8;
/** The record that begins a turn. */
const TURN = 12;

/** A Buffer whose write methods skip the argument checks of `write`. */
export interface RawBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
}

/** Taken now: a test's fake timers must not swallow the end of a turn. */
const { nextTick } = process;

export abstract class CommandBuffer {
  /** Number of the current turn. */
  turn = 1;
  protected buffer: RawBuffer;
  protected words: Uint32Array;
  private readonly standing: RawBuffer;
  private readonly standingWords: Uint32Array;
  private length = 0;
  private inTurn = false;
  private first = false;
  private readonly endTurnCallback = () => this.endTurn();
  /** Called after each command once the process is about to exit. */
  private flush: (() => void) | undefined = undefined;

  /**
   * @param link where submitted commands go
   * @param onEvents called when what was submitted has led to events at once, for which nobody rings
   * @param onTurnEnd called when a turn ends, before the next one can begin
   */
  constructor(
    private readonly link: BindingLink,
    private readonly onEvents: () => void,
    private readonly onTurnEnd: () => void,
  ) {
    this.standing = Buffer.allocUnsafeSlow(CAPACITY) as RawBuffer;
    this.standingWords = wordsOf(this.standing);
    this.buffer = this.standing;
    this.words = this.standingWords;
  }

  /** Hands over what is packed. */
  submit(): void {
    this.closeGroup();
    this.submitBuffer();
  }

  /** The process is about to exit and no nextTick comes any more: from now on each command is submitted at once, and `flush` is called. */
  beginExit(flush: () => void): void {
    this.flush = flush;
    this.first = true;
  }

  protected get isExiting(): boolean {
    return this.flush !== undefined;
  }

  /** Writes the record of a loop that is still open, if there is one: order is order. */
  protected abstract closeGroup(): void;

  /** Makes room for a record of at most `bytes` and returns where it begins. */
  protected begin(bytes: number): number {
    this.closeGroup();
    this.startTurn();
    return this.room(bytes);
  }

  protected room(bytes: number): number {
    const needed = bytes + 4; // a record is padded to a multiple of four
    if (this.length + needed > this.buffer.length) {
      this.submitBuffer();
      if (needed > CAPACITY) {
        this.buffer = Buffer.allocUnsafeSlow((needed + 7) & ~7) as RawBuffer;
        this.words = wordsOf(this.buffer);
      }
    }
    return this.length;
  }

  /** Completes the record that began at `at` and ends at `end`. */
  protected commit(kind: number, flags: number, at: number, end: number): void {
    this.complete(kind, flags, at, end);
    if (this.first || this.buffer !== this.standing) {
      this.first = this.isExiting;
      this.submitBuffer();
      this.flush?.();
    }
  }

  protected startTurn(): void {
    if (this.inTurn) {
      return;
    }
    this.inTurn = true;
    this.first = true;
    nextTick(this.endTurnCallback);
    const at = this.room(HEAD + 4);
    this.words[(at >> 2) + 2] = this.turn;
    this.complete(TURN, 0, at, at + HEAD + 4);
  }

  private endTurn(): void {
    try {
      this.submit();
    } finally {
      this.inTurn = false;
      this.first = false;
      this.turn = (this.turn + 1) >>> 0;
      this.onTurnEnd();
    }
  }

  /** The padding is zeroed: the core reads whole words. */
  private complete(kind: number, flags: number, at: number, end: number): void {
    let stop = end;
    while ((stop & 3) !== 0) {
      this.buffer[stop++] = 0;
    }
    this.words[at >> 2] = kind | (flags << 8);
    this.words[(at >> 2) + 1] = stop - at;
    this.length = stop;
  }

  private submitBuffer(): void {
    if (this.length > 0) {
      const length = this.length;
      this.length = 0;
      if (this.link.submit(this.buffer, length)) {
        this.onEvents();
      }
    }
    this.buffer = this.standing;
    this.words = this.standingWords;
  }
}

function wordsOf(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
}
