/**
 * The default packet format of Socket.IO (revision 5): `<type>[<n>-][<namespace>,][<ack id>][<JSON>]`, then the attachments.
 *
 * Equal to npm's socket.io-parser in everything it writes, reads and refuses (a property test compares the two), and written for speed: the
 * header is read by hand and JSON is V8's. The classes derive from npm's, because adapters know those.
 */
import debugModule from "debug";
import {
  type DecoderOptions,
  isPacketValid,
  Decoder as NpmDecoder,
  Encoder as NpmEncoder,
  type Packet,
  PacketType,
  protocol,
} from "socket.io-parser";
import { extractAttachments, hasBinary, insertAttachments, isBinary } from "./attachments";
import { switchOf } from "./log-switch";
import * as own from "./own";
import { RESERVED_EVENTS } from "./socket-types";

export { isPacketValid, type Packet, PacketType, protocol };

const debug = debugModule("socket.io-parser");
const log = switchOf(debug);

/** How JSON is changed on its way, as in `JSON.stringify` and `JSON.parse`. */
type JsonTransform = (this: any, key: string, value: any) => any;

const ZERO = 48;
const NINE = 57;
const SLASH = 47;
/** Attachments in one packet that are accepted when the decoder is not told otherwise; socket.io-parser's default. */
const MAX_ATTACHMENTS = 10;
/**
 * Elements in an event or an acknowledgement. Each becomes an argument of a call, and V8 throws a RangeError, outside of any listener, where its
 * stack cannot hold them: some 28,000 on the way to a listener, which a message of the default size has room for.
 */
const MAX_ARGUMENTS = 10_000;

/** Whether a packet in text form announces attachments. */
export function isBinaryPacket(text: string): boolean {
  const type = text.charCodeAt(0) - ZERO;
  return type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK;
}

/** Packets to text and attachments. */
export class Encoder extends NpmEncoder {
  private readonly [own.transform]: JsonTransform | undefined;

  /** @param transform given to `JSON.stringify` */
  constructor(transform?: JsonTransform) {
    super(transform);
    this[own.transform] = transform;
  }

  /**
   * Returns the text of the packet, followed by its attachments. The packet stays as it is.
   *
   * @throws what `JSON.stringify` throws, such as a TypeError for a BigInt, and a RangeError for data that contains itself
   */
  override encode(packet: Packet): any[] {
    if (log.isOn) {
      debug("encoding packet %j", packet);
    }
    const { type, data } = packet;
    if ((type !== PacketType.EVENT && type !== PacketType.ACK) || !hasBinary(data)) {
      const isBinaryType = type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK;
      // Whoever gives such a packet has taken the attachments out, and sends them.
      return [this[own.text](isBinaryType ? `${type}${packet.attachments}-` : `${type}`, packet)];
    }
    const attachments: unknown[] = [];
    const json = extractAttachments(data, attachments);
    const binaryType = type === PacketType.EVENT ? PacketType.BINARY_EVENT : PacketType.BINARY_ACK;
    const { nsp, id } = packet;
    const { length: count } = attachments;
    const shown = { type: binaryType, nsp, data: json, id, attachments: count };
    return [this[own.text](`${binaryType}${count}-`, shown), ...attachments];
  }

  private [own.text](prefix: string, packet: Packet): string {
    const { nsp, id, data } = packet;
    let text = prefix;
    if (nsp && nsp !== "/") {
      text += `${nsp},`;
    }
    if (id !== undefined && id !== null) {
      text += id;
    }
    if (data !== undefined && data !== null) {
      text += JSON.stringify(data, this[own.transform]);
    }
    if (log.isOn) {
      debug("encoded %j as %s", packet, text);
    }
    return text;
  }
}

/** Text and attachments to packets, which are told as `decoded` events. */
export class Decoder extends NpmDecoder {
  private readonly [own.maxAttachments]: number;
  private readonly [own.transform]: JsonTransform | undefined;
  /** The packet that waits for attachments, and how many. */
  private [own.pending]: { packet: Packet; expected: number; attachments: unknown[] } | undefined;

  /** @param options a function for `JSON.parse`, or how many attachments are accepted */
  constructor(options?: DecoderOptions | JsonTransform) {
    super(options);
    const given = typeof options === "function" ? { reviver: options } : options;
    this[own.transform] = given?.reviver;
    this[own.maxAttachments] = given?.maxAttachments ?? MAX_ATTACHMENTS;
  }

  /**
   * Takes the next message of the session.
   *
   * @throws Error for anything that is no packet, or comes out of order
   */
  override add(message: any): void {
    if (typeof message === "string") {
      this[own.addText](message);
    } else if (isAttachment(message)) {
      this[own.addAttachment](message);
    } else {
      throw new Error(`Unknown type: ${message}`);
    }
  }

  /** Forgets a packet that waits for attachments. */
  override destroy(): void {
    this[own.pending] = undefined;
  }

