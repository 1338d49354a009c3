/**
 * The book-keeping of observed writes: `writeBuffer`, `flush` and `drain` events, send callbacks.
 *
 * The packets themselves are with the core as soon as they are written, in order; this only tells when they leave. Made at the first write
 * with a callback or a listener, so other sessions do not have it.
 *
 * A WebSocket takes a batch; the core reports its packets with SENT, and what was written meanwhile becomes the next batch. A polling
 * transport takes a batch with a parked GET.
 */
import { logFlush, logSent } from "./log";
import type { Packet } from "./payload";
import { encodingFor } from "./poll-response";
import { PollingTransport } from "./polling";
import type { EngineRequest } from "./request";
import type { Session } from "./session";
import type { Transport } from "./transports";

/** Called with the transport once the packet was handed over. */
export type SendCallback = (transport: Transport) => void;

/** What a WebSocket has taken and the core has not reported yet. */
interface Batch {
  units: number;
  callbacks: SendCallback[];
}

export class Outgoing {
  /** Packets that no transport has taken; `conn.writeBuffer`. */
  buffer: Packet[] = [];
  /** Callbacks of the packets in the buffer. */
  callbacks: SendCallback[] = [];
  /** How many commands the packets in the buffer were given to the core with. */
  private bufferedUnits = 0;
  private batches: Batch[] = [];

  constructor(private readonly session: Session) {}

  /** Called after the packets were given to the core in one command; `isTaken` says whether the transport takes them at once. */
  add(packets: readonly Packet[], callback: SendCallback | undefined, isTaken: boolean): void {
    this.buffer.push(...packets);
    this.bufferedUnits += 1;
    if (callback !== undefined) {
      this.callbacks.push(callback);
    }
    if (isTaken) {
      this.flush();
    }
  }

  /** The transport takes what is buffered. */
  flush(): void {
    this.takeBuffer((packets, units, callbacks) => {
      const { current } = this;
      if (!(current instanceof PollingTransport)) {
        this.batches.push({ units, callbacks });
        return;
      }
      const poll = current._takenPoll();
      if (poll !== undefined && isCompressed(current, poll.req, packets)) {
        poll.onAnswered = () => this.release(callbacks);
      } else {
        this.release(callbacks);
      }
    });
  }

  /** The same for what was written before an upgrade, which the core does not report. */
  flushUnreported(): void {
    this.takeBuffer((_packets, _units, callbacks) => this.release(callbacks));
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
        this.batches.shift();
        const { current } = this;
        this.release(batch.callbacks);
        this.flush();
        current.emit("ready");
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

  private takeBuffer(
    take: (packets: Packet[], units: number, callbacks: SendCallback[]) => void,
  ): void {
    const { session, buffer } = this;
    if (buffer.length === 0) {
      return;
    }
    logFlush();
    session.emit("flush", buffer);
    session.server.emit("flush", session, buffer);
    const { callbacks, bufferedUnits } = this;
    this.buffer = [];
    this.bufferedUnits = 0;
    this.callbacks = [];
    take(buffer, bufferedUnits, callbacks);
    session.emit("drain");
    session.server.emit("drain", session);
    session._onDrained();
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

/** Whether a poll response with these packets will be compressed, and so finishes later. */
function isCompressed(
  transport: PollingTransport,
  req: EngineRequest,
  packets: readonly Packet[],
): boolean {
  if (!packets.some(({ options }) => options?.compress)) {
    return false;
  }
  let bytes = 0;
  for (const { data } of packets) {
    bytes += 1 + (typeof data === "string" ? Buffer.byteLength(data) : (data?.byteLength ?? 0));
  }
  return encodingFor(transport.httpCompression, req, bytes) !== undefined;
}
