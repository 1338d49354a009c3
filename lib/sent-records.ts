/**
 * What was sent to a session in this turn, read back from the records of the commands (`commands.ts` writes them).
 *
 * It costs nothing until somebody asks. Volatile packets are left out: they never wait.
 */
import type { Stretch } from "./command-buffer";
import { BINARY, COMPRESS, KIND, VOLATILE } from "./commands";
import { DIGIT_ZERO } from "./engine/payload";
import type { TurnBroadcast } from "./link";

/** A packet as it was given to the core. */
export interface SentPacket {
  /** The digit of its type. */
  digit: number;
  /** Text, or bytes that are the receiver's own. */
  data: string | Buffer;
  compress: boolean;
}

/** The digit of a message. */
export const MESSAGE_DIGIT = 4;

/**
 * The packets that were sent to a session, in order.
 *
 * @param broadcasts the native broadcasts of the turn, in the order of their records
 */
export function packetsSentTo(
  slot: number,
  stretches: Stretch[],
  broadcasts: readonly TurnBroadcast[],
): SentPacket[] {
  const packets: SentPacket[] = [];
  let broadcast = 0;
  for (const stretch of stretches) {
    const { words } = stretch;
    let word = stretch.start >> 2;
    while (word < stretch.end >> 2) {
      const head = words[word] as number;
      const kind = head & 0xff;
      const at = placeOfParts(kind, slot, words, word);
      if (kind === KIND.broadcast) {
        const known = broadcasts[Math.min(broadcast++, broadcasts.length - 1)];
        if (known?.reaches(slot)) {
          addParts(stretch, at, head >> 8, packets);
        }
      } else if (kind === KIND.packet && words[word + 2] === slot) {
        addControl(stretch, word, head >> 8, packets);
      } else if (at > 0) {
        addParts(stretch, at, head >> 8, packets);
      }
      word += (words[word + 1] as number) >> 2;
    }
  }
  return packets;
}

/** Where the table of parts of a record begins, in words; 0 for a record that sends the session no message. */
function placeOfParts(kind: number, slot: number, words: Uint32Array, word: number): number {
  if (kind === KIND.send) {
    return words[word + 2] === slot ? word + 3 : 0;
  }
  if (kind === KIND.multicast) {
    const end = word + 3 + (words[word + 2] as number);
    return words.subarray(word + 3, end).includes(slot) ? end : 0;
  }
  if (kind === KIND.broadcast) {
    const ids = words.subarray(word + 3, word + 7).reduce((sum, count) => sum + count, 0);
    return word + 7 + ids;
  }
  return 0;
}

function addParts(
  { buffer, words }: Stretch,
  table: number,
  flags: number,
  packets: SentPacket[],
): void {
  if ((flags & VOLATILE) !== 0) {
    return;
  }
  const count = words[table] as number;
  const compress = (flags & COMPRESS) !== 0;
  let at = (table + 1 + count) << 2;
  for (let index = 0; index < count; index += 1) {
    const length = words[table + 1 + index] as number;
    const end = at + (length & ~BINARY);
    const data =
      (length & BINARY) !== 0
        ? Buffer.from(buffer.subarray(at, end)) // the buffer is filled again in the next turn
        : buffer.utf8Slice(at, end);
    packets.push({ digit: MESSAGE_DIGIT, data, compress });
    at = end;
  }
}

function addControl(
  { buffer, words }: Stretch,
  word: number,
  flags: number,
  packets: SentPacket[],
): void {
  const at = (word + 5) << 2;
  packets.push({
    digit: (words[word + 3] as number) - DIGIT_ZERO,
    data: buffer.utf8Slice(at, at + (words[word + 4] as number)),
    compress: (flags & COMPRESS) !== 0,
  });
}
