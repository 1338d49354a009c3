/**
 * The buffer that commands to the core are packed into, and the turns of the event loop that they are counted in.
 *
 * The first command of a turn is submitted at once, so that `emit("progress")` leaves before a handler blocks;
 * the rest goes in the nextTick that the first one queued, or when the buffer is full. That nextTick ends the turn: its number travels
 * with the commands, because a volatile packet is dropped when its session already sent in the same turn.
 *
 * A turn in which several messages were sent is followed by another one at once: with engine.io, what waited for the first of them keeps
 * its transport busy for one tick more. Such a turn has the next number, any other leaves one out; src/engine/pace.rs counts on it.
 *
 * Records stay where they were written until their turn ends, so that whoever asks can be told what was sent in it.
 */
import type { BindingLink } from "./native";

/** Bytes of a standing buffer; a longer record gets one of its own. */
const CAPACITY = 64 * 1024;
/** Bytes of records that are kept till the end of their turn, at the least. What was sent before these is forgotten. */
const MAX_KEPT = 1024 * 1024;
/** Standing buffers that are kept for the next turn. */
const MAX_STANDING = 4;
/** The two words before the fields of a record: kind and flags, length. */
export const HEAD = 8;
/** The record that begins a turn. */
const TURN = 12;
/** Turns are numbered up to this: a number that V8 keeps without a heap object. */
const LAST_TURN = 0x3fff_ffff;

/** A Buffer whose methods skip the argument checks of `write` and `toString`. */
export interface RawBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
  utf8Slice(start: number, end: number): string;
}

/** A buffer that is used turn by turn. */
interface Standing {
  buffer: RawBuffer;
  words: Uint32Array;
}

/** A stretch of records of this turn. */
export interface Stretch extends Standing {
  start: number;
  end: number;
}

/** Taken now: a test's fake timers must not swallow the end of a turn. */
const { nextTick } = process;

export abstract class CommandBuffer {
  /** Number of the current turn. */
  turn = 1;
  protected buffer: RawBuffer;
  protected words: Uint32Array;
  /** Messages that were written in this turn, attachments counted. */
  protected messages = 0;
  private readonly standings: Standing[] = [makeStanding()];
  /** Which of the standing buffers is being filled, up to where, and from where on it is not in `stretches`. */
  private standing = 0;
  private length = 0;
  private stretchStart = 0;
  /** How much of the buffer was handed over. */
  private submitted = 0;
  /** What the standing buffer held when a longer record got a buffer of its own. */
  private heldLength = 0;
  private readonly stretches: Stretch[] = [];
  private keptBytes = 0;
  /** The nextTick that ends the turn is queued. */
  private isEnding = false;
  /** The core was told of the turn. */
  private isTold = false;
  /** The turn follows one whose last messages are still on their way. */
  private isContinued = false;
  private first = false;
  private readonly endTurnCallback = () => this.endTurn();
  /** Called after each command once the process is about to exit. */
  private flush: (() => void) | undefined = undefined;

  /**
   * @param link where submitted commands go
   * @param onEvents called when what was submitted has led to events at once, for which nobody rings
   * @param onTurnEnd called when a turn has ended, before anything is sent in the next one; whether that follows at once
   */
  constructor(
    private readonly link: BindingLink,
    private readonly onEvents: () => void,
    private readonly onTurnEnd: (followsAtOnce: boolean) => void,
  ) {
    const [standing] = this.standings as [Standing];
    this.buffer = standing.buffer;
    this.words = standing.words;
  }

  /** Hands over what is packed. */
  submit(): void {
    this.closeGroup();
    this.submitBuffer();
  }

  /** Has the turn end in a nextTick, also if nothing is sent in it. */
  expectTurnEnd(): void {
    if (!this.isEnding) {
      this.isEnding = true;
      nextTick(this.endTurnCallback);
    }
  }

