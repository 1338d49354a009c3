/**
 * A session as users see it: engine.io's `Socket`, the object that socket.io has as `conn`. Here are its identity, its handshake request
 * and what is written to it; how it lives and ends is told in session.ts.
 */
import type { IncomingMessage } from "node:http";
import { runApart } from "../async-context";
import { COMPRESS, NOTIFY } from "../commands";
import type { CloseReason } from "../link";
import { peerEnd } from "./endpoint";
import { type Content, contentOf, textOfFrame } from "./message";
import { Outgoing, type SendCallback } from "./outgoing";
import type { Packet } from "./payload";
import type { EngineRequest } from "./request";
import type { Server } from "./server";
import { Session, TEXT_ONLY } from "./session";
import { AnsweredRequest, HiddenRequest } from "./unseen";
import { WATCHES_MESSAGES, WATCHES_PACKETS, WATCHES_WRITES } from "./watched-emitter";

/** Options of {@link Socket.send}. */
export interface SendOptions {
  /** Whether a poll response with this packet may be compressed; true. */
  compress?: boolean;
  [key: string]: unknown;
}

/** The socket.io layer's object for a session, which wants to know some things about it. */
export interface RequestUser {
  /** Called before `conn.request` is replaced, so that what was to be built from it later is built now. */
  beforeRequestReplaced(): void;
  /** Called when somebody begins to watch what is written, so that native broadcasts leave the session out. */
  onWritesWatched(): void;
}

/** An own property, so that `delete conn.request` works; shared, so that it costs nothing. */
const requestProperty: PropertyDescriptor = {
  enumerable: true,
  configurable: true,
  get(this: Socket) {
    const { _request: request } = this;
    return request instanceof HiddenRequest ? request.request : request;
  },
  set(this: Socket, request: EngineRequest) {
    this._requestUser?.beforeRequestReplaced();
    this._request = request;
  },
};

export class Socket extends Session {
  /** The request of the handshake; null over WebTransport, which has none. May be replaced or deleted to save memory. */
  declare request: IncomingMessage;
  /** The peer's address when the session was opened. Undefined where there is none (unix sockets), though engine.io's types do not say so. */
  readonly remoteAddress: string;
  _request: EngineRequest | HiddenRequest | null;
  /** The socket.io layer's object for this session, if it wants to know. */
  _requestUser: RequestUser | undefined = undefined;

  constructor(
    readonly id: string,
    server: Server,
    req: EngineRequest | null,
    readonly protocol: 3 | 4,
  ) {
    super(server);
    this._request = req;
    this.remoteAddress = peerEnd(req?.socket ?? req?.connection).address as string; // made by hand, a request may have the older name alone
    Object.defineProperty(this, "request", requestProperty);
    this.setBit(TEXT_ONLY, Boolean(req?._query.b64));
  }

  override onMessage(data: string | Buffer): void {
    if (this._requestUser === undefined || this.has(WATCHES_MESSAGES | WATCHES_PACKETS)) {
      runApart(super.onMessage, this, data);
    } else {
      super.onMessage(data);
    }
  }

  /** Has `request` looked for when somebody first asks for it. */
  _hideRequest(request: HiddenRequest): void {
    this._request = request;
  }

  /** What can be read of `request` without asking for it. */
  get _requestFacts(): IncomingMessage | HiddenRequest | null {
    return this._request instanceof HiddenRequest && Object.hasOwn(this, "request")
      ? this._request
      : this.request;
  }

  /** Packets that no transport has taken yet. From the first reading on all writes are counted. */
  get writeBuffer(): Packet[] {
    this.watch(WATCHES_WRITES);
    return this.observedWrites().buffer;
  }

  set writeBuffer(packets: Packet[]) {
    this.observedWrites().buffer = packets;
  }

  /** Callbacks of the packets in `writeBuffer`. */
  get packetsFn(): SendCallback[] {
    return this.outgoing?.callbacks ?? [];
  }

  /** Callbacks of the packets that were handed over and not reported yet, batch by batch. */
  get sentCallbackFn(): SendCallback[][] {
    return this.outgoing?.takenCallbacks ?? [];
  }

  /** Sends a message: text, or binary data; anything else is turned into text. */
  send(data: any, options?: SendOptions | SendCallback | null, callback?: SendCallback): this {
    return this.write(data, options, callback);
  }

