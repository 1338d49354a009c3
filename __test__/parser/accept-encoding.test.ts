// The content encoding of the client's files is the one that npm's `accepts`, which socket.io asks, chooses.

import { preferredEncoding } from "../../dist/accept-encoding";
import { Random } from "../harness/random";

const accepts = require("accepts") as (req: unknown) => {
  encodings(offered: readonly string[]): string | false;
};

const OFFERED = ["br", "gzip", "deflate"] as const;

const PIECES = [
  ...["br", "gzip", "deflate", "GZIP", "*", "identity", "other"],
  ...[",", ",", ", ", " ", ",,"],
  ...[";q=1", ";q=0.5", "; q=0.3;a=b", ";a=b;q=0.7", ";q=0", ";q=nonsense"],
];

test("random headers are read as by accepts", () => {
  const random = new Random(0xacce97);
  const chosen = new Set<unknown>();
  for (let round = 0; round < 20_000; round++) {
    const header = random.times(8, () => random.pick(PIECES)).join("");
    const expected = accepts({ headers: { "accept-encoding": header } }).encodings(OFFERED);
    const actual = preferredEncoding(header, OFFERED);
    expect([header, actual]).toEqual([header, expected || undefined]);
    chosen.add(actual);
  }
  expect(chosen).toEqual(new Set([...OFFERED, undefined]));
});

test("without a header nothing is chosen", () => {
  expect(preferredEncoding(undefined, OFFERED)).toBeUndefined();
});
