/**
 * Takes the body of a POST apart into packets (revision 4): separated by a record separator, binary ones in base64.
 *
 * Done in JavaScript, since the body is a string here already. A polled packet cannot be incomplete, so there is no state.
 */

/** Engine packet types by their digit. */
import * as inTransport from "./in-transport";
export const PACKET_TYPES = [
  "open",
  "close",
  "ping",
  "pong",
  "message",
  "upgrade",
  "noop",
] as const;

/** The name of a packet type; `error` stands for an undecodable packet. */
export type PacketType = (typeof PACKET_TYPES)[number] | "error";

/** The place of a type, which is its digit; -1 for one that no packet has. */
export function typeIndex(type: PacketType | undefined): number {
  return PACKET_TYPES.indexOf(type as (typeof PACKET_TYPES)[number]);
}

/** All types but `message`; undefined for a binary packet of protocol 3 whose type does not exist. */
export type ControlType = Exclude<PacketType, "message"> | undefined;

/** An engine packet as `packet` and `packetCreate` listeners see it. */
export interface Packet {
  type: PacketType | undefined;
  data?: any;
  options?: { compress?: boolean; [key: string]: unknown };
}

/** Stands between the packets of a payload of revision 4. */
export const SEPARATOR = "\x1e";
/** A packet type is written as a digit; its place in {@link PACKET_TYPES} is what comes after this one. */
export const DIGIT_ZERO = 0x30;
const MESSAGE = 4;
const LETTER_B = 0x62;

/** A payload of one packet that carries nothing, named by its digit. */
export function barePayload(protocol: 3 | 4, digit: string): string {
  return protocol === 3 ? `1:${digit}` : digit;
}

/** Whom the packets of a payload are given to, one by one, in order. */
export interface PacketReceiver {
  /** An empty text message has no data at all, as in engine.io. */
  [inTransport.onPolledMessage](data: string | Buffer | undefined): void;
  [inTransport.onPolledControl](type: ControlType, data: string | Buffer | undefined): void;
}

/** Delivers every packet up to the first undecodable one, which is delivered as `error`. */
export function deliverPayload(payload: string, receiver: PacketReceiver): void {
  let start = 0;
  let end = payload.indexOf(SEPARATOR);
  while (end >= 0) {
    if (!deliverPacket(payload.slice(start, end), receiver)) {
      return;
    }
    start = end + 1;
    end = payload.indexOf(SEPARATOR, start);
  }
  deliverPacket(start === 0 ? payload : payload.slice(start), receiver);
}

/** Delivers a packet without a payload around it. Returns false for an undecodable one. */
export function deliverPacket(packet: string, receiver: PacketReceiver): boolean {
  const first = packet.charCodeAt(0);
  if (first === LETTER_B) {
    // Lenient as Node's decoder is: other characters are skipped, the URL-safe alphabet is understood.
    receiver[inTransport.onPolledMessage](Buffer.from(packet.slice(1), "base64"));
    return true;
  }
  const type = PACKET_TYPES[first - DIGIT_ZERO];
  const data = packet.length > 1 ? packet.slice(1) : undefined;
  if (first - DIGIT_ZERO === MESSAGE) {
    receiver[inTransport.onPolledMessage](data);
    return true;
  }
  if (type === undefined || type === "message") {
    receiver[inTransport.onPolledControl]("error", "parser error");
    return false;
  }
  receiver[inTransport.onPolledControl](type, data);
  return true;
}
