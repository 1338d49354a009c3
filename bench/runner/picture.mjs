// The picture of the README: how late the event loop is while 10,000 clients get broadcasts, one panel a server, drawn from the
// figures of `delay-timeline` and nothing else.

const WIDTH = 900;
const HEIGHT = 300;
const PANEL = { width: 380, height: 180, top: 70, lefts: [70, 500] };
const COLOURS = ["#c2410c", "#0f766e"];
/** Horizontal lines, at round figures. */
const LINES = 4;

/** @returns the SVG, of the first round of each of `labels` */
export function drawDelays(runs, labels) {
  const timelines = labels.map((label) => timelineOf(runs, label));
  const lastMs = Math.max(...timelines.flat().map(([ms]) => ms));
  const step = roundStep(Math.max(1, ...timelines.flat().map(([, delayMs]) => delayMs)) / LINES);
  const scale = { lastMs, step, topMs: step * LINES };
  const panels = timelines.map((timeline, i) => panel(timeline, labels[i], i, scale));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" role="img">
<title>Delay of the event loop while 10,000 clients get two broadcasts a second</title>
<rect width="${WIDTH}" height="${HEIGHT}" rx="10" fill="#ffffff"/>
<text x="${PANEL.lefts[0] - 40}" y="30" font-size="15" font-weight="600" fill="#111827">Event-loop delay, ms, while 10,000 clients get two broadcasts a second</text>
${panels.join("\n")}
</svg>
`;
}

function timelineOf(runs, label) {
  const run = runs.find(({ scenario, label: of, rows }) => {
    return scenario === "delay-timeline" && of === label && rows !== undefined;
  });
  if (run === undefined) throw new Error(`the picture needs a run of delay-timeline on ${label}`);
  return run.rows[0].detail.timeline;
}

function panel(timeline, label, index, { lastMs, step, topMs }) {
  const left = PANEL.lefts[index];
  const bottom = PANEL.top + PANEL.height;
  const x = (ms) => (left + (ms / lastMs) * PANEL.width).toFixed(1);
  const y = (delayMs) => (bottom - (delayMs / topMs) * PANEL.height).toFixed(1);
  const worst = Math.max(...timeline.map(([, delayMs]) => delayMs));
  const grid = Array.from({ length: LINES + 1 }, (_, i) => gridLine(left, y(i * step), i * step));
  const points = timeline.map(([ms, delayMs]) => `L${x(ms)} ${y(delayMs)}`).join("");
  const seconds = Array.from({ length: Math.floor(lastMs / 1000) + 1 }, (_, second) => {
    return `<text x="${x(second * 1000)}" y="${bottom + 18}" font-size="11" text-anchor="middle" fill="#6b7280">${second} s</text>`;
  });
  return `<g>
<text x="${left}" y="${PANEL.top - 14}" font-size="13" fill="${COLOURS[index]}" font-weight="600">${label}: ${worst.toFixed(1)} ms at worst</text>
${[...grid, ...seconds].join("\n")}
<path d="M${x(0)} ${bottom}${points}L${x(lastMs)} ${bottom}Z" fill="${COLOURS[index]}" fill-opacity="0.25" stroke="${COLOURS[index]}" stroke-width="1.2"/>
</g>`;
}

function gridLine(left, y, delayMs) {
  return `<path d="M${left} ${y}h${PANEL.width}" stroke="#e5e7eb"/><text x="${left - 8}" y="${Number(y) + 4}" font-size="11" text-anchor="end" fill="#6b7280">${delayMs}</text>`;
}

/** The next of 1, 2, 5, 10, 20, … */
function roundStep(atLeast) {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= atLeast);
}
