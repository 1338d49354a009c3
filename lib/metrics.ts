/**
 * `io.metrics()`: what operators want to know of a server, put together when it is asked for. The numbers are counted by the engine, once
 * for a session or a request, and by the threads of the core; docs/operations.md has the table of them.
 */
import type { Server as Engine } from "./engine";
import * as inEngine from "./engine/in-engine";
import { type ByTransport, type Closes, type Refusals, Tally } from "./engine/tally";
import { linkInUse } from "./link";
import type { CoreMetrics } from "./native";

/** How long events have waited for the JavaScript thread, in milliseconds. */
export interface QueueDelay {
  /** How often it was woken for events. */
  count: number;
  /** All delays together. */
  sum: number;
  /** The longest since the start. */
  max: number;
  /** How many delays were no longer than `le`; each bucket includes those before it. */
  buckets: { le: number; count: number }[];
}

/** Bytes that wait for the clients of this process. */
export interface OutboxBytes {
  /** Half of the sessions have no more. */
  p50: number;
  /** 99 of 100 sessions have no more. */
  p99: number;
  /** The most that waits for one session. */
  max: number;
  /** All of it. */
  total: number;
}

/** What {@link Server.metrics} tells. Sums count from the start of the server or, where it is said, of the thread or process. */
export interface Metrics {
  /** Open sessions, by the transport they are on now. */
  sessions: ByTransport;
  /** Connected sockets, by the name of their namespace. */
  sockets: Record<string, number>;
  /** Sum: sessions opened, by the transport they began on. */
  handshakes: ByTransport;
  /** Sum: requests refused, by code. */
  refusals: Refusals;
  /** Sum: upgrades from polling. */
  upgrades: { completed: number; failed: number };
  /** Sum: sessions ended, by reason. `ping timeout` are the heartbeats that were lost. */
  closes: Closes;
  /** Sum, of this thread: messages; each attachment is one. */
  packets: { received: number; sent: number };
  /**
   * Sum, of this thread: bytes. WebSocket frames as they are on the wire but for TLS, payloads of polls before they are compressed; no HTTP
   * headers but those of the 101.
   */
  bytes: { received: number; sent: number };
  /** Sum, of this thread: broadcasts that the core has carried out. */
  broadcasts: number;
  /** Sum, of this thread: sessions that got one of them. */
  deliveries: number;
  /** Sum, of this thread: units (a message with its attachments, a heartbeat, a 101) that left a stream in the write of the one before. */
  merged: number;
  /** Of the process: what waits for the clients. */
  outboxBytes: OutboxBytes;
  /** Sum, of this thread: sessions that ended by a fault (`ping timeout`, `transport error`) while more than a heartbeat waited for their clients. */
  slowClientsEnded: number;
  /** Sum, of this thread: how long events have waited for it. */
  queueDelay: QueueDelay;
  /** Sum: stalls that the `watchdog` option has reported, and how long they took in milliseconds. */
  stalls: { count: number; duration: number };
  /** Threads of the core; 0 before the first session. */
  threads: number;
  /** Whether {@link Server.drain} was called. */
  draining: boolean;
}

/** What is asked of a server. */
export interface MetricsSource {
  engines: Iterable<Engine>;
  namespaces: Iterable<{ name: string; sockets: ReadonlyMap<string, unknown> }>;
  isDraining: boolean;
}

/** Reads everything. */
export function readMetrics({ engines, namespaces, isDraining }: MetricsSource): Metrics {
  const { sessions, handshakes, refusals, upgrades, closes, posted, stalls } = sumOf(engines);
  const core = linkInUse()?.metrics() ?? NOTHING;
  return {
    sessions,
    sockets: Object.fromEntries([...namespaces].map(({ name, sockets }) => [name, sockets.size])),
    handshakes,
    refusals,
    upgrades,
    closes,
    packets: { received: core.packetsReceived + posted.packets, sent: core.packetsSent },
    bytes: { received: core.bytesReceived + posted.bytes, sent: core.bytesSent },
    broadcasts: core.broadcasts,
    deliveries: core.deliveries,
    merged: core.merged,
    outboxBytes: {
      p50: core.outboxP50,
      p99: core.outboxP99,
      max: core.outboxMax,
      total: core.outboxTotal,
    },
    slowClientsEnded: core.slowClientsEnded,
    queueDelay: queueDelayOf(core),
    stalls,
    threads: core.threads,
    draining: isDraining,
  };
}

/** Adds up what the engines have counted. Those that are not ours count nothing. */
function sumOf(engines: Iterable<Engine>): Tally {
  const sum = new Tally();
  for (const { [inEngine.tally]: tally } of engines) {
    for (const [group, numbers] of Object.entries(tally)) {
      const into = sum[group as keyof Tally] as unknown as Record<string, number>;
      for (const [name, number] of Object.entries(numbers as Record<string, number>)) {
        into[name] = (into[name] as number) + number;
      }
    }
  }
  return sum;
}

function queueDelayOf({
  delayCounts,
  delayBoundsUs,
  delaySumUs,
  delayMaxUs,
}: CoreMetrics): QueueDelay {
  let count = 0;
  const buckets = delayCounts.map((inBucket, index) => {
    count += inBucket;
    const bound = delayBoundsUs[index];
    return { le: bound === undefined ? Number.POSITIVE_INFINITY : bound / 1000, count };
  });
  return { count, sum: delaySumUs / 1000, max: delayMaxUs / 1000, buckets };
}

/** Of a core that was not needed yet. */
const NOTHING: CoreMetrics = {
  packetsReceived: 0,
  bytesReceived: 0,
  packetsSent: 0,
  bytesSent: 0,
  broadcasts: 0,
  deliveries: 0,
  merged: 0,
  slowClientsEnded: 0,
  delayCounts: [],
  delayBoundsUs: [],
  delaySumUs: 0,
  delayMaxUs: 0,
  outboxP50: 0,
  outboxP99: 0,
  outboxMax: 0,
  outboxTotal: 0,
  threads: 0,
};
