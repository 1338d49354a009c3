/**
 * The emitter under a session: it knows which of the costly events somebody listens to, so that the others cost nothing.
 *
 * Once set a bit stays: a listener that was removed again costs a little speed, never an event.
 */
import { LazyEmitter } from "./lazy-emitter";

/** Somebody listens to `packet`. */
export const WATCHES_PACKETS = 1;
/** Somebody listens to `packetCreate`, `flush` or `drain`, or has read `writeBuffer`. */
export const WATCHES_WRITES = 2;
/** Somebody listens to what only the core sees: heartbeats and pings. */
export const WATCHES_HEARTBEAT = 4;
/** Somebody listens to `message`, which our own layer above does not. */
export const WATCHES_MESSAGES = 8;
/** The first bit that a derived class may use. */
export const FIRST_FREE_BIT = 16;

const WATCHED: Readonly<Record<string, number | undefined>> = Object.assign(Object.create(null), {
  packet: WATCHES_PACKETS | WATCHES_HEARTBEAT,
  message: WATCHES_MESSAGES,
  heartbeat: WATCHES_HEARTBEAT,
  packetCreate: WATCHES_WRITES | WATCHES_HEARTBEAT,
  flush: WATCHES_WRITES,
  drain: WATCHES_WRITES,
});

type Listener = (...args: any[]) => void;

export abstract class WatchedEmitter extends LazyEmitter {
  /** Facts that are true or false, in one field: a field for each would cost eight bytes in every connection. */
  protected bits = 0;

  /** Called when the first listener for heartbeats is added. */
  protected abstract onHeartbeatWatched(): void;

  /** Called when somebody begins to watch writes. */
  protected abstract onWritesWatched(): void;

  // `once` and `prependOnceListener` end in these.

  override on(event: string | symbol, listener: Listener): this {
    this.noteListener(event);
    return super.on(event, listener);
  }

  override addListener(event: string | symbol, listener: Listener): this {
    this.noteListener(event);
    return super.addListener(event, listener);
  }

  override prependListener(event: string | symbol, listener: Listener): this {
    this.noteListener(event);
    return super.prependListener(event, listener);
  }

  protected has(bit: number): boolean {
    return (this.bits & bit) !== 0;
  }

  protected setBit(bit: number, isSet: boolean): void {
    this.bits = isSet ? this.bits | bit : this.bits & ~bit;
  }

  /** Sets bits that say what is watched. */
  protected watch(watched: number): void {
    const isNew = watched & ~this.bits;
    this.bits |= watched;
    if ((isNew & WATCHES_HEARTBEAT) !== 0) {
      this.onHeartbeatWatched();
    }
    if ((isNew & WATCHES_WRITES) !== 0) {
      this.onWritesWatched();
    }
  }

  private noteListener(event: string | symbol): void {
    const watched = typeof event === "string" ? WATCHED[event] : undefined;
    if (watched !== undefined) {
      this.watch(watched);
    }
  }
}
