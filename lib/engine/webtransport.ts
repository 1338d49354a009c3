/**
 * WebTransport: sessions that an HTTP/3 server of the user's has accepted, objects of the shape that the W3C gives them.
 *
 * A session's first bidirectional stream carries the packets; its first packet opens an Engine.IO session, or names one that is to move
 * here. Which packets there are on the stream, and what they mean, is the core's affair; here are the streams and the closing of them.
 */
import type {
  ReadableStream,
  ReadableStreamDefaultReader,
  WritableStream,
  WritableStreamDefaultWriter,
} from "node:stream/web";
import { TransformStream } from "node:stream/web";
import debugModule from "debug";
import { Framing, type Link, Role } from "../link";
import { MAX_UNREAD_BYTES } from "./bridge";
import type { StreamCarrier } from "./carrier";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { logTransport, logUpgradeRefusal } from "./log";
import type { Server } from "./server";
import type { Session } from "./session";
import { generateSessionId } from "./session-id";
import { Socket } from "./socket";
import { StreamTransport } from "./transports";

const engineDebug = debugModule("engine");
const debug = debugModule("engine:webtransport");

/** A stream that both sides write to. */
export interface BidirectionalStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** What is used of a session of WebTransport. */
export interface WebTransportSession {
  /** The streams that the client opens. */
  readonly incomingBidirectionalStreams: ReadableStream<BidirectionalStream>;
  /** Settled when the session has ended. */
  readonly closed: Promise<unknown>;
  close(): void;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** The packet that a stream began with. */
interface FirstPacket {
  /** Undefined when it is a binary one. */
  text: string | undefined;
  /** What came behind it. */
  rest: Buffer;
}

/** Serves a session, or closes it. */
export async function acceptWebTransport(
  server: Server,
  session: WebTransportSession,
): Promise<void> {
  if (server.middlewares.length > 0) {
    engineDebug("closing session since WebTransport is not compatible with middlewares");
    closeSession(session);
    return;
  }
  let reader: Reader | undefined;
  let isLate = false;
  const refuse = (): void => {
    server[inEngine.tally].refusals.handshake += 1;
    reader?.cancel().catch(ignore);
    closeSession(session);
  };
  const timer = setTimeout(() => {
    engineDebug("the client failed to establish a bidirectional stream in the given period");
    isLate = true;
    refuse();
  }, server.opts.upgradeTimeout);
  try {
    const first = await session.incomingBidirectionalStreams.getReader().read();
    if (first.done || isLate) {
      engineDebug("session is closed");
      return;
    }
    reader = first.value.readable.getReader();
    const packet = await readFirstPacket(reader, server);
    if (!isLate && !openSession(server, session, first.value, reader, packet)) {
      refuse();
    }
  } catch (error) {
    engineDebug("the handshake has failed: %s", (error as Error).message);
    refuse();
  } finally {
    clearTimeout(timer);
  }
}

/** @throws an Error when the stream fails, or what it brings is no packet; undefined when it ends before the packet does */
async function readFirstPacket(reader: Reader, server: Server): Promise<FirstPacket | undefined> {
  let bytes = Buffer.alloc(0);
  let chunks: Uint8Array[] = [];
  let length = 0;
  let wanted = 1;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return undefined;
    }
    chunks.push(value);
    length += value.byteLength;
    if (length < wanted) {
      continue;
    }
    bytes = Buffer.concat(chunks);
    chunks = [bytes];
    const prefix = server[inEngine.link].packetPrefix(bytes, server.opts.maxHttpBufferSize);
    const end = prefix === null ? length + 1 : prefix.start + prefix.length;
    if (prefix !== null && length >= end) {
      const packet = bytes.subarray(prefix.start, end);
      const text = prefix.isBinary ? undefined : new TextDecoder().decode(packet);
      return { text, rest: bytes.subarray(end) };
    }
    wanted = end;
  }
}

/** Opens a session, or has one try to move; false when the packet asks for neither. */
function openSession(
  server: Server,
  webTransport: WebTransportSession,
  stream: BidirectionalStream,
  reader: Reader,
  packet: FirstPacket | undefined,
): boolean {
  if (packet?.text?.[0] !== "0") {
    engineDebug("invalid WebTransport handshake");
    return false;
  }
  const { text, rest } = packet;
  const carrierFor = (session: Session, role: Role): WebTransportCarrier =>
    new WebTransportCarrier(
      server[inEngine.link],
      webTransport,
      stream,
      reader,
      role,
      session,
      rest,
    );
  if (text.length === 1) {
    // Without a request there is nothing to ask `generateId` or `allowRequest` about.
    const session = new Socket(generateSessionId(), server, null, 4);
    engineDebug('handshaking client "%s" (WebTransport)', session.id);
    session[inEngine.open]();
    session[inEngine.setCarrier](carrierFor(session, Role.Direct));
    server[inEngine.register](session);
    session[inEngine.tellOpening]();
    server.emit("connection", session);
    return true;
  }
  const sid = sidOf(text.slice(1));
  const session = sid && Object.hasOwn(server.clients, sid) ? server.clients[sid] : undefined;
  if (!session) {
    engineDebug("invalid WebTransport handshake");
    return false;
  }
  if (!session[inEngine.canUpgrade]()) {
    logUpgradeRefusal(session);
    return false;
  }
  session[inEngine.expectCandidate](false); // it has no request that could ask for anything
  session[inEngine.setCandidate](carrierFor(session, Role.Candidate));
  return true;
}

