/**
 * A session as users see it: engine.io's `Socket`, the object that socket.io has as `conn`. Here are its identity, its handshake request
 * and what is written to it; how it lives and ends is told in session.ts.
 */
import type { IncomingMessage } from "node:http";
import { runApart } from "../async-context";
import { COMPRESS, EXPENDABLE, FOLLOWED, NOTIFY } from "../commands";
import type { CloseReason } from "../link";
import { letAssign } from "../own-value";
import { tellWhenReplaced } from "../replaceable";
import { packetsSentTo } from "../sent-records";
import { peerEnd } from "./endpoint";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { logSending, logsWrites } from "./log";
import { type Content, contentOf, isBinary, textOfFrame } from "./message";
import { Outgoing, type SendCallback } from "./outgoing";
import { DIGIT_ZERO, type Packet, type PacketType, typeIndex } from "./payload";
import type { PollingTransport } from "./polling";
import type { EngineRequest } from "./request";
import { lendWebSocket } from "./request-websocket";
import type { Server } from "./server";
import { Session, TEXT_ONLY } from "./session";
import { AnsweredRequest, HiddenRequest } from "./unseen";
import { packetOfSent, readWaiting, unknownPacket, type WaitingInCore } from "./waiting-packets";
import {
  WATCHES_BUFFER,
  WATCHES_MESSAGES,
  WATCHES_PACKETS,
  WATCHES_WRITES,
} from "./watched-emitter";

/** Options of {@link Socket.send}. */
export interface SendOptions {
  /** Whether a poll response with this packet may be compressed; true. */
  compress?: boolean;
  [key: string]: unknown;
}

/** The socket.io layer's object for a session, which wants to know some things about it. */
export interface RequestUser {
  /** Called before `conn.request` is replaced, so that what was to be built from it later is built now. */
  [inEngine.beforeRequestReplaced](): void;
  /** Called before `conn.request` is shown to somebody for the first time, who may change it: what was to be read of it later is read now. */
  [inEngine.beforeRequestShown](): void;
  /** Called when somebody begins to watch what is written, so that native broadcasts leave the session out. */
  [inEngine.onWritesWatched](): void;
}

/** An own property, so that `delete conn.request` works; shared, so that it costs nothing. */
const requestProperty: PropertyDescriptor = {
  enumerable: true,
  configurable: true,
  get(this: Socket) {
    const { [inEngine.request]: request } = this;
    if (!(request instanceof HiddenRequest)) {
      return request;
    }
    if (request.isShown) {
      return request.request;
    }
    this[inEngine.requestUser]?.[inEngine.beforeRequestShown]();
    const shown = request.request;
    if ((shown as { upgrade?: boolean }).upgrade) {
      lendWebSocket(shown, this);
    }
    return shown;
  },
  set(this: Socket, request: EngineRequest) {
    this[inEngine.requestUser]?.[inEngine.beforeRequestReplaced]();
    this[inEngine.request] = request;
  },
};

export class Socket extends Session {
  /** The request of the handshake; null over WebTransport, which has none. May be replaced or deleted to save memory. */
  declare request: IncomingMessage;
  /** The peer's address when the session was opened. Undefined where there is none (unix sockets), though engine.io's types do not say so. */
  readonly remoteAddress: string;
  [inEngine.request]: EngineRequest | HiddenRequest | null;
  /** The socket.io layer's object for this session, if it wants to know. */
  [inEngine.requestUser]: RequestUser | undefined = undefined;

  constructor(
    readonly id: string,
    server: Server,
    req: EngineRequest | null,
    readonly protocol: 3 | 4,
  ) {
    super(server);
    this[inEngine.request] = req;
    this.remoteAddress = peerEnd(req?.socket ?? req?.connection).address as string; // made by hand, a request may have the older name alone
    Object.defineProperty(this, "request", requestProperty);
    this[inEngine.setBit](TEXT_ONLY, Boolean(req?._query.b64));
  }

  override [inEngine.onMessage](data: string | Buffer): void {
    if (
      this[inEngine.requestUser] === undefined ||
      this[inEngine.has](WATCHES_MESSAGES | WATCHES_PACKETS)
    ) {
      runApart(super[inEngine.onMessage], this, data);
    } else {
      super[inEngine.onMessage](data);
    }
  }

  /** Has `request` looked for when somebody first asks for it. */
  [inEngine.hideRequest](request: HiddenRequest): void {
    this[inEngine.request] = request;
  }

  /** What can be read of `request` without asking for it. */
  get [inEngine.requestFacts](): IncomingMessage | HiddenRequest | null {
    return this[inEngine.request] instanceof HiddenRequest && Object.hasOwn(this, "request")
      ? this[inEngine.request]
      : this.request;
  }

  /**
   * Packets that no transport has taken yet. What somebody puts into it is sent with the next {@link Socket.flush}; what was sent before and is
   * taken out of it is sent all the same.
   */
  get writeBuffer(): Packet[] {
    this[inEngine.watch](WATCHES_BUFFER);
    return this[inEngine.observedWrites]().buffer;
  }

