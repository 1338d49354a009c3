// What a benchmark leaves: the table on standard output, and all figures of all runs as JSON.

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const RESULTS = fileURLToPath(new URL("../results/", import.meta.url));

/** The machine, as far as it explains a figure. */
export function machine() {
  const cores = cpus();
  return {
    cpu: cores[0]?.model ?? "unknown",
    cores: cores.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    loadAverage: loadavg()[0],
  };
}

/**
 * One entry a row: the values of the servers round by round, in the order in which the rows first
 * came. `runs` are {scenario, label, round, rows} or {scenario, label, round, failed}.
 */
export function summarize(runs, labels) {
  const summaries = new Map();
  for (const { label, rows = [] } of runs) {
    for (const { name, unit, value, jsValue } of rows) {
      if (!summaries.has(name)) {
        const entries = labels.map((server) => [server, series()]);
        summaries.set(name, { name, unit, ...Object.fromEntries(entries) });
      }
      const { values, jsValues } = summaries.get(name)[label];
      values.push(value);
      if (jsValue !== undefined) jsValues.push(jsValue);
    }
  }
  return [...summaries.values()];
}

const series = () => ({ values: [], jsValues: [] });

/** The Markdown table. A ratio above 1 speaks for the subject. */
export function table(summaries, failures, baseline, subject) {
  const header = [
    "scenario",
    "unit",
    baseline,
    subject,
    "ratio",
    "spread",
    "JS-thread ratio",
    "rounds",
  ];
  const lines = [header, header.map(() => "---")];
  for (const summary of summaries) {
    const [base, other] = [summary[baseline], summary[subject]];
    lines.push([
      summary.name,
      summary.unit,
      number(median(base.values)),
      number(median(other.values)),
      ratio(base.values, other.values),
      `${spread(base.values)} / ${spread(other.values)}`,
      ratio(base.jsValues, other.jsValues),
      Math.min(base.values.length, other.values.length),
    ]);
  }
  for (const { scenario, label, failed } of failures) {
    const fault = failed.replaceAll("|", "\\|").replaceAll("\n", " ");
    lines.push([scenario, `**FAILED** on ${label}: ${fault}`, ...header.slice(2).map(() => "")]);
  }
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The same for more servers: what each takes, and the baseline's figure divided by it. */
export function peerTable(summaries, baseline, labels) {
  const header = ["scenario", "unit", baseline, ...labels];
  const lines = [header, header.map(() => "---")];
  for (const summary of summaries) {
    const base = summary[baseline].values;
    const cells = labels.map((label) => {
      const { values } = summary[label];
      return values.length > 0 ? `${number(median(values))} (${ratio(base, values)})` : "–";
    });
    lines.push([summary.name, summary.unit, number(median(base)), ...cells]);
  }
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Writes the JSON and returns its path. */
export function writeResults(results) {
  mkdirSync(RESULTS, { recursive: true });
  const path = `${RESULTS}${new Date().toISOString().replaceAll(":", "-")}.json`;
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`);
  return path;
}

/** Undefined for no values at all, as after a failed run. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function ratio(base, other) {
  const value = median(base) / median(other);
  return Number.isFinite(value) ? `${number(value)}×` : "–";
}

function spread(values) {
  return values.length > 0 ? `${number(Math.min(...values))}–${number(Math.max(...values))}` : "–";
}

/** Bytes as memory is read. */
export function mebibytes(bytes) {
  return Number((bytes / 2 ** 20).toFixed(1));
}

/** Three digits that mean something; no more would be repeatable. */
export function number(value) {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}
