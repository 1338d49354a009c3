/**
 * Whether the answer to a GET will be compressed, asked before the core has made it: its callbacks are called at once, or when it has left.
 *
 * The threshold is one for bodies, which are longer than what was sent: binary data is base64, packets have types and separators, revision 3
 * lengths, and JSONP a script around them. So what is near the threshold is written out as the core will, and nothing else is.
 */
import * as inTransport from "./in-transport";
import { contentOf, isBinary } from "./message";
import { type Packet, SEPARATOR, typeIndex } from "./payload";
import { encodingFor } from "./poll-response";
import type { PollingTransport } from "./polling";
import type { EngineRequest } from "./request";

/** What revision 3 has around the digits of a length in a binary payload. */
const LENGTH_MARKS = 2;

/** Whether a poll response with these packets will be compressed, and so finishes later. */
export function isCompressed(
  transport: PollingTransport,
  req: EngineRequest,
  packets: readonly Packet[],
): boolean {
  if (!packets.some(({ options }) => options?.compress)) {
    return false;
  }
  const { httpCompression } = transport;
  if (encodingFor(httpCompression, req, Number.POSITIVE_INFINITY) === undefined) {
    return false;
  }
  let bytes = 0;
  for (const { data } of packets) {
    bytes += 1 + (typeof data === "string" ? Buffer.byteLength(data) : (data?.byteLength ?? 0));
  }
  return (
    encodingFor(httpCompression, req, bytes) !== undefined ||
    encodingFor(httpCompression, req, bodyLength(transport, packets)) !== undefined
  );
}

function bodyLength(transport: PollingTransport, packets: readonly Packet[]): number {
  if (transport.protocol === 4) {
    return transport[inTransport.bodyLength](
      packets.map((packet) => textOf(packet, 4)).join(SEPARATOR),
    );
  }
  if (transport.supportsBinary && packets.some(({ data }) => isBinary(data))) {
    return packets.reduce((sum, packet) => sum + binaryLength(packet), 0);
  }
  const texts = packets.map((packet) => {
    const text = textOf(packet, 3);
    return `${text.length}:${text}`;
  });
  return transport[inTransport.bodyLength](texts.join(""));
}

/** A packet where binary data is base64: `b` stands for its type, but in revision 3 before it. */
function textOf({ type, data }: Packet, protocol: number): string {
  const digit = typeIndex(type);
  const content = contentOf(data);
  if (typeof content === "string") {
    return `${digit}${content}`;
  }
  const { buffer, byteOffset, byteLength } = content;
  const base64 = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("base64");
  return protocol === 3 ? `b${digit}${base64}` : `b${base64}`;
}

function binaryLength({ data }: Packet): number {
  const content = contentOf(data);
  const bytes = 1 + (typeof content === "string" ? Buffer.byteLength(content) : content.byteLength);
  return LENGTH_MARKS + String(bytes).length + bytes;
}
