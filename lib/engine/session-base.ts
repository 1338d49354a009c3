/**
 * The part of a session that answers "can it take more?": its slot in the core, what was sent in this turn of the event loop, and what the
 * kernel has not taken.
 *
 * "In flight" is two facts. What was sent in this turn JavaScript knows; engine.io too shows a transport as busy until the next tick. The
 * backlog only the core knows. What was merely handed to the core's thread is not busy.
 */
import type { CommandWriter } from "../commands";
import type { Server } from "./server";
import { WatchedEmitter } from "./watched-emitter";

/** The bit of the core's OBSERVE mask that asks for heartbeats. */
const OBSERVE_HEARTBEAT = 1;

export abstract class SessionBase extends WatchedEmitter {
  /** The session in the core; -1 before it is opened and once it is forgotten there. */
  _slot = -1;
  /** The last turn in which something was sent. */
  private sentInTurn = -1;
  /** The last turn in which more than one packet was sent. */
  private sentMoreInTurn = -1;

  constructor(readonly server: Server) {
    super();
  }

  /** Where commands to the core go. */
  get _commands(): CommandWriter {
    return this.server._link.commands;
  }

  /**
   * Marks that `packets` packets were sent in this turn. Whoever writes a SEND command calls it, after the command, and says whether the
   * packets are certain to leave: volatile ones may have been dropped.
   */
  _stamp(packets = 1, _isCertain = false): void {
    const { turn } = this.server._link;
    if (this.sentInTurn === turn || packets > 1) {
      this.sentMoreInTurn = turn;
    }
    this.sentInTurn = turn;
  }

  /** Bytes which the kernel, or a GET, has not taken. */
  _pendingBytes(): number {
    return this._slot < 0 ? 0 : this.server._link.pending(this._slot);
  }

  /** Nothing was sent in this turn and the kernel takes more. */
  protected isStreamFree(): boolean {
    return (
      this.sentInTurn !== this.server._link.turn &&
      this._pendingBytes() === 0 &&
      this.broadcastsInTurn() === 0
    );
  }

  /** At most one packet was sent in this turn, so none waits behind another, and the kernel takes more. */
  protected isStreamDrained(): boolean {
    const { turn } = this.server._link;
    const sent = this.sentMoreInTurn === turn ? 2 : this.sentInTurn === turn ? 1 : 0;
    return sent + this.broadcastsInTurn() < 2 && this._pendingBytes() === 0;
  }

  /** Native broadcasts leave no mark on the sessions they reach, so they are asked. */
  protected broadcastsInTurn(): number {
    let count = 0;
    for (const broadcast of this.server._link.broadcasts) {
      if (broadcast.reaches(this._slot)) {
        count += 1;
      }
    }
    return count;
  }

  protected override onHeartbeatWatched(): void {
    if (this._slot >= 0) {
      this._commands.observe(this._slot, OBSERVE_HEARTBEAT);
    }
  }
}
