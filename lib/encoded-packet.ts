/** A packet in the form that goes to the engine, and how it is to be written. */
import type { Part } from "./commands";

/** A packet as it goes to the engine: text, or text and attachments, or what a custom parser makes. */
export type EncodedPacket = string | Part[];

/** How a packet is written. */
export interface WriteOptions {
  /** Whether it may be compressed; true. */
  compress?: boolean;
  /** Whether it is dropped when the session cannot take it now. */
  volatile?: boolean;
  /** Whether it is encoded already; then the same object is written to many sessions. */
  preEncoded?: boolean;
  /** Its WebSocket frame, for engines that stand on ws. */
  wsPreEncodedFrame?: unknown;
  [flag: string]: unknown;
}

/** Whether the core can take it; a Blob, for one, it cannot. */
export function isSendable(encoded: EncodedPacket): boolean {
  if (typeof encoded === "string") {
    return true;
  }
  if (!Array.isArray(encoded)) {
    return false;
  }
  for (let i = 0; i < encoded.length; i++) {
    if (typeof encoded[i] !== "string" && !ArrayBuffer.isView(encoded[i])) {
      return false;
    }
  }
  return true;
}
