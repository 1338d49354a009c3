// The default parser writes, reads and refuses exactly what npm's socket.io-parser does.

import * as npm from "socket.io-parser";
import * as own from "../../dist/parser";
import { Random } from "../harness/random";
import { randomPacket, randomPacketText, randomValue } from "./random-values";

const ROUNDS = 20_000;
const SEED = 0x5eed;

/** The bytes of an attachment, whatever it is. */
function normalise(part: unknown): unknown {
  if (part instanceof ArrayBuffer) {
    return Buffer.from(part).toString("hex");
  }
  return ArrayBuffer.isView(part)
    ? Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("hex")
    : part;
}

/** What `run` returns, or what it throws. */
function outcome(run: () => unknown): unknown {
  try {
    return { returned: run() };
  } catch (error) {
    return { thrown: `${(error as Error).name}: ${(error as Error).message}` };
  }
}

/** The packets that a decoder tells of when it is given `messages`, and the error that ends it. */
function decodeWith(Decoder: typeof npm.Decoder, messages: unknown[]): unknown {
  const packets: unknown[] = [];
  const decoder = new Decoder();
  decoder.on("decoded", (packet) => packets.push(packet));
  const result = outcome(() => {
    for (const message of messages) {
      decoder.add(message);
    }
  });
  return { packets, result };
}

test("random packets are encoded as by npm's parser", () => {
  const random = new Random(SEED);
  const [ours, theirs] = [new own.Encoder(), new npm.Encoder()];
  let binary = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const packet = randomPacket(random);
    const expected = outcome(() => theirs.encode({ ...packet }).map(normalise)) as any;
    expect(outcome(() => ours.encode(packet).map(normalise))).toStrictEqual(expected);
    binary += expected.returned?.length > 1 ? 1 : 0;
  }
  expect(binary).toBeGreaterThan(ROUNDS / 20);
});

test("packets whose attachments somebody else has taken out are encoded as by npm's parser", () => {
  const [ours, theirs] = [new own.Encoder(), new npm.Encoder()];
  for (const type of [npm.PacketType.BINARY_EVENT, npm.PacketType.BINARY_ACK]) {
    for (const nsp of ["/", "/admin"]) {
      const packet = { type, nsp, id: 3, data: ["event"], attachments: 2 };
      expect(ours.encode({ ...packet })).toEqual(theirs.encode({ ...packet }));
    }
  }
});

test("random texts are decoded, or refused, as by npm's parser", () => {
  const random = new Random(SEED + 1);
  let accepted = 0;
  const errors = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const messages: unknown[] = random.times(3, () =>
      random.next() < 0.7 ? randomPacketText(random) : Buffer.from([random.below(256)]),
    );
    const expected = decodeWith(npm.Decoder, messages) as any;
    const actual = decodeWith(own.Decoder as typeof npm.Decoder, messages);
    expect({ messages, ...(actual as object) }).toStrictEqual({ messages, ...expected });
    accepted += expected.packets.length;
    if (expected.result.thrown) {
      errors.add(expected.result.thrown.replace(/\d+|NaN/, "N"));
    }
  }
  expect(accepted).toBeGreaterThan(ROUNDS / 10);
  expect([...errors].sort()).toStrictEqual([
    "Error: Illegal attachments",
    "Error: got binary data when not reconstructing a packet",
    "Error: got plaintext data when reconstructing a packet",
    "Error: illegal attachments",
    "Error: invalid payload",
    "Error: too many attachments",
    "Error: unknown packet type N",
  ]);
});

test("what was encoded is decoded to what npm's decoder makes of it", () => {
  const random = new Random(SEED + 2);
  const encoder = new own.Encoder();
  for (let round = 0; round < ROUNDS / 4; round++) {
    const parts = encoder.encode(randomPacket(random));
    expect(decodeWith(own.Decoder as typeof npm.Decoder, parts)).toStrictEqual(
      decodeWith(npm.Decoder, parts),
    );
  }
});

test("encoding leaves the packet as it was", () => {
  const bytes = Buffer.from([1, 2]);
  const argument = { deep: [{ bytes }] };
  const packet = { type: own.PacketType.EVENT, nsp: "/", data: ["event", argument] };
  const [text, attachment] = new own.Encoder().encode(packet);
  expect(text).toBe('51-["event",{"deep":[{"bytes":{"_placeholder":true,"num":0}}]}]');
  expect(attachment).toBe(bytes);
  expect(packet).toStrictEqual({ type: 2, nsp: "/", data: ["event", { deep: [{ bytes }] }] });
});

test("typed arrays are sent without the rest of their memory", () => {
  const memory = Uint8Array.from([1, 2, 3, 4]).buffer;
  const packet = {
    type: own.PacketType.ACK,
    nsp: "/",
    id: 1,
    data: [new Uint8Array(memory, 1, 2)],
  };
  const [text, attachment] = new own.Encoder().encode(packet);
  expect(text).toBe('61-1[{"_placeholder":true,"num":0}]');
  expect(normalise(attachment)).toBe("0203");
});

test("a value that contains itself and a BigInt throw as with npm's parser", () => {
  const circular: any = {};
  circular.self = circular;
  for (const value of [circular, [circular], 1n, { big: 1n }]) {
    const packet = { type: own.PacketType.EVENT, nsp: "/", data: ["event", value] };
    const expected = outcome(() => new npm.Encoder().encode(packet)) as any;
    expect(outcome(() => new own.Encoder().encode(packet))).toStrictEqual(expected);
    expect(expected.thrown).toMatch(/RangeError|BigInt/);
  }
});

test("replacers, revivers and limits of attachments are honoured", () => {
  const double = (_key: string, value: unknown) => (typeof value === "number" ? value * 2 : value);
  const packet = { type: own.PacketType.EVENT, nsp: "/", data: ["event", 21] };
  const [text] = new own.Encoder(double).encode(packet);
  expect(text).toBe('2["event",42]');

  const decoded: any[] = [];
  const decoder = new own.Decoder(double);
  decoder.on("decoded", ({ data }) => decoded.push(data));
  decoder.add(text);
  expect(decoded).toStrictEqual([["event", 84]]);

  const strict = new own.Decoder({ maxAttachments: 1 });
  expect(() => strict.add('52-["event"]')).toThrow("too many attachments");
});

test("a destroyed decoder has forgotten the packet that waited for attachments", () => {
  const decoder = new own.Decoder();
  decoder.add('51-["event",{"_placeholder":true,"num":0}]');
  decoder.destroy();
  expect(() => decoder.add(Buffer.from([1]))).toThrow(
    "got binary data when not reconstructing a packet",
  );
});

test.each([
  ["nothing", null],
  ["undefined", undefined],
  ["a number", 5],
  ["an object", {}],
  ["true", true],
])("%s is refused as by npm's parser", (_name, message) => {
  const expected = outcome(() => new npm.Decoder().add(message));
  expect(outcome(() => new own.Decoder().add(message))).toStrictEqual(expected);
});

test("binary data is found wherever npm's parser finds it", () => {
  const random = new Random(SEED + 3);
  const [ours, theirs] = [new own.Encoder(), new npm.Encoder()];
  for (let round = 0; round < ROUNDS / 4; round++) {
    const data = ["event", randomValue(random, 5)];
    const packet = { type: own.PacketType.EVENT, nsp: "/", data };
    expect(ours.encode(packet).length).toBe(theirs.encode({ ...packet }).length);
  }
});