  private [own.addText](text: string): void {
    if (this[own.pending] !== undefined) {
      throw new Error("got plaintext data when reconstructing a packet");
    }
    const packet = decodePacket(text, this[own.maxAttachments], this[own.transform]);
    const { attachments: expected } = packet;
    if (expected === undefined) {
      this.emitReserved("decoded", packet);
      return;
    }
    packet.type = packet.type === PacketType.BINARY_EVENT ? PacketType.EVENT : PacketType.ACK;
    this[own.pending] = { packet, expected, attachments: [] };
  }

  private [own.addAttachment](attachment: unknown): void {
    const { [own.pending]: pending } = this;
    if (pending === undefined) {
      throw new Error("got binary data when not reconstructing a packet");
    }
    const { packet, expected, attachments } = pending;
    attachments.push(attachment);
    if (attachments.length === expected) {
      packet.data = insertAttachments(packet.data, attachments);
      delete packet.attachments;
      this[own.pending] = undefined;
      this.emitReserved("decoded", packet);
    }
  }
}

/** `base64` marks what old engines delivered. Null and undefined throw here, as in socket.io-parser. */
function isAttachment(message: any): boolean {
  return (typeof message === "object" && message !== null && isBinary(message)) || message.base64;
}

/**
 * Decodes a packet in text form. One with attachments has their number in `attachments`.
 *
 * @throws Error with socket.io-parser's text
 */
export function decodePacket(
  text: string,
  maxAttachments = MAX_ATTACHMENTS,
  transform?: JsonTransform,
): Packet {
  const type = typeOf(text);
  let at = 1;
  let attachments = 0;
  if (type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK) {
    const dash = text.indexOf("-", at);
    attachments = attachmentsOf(dash < 0 ? "" : text.slice(at, dash), maxAttachments);
    at = dash + 1;
  }
  let nsp = "/";
  if (text.charCodeAt(at) === SLASH) {
    const comma = text.indexOf(",", at);
    const end = comma < 0 ? text.length : comma;
    nsp = text.slice(at, end);
    at = end + 1;
  }
  const packet: Packet = attachments > 0 ? { type, attachments, nsp } : { type, nsp };
  const idEnd = endOfId(text, at);
  if (idEnd > at) {
    packet.id = Number(text.slice(at, idEnd));
    at = idEnd;
  }
  if (at < text.length) {
    packet.data = payloadOf(type, text.slice(at), transform);
  }
  if (log.isOn) {
    debug("decoded %s as %j", text, packet);
  }
  return packet;
}

function typeOf(text: string): PacketType {
  const type = text.charCodeAt(0) - ZERO;
  if (type >= PacketType.CONNECT && type <= PacketType.BINARY_ACK) {
    return type;
  }
  // As in socket.io-parser, white space and nothing at all are the number 0.
  const number = Number(text.charAt(0));
  if (number === PacketType.CONNECT) {
    return PacketType.CONNECT;
  }
  throw new Error(`unknown packet type ${number}`);
}

function attachmentsOf(digits: string, maxAttachments: number): number {
  const count = Number(digits);
  if (!Number.isInteger(count) || count < 1) {
    throw new Error("Illegal attachments");
  }
  if (count > maxAttachments) {
    throw new Error("too many attachments");
  }
  return count;
}

/** Where the digits that begin at `start` end. As in socket.io-parser, white space is a digit. */
function endOfId(text: string, start: number): number {
  let end = start;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    const isDigit =
      (code >= ZERO && code <= NINE) ||
      ((code <= 32 || code >= 160) && text.charAt(end).trim() === "");
    if (!isDigit) {
      break;
    }
    end++;
  }
  return end;
}

function payloadOf(type: PacketType, json: string, transform: JsonTransform | undefined): unknown {
  let payload: unknown;
  try {
    payload = JSON.parse(json, transform);
  } catch {
    throw new Error("invalid payload");
  }
  if (!isPayloadOf(type, payload)) {
    throw new Error("invalid payload");
  }
  return payload;
}

function isPayloadOf(type: PacketType, payload: unknown): boolean {
  switch (type) {
    case PacketType.EVENT:
    case PacketType.BINARY_EVENT:
      return isArguments(payload) && isEventName(payload[0]);
    case PacketType.ACK:
    case PacketType.BINARY_ACK:
      return isArguments(payload);
    case PacketType.CONNECT:
      return isPlainObject(payload);
    case PacketType.CONNECT_ERROR:
      return typeof payload === "string" || isPlainObject(payload);
    default:
      return payload === undefined; // DISCONNECT has no payload
  }
}

function isArguments(payload: unknown): payload is unknown[] {
  return Array.isArray(payload) && payload.length <= MAX_ARGUMENTS;
}

function isEventName(name: unknown): boolean {
  return typeof name === "number" || (typeof name === "string" && !RESERVED_EVENTS.has(name));
}

function isPlainObject(value: unknown): boolean {
  return Object.prototype.toString.call(value) === "[object Object]";
}
