/**
 * Chooses a content encoding by an `Accept-Encoding` header (RFC 9110 section 12.5.3): of those offered the one with the highest weight;
 * among equals one that the header names rather than `*`, then the one that the header has first, then the one that was offered first.
 */

/** How an encoding stands in the header. */
interface Acceptance {
  weight: number;
  isNamed: boolean;
  position: number;
}

/** Undefined when none of those offered is accepted, or when there is no header. */
export function preferredEncoding<Encoding extends string>(
  header: string | undefined,
  offered: readonly Encoding[],
): Encoding | undefined {
  let best: { encoding: Encoding; acceptance: Acceptance } | undefined;
  for (const encoding of header ? offered : []) {
    const acceptance = acceptanceOf(encoding, header as string);
    if (acceptance !== undefined && (best === undefined || isBetter(acceptance, best.acceptance))) {
      best = { encoding, acceptance };
    }
  }
  return best?.encoding;
}

function isBetter(a: Acceptance, b: Acceptance): boolean {
  if (a.weight !== b.weight) {
    return a.weight > b.weight;
  }
  return a.isNamed === b.isNamed ? a.position < b.position : a.isNamed;
}

/** The entry for an encoding: one that names it counts, whatever `*` says; of several the one with the highest weight, then the last. */
function acceptanceOf(encoding: string, header: string): Acceptance | undefined {
  let found: Acceptance | undefined;
  header.split(",").forEach((entry, position) => {
    const [name = "", ...parameters] = entry.split(";").map((part) => part.trim());
    const isNamed = name.toLowerCase() === encoding;
    if (!isNamed && name !== "*") {
      return;
    }
    const acceptance = { weight: weightOf(parameters), isNamed, position };
    if (found === undefined || !isStronger(found, acceptance)) {
      found = acceptance;
    }
  });
  return found !== undefined && found.weight > 0 ? found : undefined;
}

/** Of two entries for the same encoding. */
function isStronger(a: Acceptance, b: Acceptance): boolean {
  return a.isNamed === b.isNamed ? a.weight > b.weight : a.isNamed;
}

/** 1 when nothing is said; NaN, which is never accepted, for what is no number. */
function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  return weight === undefined ? 1 : Number.parseFloat(weight.slice(2));
}
