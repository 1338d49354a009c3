/**
 * Takes the body of a POST apart into packets of protocol 3. Text: each packet after its length in UTF-16 units and a colon. Bytes: each
 * after a byte for its kind, its length in bytes as one byte per decimal digit, and 0xff. The Rust twin is src/codec/engine_io/v3.rs.
 *
 * The packets before an undecodable one are delivered, except that bytes which cannot be taken apart are nothing but one such packet.
 */
import * as inTransport from "./in-transport";
import { DIGIT_ZERO, deliverPacket, PACKET_TYPES, type PacketReceiver } from "./payload";

const COLON = ":";
const LETTER_B = "b";

/** Ends the length in a binary payload. */
const LENGTH_END = 0xff;
/** Begins a text packet of a binary payload; any other byte begins a binary packet. */
const STRING_KIND = 0;
/** engine.io's bound; without one a payload without 0xff would be searched again for each of its bytes. */
const MAX_LENGTH_DIGITS = 311;

/** Delivers the packets of a text payload, up to the first undecodable one, which is delivered as `error`. */
export function deliverTextPayload(payload: string, receiver: PacketReceiver): void {
  let start = 0;
  do {
    const colon = payload.indexOf(COLON, start);
    // As engine.io does it: whatever JavaScript takes for a number is a length.
    const prefix = payload.slice(start, colon < 0 ? payload.length : colon);
    const length = colon < 0 || prefix === "" ? Number.NaN : Number(prefix);
    const packet = payload.slice(colon + 1, colon + 1 + length);
    if (packet.length !== length) {
      receiver[inTransport.onPolledControl]("error", "parser error");
      return;
    }
    start = colon + 1 + length;
    // An entry without a single character is passed over.
    if (length > 0 && !deliverText(packet, receiver)) {
      return;
    }
  } while (start < payload.length);
}

/** Delivers the packets of a binary payload; none if it is empty. */
export function deliverBinaryPayload(payload: Buffer, receiver: PacketReceiver): void {
  const entries = split(payload);
  if (entries === undefined) {
    receiver[inTransport.onPolledControl]("error", "parser error");
    return;
  }
  for (const { isText, bytes } of entries) {
    if (!isText) {
      deliverBinary(bytes[0], bytes.subarray(1), receiver);
    } else if (!deliverText(textOf(bytes), receiver)) {
      return;
    }
  }
}

/** One packet of a binary payload. */
interface Entry {
  isText: boolean;
  bytes: Buffer;
}

/** Undefined when a length is none. The last entry may end too early: it is taken as it is, as engine.io does. */
function split(payload: Buffer): Entry[] | undefined {
  const entries: Entry[] = [];
  let start = 0;
  while (start < payload.length) {
    let length = 0;
    let at = start + 1;
    for (; payload[at] !== LENGTH_END; at++) {
      const digit = payload[at];
      if (digit === undefined || digit > 9 || at - start > MAX_LENGTH_DIGITS) {
        return undefined;
      }
      length = length * 10 + digit;
    }
    if (at === start + 1) {
      return undefined;
    }
    entries.push({
      isText: payload[start] === STRING_KIND,
      bytes: payload.subarray(at + 1, at + 1 + length),
    });
    start = at + 1 + length;
  }
  return entries;
}

/** An empty text, which is no packet, when the bytes are no UTF-8. */
function textOf(bytes: Buffer): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return "";
  }
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Returns false for an undecodable packet. */
function deliverText(packet: string, receiver: PacketReceiver): boolean {
  if (!packet.startsWith(LETTER_B)) {
    return deliverPacket(packet, receiver);
  }
  const type = packet.charCodeAt(1) - DIGIT_ZERO;
  deliverBinary(type, Buffer.from(packet.slice(2), "base64"), receiver);
  return true;
}

/** engine.io has no type for a number that stands for none, and so nobody heeds the packet. */
function deliverBinary(type: number | undefined, data: Buffer, receiver: PacketReceiver): void {
  const name = PACKET_TYPES[type as number];
  if (name === "message") {
    receiver[inTransport.onPolledMessage](data);
  } else {
    receiver[inTransport.onPolledControl](name, data);
  }
}