  set writeBuffer(packets: Packet[]) {
    this[inEngine.watch](WATCHES_BUFFER);
    this[inEngine.observedWrites]().buffer = packets;
  }

  /** Callbacks of the packets in `writeBuffer`. */
  get packetsFn(): SendCallback[] {
    return this[inEngine.outgoing]?.callbacks ?? [];
  }

  /** Callbacks of the packets that were handed over and not reported yet, batch by batch. */
  get sentCallbackFn(): SendCallback[][] {
    return this[inEngine.outgoing]?.takenCallbacks ?? [];
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
    const isPolling = this[inEngine.carrier] === undefined;
    if (typeof done === "function" || isPolling || this[inEngine.observed]()) {
      this[inEngine.writeObserved]("message", [data], given ?? { compress }, done);
    } else {
      this[inEngine.sendMessage](this[inEngine.contentOf](data, given), compress);
    }
    return this;
  }

  /** Writes a text packet and its attachments with all events, and gives them to the core as one unit that nothing can separate. */
  [inEngine.writeUnit](parts: readonly any[], options: SendOptions): void {
    if (this.write !== plainWrite) {
      for (const part of parts) {
        this.write(part, options); // patched: it is to see every packet
      }
    } else if (this.readyState === "open") {
      options.compress = options.compress !== false;
      this[inEngine.writeObserved]("message", parts, options, undefined);
    }
  }

  /** Functions that engine.io runs when the transport changes; here there are none. */
  get cleanupFn(): (() => void)[] {
    return [];
  }

  /** Sends a packet of any type. */
  sendPacket(
    type: PacketType,
    data?: any,
    options: SendOptions | SendCallback = {},
    callback?: SendCallback,
  ): void {
    if (type === "message") {
      this.write(data, options, callback);
    } else if (this.readyState !== "closing" && this.readyState !== "closed") {
      const done = typeof options === "function" ? options : callback;
      const given = typeof options === "function" ? {} : options;
      given.compress = given.compress !== false;
      this[inEngine.writeObserved](type, [data], given, done);
    }
  }

  /** engine.io's internal name for ending a session with an error of its transport. */
  onError(error: Error): void {
    this[inEngine.endNow]("transport error", error);
  }

  /** engine.io's internal name for ending a session. */
  onClose(reason: CloseReason, description?: Error): void {
    this[inEngine.endNow](reason, description);
  }

  /** Gives the transport what is in {@link Socket.writeBuffer}, if it can take it. What was sent needs no word. */
  flush(): void {
    if (
      this.readyState !== "closed" &&
      this[inEngine.outgoing] !== undefined &&
      this[inEngine.canWrite]()
    ) {
      this[inEngine.outgoing].flush();
    }
  }

  /** Whether somebody watches the writes of this session, so that they must take {@link Socket.write} with its events. */
  override [inEngine.observed](): boolean {
    return (
      this[inEngine.has](WATCHES_WRITES) ||
      this.server[inEngine.watchesWrites] ||
      this.write !== plainWrite ||
      logsWrites()
    );
  }

  override [inEngine.sendMessage](content: Content, compress: boolean, flags = 0): void {
    const parts = typeof content === "string" ? content : [content];
    this[inEngine.commands].send(
      this[inEngine.slot],
      parts,
      flags | (compress ? COMPRESS : 0) | this[inEngine.expendableFlag](),
    );
    this[inEngine.stamp](1, true);
  }

  override [inEngine.sendControl](
    type: PacketType | undefined,
    data: unknown,
    flags: number,
  ): void {
    if (isBinary(data)) {
      this[inEngine.commands].send(this[inEngine.slot], [contentOf(data)], flags); // bytes have no type
    } else {
      const digit = typeIndex(type);
      // engine.io writes `undefined` for a type that does not exist, and no client can read it.
      if (digit < 0) {
        throw new TypeError(`there are no packets of type ${type}`);
      }
      this[inEngine.commands].packet(
        this[inEngine.slot],
        DIGIT_ZERO + digit,
        data ? `${data}` : "",
        flags,
      );
    }
    this[inEngine.stamp](1, true);
  }

  override [inEngine.givePacket]({ type, data, options }: Packet, isFollowed = false): void {
    const flags =
      (options?.compress ? COMPRESS : 0) |
      (this[inEngine.isReported] ? NOTIFY : 0) |
      (isFollowed ? FOLLOWED : 0);
    if (type === "message") {
      this[inEngine.commands].send(
        this[inEngine.slot],
        [this[inEngine.contentOf](data, options)],
        flags,
      );
      this[inEngine.stamp](1, true);
    } else {
      this[inEngine.sendControl](type, data, flags);
    }
  }

