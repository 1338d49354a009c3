/**
 * Which packets may give way to newer ones, under the policy `drop-oldest`: events that ask for no acknowledgement. What else there is
 * (connections, acknowledgements, disconnections) is part of a talk that would not go on without it.
 */
import { EXPENDABLE } from "./commands";
import type { EncodedPacket } from "./encoded-packet";
import type { EngineOptions } from "./engine/options";

const EVENT = 50; // "2"
const BINARY_EVENT = 53; // "5"
const DASH = 45;
const SLASH = 47;
const COMMA = 44;

/** The flag for a packet, where the policy of its engine asks for one. A packet of another format than the default one never gives way. */
export function expendableFlag(
  engine: { readonly opts?: Pick<EngineOptions, "outbox"> } | undefined,
  encoded: EncodedPacket,
): number {
  if (engine?.opts?.outbox?.policy !== "drop-oldest") {
    return 0;
  }
  const text = typeof encoded === "string" ? encoded : encoded[0];
  return typeof text === "string" && isPlainEvent(text) ? EXPENDABLE : 0;
}

/** `2`, or `5` and the number of attachments and `-`; the namespace and `,`; then no digit, which would be the id of an acknowledgement. */
function isPlainEvent(text: string): boolean {
  const type = text.charCodeAt(0);
  let at = 1;
  if (type === BINARY_EVENT) {
    while (isDigit(text.charCodeAt(at))) {
      at += 1;
    }
    if (text.charCodeAt(at) !== DASH) {
      return false;
    }
    at += 1;
  } else if (type !== EVENT) {
    return false;
  }
  if (text.charCodeAt(at) === SLASH) {
    while (at < text.length && text.charCodeAt(at) !== COMMA) {
      at += 1;
    }
    at += 1;
  }
  return text[at] === "[";
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
