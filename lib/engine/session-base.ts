/**
 * The part of a session that answers "can it take more?": its slot in the core, what was sent in this turn of the event loop, and what the
 * kernel has not taken.
 *
 * "In flight" is two facts. What was sent in this turn JavaScript knows; engine.io too shows a transport as busy until the next tick, and
 * for one tick more if something waited meanwhile (src/engine/pace.rs counts alike). The backlog only the core knows. What was merely
 * handed to the core's thread is not busy.
 */
import type { CommandWriter } from "../commands";
import * as inEngine from "./in-engine";
import type { Server } from "./server";
import { WatchedEmitter } from "./watched-emitter";

/** The bit of the core's OBSERVE mask that asks for heartbeats. */
const OBSERVE_HEARTBEAT = 1;

export abstract class SessionBase extends WatchedEmitter {
  /** The session in the core; -1 before it is opened and once it is forgotten there. */
  [inEngine.slot] = -1;
  /** The turn in which the transport is free again: one after that of the last packet, or two if that one had to wait. */
  private [inEngine.freeAt] = -1;
  /** How many packets wait for the end of this turn, if `freeAt` is two turns away. */
  private [inEngine.waiting] = 0;

  constructor(readonly server: Server) {
    super();
  }

  /** Where commands to the core go. */
  get [inEngine.commands](): CommandWriter {
    return this.server[inEngine.link].commands;
  }

  /**
   * Marks that `packets` packets were sent in this turn. Whoever writes a SEND command calls it, after the command, and says whether the
   * packets are certain to leave: volatile ones may have been dropped.
   */
  [inEngine.stamp](packets = 1, isCertain = false): void {
    const { turn } = this.server[inEngine.link];
    const ahead = this[inEngine.freeAt] - turn;
    if (ahead === 1 || ahead === 2) {
      if (isCertain) {
        this[inEngine.waiting] = ahead === 2 ? this[inEngine.waiting] + packets : packets;
        this[inEngine.freeAt] = turn + 2;
      }
    } else {
      this[inEngine.waiting] = packets - 1;
      this[inEngine.freeAt] = packets > 1 ? turn + 2 : turn + 1;
    }
  }

  /** Bytes which the kernel, or a GET, has not taken. */
  [inEngine.pendingBytes](): number {
    return this[inEngine.slot] < 0 ? 0 : this.server[inEngine.link].pending(this[inEngine.slot]);
  }

  /** Nothing is on its way in this turn and the kernel takes more. */
  protected [inEngine.isStreamFree](): boolean {
    return !this[inEngine.isBusyInTurn]() && this[inEngine.pendingBytes]() === 0;
  }

  /** Whether something is on its way in this turn. */
  protected [inEngine.isBusyInTurn](): boolean {
    return this[inEngine.isBusyFromBefore]() || this[inEngine.broadcastsInTurn]() > 0;
  }

  /** How many of the packets that were sent in this turn wait behind the one that is on its way. */
  protected [inEngine.waitingInTurn](): number {
    let isBusy = this[inEngine.isBusyFromBefore]();
    let waiting =
      this[inEngine.freeAt] - this.server[inEngine.link].turn === 2 ? this[inEngine.waiting] : 0;
    for (const broadcast of this.server[inEngine.link].broadcasts) {
      if (broadcast.reaches(this[inEngine.slot]) && !(isBusy && broadcast.isVolatile)) {
        waiting += isBusy ? broadcast.packets : broadcast.packets - 1;
        isBusy = true;
      }
    }
    return waiting;
  }

  /** Whether something is on its way, broadcasts of this turn left aside. */
  private [inEngine.isBusyFromBefore](): boolean {
    const { turn, earlierBroadcasts } = this.server[inEngine.link];
    const ahead = this[inEngine.freeAt] - turn;
    if (ahead === 1 || ahead === 2) {
      return true;
    }
    // Two packets of the turn before, at least one of them a broadcast: the second is on its way now.
    let packets = ahead === 0 ? 1 : 0;
    for (const broadcast of earlierBroadcasts) {
      if (broadcast.reaches(this[inEngine.slot])) {
        packets += packets > 0 && broadcast.isVolatile ? 0 : broadcast.packets;
      }
    }
    return packets > 1;
  }

  /** Native broadcasts leave no mark on the sessions they reach, so they are asked. */
  protected [inEngine.broadcastsInTurn](): number {
    let count = 0;
    for (const broadcast of this.server[inEngine.link].broadcasts) {
      if (broadcast.reaches(this[inEngine.slot])) {
        count += 1;
      }
    }
    return count;
  }

  protected override [inEngine.onHeartbeatWatched](): void {
    if (this[inEngine.slot] >= 0) {
      this[inEngine.commands].observe(this[inEngine.slot], OBSERVE_HEARTBEAT);
    }
  }
}
