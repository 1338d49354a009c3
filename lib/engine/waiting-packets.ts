/**
 * `writeBuffer` of a session that nobody has looked at before: what waits was given to the core long ago, and is made into packets again.
 *
 * What was sent in this turn is read back from the records of the commands. What waits for a peer that does not read, or does not poll, the
 * core is asked for; it answers with two numbers and a record for each packet, as src/server/shard/waiting.rs writes them.
 */
import { MESSAGE_DIGIT, type SentPacket } from "../sent-records";
import { PACKET_TYPES, type Packet } from "./payload";

/** What the core says. */
export interface WaitingInCore {
  /** How many SENT are still to come for what the stream has already been given. */
  before: number;
  /** How many SENT are to come for the packets. */
  units: number;
  packets: Packet[];
}

// Flags of a record.
const BINARY = 1;
const COMPRESS = 2;
const UNKNOWN = 4;
/** The bytes of a record begin behind kind and flags, its length, and theirs. */
const BYTES = 12;

/** Makes packets of what the core has answered. */
export function readWaiting(answer: Buffer, protocol: 3 | 4): WaitingInCore {
  const packets: Packet[] = [];
  let at = 8;
  while (at < answer.length) {
    const flags = answer.readUInt32LE(at) >> 8;
    const start = at + BYTES;
    const payload = answer.subarray(start, start + answer.readUInt32LE(at + 8));
    packets.push(packetOf(payload, flags, protocol));
    at += answer.readUInt32LE(at + 4);
  }
  return { before: answer.readUInt32LE(0), units: answer.readUInt32LE(4), packets };
}

/** A packet as users see it. */
export function packetOfSent({ digit, data, compress }: SentPacket): Packet {
  const packet: Packet = { type: PACKET_TYPES[digit], options: { compress } };
  if (typeof data !== "string" || data !== "") {
    packet.data = data;
  }
  return packet;
}

/** A packet of which only the number is known. */
export function unknownPacket(): Packet {
  return { type: "message", options: { compress: true } };
}

function packetOf(payload: Buffer, flags: number, protocol: 3 | 4): Packet {
  const compress = (flags & COMPRESS) !== 0;
  if ((flags & UNKNOWN) !== 0) {
    return { type: "message", options: { compress } };
  }
  if ((flags & BINARY) !== 0) {
    const data = Buffer.from(protocol === 3 ? payload.subarray(1) : payload);
    return packetOfSent({ digit: MESSAGE_DIGIT, data, compress });
  }
  const text = payload.toString("utf8");
  if (text.startsWith("b")) {
    const data = Buffer.from(text.slice(protocol === 3 ? 2 : 1), "base64");
    return packetOfSent({ digit: MESSAGE_DIGIT, data, compress });
  }
  return packetOfSent({ digit: Number(text[0]), data: text.slice(1), compress });
}
