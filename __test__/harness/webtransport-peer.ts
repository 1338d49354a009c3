// A scripted session of WebTransport, both ends of it: the object that an HTTP/3 server would hand to the engine, and a client that
// sends and shows the bytes of its first stream. No network: the streams are TransformStream pairs, as the W3C's specification has them.

import {
  ReadableStream,
  type ReadableStreamDefaultController,
  type ReadableStreamDefaultReader,
  TransformStream,
  type WritableStreamDefaultWriter,
} from "node:stream/web";
import { closeClientAfterTest } from "./cleanup";
import { within } from "./events";

/** What `engine.onWebTransportSession` is given. */
export interface WebTransportSession {
  ready: Promise<void>;
  closed: Promise<unknown>;
  incomingBidirectionalStreams: ReadableStream<any>;
  close(info?: unknown): void;
}

/** One packet as it came from the server. */
export interface ReceivedPacket {
  isBinary: boolean;
  data: Buffer;
  text: string;
}

/** Which header a packet is given; the shortest that fits is the default. */
export type Header = "short" | "16 bits" | "64 bits";

/** A packet with its header. */
export function packet(content: string | Uint8Array, header?: Header): Buffer {
  const data = Buffer.from(content as string);
  const binaryBit = typeof content === "string" ? 0 : 0x80;
  return Buffer.concat([headerBytes(data.length, binaryBit, header), data]);
}

/** A header alone, for a length that nothing has to have. */
export function headerBytes(length: number | bigint, binaryBit = 0, header?: Header): Buffer {
  const form = header ?? (length < 126 ? "short" : length < 65_536 ? "16 bits" : "64 bits");
  if (form === "short") {
    return Buffer.from([binaryBit | Number(length)]);
  }
  if (form === "16 bits") {
    const bytes = Buffer.from([binaryBit | 126, 0, 0]);
    bytes.writeUInt16BE(Number(length), 1);
    return bytes;
  }
  const bytes = Buffer.alloc(9);
  bytes[0] = binaryBit | 127;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

export class WebTransportPeer {
  /** The server's end. */
  readonly session: WebTransportSession;
  /** How often the server has called `close()`. */
  serverCloses = 0;
  readonly #closedByServer: Promise<void>;
  #noteServerClose!: () => void;
  #settleClosed!: { resolve(info: unknown): void; reject(error: Error): void };
  #streams!: ReadableStreamDefaultController<unknown>;
  #toServer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #fromServer: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #received = Buffer.alloc(0);
  #hasEnded = false;

  constructor() {
    this.#closedByServer = new Promise((resolve) => {
      this.#noteServerClose = resolve;
    });
    const closed = new Promise((resolveClosed, reject) => {
      this.#settleClosed = { resolve: resolveClosed, reject };
    });
    this.session = {
      ready: Promise.resolve(),
      closed,
      incomingBidirectionalStreams: new ReadableStream({
        start: (controller) => {
          this.#streams = controller;
        },
      }),
      close: () => {
        this.serverCloses += 1;
        this.#end();
        this.#settleClosed.resolve({ closeCode: 0, reason: "" });
        this.#noteServerClose();
      },
    };
    closeClientAfterTest(() => this.close());
  }

  /** A client that has sent `first` on its first stream; the engine has been given its session. */
  static connect(engine: unknown, first: string = "0"): WebTransportPeer {
    const peer = new WebTransportPeer();
    // npm's types know the method, sio-rs's tests reach it through them.
    void (engine as { onWebTransportSession(session: unknown): unknown }).onWebTransportSession(
      peer.session,
    );
    peer.openStream();
    peer.send(first);
    return peer;
  }

  /** Resolves when the server has called `close()`. */
  get closedByServer(): Promise<void> {
    return within(this.#closedByServer, "the server did not close the session");
  }

  /** Opens a stream; the first one is that of this peer. */
  openStream(): void {
    if (this.#hasEnded) {
      return; // refused before it came so far
    }
    const upward = new TransformStream<Uint8Array, Uint8Array>();
    const downward = new TransformStream<Uint8Array, Uint8Array>();
    this.#streams.enqueue({ readable: upward.readable, writable: downward.writable });
    if (this.#toServer === undefined) {
      this.#toServer = upward.writable.getWriter();
      this.#fromServer = downward.readable.getReader();
      this.#toServer.closed.catch(() => {});
      this.#fromServer.closed.catch(() => {});
    }
  }

  /** Sends packets, text or binary, each as a chunk. */
  send(...contents: (string | Uint8Array)[]): void {
    for (const content of contents) {
      this.sendBytes(packet(content));
    }
  }

  /** Sends one chunk of bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    // Refused once the server has closed; what matters is what the server does.
    this.#toServer?.write(Uint8Array.from(bytes)).catch(() => {});
  }

  /** Ends this side of the stream; the session stays. */
  endStream(): void {
    this.#toServer?.close().catch(() => {});
  }

  /** Resets this side of the stream. */
  resetStream(): void {
    this.#toServer?.abort(new Error("reset")).catch(() => {});
  }

  /** Takes nothing more that the server writes, for good. */
  refuseReading(): void {
    this.#fromServer?.cancel(new Error("not wanted")).catch(() => {});
  }

  /** The next packet of the server. */
  async next(): Promise<ReceivedPacket> {
    for (;;) {
      const found = this.#takePacket();
      if (found !== undefined) {
        return found;
      }
      const read = (this.#fromServer as ReadableStreamDefaultReader<Uint8Array>).read();
      const { value, done } = await within(read, "no packet came over WebTransport");
      if (done) {
        throw new Error("the stream of WebTransport has ended");
      }
      this.#received = Buffer.concat([this.#received, value]);
    }
  }

  /** The text of the next packet. */
  async nextText(): Promise<string> {
    const { isBinary, text } = await this.next();
    return isBinary ? `(binary) ${text}` : text;
  }

  /** Reads the packets that come until `text` does, and returns those before it. */
  async readUntil(text: string): Promise<string[]> {
    const before: string[] = [];
    for (;;) {
      const next = await this.nextText();
      if (next === text) {
        return before;
      }
      before.push(next);
    }
  }

  /** The client ends the session. */
  close(): void {
    this.#end();
    this.#settleClosed.resolve({ closeCode: 0, reason: "" });
  }

  /** The session is lost. */
  fail(): void {
    this.#end();
    this.session.closed.catch(() => {});
    this.#settleClosed.reject(new Error("connection lost"));
  }

  #takePacket(): ReceivedPacket | undefined {
    const bytes = this.#received;
    const first = bytes[0];
    if (first === undefined) {
      return undefined;
    }
    const shortLength = first & 0x7f;
    const start = shortLength < 126 ? 1 : shortLength === 126 ? 3 : 9;
    if (bytes.length < start) {
      return undefined;
    }
    const length =
      start === 1
        ? shortLength
        : start === 3
          ? bytes.readUInt16BE(1)
          : Number(bytes.readBigUInt64BE(1));
    if (bytes.length < start + length) {
      return undefined;
    }
    this.#received = bytes.subarray(start + length);
    const data = bytes.subarray(start, start + length);
    return { isBinary: first >= 0x80, data, text: data.toString() };
  }

  /** What the end of a session does to its streams. */
  #end(): void {
    if (this.#hasEnded) {
      return;
    }
    this.#hasEnded = true;
    this.#streams.close();
    this.#toServer?.abort(new Error("the session has ended")).catch(() => {});
    this.#fromServer?.cancel(new Error("the session has ended")).catch(() => {});
  }
}
