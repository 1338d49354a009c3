/**
 * The emitter under a session: it knows which of the costly events somebody listens to, so that the others cost nothing.
 *
 * Once set a bit stays: a listener that was removed again costs a little speed, never an event.
 */
import * as inEngine from "./in-engine";
import { LazyEmitter } from "./lazy-emitter";

/** Somebody listens to `packet`. */
export const WATCHES_PACKETS = 1;
/** Somebody listens to `packetCreate`, `flush` or `drain`, or has read `writeBuffer`. */
export const WATCHES_WRITES = 2;
/** Somebody listens to what only the core sees: heartbeats and pings. */
export const WATCHES_HEARTBEAT = 4;
/** Everything that goes through `writeBuffer`: what users write, and the heartbeat of the core. */
export const WATCHES_BUFFER = WATCHES_WRITES | WATCHES_HEARTBEAT;
/** Somebody listens to `message`, which our own layer above does not. */
export const WATCHES_MESSAGES = 8;
/** The first bit that a derived class may use. */
export const FIRST_FREE_BIT = 16;

const WATCHED: Readonly<Record<string, number | undefined>> = Object.assign(Object.create(null), {
  packet: WATCHES_PACKETS | WATCHES_HEARTBEAT,
  message: WATCHES_MESSAGES,
  heartbeat: WATCHES_HEARTBEAT,
  packetCreate: WATCHES_BUFFER,
  flush: WATCHES_BUFFER,
  drain: WATCHES_BUFFER,
});

type Listener = (...args: any[]) => void;

export abstract class WatchedEmitter extends LazyEmitter {
  /** Facts that are true or false, in one field: a field for each would cost eight bytes in every connection. */
  protected [inEngine.bits] = 0;

  /** Called when the first listener for heartbeats is added. */
  protected abstract [inEngine.onHeartbeatWatched](): void;

  /** Called when somebody begins to watch writes. */
  protected abstract [inEngine.onWritesWatched](): void;

  // `once` and `prependOnceListener` end in these.

  override on(event: string | symbol, listener: Listener): this {
    this[inEngine.noteListener](event);
    return super.on(event, listener);
  }

  override addListener(event: string | symbol, listener: Listener): this {
    this[inEngine.noteListener](event);
    return super.addListener(event, listener);
  }

  override prependListener(event: string | symbol, listener: Listener): this {
    this[inEngine.noteListener](event);
    return super.prependListener(event, listener);
  }

  protected [inEngine.has](bit: number): boolean {
    return (this[inEngine.bits] & bit) !== 0;
  }

  protected [inEngine.setBit](bit: number, isSet: boolean): void {
    this[inEngine.bits] = isSet ? this[inEngine.bits] | bit : this[inEngine.bits] & ~bit;
  }

  /** Sets bits that say what is watched. */
  protected [inEngine.watch](watched: number): void {
    const isNew = watched & ~this[inEngine.bits];
    this[inEngine.bits] |= watched;
    if ((isNew & WATCHES_HEARTBEAT) !== 0) {
      this[inEngine.onHeartbeatWatched]();
    }
    if ((isNew & WATCHES_WRITES) !== 0) {
      this[inEngine.onWritesWatched]();
    }
  }

  private [inEngine.noteListener](event: string | symbol): void {
    const watched = typeof event === "string" ? WATCHED[event] : undefined;
    if (watched !== undefined) {
      this[inEngine.watch](watched);
    }
  }
}
