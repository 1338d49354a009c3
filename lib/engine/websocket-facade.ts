/**
 * What users see as `conn.transport.socket`: the `ws` object of the npm package of that name, over a stream that the core owns.
 *
 * Frames sent with it go past the engine, behind the packets that were given to the core before. What the peer sends below the packets is
 * told by the core as soon as somebody listens, and not before.
 */
import type { Duplex } from "node:stream";
import {
  FRAME_COMPRESS,
  FRAME_FINAL,
  FRAME_NOTIFY,
  WATCH_CLOSE,
  WATCH_HEARTBEATS,
  WATCH_HELD,
  WATCH_MESSAGES,
} from "../commands";
import { PERMESSAGE_DEFLATE } from "./deflate";
import type { Session } from "./session";
import type { WebSocketTransport } from "./transports";
import { WebSocketEvents } from "./websocket-events";
import {
  bytesOf,
  closePayload,
  controlPayload,
  EMPTY,
  OPCODE,
  protocolError,
} from "./websocket-frames";

/** States of a WebSocket by number. */
const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"] as const;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** RFC 6455 section 7.1.5: a close frame without a code. */
const NO_STATUS = 1005;
/** The same: the stream has ended without a close frame. */
const ABNORMAL = 1006;

/** What has to be asked of the core for a listener of each event. */
const WATCHED: Readonly<Record<string, number | undefined>> = Object.assign(Object.create(null), {
  close: WATCH_CLOSE,
  ping: WATCH_HEARTBEATS,
  pong: WATCH_HEARTBEATS,
  message: WATCH_MESSAGES,
});

/** Called once the bytes were handed to the kernel, or with the reason why they never will be. */
export type FrameCallback = (error?: Error) => void;

/** Options of {@link WebSocketFacade.send}. */
export interface FrameOptions {
  /** Binary instead of text; by the type of the data. */
  binary?: boolean;
  /** It may be compressed; true. */
  compress?: boolean;
  /** No further fragment of the message follows; true. */
  fin?: boolean;
  /** Accepted and ignored: what a server sends is never masked. */
  mask?: boolean;
}

const BINARY_TYPES = ["nodebuffer", "arraybuffer", "fragments", "blob"] as const;

/** How binary messages are given to `message` listeners. */
export type BinaryType = (typeof BINARY_TYPES)[number];

export class WebSocketFacade extends WebSocketEvents {
  /** What was asked of the core. */
  private watched = 0;
  private paused = false;
  private type: BinaryType = "nodebuffer";
  /** The last fragment sent was not the last of its message. */
  private isInMessage = false;
  /** Bytes that were sent after the end, which `ws` counts as buffered. */
  private unsent = 0;
  /** Callbacks of the frames that the core has not reported yet, in order. */
  private callbacks: FrameCallback[] = [];
  private closeCode = ABNORMAL;
  private closeReason: Buffer = EMPTY;

  private readonly session: Session;
  private readonly transport: WebSocketTransport;

  constructor(session: Session, transport: WebSocketTransport) {
    super();
    this.session = session;
    this.transport = transport;
  }

  get readyState(): number {
    const { readyState } = this.transport;
    return readyState === "closed" ? CLOSED : readyState === "closing" ? CLOSING : OPEN;
  }

  /** Bytes that were sent and that the kernel has not taken. */
  get bufferedAmount(): number {
    return this.session._pendingBytes() + this.unsent;
  }

  get binaryType(): BinaryType {
    return this.type;
  }

  set binaryType(type: BinaryType) {
    if (BINARY_TYPES.includes(type)) {
      this.type = type;
    }
  }

