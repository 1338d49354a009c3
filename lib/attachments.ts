/**
 * Binary data in the arguments of an event: finding it, taking it out before JSON, putting it back after.
 *
 * In the JSON a placeholder stands for each attachment. The rules, odd ones included, are those of npm's socket.io-parser, with which
 * every client has to agree.
 */
import { File } from "node:buffer";

/** Stands in the JSON for the attachment with this number. */
interface Placeholder {
  _placeholder: true;
  num: number;
}

/** Anything with keys. */
type Indexed = Record<string, unknown>;

/** `File` is experimental, and so may be missing, on Node 20. */
const FileClass: typeof File | undefined = File;

/** Whether a value is sent as an attachment. */
export function isBinary(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Blob ||
    (FileClass !== undefined && value instanceof FileClass)
  );
}

/**
 * Whether there is binary data anywhere in a value. Costs nothing for strings, numbers and the like.
 *
 * @param isJson whether the value is what a `toJSON()` has returned, whose own `toJSON` does not count
 * @throws RangeError for an object that contains itself
 */
export function hasBinary(value: unknown, isJson = false): boolean {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (hasBinary(value[i])) {
        return true;
      }
    }
    return false;
  }
  if (isBinary(value)) {
    return true;
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function" && !isJson) {
    return hasBinary((value as { toJSON(): unknown }).toJSON(), true);
  }
  for (const key in value) {
    if (Object.hasOwn(value, key) && hasBinary((value as Indexed)[key])) {
      return true;
    }
  }
  return false;
}

/** Copies a value with placeholders for its binary data, which is added to `attachments`. The value itself stays as it is. */
export function extractAttachments(
  value: unknown,
  attachments: unknown[],
  isJson = false,
): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date) {
    return value;
  }
  if (isBinary(value)) {
    const placeholder: Placeholder = { _placeholder: true, num: attachments.length };
    attachments.push(value instanceof ArrayBuffer ? Buffer.from(value) : value);
    return placeholder;
  }
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    for (let i = 0; i < value.length; i++) {
      copy.push(extractAttachments(value[i], attachments)); // holes too: JSON has null for them
    }
    return copy;
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function" && !isJson) {
    const json = (value as { toJSON(): unknown }).toJSON();
    return extractAttachments(json, attachments, true);
  }
  const copy: Indexed = {};
  for (const key in value) {
    if (Object.hasOwn(value, key)) {
      copy[key] = extractAttachments((value as Indexed)[key], attachments);
    }
  }
  return copy;
}

/**
 * Puts attachments in the place of their placeholders, in place.
 *
 * @throws Error `illegal attachments` for a placeholder whose number is none of an attachment
 */
export function insertAttachments(value: unknown, attachments: readonly unknown[]): unknown {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if ((value as Placeholder)._placeholder === true) {
    const { num } = value as { num: unknown };
    if (typeof num !== "number" || !(num >= 0 && num < attachments.length)) {
      throw new Error("illegal attachments");
    }
    return attachments[num];
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      value[i] = insertAttachments(value[i], attachments);
    }
    return value;
  }
  for (const key in value) {
    if (Object.hasOwn(value, key)) {
      (value as Indexed)[key] = insertAttachments((value as Indexed)[key], attachments);
    }
  }
  return value;
}
