/**
 * The handshake request of a session when nobody has been shown the original: what Node's IncomingMessage is made of again when somebody asks
 * for it. Its headers, URL and query can be read without that.
 *
 * Node's object takes 1,070 bytes, this 64 and what it shares with others (heap snapshot of 10,000 connections).
 */
import { IncomingMessage } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { type EngineRequest, parseQuery } from "../request";
import { StringPool } from "../string-pool";
import { type PooledHeaders, poolHeaders, unpoolHeaders } from "./header-pool";
import { HiddenRequest } from "./hidden-request";
import type { AcceptingServer } from "./stand-in";

/** Node's own fields of a request, and the method by which its parser hands over raw headers. */
type OpenMessage = EngineRequest & {
  readonly _readableState: object;
  _dumped: boolean;
  parser: null;
  _addHeaderLines(lines: readonly string[], count: number): void;
};

/** Where a request that is made again comes from. */
export interface RequestSource {
  /** Its socket. */
  readonly stream: NetSocket;
  readonly server: AcceptingServer;
  /** Upgrade requests are left unread by Node; others have been answered, and are over. */
  readonly isUpgrade: boolean;
}

const urls = new StringPool(1024, 512);

/** Whether this runtime's IncomingMessage can be made from parts. */
export const canDefer =
  typeof (IncomingMessage.prototype as Partial<OpenMessage>)._addHeaderLines === "function";

/** The state of a stream that was read to its end and closed. */
const OVER = {
  ended: true,
  endEmitted: true,
  autoDestroy: true,
  destroyed: true,
  closed: true,
  closeEmitted: true,
};

/** What has been built of it. */
interface Built {
  headers?: IncomingMessage["headers"];
  query?: EngineRequest["_query"];
  request?: EngineRequest;
}

export class DeferredRequest extends HiddenRequest implements PooledHeaders {
  readonly shared: PooledHeaders["shared"];
  readonly own: PooledHeaders["own"];
  private readonly ownUrl: string;
  private built: Built | undefined = undefined;

  /** @param original of HTTP/1.1, and without a body */
  constructor(
    original: EngineRequest,
    private readonly source: RequestSource,
  ) {
    super();
    const { shared, own } = poolHeaders(original.rawHeaders);
    this.shared = shared;
    this.own = own;
    this.ownUrl = urls.intern(original.url as string);
  }

  get request(): EngineRequest {
    const built = this.memory();
    built.request ??= this.make(this.source.stream);
    return built.request;
  }

  get isShown(): boolean {
    return this.built?.request !== undefined;
  }

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

  get _query(): EngineRequest["_query"] {
    const built = this.memory();
    if (built.request === undefined) {
      built.query ??= parseQuery(this.ownUrl);
      return built.query;
    }
    return built.request._query;
  }

  /** These objects have been read of the original. */
  remember(headers: IncomingMessage["headers"], query: EngineRequest["_query"]): void {
    this.built = { headers, query };
  }

  private memory(): Built {
    this.built ??= {};
    return this.built;
  }

  private make(socket: NetSocket | null): EngineRequest {
    const request = new IncomingMessage(socket as NetSocket) as OpenMessage;
    const raw = unpoolHeaders(this);
    const { server, isUpgrade } = this.source;
    Object.assign(request, {
      method: "GET",
      url: this.ownUrl,
      httpVersion: "1.1",
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      upgrade: isUpgrade,
      joinDuplicateHeaders: server.joinDuplicateHeaders,
    });
    request._addHeaderLines(raw, raw.length);
    request.complete = true;
    if (isUpgrade) {
      request.parser = null;
      request.push(null); // it has no body
    } else {
      request.res = null;
      request._dumped = true;
      Object.assign(request._readableState, OVER);
    }
    const { headers, query } = this.memory();
    if (headers !== undefined) {
      request.headers = headers;
    }
    request._query = query ?? parseQuery(this.ownUrl);
    return request;
  }
}
