/**
 * The `Sec-WebSocket-Extensions` header (RFC 6455 section 9.1), read as ws reads it: no blanks at either end, none around a `=`, and a quoted
 * value has to be a token once its backslashes are gone.
 *
 * One pass with sticky patterns that never go back, so the time is that of the header's length.
 */

/** An extension that a client offers, with its parameters in order. */
export interface ExtensionOffer {
  name: string;
  /** A parameter without a value is `true`. */
  parameters: [name: string, value: string | true][];
}

/** RFC 9110 section 5.6.2. */
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const VALUE = /=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:\\?[!#$%&'*+\-.^_`|~0-9A-Za-z])+)")/y;
/** A parameter follows, or another extension. */
const SEPARATOR = /[ \t]*([;,])[ \t]*/y;

/** @throws SyntaxError where ws throws one */
export function parseExtensions(header: string): ExtensionOffer[] {
  const offers: ExtensionOffer[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(header);
    position += match?.[0].length ?? 0;
    return match;
  };
  let separator = ",";
  do {
    const token = take(TOKEN);
    if (token === null) {
      throw new SyntaxError(`Unexpected character at index ${position}`);
    }
    if (separator === ",") {
      offers.push({ name: token[0], parameters: [] });
    } else {
      const value = take(VALUE);
      const text = value?.[1] ?? value?.[2]?.replaceAll("\\", "") ?? true;
      offers.at(-1)?.parameters.push([token[0], text]);
    }
    separator = take(SEPARATOR)?.[1] ?? "";
  } while (separator !== "");
  if (position < header.length) {
    throw new SyntaxError(`Unexpected character at index ${position}`);
  }
  return offers;
}