  override [inEngine.takeStock](outgoing: Outgoing): void {
    const { [inEngine.carrier]: carrier, transport } = this;
    if (this[inEngine.slot] < 0) {
      return;
    }
    if (carrier === undefined) {
      // A ping of the core's own may wait without JavaScript having been told.
      const mayWait =
        (transport as PollingTransport)[inTransport.mayHold]() || this[inEngine.pendingBytes]() > 0;
      const waiting = mayWait ? this[inEngine.askWaiting]() : undefined;
      if (waiting !== undefined) {
        outgoing.takeOver(waiting);
      }
      return;
    }
    const isBusy = this[inEngine.isBusyInTurn]();
    const ofTurn = isBusy ? this[inEngine.packetsOfTurn]() : [];
    const waiting = this[inEngine.pendingBytes]() > 0 ? this[inEngine.askWaiting]() : undefined;
    if (waiting !== undefined && waiting.before + waiting.units > 0) {
      if (waiting.packets.length < ofTurn.length) {
        waiting.packets = ofTurn; // the stream has taken the first of them already
      }
      outgoing.takeOver(waiting);
    } else if (isBusy) {
      outgoing.takeOverTurn(ofTurn);
    }
  }

  /** What the core says that waits. */
  private [inEngine.askWaiting](): WaitingInCore | undefined {
    const answer = this.server[inEngine.link].waiting(this[inEngine.slot]);
    return answer && readWaiting(answer, this.protocol);
  }

  /** What was sent in this turn and waits for its end. */
  private [inEngine.packetsOfTurn](): Packet[] {
    const count = this[inEngine.waitingInTurn]();
    if (count === 0) {
      return [];
    }
    const { commands, broadcasts } = this.server[inEngine.link];
    const packets = packetsSentTo(this[inEngine.slot], commands.recordsOfTurn(), broadcasts)
      .slice(-count)
      .map(packetOfSent);
    while (packets.length < count) {
      packets.unshift(unknownPacket());
    }
    return packets;
  }

  /** The core tells when packets have left: a polling transport takes its packets in sight of JavaScript. */
  private get [inEngine.isReported](): boolean {
    return this[inEngine.carrier] !== undefined;
  }

  private [inEngine.writeObserved](
    type: PacketType,
    parts: readonly any[],
    options: SendOptions,
    callback: SendCallback | undefined,
  ): void {
    const packets = parts.map((data): Packet => {
      logSending(type, data);
      const packet: Packet = { type, options };
      if (data) {
        packet.data = data;
      }
      this.emit("packetCreate", packet);
      return packet;
    });
    if (this.readyState !== "open") {
      return; // a listener has closed the session
    }
    const outgoing = this[inEngine.observedWrites]();
    outgoing.giveOwnFirst();
    const isTaken = this[inEngine.canWrite]();
    if (type === "message") {
      const flags =
        (options.compress ? COMPRESS : 0) |
        (this[inEngine.isReported] ? NOTIFY : 0) |
        this[inEngine.expendableFlag]();
      const contents = packets.map(({ data }) => this[inEngine.contentOf](data, options));
      this[inEngine.commands].send(this[inEngine.slot], contents, flags);
      this[inEngine.stamp](packets.length, true);
    } else {
      for (const packet of packets) {
        this[inEngine.givePacket](packet);
      }
    }
    outgoing.add(packets, callback, isTaken);
  }

  protected override [inEngine.noteControl](packet: Packet, isTaken: boolean): void {
    if (this[inEngine.observed]()) {
      this[inEngine.observedWrites]().add([packet], undefined, isTaken);
    }
  }

  /** Without a layer above, which knows better, every message can give way to newer ones where the policy asks for that. */
  private [inEngine.expendableFlag](): number {
    return this[inEngine.requestUser] === undefined &&
      this.server.opts.outbox?.policy === "drop-oldest"
      ? EXPENDABLE
      : 0;
  }

  /** The message to send: `data`, unless an adapter has prepared the frame that goes out over a WebSocket. */
  private [inEngine.contentOf](data: any, options: SendOptions | undefined | null): Content {
    const frame = options?.wsPreEncodedFrame;
    const isUsed =
      frame !== undefined &&
      this[inEngine.carrier] !== undefined &&
      !this.server.opts.perMessageDeflate;
    return (isUsed ? textOfFrame(frame) : undefined) ?? contentOf(data);
  }

  protected override [inEngine.onMoved](): void {
    if (this[inEngine.request] instanceof AnsweredRequest) {
      this[inEngine.request].release();
    }
  }

  protected override [inEngine.onWritesWatched](): void {
    if (this[inEngine.slot] >= 0) {
      this[inEngine.takeStock](this[inEngine.observedWrites]());
    }
    this[inEngine.requestUser]?.[inEngine.onWritesWatched]();
  }

  /** Somebody wants to see each write. */
  [inEngine.watchWrites](): void {
    this[inEngine.watch](WATCHES_WRITES);
  }

  private [inEngine.observedWrites](): Outgoing {
    this[inEngine.outgoing] ??= new Outgoing(this);
    return this[inEngine.outgoing];
  }
}

letAssign(Socket.prototype, ["packetsFn", "sentCallbackFn", "cleanupFn"]);

/** To see whether somebody has patched it. */
const plainWrite = Socket.prototype.write;

tellWhenReplaced(Socket.prototype, "write", (session) => session[inEngine.watchWrites]());

/** Whether somebody has patched the method of all sessions. */
export function isWritePatched(): boolean {
  return Socket.prototype.write !== plainWrite;
}
