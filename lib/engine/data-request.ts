/**
 * The body of one POST on its way in: the limit, the abort, the bytes in the end.
 *
 * Its listeners are shared functions; a request finds its state under a symbol.
 */
import type { ServerResponse } from "node:http";
import * as inTransport from "./in-transport";
import type { EngineRequest } from "./request";

/** Who is told what becomes of the body. */
export interface DataReceiver {
  /** The whole body has arrived. */
  [inTransport.onBody](request: DataRequest, body: Buffer): void;
  /** The body is longer than allowed; the rest of it is ignored. */
  [inTransport.onBodyTooLarge](request: DataRequest): void;
  /** The connection was lost before the end. */
  [inTransport.onBodyAborted](request: DataRequest): void;
}

const EMPTY = Buffer.alloc(0);

const kDataRequest = Symbol("data request");

type Tagged = EngineRequest & { [kDataRequest]?: DataRequest };

export class DataRequest {
  /** Its first `length` bytes have arrived. One buffer, because a peer may send a body byte by byte, and each byte would be an object. */
  private body: Buffer = EMPTY;
  private length = 0;

  constructor(
    private readonly receiver: DataReceiver,
    readonly req: EngineRequest,
    readonly res: ServerResponse,
    private readonly limit: number,
  ) {
    (req as Tagged)[kDataRequest] = this;
    req.on("data", onData);
    req.on("end", onEnd);
    req.on("close", onClose);
  }

  /** Drops the request and its connection. */
  destroy(): void {
    this.release();
    this.req.destroy();
  }

  add(chunk: Buffer | string): void {
    // A middleware may have chosen an encoding.
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    const start = this.length;
    this.length += bytes.length;
    if (this.length > this.limit) {
      this.release();
      this.body = EMPTY;
      this.receiver[inTransport.onBodyTooLarge](this);
    } else if (start === 0) {
      this.body = bytes; // nearly every body comes in one piece
    } else {
      if (this.length > this.body.length) {
        const grown = Buffer.allocUnsafe(this.length * 2);
        this.body.copy(grown, 0, 0, start);
        this.body = grown;
      }
      bytes.copy(this.body, start);
    }
  }

  end(): void {
    this.release();
    const body = this.body.subarray(0, this.length);
    this.body = EMPTY;
    this.receiver[inTransport.onBody](this, body);
  }

  abort(): void {
    this.release();
    this.receiver[inTransport.onBodyAborted](this);
  }

  /** Node emits `close` after a normal end too. */
  private release(): void {
    const { req } = this;
    (req as Tagged)[kDataRequest] = undefined;
    req.removeListener("data", onData);
    req.removeListener("end", onEnd);
    req.removeListener("close", onClose);
  }
}

function onData(this: Tagged, chunk: Buffer | string): void {
  this[kDataRequest]?.add(chunk);
}

function onEnd(this: Tagged): void {
  this[kDataRequest]?.end();
}

function onClose(this: Tagged): void {
  this[kDataRequest]?.abort();
}
