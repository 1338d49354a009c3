// Random packets and texts for the comparison with npm's parser. The same seed gives the same sequence.

import type { Random } from "../harness/random";

const CHARACTERS = ["a", "Z", "0", "7", '"', "\\", "/", ",", "-", "[", "{", " ", "\n", "\u0000"];
const ODD_CHARACTERS = ["é", "\u2028", "\u00a0", "\ufeff", "😀", "\ud800", "\udc00", "\u007f"];

export function randomText(random: Random): string {
  return random.times(8, () => random.pick([...CHARACTERS, ...ODD_CHARACTERS])).join("");
}

function randomBinary(random: Random): unknown {
  const bytes = Uint8Array.from(random.times(6, () => random.below(256)));
  const padded = new ArrayBuffer(16);
  new Uint8Array(padded).set(bytes, 4);
  return random.pick([
    () => Buffer.from(bytes),
    () => bytes,
    () => bytes.buffer,
    () => new Uint16Array(padded, 4, 3),
    () => new DataView(padded, 4, bytes.length),
  ])();
}

function randomScalar(random: Random): unknown {
  return random.pick<() => unknown>([
    () => randomText(random),
    () => random.below(1000) - 500,
    () => random.next() * 1e21,
    () => random.pick([Number.NaN, Number.POSITIVE_INFINITY, -0, true, false, null, undefined]),
    () => new Date(random.below(2 ** 31) * 1000),
    () => () => "a function",
    () => Symbol("a symbol"),
    () => new Map([["key", Buffer.from("hidden")]]),
    () => new Set([1]),
    () => /expression/g,
    () => Object("boxed"),
  ])();
}

class WithPrototype {
  own = "own";
  get inherited(): string {
    return "inherited";
  }
}

/** Anything that may stand among the arguments of an event. */
export function randomValue(random: Random, depth = 3): unknown {
  if (depth === 0 || random.next() < 0.4) {
    return random.next() < 0.2 ? randomBinary(random) : randomScalar(random);
  }
  const inner = () => randomValue(random, depth - 1);
  const json = inner(); // made once: `toJSON` is called several times
  return random.pick<() => unknown>([
    () => random.times(4, inner),
    () => Object.fromEntries(random.times(4, () => [randomText(random), inner()])),
    () => Object.assign(Object.create({ inherited: Buffer.from("no") }), { own: inner() }),
    () => Object.assign(Object.create(null), { bare: inner() }),
    () => JSON.parse(`{"__proto__": {"a": 1}, "b": ${random.below(9)}}`),
    () => Object.assign(new WithPrototype(), { extra: inner() }),
    () => ({ toJSON: () => json, ignored: Buffer.from("ignored") }),
    () => ({ toJSON: () => ({ toJSON: () => "not called twice", kept: json }) }),
    () => Object.assign([inner(), inner()], { 4: inner() }), // with a hole
    () => ({ _placeholder: random.pick([true, false]), num: random.below(3) }),
  ])();
}

const NAMESPACES = ["/", "/admin", "/a/b", "/with?query=1", "/ünï|code", ""];

/** A packet of any type that is sent. */
export function randomPacket(random: Random): any {
  const type = random.pick([0, 1, 2, 2, 2, 2, 3, 3, 4]);
  const packet: any = { type, nsp: random.pick(NAMESPACES) };
  if (type === 2) {
    packet.data = [
      random.pick(["event", "message", 7]),
      ...random.times(3, () => randomValue(random)),
    ];
  } else if (type === 3) {
    packet.data = random.times(3, () => randomValue(random));
  } else if (type !== 1 && random.next() < 0.7) {
    packet.data = type === 4 && random.next() < 0.5 ? "refused" : { sid: randomText(random) };
  }
  if (type >= 2 && random.next() < 0.5) {
    packet.id = random.pick([0, 1, 12, 2 ** 31, Number.MAX_SAFE_INTEGER]);
  }
  return packet;
}

const TEXT_PIECES = [
  ..."0123456789",
  "5",
  "6",
  "-",
  "/",
  ",",
  "/nsp,",
  "1-",
  "11-",
  " ",
  "\t",
  "\u00a0",
  "\u2003",
  "1e1",
  "0x2-",
  '["a"]',
  '["connect"]',
  "[1]",
  "[true]",
  "[]",
  "{}",
  '{"a":1}',
  '"text"',
  "null",
  "[",
  '["b",{"_placeholder":true,"num":0}]',
  '["b",{"_placeholder":true,"num":1}]',
  '["b",{"_placeholder":true,"num":0.5},{"_placeholder":true,"num":"0"}]',
  '51-["b",{"_placeholder":true,"num":0}]',
  '61-7[{"_placeholder":true,"num":1}]',
  '52-/nsp,["b",{"_placeholder":true,"num":0.5},{"_placeholder":true,"num":"0"}]',
  "x",
];

/** Something like a packet in text form. */
export function randomPacketText(random: Random): string {
  return random.times(6, () => random.pick(TEXT_PIECES)).join("");
}
