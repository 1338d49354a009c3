// A scripted WebSocket peer over a bare TCP connection: it can send what no correct client would send,
// and it shows every byte of the opening handshake and every frame as it came.

import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { once, within } from "./events";
import { openStream } from "./raw-http";

/** RFC 6455 §5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** What a frame may be bent to; the defaults make a correct client frame. */
export interface FrameShape {
  opcode?: number;
  isFinal?: boolean;
  /** The three reserved bits, RSV1 being 4. */
  reserved?: number;
  isMasked?: boolean;
  /** Written to the header in the place of the real length. */
  announcedLength?: number | bigint;
}

/** One frame that the server sent. */
export interface ReceivedFrame {
  opcode: number;
  isFinal: boolean;
  reserved: number;
  isMasked: boolean;
  payload: Buffer;
  text: string;
}

/** Encodes one client frame. */
export function frame(payload: string | Buffer = "", shape: FrameShape = {}): Buffer {
  const { opcode = OPCODE.text, isFinal = true, reserved = 0, isMasked = true } = shape;
  const body = Buffer.from(payload);
  const header: Buffer[] = [Buffer.from([(isFinal ? 0x80 : 0) | (reserved << 4) | opcode])];
  header.push(lengthBytes(shape.announcedLength ?? body.length, isMasked));
  if (!isMasked) {
    return Buffer.concat([...header, body]);
  }
  const mask = randomBytes(4);
  const masked = Buffer.from(body.map((byte, index) => byte ^ (mask[index % 4] as number)));
  return Buffer.concat([...header, mask, masked]);
}

function lengthBytes(length: number | bigint, isMasked: boolean): Buffer {
  const maskBit = isMasked ? 0x80 : 0;
  if (length < 126) {
    return Buffer.from([maskBit | Number(length)]);
  }
  if (length < 65_536) {
    const bytes = Buffer.from([maskBit | 126, 0, 0]);
    bytes.writeUInt16BE(Number(length), 1);
    return bytes;
  }
  const bytes = Buffer.alloc(9);
  bytes[0] = maskBit | 127;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

/** A close frame with a code and a reason. */
export function closeFrame(code?: number, reason: string | Buffer = ""): Buffer {
  if (code === undefined) {
    return frame("", { opcode: OPCODE.close });
  }
  const codeBytes = Buffer.alloc(2);
  codeBytes.writeUInt16BE(code);
  return frame(Buffer.concat([codeBytes, Buffer.from(reason)]), { opcode: OPCODE.close });
}

export interface OpeningHandshake {
  path?: string;
  method?: string;
  /** Replaces headers of the default handshake; `undefined` leaves one out. */
  headers?: Record<string, string | undefined>;
  /** The lines of the request, written as they are in the place of all that stands above. */
  lines?: string[];
  /** Sent in the same segment as the request. */
  trailing?: Buffer;
}

const DEFAULT_PATH = "/socket.io/?EIO=4&transport=websocket";

/** The request of RFC 6455 §1.2, with the key of that section. */
export function openingHandshake(options: OpeningHandshake = {}): Buffer {
  const lines = options.lines ?? requestLines(options);
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return Buffer.concat([head, options.trailing ?? Buffer.alloc(0)]);
}

function requestLines(options: OpeningHandshake): string[] {
  const headers: Record<string, string | undefined> = {
    Host: "127.0.0.1",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...options.headers,
  };
  const lines = [`${options.method ?? "GET"} ${options.path ?? DEFAULT_PATH} HTTP/1.1`];
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) {
      lines.push(`${name}: ${value}`);
    }
  }
  return lines;
}

export class RawWebSocket {
  /** The response's head, status line included, as it came. */
  head = "";
  readonly stream: Socket;
  #unread = Buffer.alloc(0);
  /** What came behind `#unread`: joined to it when enough is there, for a long frame must not be copied at each arrival. */
  #arrived: Buffer[] = [];
  /** How many bytes the next frame takes, as far as that is known. */
  #needed = 2;
  #ended = false;
  /** Emits `change` whenever bytes or the end arrived. */
  readonly #arrivals = new EventEmitter();

  private constructor(stream: Socket) {
    this.stream = stream;
    stream.on("data", (chunk) => {
      this.#arrived.push(chunk);
      this.#arrivals.emit("change");
    });
    for (const event of ["end", "close"]) {
      stream.on(event, () => {
        this.#ended = true;
        this.#arrivals.emit("change");
      });
    }
  }

