/** What a user may send, made into what the core takes: text or bytes. */

/** Text or bytes of one message. */
export type Content = string | ArrayBufferView;

/** FIN and the text opcode: the first byte of an unfragmented text frame (RFC 6455 section 5.2). */
const FIN_TEXT = 0x81;

/** Whether a message of this value is binary. */
export function isBinary(data: unknown): data is ArrayBuffer | ArrayBufferView {
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data);
}

/** Falsy values are an empty message, binary ones stay, the rest is made text. */
export function contentOf(data: any): Content {
  if (typeof data === "string" || ArrayBuffer.isView(data)) {
    return data;
  }
  if (data instanceof ArrayBuffer) {
    return Buffer.from(data);
  }
  return data ? `${data}` : "";
}

/**
 * The text of a message given as a ready WebSocket frame (`wsPreEncodedFrame`: header and payload, or both in one), without the leading
 * `4`. Undefined when it is no such frame.
 */
export function textOfFrame(frame: unknown): string | undefined {
  const bytes = Array.isArray(frame) ? Buffer.concat(frame as Buffer[]) : frame;
  if (!Buffer.isBuffer(bytes) || bytes.length < 3 || bytes[0] !== FIN_TEXT) {
    return undefined;
  }
  const length = bytes[1] as number;
  const start = length < 126 ? 2 : length === 126 ? 4 : 10;
  const text = bytes.toString("utf8", start);
  return text.startsWith("4") ? text.slice(1) : undefined;
}
