/** Payloads of frames that users send by hand, checked as the `ws` package checks them, and the errors it makes of a broken protocol. */

/** What a frame carries (RFC 6455 section 5.2). */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** No bytes. */
export const EMPTY = Buffer.alloc(0);

/** RFC 6455 section 5.5: the longest payload of a control frame, in bytes. */
const MAX_CONTROL_BYTES = 125;
/** The same without the close code. */
const MAX_REASON_BYTES = 123;

/**
 * The bytes of what a user sends. Falsy values are empty, 0 is not.
 *
 * @throws TypeError when it is neither text nor bytes
 */
export function bytesOf(data: any): Uint8Array {
  if (typeof data === "number") {
    return Buffer.from(String(data));
  }
  if (!data) {
    return EMPTY;
  }
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}

/** @throws RangeError when it does not fit a control frame */
export function controlPayload(data: any): Uint8Array {
  const payload = bytesOf(data);
  if (payload.byteLength > MAX_CONTROL_BYTES) {
    throw new RangeError("The data size must not be greater than 125 bytes");
  }
  return payload;
}

/**
 * The code and the reason of a close frame.
 *
 * @throws TypeError when the code is none that may be sent, or the reason is neither text nor bytes
 * @throws RangeError when the reason does not fit
 */
export function closePayload(
  code: number | undefined,
  reason: string | Uint8Array | undefined,
): Uint8Array {
  if (code === undefined) {
    return EMPTY;
  }
  if (typeof code !== "number" || !isCloseCode(code)) {
    throw new TypeError("First argument must be a valid error code number");
  }
  const codeBytes = Buffer.of(code >> 8, code & 0xff);
  if (reason === undefined || !reason.length) {
    return codeBytes;
  }
  if (typeof reason !== "string" && !(reason instanceof Uint8Array)) {
    throw new TypeError("Second argument must be a string or a Uint8Array");
  }
  const reasonBytes = bytesOf(reason);
  if (reasonBytes.byteLength > MAX_REASON_BYTES) {
    throw new RangeError("The message must not be greater than 123 bytes");
  }
  return Buffer.concat([codeBytes, reasonBytes]);
}

/** Whether the code may stand in a close frame: as in the core, 1000 to 1003, 1007 to 1014 and 3000 to 4999. */
function isCloseCode(code: number): boolean {
  return (
    Number.isInteger(code) &&
    ((code >= 1000 && code <= 1003) ||
      (code >= 1007 && code <= 1014) ||
      (code >= 3000 && code <= 4999))
  );
}

/** The stable codes of `ws`, by what its messages contain. */
const ERROR_CODES: readonly (readonly [string, string])[] = [
  ["FIN must be set", "WS_ERR_EXPECTED_FIN"],
  ["MASK must be set", "WS_ERR_EXPECTED_MASK"],
  ["invalid status code", "WS_ERR_INVALID_CLOSE_CODE"],
  ["invalid payload length", "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"],
  ["invalid opcode", "WS_ERR_INVALID_OPCODE"],
  ["invalid UTF-8 sequence", "WS_ERR_INVALID_UTF8"],
  ["RSV1 must be clear", "WS_ERR_UNEXPECTED_RSV_1"],
  ["RSV2 and RSV3 must be clear", "WS_ERR_UNEXPECTED_RSV_2_3"],
  ["payload length > 2^53 - 1", "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH"],
  ["Max payload size exceeded", "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"],
  ["Too many message fragments", "WS_ERR_TOO_MANY_BUFFERED_PARTS"],
];

/** The error of `ws` for what the core describes as `<name>: <message>`. */
export function protocolError(description: string): Error {
  const message = description.replace(/^(?:Range)?Error: /, "");
  const isRange = description.startsWith("RangeError: ");
  const error = isRange ? new RangeError(message) : new Error(message);
  const code = ERROR_CODES.find(([text]) => message.includes(text))?.[1];
  return code === undefined ? error : Object.assign(error, { code });
}
