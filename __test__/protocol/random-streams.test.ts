// Random streams of frames, fragments and violations, compressed under all combinations of parameters and cut into random
// pieces, come to the same on npm's engine.io, on sio-rs over adopted descriptors, and on sio-rs over the byte bridge.
// SIO_RS_SEED=<the printed seed> plays the same again.

import type { PerMessageDeflateOptions } from "ws";
import { randomScript } from "../harness/client-stream";
import { loadImplementation } from "../harness/implementations";
import { Random, seedOfRun } from "../harness/random";
import { ENOUGH, type Trace, TracedEngine, TracedPeer } from "../harness/wire-trace";

/** Small, so that streams go over it. */
const MAX_MESSAGE_BYTES = 2_000;

const SUBJECTS = {
  "engine.io": { name: "socket.io", options: {} },
  adopted: { name: "sio-rs", options: { carrier: "auto" } },
  bridge: { name: "sio-rs", options: { carrier: "bridge" } },
} as const;

type Engines = { [subject in keyof typeof SUBJECTS]: TracedEngine };

async function startAll(perMessageDeflate: PerMessageDeflateOptions | false): Promise<Engines> {
  const started = Object.entries(SUBJECTS).map(async ([subject, { name, options }]) => {
    const all = { perMessageDeflate, maxHttpBufferSize: MAX_MESSAGE_BYTES, ...options };
    return [subject, await TracedEngine.start(loadImplementation(name), all as never)];
  });
  return Object.fromEntries(await Promise.all(started));
}

/** What of a trace is compared. */
type Shown = Omit<Trace, "pongs"> & { pongs: Trace["pongs"] | false };

/** The same stream to all three. */
async function compare(
  engines: Engines,
  random: Random,
  what: object,
  offer?: string,
): Promise<Trace> {
  const probe = await TracedPeer.open(engines["engine.io"].port, offer);
  probe.stream.destroy();
  const script = await randomScript(random, probe.extensions);
  const talks = Object.values(engines).map((engine) => engine.talk(script, offer));
  const outcomes = await Promise.allSettled(talks);
  const shown = { ...what, bytes: script.bytes.toString("hex"), pieces: script.pieces };
  const traces: { trace: Shown | string }[] = outcomes.map((outcome) => {
    const trace = outcome.status === "fulfilled" ? outcome.value : String(outcome.reason);
    if (typeof trace === "string" || trace.closeFrame === ENOUGH) {
      return { ...shown, trace };
    }
    // What a session sends while its peer goes too far may be late. And engine.io inflates fragment by fragment, so it may
    // know before a ping between two of them what sio-rs sees at the end of the message.
    return { ...shown, trace: { ...trace, echoed: [], pongs: offer === undefined && trace.pongs } };
  });
  const [reference, adopted, bridge] = traces;
  for (const { trace } of [adopted, bridge].flatMap((shown) => shown ?? [])) {
    // ws queues its close frame behind what it still compresses, and then the stream may end before the frame has left.
    if (offer !== undefined && isWithoutCloseFrame(reference?.trace) && typeof trace !== "string") {
      trace.closeFrame = "none";
    }
  }
  expect(adopted).toEqual(reference);
  expect(bridge).toEqual(reference);
  return reference?.trace as Trace;
}

function isWithoutCloseFrame(trace: Shown | string | undefined): boolean {
  return typeof trace === "object" && trace.closeFrame === "none";
}

/** Every combination that a client can be offered and has a meaning. */
const AGREEMENTS: { options: PerMessageDeflateOptions; offer: string }[] = [
  undefined,
  true,
  false,
].flatMap((serverNoContextTakeover) =>
  [undefined, true].flatMap((clientNoContextTakeover) =>
    [undefined, 9, 12].flatMap((serverMaxWindowBits) =>
      [undefined, 9, 12].map((clientMaxWindowBits) => ({
        options: {
          serverNoContextTakeover,
          clientNoContextTakeover,
          serverMaxWindowBits,
          clientMaxWindowBits,
        },
        offer: "permessage-deflate; client_max_window_bits",
      })),
    ),
  ),
);

// What a client asks for where the server says nothing.
for (const parameters of [
  "server_no_context_takeover",
  "client_no_context_takeover",
  "server_no_context_takeover; client_no_context_takeover",
  "server_max_window_bits=8",
  "server_max_window_bits=10; client_max_window_bits=11",
  "client_max_window_bits=15",
]) {
  AGREEMENTS.push({ options: {}, offer: `permessage-deflate; ${parameters}` });
}

/** How to compress, tried in turn. */
const ZLIB_OPTIONS = [
  undefined,
  { level: 0 },
  { level: 1, memLevel: 1 },
  { level: 9, memLevel: 9 },
  { strategy: 1 },
  { strategy: 2 },
  { strategy: 3 },
  { strategy: 4 },
];

const PLAIN_STREAMS = 80;
const STREAMS_PER_AGREEMENT = 2;

// The comparison needs both implementations.
const compared = ["socket.io"].includes(process.env.COMPAT_ONLY ?? "") ? test.skip : test;

describe("random websocket streams", () => {
  const seed = seedOfRun();

  compared(
    "plain ones come to the same on engine.io and over both carriers",
    async () => {
      const random = new Random(seed);
      const engines = await startAll(false);
      const reasons = new Set<string>();
      for (let index = 0; index < PLAIN_STREAMS; index += 1) {
        const { closed } = await compare(engines, random, { seed, index });
        reasons.add(closed);
      }
      // Else the streams would say little.
      expect(reasons.size).toBeGreaterThan(8);
    },
    30_000,
  );

  compared(
    "compressed ones do, whatever was agreed on",
    async () => {
      const random = new Random(seed + 1);
      for (const [index, { options, offer }] of AGREEMENTS.entries()) {
        const zlibDeflateOptions = ZLIB_OPTIONS[index % ZLIB_OPTIONS.length];
        const perMessageDeflate = {
          ...options,
          zlibDeflateOptions,
          threshold: random.pick([0, 100]),
        };
        const engines = await startAll(perMessageDeflate);
        const what = { seed, index, perMessageDeflate, offer };
        for (let stream = 0; stream < STREAMS_PER_AGREEMENT; stream += 1) {
          await compare(engines, random, { ...what, stream }, offer);
        }
      }
    },
    30_000,
  );
});
