// The torture table: every case of every group, written at once, byte by byte and cut in two at each place, comes to the same
// on npm's engine.io and on sio-rs: what is delivered, the pongs, the close code, the end of the stream, and what `close` says.

import { describeBoth, it } from "../harness/implementations";
import { ENOUGH, type Trace, TracedEngine } from "../harness/wire-trace";
import { type Case, GROUPS } from "./torture-cases";

/** Connections of one test at a time. */
const AT_A_TIME = 25;
/** Longer cases are not cut at each place; the Rust suite does that. */
const LONGEST_CUT = 20;
const LONGEST_BYTEWISE = 3_000;

interface Run {
  name: string;
  table: Case;
  pieces?: number[];
}

/** The traces by case, and those that are expected, so that a difference shows all that is wrong. */
async function play(engine: TracedEngine, runs: Run[]): Promise<void> {
  const heard: { [name: string]: Trace } = {};
  const expected: { [name: string]: Trace } = {};
  const playOne = async ({ name, table: [, bytes, outcome], pieces }: Run): Promise<void> => {
    expected[name] = { end: "FIN", ...outcome } as Trace;
    const echoes = outcome.closeFrame === ENOUGH ? outcome.echoed?.length : undefined;
    try {
      heard[name] = await engine.talk({ bytes, pieces, echoes });
    } catch (cause) {
      throw new Error(`${name}: ${cause}`, { cause });
    }
  };
  const waiting = [...runs];
  const worker = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      await playOne(run);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  expect(heard).toEqual(expected);
}

describeBoth("websocket torture", (implementation) => {
  for (const [group, cases] of Object.entries(GROUPS)) {
    it(`${group}: each case comes to what the table says`, async () => {
      const engine = await TracedEngine.start(implementation);
      await play(
        engine,
        cases.map((table) => ({ name: table[0], table })),
      );
    });

    it(`${group}: byte by byte it is the same`, async () => {
      const engine = await TracedEngine.start(implementation);
      await play(
        engine,
        cases.map((table) => {
          const pieces = table[1].length <= LONGEST_BYTEWISE ? [1] : [1, 2, 3, 5, 7, 997, 16_384];
          return { name: table[0], table, pieces };
        }),
      );
    });
  }

  it("cut in two at each place it is the same", async () => {
    const engine = await TracedEngine.start(implementation);
    // One close code is like another here, and so are opcodes and reserved bits.
    const { framing, pings, fragmentation, closing } = GROUPS;
    const cases = [...framing, ...pings, ...fragmentation, ...closing.slice(0, 13)].filter(
      ([, bytes]) => bytes.length <= LONGEST_CUT,
    );
    await play(
      engine,
      cases.flatMap((table) =>
        Array.from({ length: table[1].length - 1 }, (_, index) => ({
          name: `${table[0]}, cut at ${index + 1}`,
          table,
          pieces: [index + 1, table[1].length],
        })),
      ),
    );
  }, 30_000);
});
