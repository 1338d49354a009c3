// The server under test: one application, written against the public API alone, on the server that
// the first argument names. `runner/server-process.mjs` forks it, and asks for its accounts over IPC.
// It measures itself and nothing else; the load comes from another process.
"use strict";

const { createServer } = require("node:http");
const { createRequire } = require("node:module");
const { readFile } = require("node:fs/promises");
const { monitorEventLoopDelay } = require("node:perf_hooks");
const { setTimeout: sleep } = require("node:timers/promises");

/** What is installed beside the checkout. */
const requirePeer = createRequire(require.resolve("./peers/package.json"));

/** How each server is made: the `io` of the application, and how to listen. */
const SERVERS = {
  "sio-rs": (options) => onNode(require(".."), options),
  "socket.io": (options) => onNode(require("socket.io"), options),
  ws: (options) => onNode(require("./peers/plain-ws.cjs"), options),
  eiows: (options) =>
    onNode(require("socket.io"), { ...options, wsEngine: requirePeer("eiows").Server }),
  "uWebSockets.js": (options) => {
    const io = new (require("socket.io").Server)(options);
    const app = requirePeer("uWebSockets.js").App();
    io.attachApp(app);
    return { io, listen: (done) => app.listen("127.0.0.1", port, done) };
  },
  "bun-engine": (options) => {
    const io = new (require("socket.io").Server)(options);
    const engine = new (requirePeer("@socket.io/bun-engine").Server)({
      path: "/socket.io/",
      ...options,
    });
    io.bind(engine);
    const listen = (done) => {
      globalThis.Bun.serve({ port, hostname: "127.0.0.1", ...engine.handler() });
      done();
    };
    return { io, listen };
  },
};

/** On Node's http server. */
function onNode({ Server }, options) {
  const httpServer = createServer();
  const listen = (done) => httpServer.listen({ port, host: "127.0.0.1", backlog: BACKLOG }, done);
  return { io: new Server(httpServer, options), listen };
}

/** Connections that may wait to be accepted; the kernel's own limit is 4,096 too. */
const BACKLOG = 4096;

/** The timer of the delay histogram. Its interval is part of each sample and is taken off again. */
const DELAY_TIMER_MS = 1;

/** What one point of a timeline stands for. */
const TIMELINE_BUCKET_MS = 10;

/** Rounds of garbage collection before memory is read, with pauses in which V8 gives pages back. */
const GC_ROUNDS = 6;
const GC_PAUSE_MS = 150;

const [, , packageName, settingsJson] = process.argv;
const { port, listeners, options } = JSON.parse(settingsJson);
const { io, listen } = SERVERS[packageName](options);
const counts = { connections: 0, disconnections: 0, upgrades: 0 };

/** What the application does for one socket; a scenario names those that it needs. */
const LISTENERS = {
  disconnect: (socket) => socket.on("disconnect", () => counts.disconnections++),
  echo: (socket) => socket.on("echo", (text, ack) => ack(text)),
  event: (socket) => socket.on("event", (text) => socket.emit("event", text)),
  join: (socket) =>
    socket.on("join", (room, ack) => {
      socket.join(room);
      ack();
    }),
  say: (socket) => socket.on("say", (room, text) => io.to(room).emit("said", text)),
  upgrade: (socket) => socket.conn.on("upgrade", () => counts.upgrades++),
};

io.on("connection", (socket) => {
  counts.connections++;
  for (const name of listeners) LISTENERS[name](socket);
});

/** One broadcast each `intervalMs`, kept on schedule: a late timer emits what is due. Without a text they are numbered. */
function broadcastPaced({ text, count, intervalMs, room }) {
  const began = performance.now();
  const receivers = room === undefined ? io : io.to(room);
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(count, Math.floor((performance.now() - began) / intervalMs));
    for (; sent < due; sent++) receivers.emit("news", text ?? sent);
    if (sent === count) clearInterval(timer);
  }, intervalMs);
}

/** As fast as it goes, `batch` broadcasts a turn, so that the event loop keeps turning. */
function broadcastAtFullRate({ text, count, batch }) {
  let left = count;
  const turn = () => {
    for (let i = 0; i < batch && left > 0; i++, left--) io.emit("news", text);
    if (left > 0) setImmediate(turn);
  };
  turn();
}

/**
 * CPU time in microseconds: of the process with all its threads, and of the JS thread. The kernel
 * brings a thread's account up to date when it sleeps, as this one does while a file is read.
 */
async function cpuTimes() {
  const schedstat = await readFile(`/proc/self/task/${process.pid}/schedstat`, "utf8");
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, jsUs: Number(schedstat.split(" ")[0]) / 1000 };
}

/** The event loop's delay over time: a timer that should tick each millisecond, and how late the latest tick of each bucket was. */
class DelayTimeline {
  #began = performance.now();
  #expected = this.#began + DELAY_TIMER_MS;
  #buckets = new Map();
  #timer = setInterval(() => {
    const now = performance.now();
    // A late tick tells of the whole time that it waited, which may be many buckets.
    const first = Math.floor((this.#expected - this.#began) / TIMELINE_BUCKET_MS);
    const last = Math.floor((now - this.#began) / TIMELINE_BUCKET_MS);
    const late = Math.max(0, now - this.#expected);
    for (let bucket = first; bucket <= last; bucket++) {
      const delayMs = Math.max(this.#buckets.get(bucket) ?? 0, late);
      this.#buckets.set(bucket, delayMs);
    }
    this.#expected = now + DELAY_TIMER_MS;
  }, DELAY_TIMER_MS);

  /** Milliseconds since the start, and the delay around then. */
  end() {
    clearInterval(this.#timer);
    return Array.from(this.#buckets, ([bucket, delayMs]) => [
      bucket * TIMELINE_BUCKET_MS,
      Number(delayMs.toFixed(2)),
    ]);
  }
}

let begun;
let delay;
let timeline;

const COMMANDS = {
  async start({ withDelay }) {
    delay = withDelay ? monitorEventLoopDelay({ resolution: DELAY_TIMER_MS }) : undefined;
    begun = { ...(await cpuTimes()), at: performance.now() };
    delay?.enable();
  },
  async stop() {
    delay?.disable();
    const wallMs = performance.now() - begun.at;
    const now = await cpuTimes();
    const account = { cpuUs: now.cpuUs - begun.cpuUs, jsUs: now.jsUs - begun.jsUs, wallMs };
    if (delay === undefined) return account;
    const beyondTimer = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - DELAY_TIMER_MS);
    return {
      ...account,
      delayP99Ms: beyondTimer(delay.percentile(99)),
      delayMaxMs: beyondTimer(delay.max),
    };
  },
  broadcast(order) {
    if (order.intervalMs) broadcastPaced(order);
    else broadcastAtFullRate(order);
  },
  watchDelay() {
    timeline = new DelayTimeline();
  },
  delaySeen: () => timeline.end(),
  counts: () => counts,
  async memory() {
    for (let round = 0; round < GC_ROUNDS; round++) {
      globalThis.gc();
      await sleep(GC_PAUSE_MS);
    }
    return process.memoryUsage();
  },
};

process.on("message", async ({ command, ...details }) => {
  const answer = await COMMANDS[command](details);
  process.send({ answer: answer ?? null });
});

// The runner is gone, or has done with this process.
process.on("disconnect", () => process.exit());

listen(() => process.send({ answer: "listening" }));