  /** Performs the opening handshake, which must be answered 101. */
  static async open(port: number, options: OpeningHandshake = {}): Promise<RawWebSocket> {
    const peer = new RawWebSocket(await openStream(port));
    peer.write(openingHandshake(options));
    await peer.#until(
      () => peer.#joined().includes("\r\n\r\n"),
      "no answer to the opening handshake",
    );
    const end = peer.#unread.indexOf("\r\n\r\n");
    peer.head = peer.#unread.subarray(0, end).toString("latin1");
    peer.#unread = peer.#unread.subarray(end + 4);
    if (!peer.head.startsWith("HTTP/1.1 101 ")) {
      throw new Error(`not a 101: ${peer.head}`);
    }
    return peer;
  }

  /** Opens a session, reads the `open` packet and joins namespace `/`. */
  static async join(port: number, options: OpeningHandshake = {}): Promise<RawWebSocket> {
    const peer = await RawWebSocket.open(port, options);
    await peer.expectText(/^0\{/);
    peer.send("40");
    let { text } = await peer.nextFrame();
    if (text === "2") {
      ({ text } = await peer.nextFrame()); // a short interval, or a busy machine
    }
    expect(text).toMatch(/^40\{/);
    return peer;
  }

  write(bytes: Buffer): void {
    this.stream.write(bytes);
  }

  /** Sends one frame; text unless `shape` says otherwise. */
  send(payload?: string | Buffer, shape?: FrameShape): void {
    this.write(frame(payload, shape));
  }

  /** The next frame of the server. */
  async nextFrame(): Promise<ReceivedFrame> {
    const received = await this.nextFrameOrEnd();
    if (received === undefined) {
      throw new Error("the server ended the connection where a frame was expected");
    }
    return received;
  }

  /** The same; undefined when the server has ended the connection instead. */
  async nextFrameOrEnd(): Promise<ReceivedFrame | undefined> {
    let received: ReceivedFrame | undefined;
    await this.#until(() => {
      received = this.#takeFrame();
      return received !== undefined;
    }, "no frame came");
    return received;
  }

  /** The next frame, which must be a text frame that matches. */
  async expectText(pattern: RegExp | string): Promise<string> {
    const { opcode, text } = await this.nextFrame();
    expect(opcode).toBe(OPCODE.text);
    if (typeof pattern === "string") {
      expect(text).toBe(pattern);
    } else {
      expect(text).toMatch(pattern);
    }
    return text;
  }

  /** Reads frames until the close frame and returns its code; `undefined` for an empty one. */
  async expectClose(): Promise<number | undefined> {
    for (;;) {
      const { opcode, payload } = await this.nextFrame();
      if (opcode === OPCODE.close) {
        return payload.length === 0 ? undefined : payload.readUInt16BE();
      }
    }
  }

  /** Resolves when the server has ended the TCP connection. */
  async ended(): Promise<void> {
    await this.#until(() => this.#ended, "the server kept the connection open");
  }

  /** Asks again at each arrival until `holds()` or the end of the connection. */
  async #until(holds: () => boolean, what: string): Promise<void> {
    const arrival = async (): Promise<void> => {
      while (!holds() && !this.#ended) {
        await once(this.#arrivals, "change");
      }
    };
    await within(arrival(), what);
  }

  #takeFrame(): ReceivedFrame | undefined {
    if (!this.#hasUnread(this.#needed)) {
      return undefined;
    }
    const bytes = this.#unread;
    const [first, second] = bytes as unknown as [number, number];
    const shortLength = second & 0x7f;
    const lengthSize = shortLength === 127 ? 8 : shortLength === 126 ? 2 : 0;
    const start = 2 + lengthSize;
    if (bytes.length < start) {
      this.#needed = start;
      return undefined;
    }
    const length =
      lengthSize === 8
        ? Number(bytes.readBigUInt64BE(2))
        : lengthSize === 2
          ? bytes.readUInt16BE(2)
          : shortLength;
    if (bytes.length < start + length) {
      this.#needed = start + length;
      return undefined;
    }
    this.#needed = 2;
    const payload = Buffer.from(bytes.subarray(start, start + length));
    this.#unread = bytes.subarray(start + length);
    return {
      opcode: first & 0x0f,
      isFinal: (first & 0x80) !== 0,
      reserved: (first >> 4) & 7,
      isMasked: (second & 0x80) !== 0,
      payload,
      text: payload.toString("utf8"),
    };
  }

  /** Whether `#unread` has so many bytes. */
  #hasUnread(count: number): boolean {
    const arrived = this.#arrived.reduce((sum, { length }) => sum + length, 0);
    return this.#unread.length + arrived >= count && this.#joined().length >= count;
  }

  #joined(): Buffer {
    if (this.#arrived.length > 0) {
      this.#unread = Buffer.concat([this.#unread, ...this.#arrived]);
      this.#arrived = [];
    }
    return this.#unread;
  }
}