  /** The records of this turn in order, as far as they are kept. */
  recordsOfTurn(): Stretch[] {
    this.closeGroup();
    const { buffer, words, stretchStart: start, length: end } = this;
    return [...this.stretches, { buffer, words, start, end }];
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
      this.keepStretch();
      if (needed > CAPACITY) {
        this.heldLength = this.length;
        this.buffer = Buffer.allocUnsafeSlow((needed + 7) & ~7) as RawBuffer;
        this.words = wordsOf(this.buffer);
      } else {
        this.standing += 1;
        this.useStanding();
      }
      this.goTo(0);
    }
    return this.length;
  }

  /** Completes the record that began at `at` and ends at `end`. */
  protected commit(kind: number, flags: number, at: number, end: number): void {
    this.complete(kind, flags, at, end);
    const isOfItsOwn = this.buffer.length !== CAPACITY;
    if (this.first || isOfItsOwn) {
      this.first = this.isExiting;
      this.submitBuffer();
      if (isOfItsOwn) {
        this.keepStretch();
        this.useStanding();
        this.goTo(this.heldLength);
      }
      this.flush?.();
    }
  }

  /** The same for a record that nobody waits for: it is not the first of its turn, and goes along with the next one or at the turn's end. */
  protected commitUnhurried(kind: number, flags: number, at: number, end: number): void {
    const { first } = this;
    this.first = this.isExiting;
    this.commit(kind, flags, at, end);
    this.first = first;
  }

  protected startTurn(): void {
    if (this.isTold) {
      return;
    }
    this.isTold = true;
    this.first = true;
    this.expectTurnEnd();
    const at = this.room(HEAD + 4);
    this.words[(at >> 2) + 2] = this.turn;
    this.complete(TURN, 0, at, at + HEAD + 4);
  }

  private endTurn(): void {
    const goesOn = this.messages > (this.isContinued ? 0 : 1);
    try {
      this.submit();
    } finally {
      this.forgetRecords();
      this.messages = 0;
      this.isTold = false;
      this.first = this.isExiting;
      this.isContinued = goesOn;
      this.isEnding = goesOn;
      this.turn = (this.turn + (goesOn ? 1 : 2)) & LAST_TURN;
      if (goesOn) {
        nextTick(this.endTurnCallback);
      }
      this.onTurnEnd(goesOn);
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
    const { submitted, length } = this;
    if (length > submitted) {
      this.submitted = length;
      if (this.link.submit(this.buffer, submitted, length)) {
        this.onEvents();
      }
    }
  }

  /** Another buffer comes: what this one holds of the turn is kept, unless that becomes too much. */
  private keepStretch(): void {
    const { buffer, words, stretchStart: start, length: end } = this;
    if (this.keptBytes > MAX_KEPT) {
      this.stretches.length = 0;
      this.keptBytes = 0;
      this.useFromNowOn();
    }
    this.stretches.push({ buffer, words, start, end });
    this.keptBytes += end - start;
  }

  /** What the other standing buffers hold is forgotten: they are filled again after this one. */
  private useFromNowOn(): void {
    const { standings, standing } = this;
    const [first] = standings as [Standing];
    standings[0] = standings[standing] as Standing;
    standings[standing] = first;
    this.standing = 0;
  }

  private useStanding(): void {
    if (this.standing === this.standings.length) {
      this.standings.push(makeStanding());
    }
    const standing = this.standings[this.standing] as Standing;
    this.buffer = standing.buffer;
    this.words = standing.words;
  }

  private goTo(length: number): void {
    this.length = length;
    this.submitted = length;
    this.stretchStart = length;
  }

  private forgetRecords(): void {
    if (this.stretches.length > 0) {
      this.stretches.length = 0;
      this.keptBytes = 0;
      this.standings.length = Math.min(this.standings.length, MAX_STANDING);
      this.standing = 0;
      this.useStanding();
    }
    this.goTo(0);
  }
}

function makeStanding(): Standing {
  const buffer = Buffer.allocUnsafeSlow(CAPACITY) as RawBuffer;
  return { buffer, words: wordsOf(buffer) };
}

function wordsOf(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
}
