/**
 * A message bridge: carries whole messages between the core and a WebSocket whose frames are not the core's, that of a `wsEngine`.
 *
 * The WebSocket is the user's: it answers pings, holds messages to the limit and makes the closing handshake, for which the core does not
 * wait; the core has the session.
 */
import type { Duplex } from "node:stream";
import { Framing, type Link, type Role } from "../link";
import { MAX_UNREAD_BYTES } from "./bridge";
import type { Carrier } from "./carrier";
import { transportError, writeError } from "./errors";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { logMessage, logTransport } from "./log";
import type { Session } from "./session";
import { WebSocketTransport } from "./transports";

/** Content of a message, as `ws` gives it to its listeners. */
type Received = string | Buffer | ArrayBuffer | Uint8Array | readonly Buffer[];

/** What a WebSocket of a `wsEngine` has to offer; `pause` and `resume` where it has them. */
export interface ForeignWebSocket {
  readonly readyState?: number;
  readonly protocol?: string;
  on(event: string, listener: (...args: any[]) => void): unknown;
  once(event: string, listener: (...args: any[]) => void): unknown;
  send(data: string | Buffer, callback: (error?: Error | null) => void): void;
  close(): void;
  pause?(): void;
  resume?(): void;
}

/** WebSocket's own number for it. */
const CLOSED = 3;
// The first byte of a prefix: see src/codec/engine_io/webtransport.rs.
const BINARY = 0x80;
const LENGTH = 0x7f;
const LENGTH_IN_16_BITS = 126;
const LENGTH_IN_64_BITS = 127;

export class MessageBridge implements Carrier {
  readonly conn: number;
  readonly transport: WebSocketTransport;
  readonly isCompressed = false;
  /** The WebSocket is closed, and the session has been told. */
  hasEnded = false;
  failure: Error | undefined = undefined;
  /** The core has forgotten the stream. */
  private isReleased = false;
  private isClosed = false;
  /** Messages that the WebSocket has not taken. */
  private sending = 0;
  /** Bytes handed to the core since it last said that it had taken all. */
  private unread = 0;
  private hasCloseBegun = false;

  constructor(
    private readonly link: Link,
    readonly websocket: ForeignWebSocket,
    readonly stream: Duplex,
    role: Role,
    session: Session,
  ) {
    this.transport = new ForeignTransport(session, this);
    this.conn = link.messageBridge(role, session[inEngine.slot], Framing.Whole, this);
    websocket.on("message", (data: Received, isBinary?: boolean) => {
      if (!this.isReleased) {
        this.onMessage(bytesOf(data), isBinary === true);
      }
    });
    websocket.once("close", () => this.onClosed());
    // An error that the WebSocket reports is the message of the one that users see, as with engine.io.
    websocket.on("error", (error: unknown) => this.fail(transportError(String(error))));
    if (websocket.readyState === CLOSED) {
      this.onClosed(); // while the id of the session was made
    }
  }

  get subprotocol(): string {
    return this.websocket.protocol ?? "";
  }

  get isBusy(): boolean {
    return this.sending > 0;
  }

  destroy(): void {
    this.close();
  }

  onConnEnded(): void {
    this.isReleased = true;
    this.endIfClosed();
  }

  onBridgeWrite(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const start = at;
      const first = bytes[at++] as number;
      let length = first & LENGTH;
      if (length === LENGTH_IN_16_BITS) {
        length = bytes.readUInt16BE(at);
        at += 2;
      } else if (length === LENGTH_IN_64_BITS) {
        length = Number(bytes.readBigUInt64BE(at));
        at += 8;
      }
      const end = at + length;
      const data =
        (first & BINARY) !== 0 ? bytes.subarray(at, end) : bytes.toString("utf8", at, end);
      at = end;
      this.send(data, () => this.acknowledge(end - start));
    }
  }

  onBridgeEnd(): void {
    this.close();
    this.release();
  }

  onBridgePause(): void {
    this.websocket.pause?.();
  }

  onBridgeResume(): void {
    this.unread = 0;
    this.websocket.resume?.();
  }

  onBridgeDestroy(): void {
    this.close();
  }

  /** Sends a packet. */
  send(data: string | Buffer, whenTaken?: () => void): void {
    this.sending += 1;
    const onTaken = (error?: Error | null): void => {
      this.sending -= 1;
      if (error) {
        this.fail(writeError(error));
      }
      whenTaken?.();
    };
    try {
      this.websocket.send(data, onTaken);
    } catch (error) {
      onTaken(error as Error);
    }
  }

  /** @param size bytes of a message with its prefix, which is what the core counts */
  private acknowledge(size: number): void {
    if (!this.isReleased) {
      this.link.commands.bridgeAck(this.conn, size);
    }
  }

  /** JavaScript reads faster than the core takes messages, so the WebSocket waits for it after every so many bytes. */
  private onMessage(content: Uint8Array, isBinary: boolean): void {
    logMessage(this, content, isBinary);
    this.unread += content.byteLength + 1;
    const isAhead = this.unread > MAX_UNREAD_BYTES;
    if (isAhead) {
      this.websocket.pause?.();
    }
    this.link.commands.bridgeMessage(this.conn, content, isBinary, isAhead);
  }

  /** The error is told when the core has told of all messages before it. */
  private fail(error: Error): void {
    this.failure ??= error;
    this.release();
  }

  private onClosed(): void {
    this.isClosed = true;
    this.hasCloseBegun = true;
    this.release();
    this.endIfClosed();
  }

  /** The session hears of the end before those who listen to its transport. */
  private endIfClosed(): void {
    if (this.isClosed && this.isReleased && !this.hasEnded) {
      this.hasEnded = true;
      logTransport(this, "closed");
      this.transport[inTransport.onStreamEnded]();
    }
  }

  /** Nothing more comes or goes. */
  private release(): void {
    if (!this.isReleased) {
      this.link.commands.connDestroy(this.conn);
    }
  }

  private close(): void {
    if (!this.hasCloseBegun) {
      this.hasCloseBegun = true;
      this.websocket.close();
    }
  }
}

/** The transport of such a session: its `socket` is the user's own object. */
class ForeignTransport extends WebSocketTransport {
  constructor(
    session: Session,
    private readonly bridge: MessageBridge,
  ) {
    super(session, bridge);
  }

  override get socket(): any {
    return this.bridge.websocket;
  }

  /** By way of the core, whose packets the `close` of the class would overtake. */
  override close(callback?: () => void): void {
    if (this.readyState === "open") {
      this[inTransport.session][inEngine.closeStream](this);
      callback?.();
    }
  }
}

function bytesOf(data: Received): Uint8Array {
  if (typeof data === "string") {
    return Buffer.from(data);
  }
  if (data instanceof ArrayBuffer) {
    return new Uint8Array(data);
  }
  return Array.isArray(data) ? Buffer.concat(data as Buffer[]) : (data as Uint8Array);
}
