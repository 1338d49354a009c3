/**
 * The book-keeping of observed writes: `writeBuffer`, `flush` and `drain` events, send callbacks.
 *
 * The packets themselves are with the core as soon as they are written, in order; this only tells when they leave. Made at the first write
 * with a callback or when somebody begins to watch, so other sessions do not have it; what waits at that moment is found out then.
 *
 * A WebSocket takes a batch; the core reports its packets with SENT, and what was written meanwhile becomes the next batch. What was
 * written before anybody watched has left when the turn ends. A polling transport takes a batch with a parked GET.
 */
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { logFlush, logSent } from "./log";
import type { Packet } from "./payload";
import { isCompressed } from "./payload-size";
import { PollingTransport } from "./polling";
import type { Session } from "./session";
import type { Transport } from "./transports";
import type { WaitingInCore } from "./waiting-packets";

/** Called with the transport once the packet was handed over. */
export type SendCallback = (transport: Transport) => void;

/** What a WebSocket has taken and has not left. */
interface Batch {
  /** How many SENT are to come; 0 when it leaves with the end of the turn. */
  units: number;
  callbacks: SendCallback[];
}

export class Outgoing {
  /** Packets that no transport has taken; `conn.writeBuffer`. Users may change it, or put another array in its place. */
  buffer: Packet[] = [];
  /** Callbacks of the packets in the buffer. */
  callbacks: SendCallback[] = [];
  /** How many SENT are to come for the packets in the buffer. */
  private bufferedUnits = 0;
  /** The packets in the buffer that the core has; the others were put there by users. */
  private readonly given = new Set<Packet>();
  private batches: Batch[] = [];
  /** How long the buffer was when something was added to it last. */
  private lengthSeen = 0;
  private awaitsTurnEnd = false;

  constructor(private readonly session: Session) {
    if (session.readyState === "closed") {
      this.close(); // it is looked at for the last time
    }
  }

  /** Called after the packets were given to the core in one command; `isTaken` says whether the transport takes them at once. */
  add(packets: readonly Packet[], callback: SendCallback | undefined, isTaken: boolean): void {
    for (const packet of packets) {
      this.buffer.push(packet);
      this.given.add(packet);
    }
    this.lengthSeen = this.buffer.length;
    if (!(this.current instanceof PollingTransport)) {
      this.bufferedUnits += 1;
    }
    if (callback !== undefined) {
      this.callbacks.push(callback);
    }
    if (isTaken) {
      this.flush();
    }
  }

  /** Called before a packet is written: what users have put into the buffer goes before it. */
  giveOwnFirst(): void {
    if (this.buffer.length !== this.lengthSeen) {
      this.giveOwn(true);
    }
  }

  /** Gives the core what users have put into the buffer, and says whether more follows at once. */
  private giveOwn(isFollowed = false): void {
    const own = this.buffer.filter((packet) => !this.given.has(packet));
    own.forEach((packet, index) => {
      this.given.add(packet);
      this.session[inEngine.givePacket](packet, isFollowed || index + 1 < own.length);
      if (!(this.current instanceof PollingTransport)) {
        this.bufferedUnits += 1;
      }
    });
  }

  /** The peer does not read, or does not poll: all that waits is as the core says. */
  takeOver({ before, units, packets }: WaitingInCore): void {
    if (packets.length === 0 && this.buffer.some((packet) => this.given.has(packet))) {
      // The batch before has left, and the transport has taken all of this one.
      const callbacks = this.batches.flatMap((batch) => batch.callbacks);
      this.batches = [];
      this.bufferedUnits = before;
      this.release(callbacks);
      this.flush();
      return;
    }
    this.replaceBuffer(packets);
    if (!(this.current instanceof PollingTransport)) {
      if (before > 0) {
        // Else the batch has left the core already, and JavaScript carries it.
        const callbacks = this.batches.flatMap((batch) => batch.callbacks);
        this.batches = [{ units: before, callbacks }];
      }
      this.bufferedUnits = units;
    }
  }

  /** These packets of the turn wait for its end, behind one that is on its way. */
  takeOverTurn(packets: Packet[]): void {
    this.replaceBuffer(packets);
    if (this.batches.length === 0) {
      this.batches.push({ units: 0, callbacks: [] });
      this.awaitTurnEnd();
    }
  }

