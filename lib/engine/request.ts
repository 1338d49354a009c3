/**
 * What the engine reads of a request: its query, its protocol revision, single headers.
 *
 * Works on Node's HTTP/1 requests and on the HTTP/2 compatibility ones.
 */
import { IncomingMessage, type ServerResponse } from "node:http";

/** A request on its way through the engine. */
export interface EngineRequest extends IncomingMessage {
  /** The parsed query; users read it as `handshake.query`. */
  _query: Record<string, string>;
  /** The response while middlewares may need it; null once the transport has taken the request. */
  res?: ServerResponse | null;
}

/** Parses the query, unless a framework has left one on the request. */
export function prepareRequest(req: IncomingMessage): void {
  const request = req as EngineRequest;
  if (!request._query) {
    request._query = parseQuery(request.url ?? "");
  }
}

/** The revision of the protocol that is asked for: 4 only by name. */
export function protocolOf(req: EngineRequest): 3 | 4 {
  return req._query.EIO === "4" ? 4 : 3;
}

/** The last URL that named no session, and what came of it: WebSocket clients of one application all ask for the same. */
let parsedUrl = "";
let parsed: Record<string, string> = {};

/** The parameters of a URL. */
export function parseQuery(url: string): Record<string, string> {
  if (url === parsedUrl) {
    return { ...parsed };
  }
  const query = parse(url);
  if (query.sid === undefined) {
    parsedUrl = url;
    parsed = { ...query };
  }
  return query;
}

const HASH = 0x23;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const PLUS = 0x2b;
const EQUALS = 0x3d;
const LAST_ASCII = 0x7f;

/** Every query of the official clients is read in one pass: there is nothing to decode in it. Of duplicates the last one wins. */
function parse(url: string): Record<string, string> {
  const query: Record<string, string> = {};
  const { length } = url;
  let at = url.indexOf("?") + 1;
  if (at === 0 || url.lastIndexOf("#", at) >= 0) {
    return query;
  }
  const start = at;
  let equals = -1;
  for (let i = at; ; i++) {
    const code = i < length ? url.charCodeAt(i) : HASH;
    if (code === AMPERSAND || code === HASH) {
      if (i > at) {
        const name = nameOf(url, at, equals < 0 ? i : equals);
        if (name === "__proto__") {
          return decode(url, start);
        }
        query[name] = equals < 0 ? "" : url.slice(equals + 1, i);
      }
      if (code === HASH) {
        return query;
      }
      at = i + 1;
      equals = -1;
    } else if (code === EQUALS && equals < 0) {
      equals = i;
    } else if (code === PERCENT || code === PLUS || code > LAST_ASCII) {
      return decode(url, start);
    }
  }
}

/** The names that the official clients use; V8 looks up every other one in its table of names. */
const NAMES = ["EIO", "transport", "sid", "t", "b64"] as const;

function nameOf(url: string, start: number, end: number): string {
  for (const name of NAMES) {
    if (name.length === end - start && url.startsWith(name, start)) {
      return name;
    }
  }
  return url.slice(start, end);
}

function decode(url: string, start: number): Record<string, string> {
  const { searchParams } = new URL(url.slice(start - 1), "https://socket.io/");
  return Object.fromEntries(searchParams);
}

const ownSymbols = Object.getOwnPropertySymbols(
  new IncomingMessage(null as unknown as ConstructorParameters<typeof IncomingMessage>[0]),
);
/** Where Node keeps the headers it has built; it builds them when somebody first asks for `req.headers`. */
const builtHeaders = ownSymbols.find((symbol) => symbol.description === "kHeaders");
/** Where it keeps how much of the raw list counts: `maxHeadersCount` cuts the rest off. */
const countedHeaders = ownSymbols.find((symbol) => symbol.description === "kHeadersCount");

/** Whether Node reads all headers that have arrived: its `maxHeadersCount` may have cut some off. */
export function readsAllHeaders(req: IncomingMessage): boolean {
  const count = countedHeaders && (req as unknown as Record<symbol, number>)[countedHeaders];
  return count !== undefined && count >= req.rawHeaders.length;
}

/**
 * One header of a request, by its lower-case name. As long as nobody has asked for `req.headers` it is read from the raw list, so that
 * Node never builds the object, which would stay as long as the request of the session does.
 */
export function headerOf(req: IncomingMessage, name: string): string | undefined {
  const raw = req.rawHeaders;
  const own = req as unknown as Record<symbol, unknown>;
  if (
    builtHeaders === undefined ||
    countedHeaders === undefined ||
    !Array.isArray(raw) ||
    own[builtHeaders] !== null
  ) {
    return req.headers[name] as string | undefined;
  }
  let value: string | undefined;
  const end = Math.min(raw.length, own[countedHeaders] as number);
  for (let i = 0; i + 1 < end; i += 2) {
    const candidate = raw[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) {
      if (value !== undefined) {
        return req.headers[name] as string | undefined; // Node knows which duplicates are joined
      }
      value = raw[i + 1];
    }
  }
  return value;
}
