/**
 * A byte bridge: JavaScript pumps the bytes of a Duplex to the core and back. What the bytes mean is the core's affair.
 *
 * Back-pressure goes both ways: the core says when to stop reading, and learns how much of what it wrote the stream has taken.
 */
import type { Duplex } from "node:stream";
import type { Link } from "../link";
import type { Carrier, Opening } from "./carrier";
import { writeError } from "./errors";
import * as inTransport from "./in-transport";
import { logFrame, logTransport } from "./log";
import type { WebSocketTransport } from "./transports";

/** Bytes that a bridge hands to the core before it waits for word: what two reads of Node bring. */
export const MAX_UNREAD_BYTES = 128 * 1024;

/** The optional methods of a net.Socket. */
type Tunable = Duplex & {
  setTimeout?(milliseconds: number): void;
  setNoDelay?(isOn: boolean): void;
};

export class Bridge implements Carrier {
  readonly conn: number;
  readonly subprotocol: string;
  readonly isCompressed: boolean;
  hasEnded = false;
  failure: Error | undefined = undefined;
  transport: WebSocketTransport | undefined = undefined;
  /** Bytes handed to the core since it last said that it had taken all. */
  private unread = 0;
  /** Lengths of the writes that the stream has not taken; it takes them in order. */
  private readonly untaken: number[] = [];
  private readonly onTaken = (error?: Error | null): void => {
    const length = this.untaken.shift();
    if (this.hasEnded) {
      return;
    }
    if (error) {
      this.failure ??= writeError(error);
      this.link.commands.connDestroy(this.conn);
    } else if (length !== undefined) {
      this.link.commands.bridgeAck(this.conn, length);
    }
  };

  constructor(
    private readonly link: Link,
    readonly stream: Duplex,
    input: Buffer,
    { role, slot, response, subprotocol, deflate }: Opening,
  ) {
    this.subprotocol = subprotocol;
    this.isCompressed = deflate !== undefined;
    (stream as Tunable).setTimeout?.(0);
    (stream as Tunable).setNoDelay?.(true);
    this.conn = link.bridge(role, slot, response, input, this, deflate);
    stream.on("data", (chunk: Buffer | string) => {
      if (!this.hasEnded) {
        this.onChunk(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      }
    });
    stream.on("end", () => {
      if (!this.hasEnded) {
        link.commands.bridgeEof(this.conn);
      }
    });
    stream.on("close", () => {
      if (!this.hasEnded) {
        link.commands.connDestroy(this.conn);
      }
    });
    stream.resume(); // it may have been paused before
  }

  /** JavaScript reads faster than the core decodes, so the stream waits for it after every so many bytes. */
  private onChunk(chunk: Buffer): void {
    this.unread += chunk.length;
    const isAhead = this.unread > MAX_UNREAD_BYTES;
    if (isAhead) {
      this.stream.pause();
    }
    this.link.commands.bridgeData(this.conn, chunk, isAhead);
  }

  destroy(): void {
    this.stream.destroy();
  }

  onConnEnded(): void {
    this.hasEnded = true;
    logTransport(this, "closed");
    this.transport?.[inTransport.onStreamEnded]();
    const { stream } = this;
    if (stream.writableEnded && !stream.writableFinished) {
      stream.once("finish", () => stream.destroy());
    } else {
      stream.destroy();
    }
  }

  onBridgeWrite(bytes: Buffer): void {
    if (this.link.isLeaving) {
      // No callback comes any more; the stream writes what the kernel takes, and the rest of the window may follow.
      this.stream.write(bytes);
      this.link.commands.bridgeAck(this.conn, bytes.length);
      return;
    }
    this.untaken.push(bytes.length);
    this.stream.write(bytes, this.onTaken);
  }

  onBridgeEnd(): void {
    this.stream.end();
  }

  onBridgePause(): void {
    this.stream.pause();
  }

  onBridgeResume(): void {
    this.unread = 0;
    this.stream.resume();
  }

  onBridgeDestroy(): void {
    this.stream.destroy();
  }

  onFrame(opcode: number, payload: Buffer): void {
    logFrame(this, opcode, payload);
    this.transport?.[inTransport.onFrame](opcode, payload);
  }

  onFramesSent(count: number): void {
    this.transport?.[inTransport.onFramesSent](count);
  }
}
