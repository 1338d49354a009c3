/**
 * What middlewares get as `res` for an upgrade request: enough of a ServerResponse to set headers and to refuse.
 *
 * The headers end up in the 101. Their names keep the spelling they were set with, so that `Set-Cookie` and `set-cookie` are two lines.
 */
import { EventEmitter } from "node:events";
import { validateHeaderName, validateHeaderValue } from "node:http";
import type { Duplex } from "node:stream";
import * as inTransport from "./in-transport";
import type { EngineRequest } from "./request";

/** Header values by name, as `initial_headers` and `headers` listeners get them. */
export type HeaderTable = Record<string, string | number | readonly string[]>;

export class UpgradeResponse extends EventEmitter {
  /** A status line is never written; middlewares set this all the same. */
  statusCode = 200;
  /** True once the 101 is about to be written. */
  headersSent = false;
  /** The table that `initial_headers` and `headers` listeners change. */
  readonly [inTransport.table]: HeaderTable = {};

  constructor(
    readonly req: EngineRequest,
    readonly socket: Duplex,
  ) {
    super();
    // pino-http and the like learn from this event that the exchange is over.
    socket.once("close", () => this.emit("close"));
  }

  /** @throws what `ServerResponse.setHeader` throws for a name or value that is not allowed in a header */
  setHeader(name: string, value: string | number | readonly string[]): this {
    validateHeader(name, value);
    this[inTransport.table][name] = value;
    return this;
  }

  appendHeader(name: string, value: string | readonly string[]): this {
    const present = this[inTransport.table][name];
    return this.setHeader(
      name,
      present === undefined ? value : [present, value].flat().map(String),
    );
  }

  getHeader(name: string): string | number | readonly string[] | undefined {
    return this[inTransport.table][name];
  }

  getHeaders(): HeaderTable {
    return { ...this[inTransport.table] };
  }

  getHeaderNames(): string[] {
    return Object.keys(this[inTransport.table]);
  }

  hasHeader(name: string): boolean {
    return Object.hasOwn(this[inTransport.table], name);
  }

  removeHeader(name: string): void {
    delete this[inTransport.table][name];
  }

  /** Called by the engine before the 101: `on-headers` wraps it to add its headers last. */
  writeHead(): this {
    this.headersSent = true;
    return this;
  }

  write(): boolean {
    return true;
  }

  flushHeaders(): void {}

  /** A middleware refuses the upgrade: nothing is written, the client sees the connection close. */
  end(): this {
    this.emit("finish");
    this.socket.destroy();
    return this;
  }
}

/** @throws the error of Node's own check: a line break in a value would let it write headers of its own */
export function validateHeader(name: string, value: string | number | readonly string[]): void {
  validateHeaderName(name);
  for (const line of Array.isArray(value) ? (value as readonly string[]) : [value]) {
    validateHeaderValue(name, String(line));
  }
}
