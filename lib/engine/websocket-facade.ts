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
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
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
  private [inTransport.watched] = 0;
  private [inTransport.paused] = false;
  private [inTransport.type]: BinaryType = "nodebuffer";
  /** The last fragment sent was not the last of its message. */
  private [inTransport.isInMessage] = false;
  /** Bytes that were sent after the end, which `ws` counts as buffered. */
  private [inTransport.unsent] = 0;
  /** Callbacks of the frames that the core has not reported yet, in order. */
  private [inTransport.callbacks]: FrameCallback[] = [];
  private [inTransport.closeCode] = ABNORMAL;
  private [inTransport.closeReason]: Buffer = EMPTY;

  private readonly [inTransport.session]: Session;
  private readonly [inTransport.transport]: WebSocketTransport;

  constructor(session: Session, transport: WebSocketTransport) {
    super();
    this[inTransport.session] = session;
    this[inTransport.transport] = transport;
  }

  get readyState(): number {
    const { readyState } = this[inTransport.transport];
    return readyState === "closed" ? CLOSED : readyState === "closing" ? CLOSING : OPEN;
  }

  /** Bytes that were sent and that the kernel has not taken. */
  get bufferedAmount(): number {
    return this[inTransport.session][inEngine.pendingBytes]() + this[inTransport.unsent];
  }

  get binaryType(): BinaryType {
    return this[inTransport.type];
  }

  set binaryType(type: BinaryType) {
    if (BINARY_TYPES.includes(type)) {
      this[inTransport.type] = type;
    }
  }

  /** Whether reading was stopped with {@link WebSocketFacade.pause}. */
  get isPaused(): boolean {
    return this[inTransport.paused];
  }

  /** The extensions that the 101 named. */
  get extensions(): string {
    return this[inTransport.transport][inTransport.carrier].isCompressed ? PERMESSAGE_DEFLATE : "";
  }

  /** The subprotocol that the 101 named. */
  get protocol(): string {
    return this[inTransport.transport][inTransport.carrier].subprotocol;
  }

  /** The stream under the WebSocket, as `req.socket`. */
  get _socket(): Duplex {
    return this[inTransport.transport][inTransport.carrier].stream;
  }

  /**
   * Sends a ping. `mask` is accepted and ignored: what a server sends is never masked.
   *
   * @throws RangeError when the data has more than 125 bytes
   */
  ping(data?: any, mask?: boolean | FrameCallback, callback?: FrameCallback): void {
    this[inTransport.sendControl](OPCODE.ping, data, mask, callback);
  }

  /**
   * Sends a pong; those that answer a ping go out by themselves.
   *
   * @throws RangeError when the data has more than 125 bytes
   */
  pong(data?: any, mask?: boolean | FrameCallback, callback?: FrameCallback): void {
    this[inTransport.sendControl](OPCODE.pong, data, mask, callback);
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
      this[inTransport.refuse](payload, done);
      return;
    }
    const isBinary = binary ?? (typeof data !== "string" && typeof data !== "number");
    const opcode = this[inTransport.isInMessage]
      ? OPCODE.continuation
      : isBinary
        ? OPCODE.binary
        : OPCODE.text;
    this[inTransport.isInMessage] = fin === false;
    const flags = (fin === false ? 0 : FRAME_FINAL) | (compress === false ? 0 : FRAME_COMPRESS);
    this[inTransport.sendFrame](opcode, flags, payload, done);
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
      this[inTransport.transport][inTransport.beginClose]();
      this[inTransport.session][inEngine.commands].frame(
        this[inTransport.conn],
        OPCODE.close,
        FRAME_FINAL,
        payload,
      );
    }
  }

  /** Drops the stream at once; the session ends with `transport close`. */
  terminate(): void {
    if (this.readyState !== CLOSED) {
      this[inTransport.transport][inTransport.beginClose]();
      this._socket.destroy();
    }
  }

  /** Stops reading from the peer, heartbeats included. */
  pause(): void {
    this[inTransport.setPaused](true);
  }

  /** Goes on reading. */
  resume(): void {
    this[inTransport.setPaused](false);
  }

  /** The core tells of a frame that was watched. */
  [inTransport.onFrame](opcode: number, payload: Buffer): void {
    switch (opcode) {
      case OPCODE.close:
        this[inTransport.closeCode] = payload.length < 2 ? NO_STATUS : payload.readUInt16BE();
        this[inTransport.closeReason] = payload.subarray(2);
        break;
      case OPCODE.ping:
        this.emit("ping", payload);
        break;
      case OPCODE.pong:
        this.emit("pong", payload);
        break;
      case OPCODE.binary:
        this.emit("message", this[inTransport.binaryOf](payload), true);
        break;
      default:
        this.emit("message", payload, false);
    }
  }

  /** The core has handed over `count` more of the frames whose sender wants to know. */
  [inTransport.onFramesSent](count: number): void {
    for (const callback of this[inTransport.callbacks].splice(0, count)) {
      callback();
    }
  }

  /** The peer broke the protocol. */
  [inTransport.onFailed](description: string): void {
    if (this.listenerCount("error") > 0) {
      this.emit("error", protocolError(description));
    }
  }

  /** Called when the stream is closed. */
  [inTransport.onStreamEnded](): void {
    for (const callback of this[inTransport.callbacks].splice(0)) {
      callback(new Error("The stream was closed before the frame had left"));
    }
    this.emit("close", this[inTransport.closeCode], this[inTransport.closeReason]);
  }

  protected override [inTransport.onListener](event: string | symbol): void {
    const watched = (typeof event === "string" ? WATCHED[event] : undefined) ?? 0;
    if ((watched & ~this[inTransport.watched]) !== 0) {
      this[inTransport.watched] |= watched;
      this[inTransport.tellCore]();
    }
  }

  private get [inTransport.conn](): number {
    return this[inTransport.transport][inTransport.carrier].conn;
  }

  private [inTransport.setPaused](isPaused: boolean): void {
    if (this.readyState !== CLOSED && this[inTransport.paused] !== isPaused) {
      this[inTransport.paused] = isPaused;
      this[inTransport.tellCore]();
    }
  }

  private [inTransport.tellCore](): void {
    if (this.readyState !== CLOSED) {
      this[inTransport.session][inEngine.commands].watch(
        this[inTransport.conn],
        this[inTransport.watched] | (this[inTransport.paused] ? WATCH_HELD : 0),
      );
    }
  }

  /** The callback may stand in the place of any argument that is left out. */
  private [inTransport.sendControl](
    opcode: number,
    data: any,
    mask: boolean | FrameCallback | undefined,
    callback: FrameCallback | undefined,
  ): void {
    const done = [data, mask].find((argument) => typeof argument === "function") ?? callback;
    const content = typeof data === "function" ? undefined : data;
    if (this.readyState !== OPEN) {
      this[inTransport.refuse](bytesOf(content), done);
    } else {
      this[inTransport.sendFrame](opcode, FRAME_FINAL, controlPayload(content), done);
    }
  }

  private [inTransport.sendFrame](
    opcode: number,
    flags: number,
    payload: Uint8Array,
    callback: FrameCallback | undefined,
  ): void {
    if (callback !== undefined) {
      this[inTransport.callbacks].push(callback);
    }
    const notify = callback === undefined ? 0 : FRAME_NOTIFY;
    this[inTransport.session][inEngine.commands].frame(
      this[inTransport.conn],
      opcode,
      flags | notify,
      payload,
    );
  }

  /** What is sent after the end counts as buffered for ever, as with `ws`. */
  private [inTransport.refuse](payload: Uint8Array, callback: FrameCallback | undefined): void {
    const { readyState } = this;
    this[inTransport.unsent] += payload.byteLength;
    if (callback !== undefined) {
      const message = `WebSocket is not open: readyState ${readyState} (${STATES[readyState]})`;
      process.nextTick(callback, new Error(message));
    }
  }

  private [inTransport.binaryOf](bytes: Buffer): Buffer | ArrayBuffer | Buffer[] | Blob {
    switch (this[inTransport.type]) {
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
