/**
 * The handshake request of a session when nobody has held the original: what Node's IncomingMessage is made of again when somebody asks for
 * it. Its headers, URL and query can be read without that.
 *
 * Node's object takes 1,070 bytes and its socket as many; this takes 72 (heap snapshot of 10,000 connections).
 */
import { IncomingMessage } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { type PooledHeaders, poolHeaders, unpoolHeaders } from "./header-pool";
import type { UnseenSocket } from "./husk";
import { type EngineRequest, parseQuery } from "./request";
import { StringPool } from "./string-pool";

/** Node's own method by which a parser hands over raw headers. */
type OpenMessage = EngineRequest & {
  _addHeaderLines(lines: readonly string[], count: number): void;
};

const urls = new StringPool(1024, 512);

/** Whether this runtime's IncomingMessage can be made from parts. */
export const canDefer =
  typeof (IncomingMessage.prototype as Partial<OpenMessage>)._addHeaderLines === "function";

/** What has been built of it. */
interface Built {
  headers?: IncomingMessage["headers"];
  query?: EngineRequest["_query"];
  request?: EngineRequest;
}

export class DeferredRequest implements PooledHeaders {
  readonly shared: PooledHeaders["shared"];
  readonly own: PooledHeaders["own"];
  private readonly ownUrl: string;
  private built: Built | undefined = undefined;

  /** @param original of HTTP/1.1, and without a body */
  constructor(
    original: EngineRequest,
    private readonly husk: UnseenSocket,
  ) {
    const { shared, own } = poolHeaders(original.rawHeaders);
    this.shared = shared;
    this.own = own;
    this.ownUrl = urls.intern(original.url as string);
  }

  /** The object that users get, always the same. */
  get request(): EngineRequest {
    const built = this.memory();
    built.request ??= this.make(this.husk.stream);
    return built.request;
  }

  /** The same object as `request.headers`. */
  get headers(): IncomingMessage["headers"] {
    const built = this.memory();
    if (built.request === undefined) {
      built.headers ??= this.make(null).headers;
      return built.headers;
    }
    return built.request.headers;
  }

  get url(): string | undefined {
    return this.built?.request === undefined ? this.ownUrl : this.built.request.url;
  }

  /** The same object as `request._query`. */
  get _query(): EngineRequest["_query"] {
    const built = this.memory();
    if (built.request === undefined) {
      built.query ??= parseQuery(this.ownUrl);
      return built.query;
    }
    return built.request._query;
  }

  private memory(): Built {
    this.built ??= {};
    return this.built;
  }

  private make(socket: NetSocket | null): EngineRequest {
    const request = new IncomingMessage(socket as NetSocket) as OpenMessage;
    const raw = unpoolHeaders(this);
    Object.assign(request, {
      method: "GET",
      url: this.ownUrl,
      httpVersion: "1.1",
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      upgrade: true,
      joinDuplicateHeaders: this.husk.server.joinDuplicateHeaders,
      parser: null,
    });
    request._addHeaderLines(raw, raw.length);
    request.complete = true;
    request.push(null); // it has no body
    const { headers, query } = this.memory();
    if (headers !== undefined) {
      request.headers = headers;
    }
    request._query = query ?? parseQuery(this.ownUrl);
    return request;
  }
}