  /** The same as {@link Socket.send}. */
  write(data: any, options?: SendOptions | SendCallback | null, callback?: SendCallback): this {
    if (this.readyState === "closing" || this.readyState === "closed") {
      return this;
    }
    const done = typeof options === "function" ? options : callback;
    const given = typeof options === "function" ? undefined : options;
    const compress = given?.compress !== false;
    if (given) {
      given.compress = compress; // seen by the caller, as with engine.io
    }
    // Without a GET packets may wait long, and `writeBuffer` has to show them to whoever looks for the first time.
    const isPolling = this.carrier === undefined;
    if (typeof done === "function" || isPolling || this._observed()) {
      this.writeObserved([data], given ?? { compress }, done);
    } else {
      this._sendMessage(this.contentOf(data, given), compress);
    }
    return this;
  }

  /** Writes a text packet and its attachments with all events, and gives them to the core as one unit that nothing can separate. */
  _writeUnit(parts: readonly any[], options: SendOptions): void {
    if (this.write !== plainWrite) {
      for (const part of parts) {
        this.write(part, options); // patched: it is to see every packet
      }
    } else if (this.readyState === "open") {
      options.compress = options.compress !== false;
      this.writeObserved(parts, options, undefined);
    }
  }

  /** Functions that engine.io runs when the transport changes; here there are none. */
  get cleanupFn(): (() => void)[] {
    return [];
  }

  /** engine.io's internal name of `send`; only messages can be sent by hand. */
  sendPacket(type: string, data?: any, options?: SendOptions, callback?: SendCallback): void {
    if (type === "message") {
      this.write(data, options, callback);
    }
  }

  /** engine.io's internal name for ending a session with an error of its transport. */
  onError(error: Error): void {
    this._end("transport error", error);
  }

  /** engine.io's internal name for ending a session. */
  onClose(reason: CloseReason, description?: Error): void {
    this._end(reason, description);
  }

  /** engine.io's internal name for giving the transport what is buffered; the core does that by itself. */
  flush(): void {}

  /** Whether somebody watches the writes of this session, so that they must take {@link Socket.write} with its events. */
  _observed(): boolean {
    return this.has(WATCHES_WRITES) || this.server._watchesWrites || this.write !== plainWrite;
  }

  override _sendMessage(content: Content, compress: boolean): void {
    const parts = typeof content === "string" ? content : [content];
    this._commands.send(this._slot, parts, compress ? COMPRESS : 0);
    this._stamp(1, true);
  }

  private writeObserved(
    parts: readonly any[],
    options: SendOptions,
    callback: SendCallback | undefined,
  ): void {
    const packets = parts.map((data): Packet => {
      const packet: Packet = { type: "message", options };
      if (data) {
        packet.data = data;
      }
      this.emit("packetCreate", packet);
      return packet;
    });
    if (this.readyState !== "open") {
      return; // a listener has closed the session
    }
    const isTaken = this._canWrite();
    const isReported = this.carrier !== undefined; // a polling transport takes its packets in sight of JavaScript
    const flags = (options.compress ? COMPRESS : 0) | (isReported ? NOTIFY : 0);
    this._commands.send(
      this._slot,
      packets.map(({ data }) => this.contentOf(data, options)),
      flags,
    );
    this._stamp(packets.length, true);
    this.observedWrites().add(packets, callback, isTaken);
  }

  /** The message to send: `data`, unless an adapter has prepared the frame that goes out over a WebSocket. */
  private contentOf(data: any, options: SendOptions | undefined | null): Content {
    const frame = options?.wsPreEncodedFrame;
    const isUsed =
      frame !== undefined && this.carrier !== undefined && !this.server.opts.perMessageDeflate;
    return (isUsed ? textOfFrame(frame) : undefined) ?? contentOf(data);
  }

  protected override onMoved(): void {
    if (this._request instanceof AnsweredRequest) {
      this._request.release();
    }
  }

  protected override onWritesWatched(): void {
    this._requestUser?.onWritesWatched();
  }

  private observedWrites(): Outgoing {
    this.outgoing ??= new Outgoing(this);
    return this.outgoing;
  }
}

/** To see whether somebody has patched it. */
const plainWrite = Socket.prototype.write;
