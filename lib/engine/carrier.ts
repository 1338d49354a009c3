/**
 * Who moves the bytes of a WebSocket: the core, on the adopted descriptor of the stream, or JavaScript, over a byte bridge.
 *
 * The core can take a plain TCP or unix stream. Everything else is bridged: TLS (whose handle has a descriptor too: adopting it would write
 * plain frames into the TLS stream), streams that are no sockets, Windows and other runtimes without descriptors, a stream that still owes
 * the response of a pipelined request, and the moment when no descriptor is left.
 */
import { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import type { Link, Role, StreamSink } from "../link";
import type { DeflateParameters } from "../native";
import { Bridge } from "./bridge";
import { adopt } from "./husk";
import type { StreamTransport } from "./transports";

/** What stands for the stream of a session in JavaScript. */
export interface StreamCarrier extends StreamSink {
  /** The stream's number in the core. */
  readonly conn: number;
  /** The stream is closed. */
  readonly hasEnded: boolean;
  /** Made when somebody asks for it. */
  transport: StreamTransport | undefined;
  /** Packets are on their way out, so nothing volatile is taken. Of streams that JavaScript writes packets to. */
  readonly isBusy?: boolean;
  /** Why the stream has failed, where JavaScript knows it better than the core. */
  readonly failure?: Error | undefined;
  /** Drops the stream. */
  destroy(): void;
}

/** What stands for the stream of a WebSocket. */
export interface Carrier extends StreamCarrier {
  /** What `req.socket` is. Destroying it drops the stream. */
  readonly stream: Duplex;
  /** The subprotocol named in the 101. */
  readonly subprotocol: string;
  /** The 101 agreed to compression. */
  readonly isCompressed: boolean;
}

/** What the core is told of a stream. */
export interface Opening {
  role: Role;
  slot: number;
  /** The 101, which the core writes before any frame. */
  response: string;
  subprotocol: string;
  /** The compression that it agrees to. */
  deflate: DeflateParameters | undefined;
  /** Nobody holds the stream or its request, so another object may stand for it. */
  isUnseen: boolean;
}

/** Node's own fields of a net.Socket that decide. */
export interface AdoptableSocket extends NetSocket {
  _handle: AdoptableHandle | null;
  _httpMessage?: object | null;
  encrypted?: boolean;
  _bytesDispatched: number;
  _getsockname(): object;
  _sockname?: object;
}

export interface AdoptableHandle {
  readonly fd?: number;
  readonly writeQueueSize?: number;
  onread?: unknown;
  readStop?(): void;
  close(): void;
}

/** libuv's io_uring lost 0 to 16 of 5,000 adopted streams on Node 20; later lines have it switched off. */
const hasUnsafeLoop =
  process.env.UV_USE_IO_URING === "1" && process.versions.node.startsWith("20.");

/** Sockets of Bun's http server have none, alive or not; Node's and Deno's lose it when they are closed or taken over. */
const haveSocketsHandles = process.versions.bun === undefined;

/** Whether a stream can still carry anything: the peer may have reset or half-closed it while middlewares ran. */
export function isAlive(stream: Duplex): boolean {
  return (
    !stream.destroyed &&
    stream.readable &&
    stream.writable &&
    (!haveSocketsHandles || (stream as Partial<AdoptableSocket>)._handle !== null)
  );
}

/**
 * Gives a stream to the core. Called with a live stream, after everything asynchronous: the bytes that arrived so far and the descriptor
 * must be taken in one go.
 */
export function carry(
  link: Link,
  stream: Duplex,
  head: Buffer,
  opening: Opening,
  mode: "auto" | "bridge",
): Carrier {
  const isBridged =
    mode === "bridge" || process.env.SIO_RS_CARRIER === "bridge" || !isAdoptable(stream);
  const input = drainInput(stream, head);
  const husk = isBridged ? undefined : adopt(link, stream as AdoptableSocket, input, opening);
  return husk ?? new Bridge(link, stream, input, opening);
}

function isAdoptable(stream: Duplex): stream is AdoptableSocket {
  if (hasUnsafeLoop || !(stream instanceof NetSocket)) {
    return false;
  }
  const socket = stream as AdoptableSocket;
  const handle = socket._handle;
  const kind = handle?.constructor?.name;
  return (
    (kind === "TCP" || kind === "Pipe") &&
    !socket.encrypted &&
    (handle?.fd ?? -1) >= 0 &&
    !socket._httpMessage &&
    socket.writableLength === 0 &&
    (handle?.writeQueueSize ?? 0) === 0
  );
}

/** The bytes that came with the request, and those that arrived since. */
function drainInput(stream: Duplex, head: Buffer): Buffer {
  const chunks = head.length > 0 ? [head] : [];
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) {
    chunks.push(
      typeof chunk === "string" ? Buffer.from(chunk, stream.readableEncoding ?? undefined) : chunk,
    );
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
