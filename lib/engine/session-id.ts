/** The default session id: 12 random bytes and the low 24 bits of a process-wide counter, as 20 characters of `[A-Za-z0-9_-]`. */
import { randomFillSync } from "node:crypto";

/** One id: a multiple of three, so base64 needs no padding. */
const ID_BYTES = 15;
const RANDOM_BYTES = 12;
/** Random bytes are drawn for this many ids at once: a draw costs about a microsecond whatever its size. */
const IDS_PER_DRAW = 128;

const pool = Buffer.allocUnsafe(RANDOM_BYTES * IDS_PER_DRAW);
const id = Buffer.allocUnsafe(ID_BYTES);
let used = pool.length;
let counter = 0;

/** Makes an id. The only credential of a session, so its random part is never used twice. */
export function generateSessionId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  pool.copy(id, 0, used, used + RANDOM_BYTES);
  used += RANDOM_BYTES;
  counter = (counter + 1) & 0xff_ffff;
  id.writeUIntBE(counter, RANDOM_BYTES, ID_BYTES - RANDOM_BYTES);
  return id.toString("base64url");
}