  /** The transport takes what is buffered. */
  flush(): void {
    this.giveOwn();
    const { session, buffer } = this;
    if (buffer.length === 0) {
      return;
    }
    logFlush();
    session.emit("flush", buffer);
    session.server.emit("flush", session, buffer);
    const { callbacks, bufferedUnits } = this;
    this.buffer = [];
    this.lengthSeen = 0;
    this.given.clear();
    this.bufferedUnits = 0;
    this.callbacks = [];
    this.take(buffer, bufferedUnits, callbacks);
    session.emit("drain");
    session.server.emit("drain", session);
    session[inEngine.onDrained]();
  }

  /** The core has handed over `count` more units of the WebSocket. */
  onSent(count: number): void {
    let left = count;
    while (left > 0) {
      if (this.batches.length === 0) {
        // Written behind others of the same turn that nobody watched, so nothing has told that the transport is free.
        this.flush();
      }
      const batch = this.batches[0];
      if (batch === undefined) {
        return;
      }
      const sent = Math.min(left, batch.units);
      batch.units -= sent;
      left -= sent;
      if (batch.units === 0) {
        this.finishBatch();
      }
    }
  }

  /** The session has closed: callbacks are dropped; the buffer stays for `close` listeners, until the next tick. */
  close(): void {
    this.callbacks = [];
    this.batches = [];
    process.nextTick(() => {
      this.buffer = [];
    });
  }

  /** The callbacks of what the WebSocket has taken, batch by batch. */
  get takenCallbacks(): SendCallback[][] {
    return this.batches.map(({ callbacks }) => callbacks);
  }

  private get current(): Transport {
    return this.session.transport;
  }

  /** Puts the packets in the place of the buffer. Those that are in it already stay the objects that they are. */
  private replaceBuffer(packets: Packet[]): void {
    const known = this.buffer.filter((packet) => this.given.has(packet));
    const own = this.buffer.filter((packet) => !this.given.has(packet));
    const isSame = (one: Packet, other: Packet) =>
      one.type === other.type && `${one.data ?? ""}` === `${other.data ?? ""}`;
    this.buffer = [
      ...packets.map((packet) => {
        const index = known.findIndex((it) => isSame(it, packet));
        return index < 0 ? packet : (known.splice(0, index + 1).pop() as Packet);
      }),
      ...own,
    ];
    this.given.clear();
    for (const packet of this.buffer.slice(0, packets.length)) {
      this.given.add(packet);
    }
    this.lengthSeen = packets.length;
  }

  private take(packets: Packet[], units: number, callbacks: SendCallback[]): void {
    const { current } = this;
    if (!(current instanceof PollingTransport)) {
      this.batches.push({ units, callbacks });
      if (units === 0) {
        this.awaitTurnEnd();
      }
      return;
    }
    const poll = current[inTransport.takenPoll]();
    if (poll !== undefined && isCompressed(current, poll.req, packets)) {
      // Those of a session that has closed meanwhile are dropped.
      poll.onAnswered = () => this.release(this.session.readyState === "closed" ? [] : callbacks);
    } else {
      this.release(callbacks);
    }
  }

  private awaitTurnEnd(): void {
    if (!this.awaitsTurnEnd) {
      this.awaitsTurnEnd = true;
      this.session.server[inEngine.link].atTurnEnd(() => this.onTurnEnd());
    }
  }

  private onTurnEnd(): void {
    this.awaitsTurnEnd = false;
    if (this.session.readyState === "closed") {
      return;
    }
    if (this.session[inEngine.pendingBytes]() > 0) {
      this.session[inEngine.takeStock](this); // the peer does not read, or JavaScript carries the batch, and the core tells when it is taken
    } else if (this.batches[0]?.units === 0) {
      this.finishBatch();
    }
  }

  /** The first batch has left: the transport is free for the next. */
  private finishBatch(): void {
    const batch = this.batches.shift() as Batch;
    const { current } = this;
    this.release(batch.callbacks);
    this.flush();
    current.emit("ready");
  }

  /** A batch has left: the transport is free again. */
  private release(callbacks: readonly SendCallback[]): void {
    const { current } = this;
    if (!(current instanceof PollingTransport)) {
      logSent(); // of a poll it is told with its answer
    }
    for (const callback of callbacks) {
      callback(current);
    }
    current.emit("drain");
  }
}
