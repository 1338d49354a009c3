/**
 * What users see as `conn.transport.socket`: the part of a `ws` object that has a meaning while the core owns the stream.
 *
 * There is no `ping`, `pong` and no raw `send`: frames are the core's alone.
 */
import type { Duplex } from "node:stream";
import { PERMESSAGE_DEFLATE } from "./deflate";
import { LazyEmitter } from "./lazy-emitter";
import type { Session } from "./session";
import type { WebSocketTransport } from "./transports";

/** By the transport's state; the numbers of the WebSocket API. */
const READY_STATES = { open: 1, closing: 2, closed: 3 } as const;
/** RFC 6455 section 7.1.5: the stream has ended and no close code is known. */
const NO_STATUS = 1005;

export class WebSocketFacade extends LazyEmitter {
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  readonly binaryType = "nodebuffer";
  readonly isPaused = false;

  constructor(
    private readonly session: Session,
    private readonly transport: WebSocketTransport,
  ) {
    super();
  }

  get readyState(): number {
    return READY_STATES[this.transport.readyState];
  }

  /** Bytes that were sent and that the kernel has not taken. */
  get bufferedAmount(): number {
    return this.session._pendingBytes();
  }

  /** The extensions that the 101 named. */
  get extensions(): string {
    return this.transport.carrier.isCompressed ? PERMESSAGE_DEFLATE : "";
  }

  /** The subprotocol that the 101 named. */
  get protocol(): string {
    return this.transport.carrier.subprotocol;
  }

  /** The stream under the WebSocket, as `req.socket`. */
  get _socket(): Duplex {
    return this.transport.carrier.stream;
  }

  /** Starts the closing handshake; the session ends with `transport close`. */
  close(): void {
    this.transport.close();
  }

  /** Drops the stream at once; the session ends with `transport close`. */
  terminate(): void {
    this.transport.carrier.stream.destroy();
  }

  /** Called when the stream is closed. */
  onStreamEnded(): void {
    this.emit("close", NO_STATUS, Buffer.alloc(0));
  }
}
