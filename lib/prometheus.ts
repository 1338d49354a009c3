/**
 * Metrics in the text form of Prometheus (version 0.0.4, `text/plain`): names end with their unit, times are seconds, sums end with `_total`.
 */
import type { Metrics, QueueDelay } from "./metrics";

/** The name of a sample, its labels if it has any, and its value. */
type Sample = [labels: Record<string, string>, value: number];

/** Writes all metrics down. */
export function prometheusText(metrics: Metrics): string {
  const { packets, bytes, outboxBytes, upgrades, stalls } = metrics;
  return [
    family("sio_sessions", "gauge", "Open sessions.", by("transport", metrics.sessions)),
    family("sio_sockets", "gauge", "Connected sockets.", by("namespace", metrics.sockets)),
    family(
      "sio_handshakes_total",
      "counter",
      "Sessions opened, by the transport they began on.",
      by("transport", metrics.handshakes),
    ),
    family("sio_refusals_total", "counter", "Requests refused.", by("code", metrics.refusals)),
    family("sio_upgrades_total", "counter", "Upgrades from polling.", by("result", upgrades)),
    family("sio_closes_total", "counter", "Sessions ended.", by("reason", metrics.closes)),
    single("sio_packets_received_total", "counter", "Messages received.", packets.received),
    single("sio_packets_sent_total", "counter", "Messages sent.", packets.sent),
    single("sio_received_bytes_total", "counter", "Bytes received.", bytes.received),
    single("sio_sent_bytes_total", "counter", "Bytes sent.", bytes.sent),
    single("sio_broadcasts_total", "counter", "Broadcasts.", metrics.broadcasts),
    single("sio_deliveries_total", "counter", "Sessions given a broadcast.", metrics.deliveries),
    single("sio_merged_total", "counter", "Units sent in another's write.", metrics.merged),
    family("sio_outbox_bytes", "gauge", "Bytes that wait for a session.", [
      [{ quantile: "0.5" }, outboxBytes.p50],
      [{ quantile: "0.99" }, outboxBytes.p99],
      [{ quantile: "1" }, outboxBytes.max],
    ]),
    single("sio_outbox_total_bytes", "gauge", "Bytes that wait for all.", outboxBytes.total),
    single(
      "sio_slow_clients_ended_total",
      "counter",
      "Sessions ended by a fault while bytes waited for them.",
      metrics.slowClientsEnded,
    ),
    histogram(
      "sio_queue_delay_seconds",
      "How long events waited for the JavaScript thread.",
      metrics.queueDelay,
    ),
    single("sio_queue_delay_max_seconds", "gauge", "The longest.", metrics.queueDelay.max / 1000),
    single("sio_stalls_total", "counter", "Stalls of the JavaScript thread.", stalls.count),
    single("sio_stalled_seconds_total", "counter", "How long they took.", stalls.duration / 1000),
    single("sio_threads", "gauge", "Threads of the core.", metrics.threads),
    single("sio_draining", "gauge", "1 once the server is drained.", metrics.draining ? 1 : 0),
  ].join("");
}

function by(label: string, values: Record<string, number>): Sample[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

function single(name: string, type: string, help: string, value: number): string {
  return family(name, type, help, [[{}, value]]);
}

function family(name: string, type: string, help: string, samples: Sample[]): string {
  return heading(name, type, help) + samples.map((sample) => line(name, ...sample)).join("");
}

function histogram(name: string, help: string, { buckets, sum, count }: QueueDelay): string {
  const bucketLines = buckets.map(({ le, count: below }) =>
    line(
      `${name}_bucket`,
      { le: le === Number.POSITIVE_INFINITY ? "+Inf" : `${le / 1000}` },
      below,
    ),
  );
  if (buckets.length === 0) {
    bucketLines.push(line(`${name}_bucket`, { le: "+Inf" }, 0));
  }
  return (
    heading(name, "histogram", help) +
    bucketLines.join("") +
    line(`${name}_sum`, {}, sum / 1000) +
    line(`${name}_count`, {}, count)
  );
}

function heading(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function line(name: string, labels: Record<string, string>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

/** The names of dynamic namespaces are the peers' text. */
function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
