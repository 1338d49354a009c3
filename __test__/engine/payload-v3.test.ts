/**
 * The decoder of POST bodies in protocol 3 beside engine.io's own, on random packets and on payloads that were damaged at random. What the
 * core writes is compared byte by byte in the same way, over real polls.
 */
import * as reference from "engine.io";
import * as ours from "../../lib/engine";
import * as inTransport from "../../lib/engine/in-transport";
import type { Packet, PacketReceiver } from "../../lib/engine/payload";
import { deliverBinaryPayload, deliverTextPayload } from "../../lib/engine/payload-v3";
import { play } from "./polling-run";

const parser = require("../../node_modules/engine.io/build/parser-v3");

const ROUNDS = 3_000;
const SEED = 20_260_101;

/** A small generator of numbers (mulberry32), so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const TYPES = ["open", "close", "ping", "pong", "message", "message", "message", "upgrade", "noop"];
const CHARACTERS = [
  "a",
  "b",
  "4",
  ":",
  "0",
  " ",
  "\n",
  "\x1e",
  "\0",
  "\u00e9",
  "€",
  "😀",
  "\ufffd",
];

function randomPacket(random: (below: number) => number): Packet {
  const type = TYPES[random(TYPES.length)] as Packet["type"];
  const length = random(4) === 0 ? random(300) : random(6);
  if (random(3) === 0) {
    return { type, data: Buffer.from(Array.from({ length }, () => random(256))) };
  }
  const data = Array.from({ length }, () => CHARACTERS[random(CHARACTERS.length)]).join("");
  return data === "" ? { type } : { type, data };
}

function encode(packets: Packet[], supportsBinary: boolean): string | Buffer {
  let encoded: string | Buffer = "";
  parser.encodePayload(packets, supportsBinary, (payload: string | Buffer) => {
    encoded = payload;
  });
  return encoded;
}

/** What both decoders are asked for: the packets up to the first undecodable one, and that one. */
function upToError(packets: Packet[]): Packet[] {
  const end = packets.findIndex(({ type }) => type === "error");
  return end < 0 ? packets : packets.slice(0, end + 1);
}

function decodeByReference(payload: string | Buffer): Packet[] {
  const packets: Packet[] = [];
  parser.decodePayload(payload, (packet: Packet) => void packets.push(packet));
  return upToError(packets);
}

function decode(payload: string | Buffer): Packet[] {
  const packets: Packet[] = [];
  const receiver: PacketReceiver = {
    [inTransport.onPolledMessage]: (data) =>
      void packets.push(data === undefined ? { type: "message" } : { type: "message", data }),
    [inTransport.onPolledControl]: (type, data) =>
      void packets.push(data === undefined ? { type } : { type, data }),
  };
  if (typeof payload === "string") {
    deliverTextPayload(payload, receiver);
  } else {
    deliverBinaryPayload(payload, receiver);
  }
  return packets;
}

describe("payloads of protocol 3", () => {
  it("what engine.io encodes is decoded to the same packets", () => {
    const random = generator(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      const packets = Array.from({ length: 1 + random(5) }, () => randomPacket(random));
      const payload = encode(packets, random(2) === 0);
      expect(decode(payload)).toEqual(packets);
      expect(decodeByReference(payload)).toEqual(packets);
    }
  });

  it("damaged text is decoded as engine.io decodes it", () => {
    const random = generator(SEED + 1);
    const pieces = [...CHARACTERS, "1:2", "2:4a", "0:", "6:b4AQID", "1e0", "-", "x"];
    let errors = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const packets = Array.from({ length: 1 + random(3) }, () => randomPacket(random));
      const characters = [...(encode(packets, false) as string)];
      for (let damage = random(3); damage >= 0; damage--) {
        const piece = pieces[random(pieces.length)] as string;
        characters.splice(random(characters.length + 1), random(3), piece);
      }
      const payload = characters.join("");
      const expected = decodeByReference(payload);
      expect(decode(payload)).toEqual(expected);
      errors += expected.at(-1)?.type === "error" ? 1 : 0;
    }
    expect(errors).toBeGreaterThan(ROUNDS / 10);
    expect(errors).toBeLessThan(ROUNDS);
  });

  it("damaged bytes are decoded as engine.io decodes them, as long as a length is made of digits", () => {
    const random = generator(SEED + 2);
    let compared = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const packets = Array.from({ length: 1 + random(3) }, () => randomPacket(random));
      const bytes = [
        ...(encode([{ type: "message", data: Buffer.alloc(1) }, ...packets], true) as Buffer),
      ];
      for (let damage = random(3); damage >= 0; damage--) {
        bytes.splice(random(bytes.length + 1), random(3), random(256));
      }
      const payload = Buffer.from(bytes);
      const decoded = decode(payload);
      if (hasDigitsOnly(payload)) {
        compared += 1;
        expect(decoded).toEqual(decodeByReference(payload));
      } else {
        // engine.io takes a byte of 12 for the digits 1 and 2, and then loses its place.
        expect(decoded).toEqual([{ type: "error", data: "parser error" }]);
      }
    }
    expect(compared).toBeGreaterThan(ROUNDS / 10);
  });

  it.each([
    "EIO=3&transport=polling",
    "EIO=3&transport=polling&b64=1",
    "EIO=3&transport=polling&b64=1&j=3",
    "EIO=4&transport=polling&b64=1&j=3",
  ])("the core writes what engine.io writes (%s)", async (query) => {
    const traces = [];
    for (const engine of [
      new reference.Server({ allowEIO3: true }),
      new ours.Server({ allowEIO3: true }),
    ]) {
      const random = generator(SEED + 3);
      traces.push(
        await play(
          engine,
          async (run, conn) => {
            for (let round = 0; round < 30; round++) {
              for (let count = 1 + random(5); count > 0; count--) {
                conn.send(randomPacket(random).data);
              }
              await run.answer("GET");
            }
          },
          "",
          query,
        ),
      );
    }
    expect(traces[1]).toEqual(traces[0]);
  });
});

/** Whether each length of a binary payload has at least one digit, and no other byte. */
function hasDigitsOnly(payload: Buffer): boolean {
  let at = 0;
  while (at < payload.length) {
    const end = payload.indexOf(0xff, at + 1);
    const digits = payload.subarray(at + 1, end < 0 ? payload.length : end);
    if (end < 0 || digits.length === 0 || digits.some((digit) => digit > 9)) {
      return false;
    }
    at = end + 1 + Number([...digits].join(""));
  }
  return true;
}
