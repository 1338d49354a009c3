/**
 * The ceiling over what waits in native memory, in the whole process: `SIO_RS_MAX_QUEUED_BYTES`, or half of the memory that the process can
 * have.
 */
import { totalmem } from "node:os";

/** Overrides the ceiling: a number of bytes, or `Infinity`. */
const VARIABLE = "SIO_RS_MAX_QUEUED_BYTES";

/**
 * Returns the ceiling in bytes.
 *
 * @throws a TypeError with code `SIO_RS_INVALID_OPTION` when the variable holds something else than a number of bytes
 */
export function ceilingBytes(): number {
  const given = process.env[VARIABLE];
  if (given !== undefined && given.trim() !== "") {
    const bytes = Number(given);
    if (!(bytes > 0)) {
      throw Object.assign(
        new TypeError(`${VARIABLE} must be a number of bytes, or Infinity, not "${given}"`),
        { code: "SIO_RS_INVALID_OPTION" },
      );
    }
    return bytes;
  }
  // The limit of a container; 0, or more than there is, where there is none.
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  return Math.min(limit, totalmem()) / 2;
}