/** The sid that an open packet names, if it does. */
function sidOf(json: string): string | undefined {
  try {
    const { sid } = JSON.parse(json);
    return typeof sid === "string" ? sid : undefined;
  } catch {
    return undefined;
  }
}

/** Moves the bytes of one stream between its session of WebTransport and the core. */
class WebTransportCarrier implements StreamCarrier {
  readonly conn: number;
  readonly transport: WebTransport;
  hasEnded = false;
  private readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  /** Writes that the stream has not taken. */
  private writing = 0;
  private lastWrite: Promise<void> = Promise.resolve();
  /** Bytes handed to the core since it last said that it had taken all. */
  private unread = 0;
  private isPaused = false;
  /** Lets the reading go on. */
  private resume: () => void = ignore;
  private isClosed = false;

  constructor(
    private readonly link: Link,
    private readonly webTransport: WebTransportSession,
    stream: BidirectionalStream,
    private readonly reader: Reader,
    role: Role,
    session: Session,
    input: Buffer,
  ) {
    this.transport = new WebTransport(session, this);
    this.conn = link.messageBridge(role, session[inEngine.slot], Framing.Prefixed, this);
    // As with engine.io's encoder, a write is taken when the stream asks for more, and not only when the peer has it.
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    readable.pipeTo(stream.writable).catch(() => debug("the stream was closed"));
    this.writer = writable.getWriter();
    this.writer.closed.catch(ignore);
    const onClosed = (): void => {
      this.isClosed = true;
      this.release();
    };
    webTransport.closed.then(onClosed, onClosed);
    if (input.length > 0) {
      this.take(input);
    }
    void this.read();
  }

  get isBusy(): boolean {
    return this.writing > 0;
  }

  destroy(): void {
    this.close();
  }

  onConnEnded(): void {
    this.hasEnded = true;
    logTransport(this, "closed");
    this.resume();
    this.reader.cancel().catch(ignore);
    this.transport[inTransport.onStreamEnded]();
  }

  onBridgeWrite(bytes: Buffer): void {
    this.writing += 1;
    const onTaken = (): void => {
      this.writing -= 1;
      if (!this.hasEnded) {
        this.link.commands.bridgeAck(this.conn, bytes.length);
      }
    };
    // A stream that takes no more is no end of the session, which tells of that itself.
    this.lastWrite = this.writer.write(bytes).then(onTaken, onTaken);
  }

  /** What was written before goes first: the end of the session drops what waits. The core does not wait for that for ever. */
  onBridgeEnd(): void {
    void this.lastWrite.then(() => this.close());
  }

  onBridgePause(): void {
    this.isPaused = true;
  }

  onBridgeResume(): void {
    this.unread = 0;
    this.isPaused = false;
    this.resume();
  }

  onBridgeDestroy(): void {
    this.close();
  }

  private async read(): Promise<void> {
    try {
      for (;;) {
        if (this.isPaused) {
          await new Promise<void>((resolve) => {
            this.resume = resolve;
          });
        }
        const { value, done } = await this.reader.read();
        if (done) {
          debug("session is closed");
        }
        if (done || this.hasEnded) {
          return; // as with engine.io the session lasts until the one of WebTransport ends
        }
        this.take(value);
      }
    } catch (error) {
      debug("error while reading: %s", (error as Error).message);
    }
  }

  /** JavaScript reads faster than the core decodes, so the reading waits for it after every so many bytes. */
  private take(bytes: Uint8Array): void {
    this.unread += bytes.byteLength;
    const isAhead = this.unread > MAX_UNREAD_BYTES;
    this.isPaused ||= isAhead;
    this.link.commands.bridgeData(this.conn, bytes, isAhead);
  }

  private close(): void {
    if (!this.isClosed) {
      this.isClosed = true;
      closeSession(this.webTransport);
      this.release();
    }
  }

  /** Nothing more comes or goes. */
  private release(): void {
    if (!this.hasEnded) {
      this.link.commands.connDestroy(this.conn);
    }
  }
}

/** What users see as the transport of such a session. */
export class WebTransport extends StreamTransport {
  readonly name = "webtransport";

  readonly [inTransport.carrier]: StreamCarrier;

  constructor(session: Session, carrier: StreamCarrier) {
    super(session);
    this[inTransport.carrier] = carrier;
  }
}

/** A session may refuse to be closed twice, and that may end nothing else. */
function closeSession(session: WebTransportSession): void {
  try {
    session.close();
  } catch (error) {
    debug("the session cannot be closed: %s", (error as Error).message);
  }
}

function ignore(): void {}
