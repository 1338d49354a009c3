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

/** The last URL that was parsed, and what came of it: WebSocket clients of one application all ask for the same. */
let parsedUrl = "";
let parsed: Record<string, string> = {};

/** The parameters of a URL. */
export function parseQuery(url: string): Record<string, string> {
  if (url !== parsedUrl) {
    [parsedUrl, parsed] = [url, parse(url)];
  }
  return { ...parsed };
}

function parse(url: string): Record<string, string> {
  const start = url.indexOf("?");
  if (start < 0) {
    return {};
  }
  const hash = url.indexOf("#", start);
  const text = hash < 0 ? url.slice(start + 1) : url.slice(start + 1, hash);
  if (/[%+]|__proto__/.test(text)) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  // Every query of the official clients comes here: nothing to decode. Of duplicates the last one wins.
  const query: Record<string, string> = {};
  for (const pair of text.split("&")) {
    const equals = pair.indexOf("=");
    if (equals >= 0) {
      query[pair.slice(0, equals)] = pair.slice(equals + 1);
    } else if (pair !== "") {
      query[pair] = "";
    }
  }
  return query;
}

const ownSymbols = Object.getOwnPropertySymbols(
  new IncomingMessage(null as unknown as ConstructorParameters<typeof IncomingMessage>[0]),
);
/** Where Node keeps the headers it has built; it builds them when somebody first asks for `req.headers`. */
const builtHeaders = ownSymbols.find((symbol) => symbol.description === "kHeaders");
/** Where it keeps how much of the raw list counts: `maxHeadersCount` cuts the rest off. */
const countedHeaders = ownSymbols.find((symbol) => symbol.description === "kHeadersCount");

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
