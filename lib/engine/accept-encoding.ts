/**
 * Chooses gzip or deflate from an `Accept-Encoding` header: the higher q-value, then the one named rather than meant by `*`, then the one
 * named first, then gzip. What is not accepted, or has q=0, is not chosen.
 */
type Encoding = "gzip" | "deflate";

/** How well an encoding is accepted. */
interface Preference {
  quality: number;
  isNamed: boolean;
  position: number;
}

/** Returns undefined when neither is accepted, or when there is no header. */
export function acceptedEncoding(header: string | undefined): Encoding | undefined {
  if (!header) {
    return undefined;
  }
  const gzip = preference("gzip", header);
  const deflate = preference("deflate", header);
  if (gzip === undefined || deflate === undefined) {
    return gzip !== undefined ? "gzip" : deflate && "deflate";
  }
  return isBetter(deflate, gzip) ? "deflate" : "gzip";
}

function isBetter(a: Preference, b: Preference): boolean {
  if (a.quality !== b.quality) {
    return a.quality > b.quality;
  }
  return a.isNamed !== b.isNamed ? a.isNamed : a.position < b.position;
}

/** The best entry for an encoding: one that names it outweighs `*`. */
function preference(encoding: Encoding, header: string): Preference | undefined {
  let best: Preference | undefined;
  header.split(",").forEach((entry, position) => {
    const [name, ...parameters] = entry.split(";").map((part) => part.trim());
    const isNamed = name?.toLowerCase() === encoding;
    if (!isNamed && name !== "*") {
      return;
    }
    const found = { quality: qualityOf(parameters), isNamed, position };
    if (best === undefined || (best.isNamed === isNamed ? found.quality > best.quality : isNamed)) {
      best = found;
    }
  });
  return best !== undefined && best.quality > 0 ? best : undefined;
}

/** 1 unless a parameter says otherwise; NaN, which nothing accepts, when it is no number. */
function qualityOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith("q="));
  return given === undefined ? 1 : Number.parseFloat(given.slice(2));
}
