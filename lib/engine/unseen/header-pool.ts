/**
 * Raw headers of handshakes, in which most clients agree to the letter: the list is kept once, without the values that differ from client
 * to client.
 *
 * A browser sends thirteen lines or more. As Node has them they take 970 bytes for each request, shared 40 and the private values
 * (heap snapshot of 10,000 connections).
 */

/** Headers whose values differ from client to client, or from request to request; all others are worth sharing. */
const PRIVATE_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "cf-ray",
  "cookie",
  "fly-client-ip",
  "fly-request-id",
  "forwarded",
  "proxy-authorization",
  "sec-websocket-key",
  "traceparent",
  "tracestate",
  "true-client-ip",
  "x-amzn-trace-id",
  "x-azure-ref",
  "x-client-ip",
  "x-cloud-trace-context",
  "x-correlation-id",
  "x-forwarded-for",
  "x-forwarded-port",
  "x-real-ip",
  "x-request-id",
]);

/** Lists at the most. All are dropped when there are so many, so that no peer can fill the pool for good. */
const CAPACITY = 512;
/** Lists that are longer, in UTF-16 units, are not shared: at the worst the pool takes 2 MiB. */
const MAX_LENGTH = 2048;

const pool = new Map<string, readonly string[]>();

/** Shared by all that have no private values. */
const NONE: readonly string[] = [];

/** What is kept of a list of raw headers. */
export interface PooledHeaders {
  /** Names and values in turn; private values are empty. Shared: not to be changed. */
  readonly shared: readonly string[];
  /** The private values in order; a single one as it is. */
  readonly own: string | readonly string[];
}

/** Splits a list of raw headers into what is shared and what is not. */
export function poolHeaders(raw: readonly string[]): PooledHeaders {
  const shared = raw.slice();
  const own: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (isPrivate(raw[i] as string)) {
      own.push(raw[i + 1] as string);
      shared[i + 1] = "";
    }
  }
  return {
    shared: share(shared),
    own: own.length === 1 ? (own[0] as string) : own.length === 0 ? NONE : own,
  };
}

/** The list as it was. */
export function unpoolHeaders({ shared, own }: PooledHeaders): string[] {
  const raw = shared.slice();
  const values = typeof own === "string" ? [own] : own;
  let next = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (isPrivate(raw[i] as string)) {
      raw[i + 1] = values[next++] as string;
    }
  }
  return raw;
}

/** Makes the headers of a request that has to stay use the strings of the pool. */
export function internHeaders({ rawHeaders: raw }: { rawHeaders?: string[] }): void {
  if (!Array.isArray(raw)) {
    return; // whatever users give to `handleUpgrade`
  }
  const { shared } = poolHeaders(raw);
  for (let i = 0; i < raw.length; i += 1) {
    if (shared[i] !== "") {
      raw[i] = shared[i] as string;
    }
  }
}

function isPrivate(name: string): boolean {
  return PRIVATE_HEADERS.has(name.toLowerCase());
}

function share(list: readonly string[]): readonly string[] {
  const key = list.join("\n"); // a line feed is in no header
  const known = pool.get(key);
  if (known !== undefined || key.length > MAX_LENGTH) {
    return known ?? list;
  }
  if (pool.size >= CAPACITY) {
    pool.clear();
  }
  pool.set(key, list);
  return list;
}