  /** Whether reading was stopped with {@link WebSocketFacade.pause}. */
  get isPaused(): boolean {
    return this.paused;
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

  /**
   * Sends a ping. `mask` is accepted and ignored: what a server sends is never masked.
   *
   * @throws RangeError when the data has more than 125 bytes
   */
  ping(data?: any, mask?: boolean | FrameCallback, callback?: FrameCallback): void {
    this.sendControl(OPCODE.ping, data, mask, callback);
  }

  /**
   * Sends a pong; those that answer a ping go out by themselves.
   *
   * @throws RangeError when the data has more than 125 bytes
   */
  pong(data?: any, mask?: boolean | FrameCallback, callback?: FrameCallback): void {
    this.sendControl(OPCODE.pong, data, mask, callback);
  }

  /**
   * Sends a message, or a fragment of one, that the engine knows nothing of.
   *
   * @throws TypeError when the data is neither text nor bytes
   */
  send(data: any, options?: FrameOptions | FrameCallback, callback?: FrameCallback): void {
    const done = typeof options === "function" ? options : callback;
    const { binary, compress, fin } = (typeof options === "function" ? undefined : options) ?? {};
    const payload = bytesOf(data);
    if (this.readyState !== OPEN) {
      this.refuse(payload, done);
      return;
    }
    const isBinary = binary ?? (typeof data !== "string" && typeof data !== "number");
    const opcode = this.isInMessage ? OPCODE.continuation : isBinary ? OPCODE.binary : OPCODE.text;
    this.isInMessage = fin === false;
    const flags = (fin === false ? 0 : FRAME_FINAL) | (compress === false ? 0 : FRAME_COMPRESS);
    this.sendFrame(opcode, flags, payload, done);
  }

  /**
   * Starts the closing handshake; the session ends with `transport close`.
   *
   * @throws TypeError when the code is none that may be sent, or the reason is neither text nor bytes
   * @throws RangeError when the reason has more than 123 bytes
   */
  close(code?: number, reason?: string | Uint8Array): void {
    if (this.readyState === OPEN) {
      const payload = closePayload(code, reason);
      this.transport._beginClose();
      this.session._commands.frame(this.conn, OPCODE.close, FRAME_FINAL, payload);
    }
  }

  /** Drops the stream at once; the session ends with `transport close`. */
  terminate(): void {
    if (this.readyState !== CLOSED) {
      this.transport._beginClose();
      this._socket.destroy();
    }
  }

  /** Stops reading from the peer, heartbeats included. */
  pause(): void {
    this.setPaused(true);
  }

  /** Goes on reading. */
  resume(): void {
    this.setPaused(false);
  }

  /** The core tells of a frame that was watched. */
  onFrame(opcode: number, payload: Buffer): void {
    switch (opcode) {
      case OPCODE.close:
        this.closeCode = payload.length < 2 ? NO_STATUS : payload.readUInt16BE();
        this.closeReason = payload.subarray(2);
        break;
      case OPCODE.ping:
        this.emit("ping", payload);
        break;
      case OPCODE.pong:
        this.emit("pong", payload);
        break;
      case OPCODE.binary:
        this.emit("message", this.binaryOf(payload), true);
        break;
      default:
        this.emit("message", payload, false);
    }
  }

  /** The core has handed over `count` more of the frames whose sender wants to know. */
  onFramesSent(count: number): void {
    for (const callback of this.callbacks.splice(0, count)) {
      callback();
    }
  }

  /** The peer broke the protocol. */
  onFailed(description: string): void {
    if (this.listenerCount("error") > 0) {
      this.emit("error", protocolError(description));
    }
  }

  /** Called when the stream is closed. */
  onStreamEnded(): void {
    for (const callback of this.callbacks.splice(0)) {
      callback(new Error("The stream was closed before the frame had left"));
    }
    this.emit("close", this.closeCode, this.closeReason);
  }

  protected override onListener(event: string | symbol): void {
    const watched = (typeof event === "string" ? WATCHED[event] : undefined) ?? 0;
    if ((watched & ~this.watched) !== 0) {
      this.watched |= watched;
      this.tellCore();
    }
  }

  private get conn(): number {
    return this.transport.carrier.conn;
  }

  private setPaused(isPaused: boolean): void {
    if (this.readyState !== CLOSED && this.paused !== isPaused) {
      this.paused = isPaused;
      this.tellCore();
    }
  }

  private tellCore(): void {
    if (this.readyState !== CLOSED) {
      this.session._commands.watch(this.conn, this.watched | (this.paused ? WATCH_HELD : 0));
    }
  }

  /** The callback may stand in the place of any argument that is left out. */
  private sendControl(
    opcode: number,
    data: any,
    mask: boolean | FrameCallback | undefined,
    callback: FrameCallback | undefined,
  ): void {
    const done = [data, mask].find((argument) => typeof argument === "function") ?? callback;
    const content = typeof data === "function" ? undefined : data;
    if (this.readyState !== OPEN) {
      this.refuse(bytesOf(content), done);
    } else {
      this.sendFrame(opcode, FRAME_FINAL, controlPayload(content), done);
    }
  }

  private sendFrame(
    opcode: number,
    flags: number,
    payload: Uint8Array,
    callback: FrameCallback | undefined,
  ): void {
    if (callback !== undefined) {
      this.callbacks.push(callback);
    }
    const notify = callback === undefined ? 0 : FRAME_NOTIFY;
    this.session._commands.frame(this.conn, opcode, flags | notify, payload);
  }

  /** What is sent after the end counts as buffered for ever, as with `ws`. */
  private refuse(payload: Uint8Array, callback: FrameCallback | undefined): void {
    const { readyState } = this;
    this.unsent += payload.byteLength;
    if (callback !== undefined) {
      const message = `WebSocket is not open: readyState ${readyState} (${STATES[readyState]})`;
      process.nextTick(callback, new Error(message));
    }
  }

  private binaryOf(bytes: Buffer): Buffer | ArrayBuffer | Buffer[] | Blob {
    switch (this.type) {
      case "arraybuffer":
        return new Uint8Array(bytes).buffer;
      case "fragments":
        return [bytes];
      case "blob":
        return new Blob([new Uint8Array(bytes)]);
      default:
        return bytes;
    }
  }
}
