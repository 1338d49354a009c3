/**
 * What users see as `conn.transport`. The core moves the bytes; these objects tell its state and take a few orders.
 *
 * The polling transport, which owns requests, has a file of its own.
 */
import { decodePacket } from "engine.io-parser";
import { COMPRESS, FOLLOWED } from "../commands";
import { letAssign } from "../own-value";
import type { Carrier, StreamCarrier } from "./carrier";
import { abortRequest, ERRORS } from "./errors";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { hasListeners, LazyEmitter } from "./lazy-emitter";
import { contentOf } from "./message";
import type { TransportName } from "./options";
import type { Packet } from "./payload";
import type { EngineRequest } from "./request";
import type { Session } from "./session";
import { WebSocketFacade } from "./websocket-facade";

/** States of a transport, in engine.io's words. */
export type TransportState = "open" | "closing" | "closed";

export abstract class Transport extends LazyEmitter {
  /** engine.io's list of what this transport can be upgraded to; see `Server.upgrades`. */
  static upgradesTo: TransportName[] = [];

  /** The name that clients ask for it by. */
  abstract readonly name: TransportName;
  /** Set when an upgrade has replaced it. */
  discarded = false;
  private [inTransport.isHeldBack] = false;
  [inTransport.session]: Session;

  /** @param session the session it carries; a polling transport is made before its own, which it gets when that is opened */
  constructor(session?: Session) {
    super();
    this[inTransport.session] = session as Session;
  }

  /** The state of the transport, which may outlive its session by a closing handshake. */
  abstract get readyState(): TransportState;

  /** Whether a volatile packet would be sent now. Set to false it stays false until it is set to true. */
  get writable(): boolean {
    return !this[inTransport.isHeldBack] && this[inTransport.session][inEngine.canWrite](this);
  }

  set writable(isWritable: boolean) {
    this[inTransport.isHeldBack] = !isWritable;
  }

  get protocol(): 3 | 4 {
    return this[inTransport.session].protocol;
  }

  get sid(): string {
    return this[inTransport.session].id;
  }

  get supportsBinary(): boolean {
    return this[inTransport.session][inEngine.supportsBinary](this);
  }

  /** Sends packets without the events of `conn.send`; over polling in one payload. */
  send(packets: Packet[]): void {
    if (this.readyState !== "open") {
      return;
    }
    const { [inTransport.session]: session } = this;
    packets.forEach(({ type, data, options }, index) => {
      const followed = index + 1 < packets.length ? FOLLOWED : 0;
      if (type === "message") {
        session[inEngine.sendMessage](contentOf(data), options?.compress === true, followed);
      } else {
        session[inEngine.sendControl](type, data, (options?.compress ? COMPRESS : 0) | followed);
      }
    });
  }

  /** engine.io's internal name for an error of the transport, which ends the session. */
  onError(message: string, description?: unknown): void {
    const error = Object.assign(new Error(message), { type: "TransportError", description });
    this[inTransport.session][inEngine.failTransport](error);
  }

  /** engine.io's internal name for a packet that has arrived: the session is given it as if the client had sent it. */
  onPacket(packet: Packet): void {
    this[inTransport.session].onPacket(packet);
    if (hasListeners(this)) {
      this.emit("packet", packet);
    }
  }

  /** engine.io's internal name for what has arrived as it is on the wire: a frame, or the body of a POST. */
  onData(data: string | Buffer): void {
    this.onPacket(decodePacket(data) as Packet);
  }

  // `once` and `prependOnceListener` end in these.

  override on(event: string | symbol, listener: (...args: any[]) => void): this {
    this[inTransport.noteListener](event);
    return super.on(event, listener);
  }

  override addListener(event: string | symbol, listener: (...args: any[]) => void): this {
    this[inTransport.noteListener](event);
    return super.addListener(event, listener);
  }

  override prependListener(event: string | symbol, listener: (...args: any[]) => void): this {
    this[inTransport.noteListener](event);
    return super.prependListener(event, listener);
  }

  protected [inTransport.noteListener](event: string | symbol): void {
    if (event === "packet") {
      this[inTransport.session][inEngine.watchTransport]("packet");
    } else if (event === "drain" || event === "ready") {
      this[inTransport.session][inEngine.watchTransport]("drain");
    }
  }

  /** Marks the transport as replaced. */
  discard(): void {
    this.discarded = true;
  }

  /** Closes the transport, and so the session, with the reason `transport close`. */
  abstract close(callback?: () => void): void;

  /** A plain request with the sid of the session. */
  abstract onRequest(req: EngineRequest): void;
}

letAssign(Transport.prototype, ["protocol", "sid", "supportsBinary"]);

/** A transport that is one stream. */
export abstract class StreamTransport extends Transport {
  /** What moves its packets. */
  abstract readonly [inTransport.carrier]: StreamCarrier;

  get readyState(): TransportState {
    if (this[inTransport.carrier].hasEnded) {
      return "closed";
    }
    return this[inTransport.session][inEngine.carries](this[inTransport.carrier])
      ? "open"
      : "closing";
  }

  override close(callback?: () => void): void {
    if (this.readyState === "open") {
      this[inTransport.session][inEngine.closeStream](this);
      callback?.();
    }
  }

  /** Called when the session ended by a fault of the peer that the core has described. */
  [inTransport.onFailed](_description: string): void {}

  /** Called by the carrier when its stream is closed. */
  [inTransport.onStreamEnded](): void {
    this.emit("close");
  }

  /** engine.io leaves such a request unanswered; it names a transport that no request can use. */
  override onRequest(req: EngineRequest): void {
    const { res } = req;
    req.res = null;
    if (res) {
      abortRequest(res, ERRORS.BAD_REQUEST);
    }
  }
}

/** A session's WebSocket. Made when somebody first asks for it. */
export class WebSocketTransport extends StreamTransport {
  readonly name = "websocket";
  private [inTransport.facade]: WebSocketFacade | undefined;
  /** The user has closed or terminated the WebSocket; the core does not know that yet. */
  private [inTransport.isClosing] = false;

  readonly [inTransport.carrier]: Carrier;

  constructor(session: Session, carrier: Carrier) {
    super(session);
    this[inTransport.carrier] = carrier;
  }

  override get readyState(): TransportState {
    const state = super.readyState;
    return this[inTransport.isClosing] && state === "open" ? "closing" : state;
  }

  get handlesUpgrades(): boolean {
    return true;
  }

  /** What engine.io has as the `ws` object. */
  get socket(): WebSocketFacade {
    this[inTransport.facade] ??= new WebSocketFacade(this[inTransport.session], this);
    return this[inTransport.facade];
  }

  override close(callback?: () => void): void {
    if (this.readyState === "open") {
      this.socket.close();
      callback?.();
    }
  }

  /** Called by the WebSocket when the user closes it. */
  [inTransport.beginClose](): void {
    this[inTransport.isClosing] = true;
  }

  override [inTransport.onFailed](description: string): void {
    this[inTransport.facade]?.[inTransport.onFailed](description);
  }

  [inTransport.onFrame](opcode: number, payload: Buffer): void {
    this[inTransport.facade]?.[inTransport.onFrame](opcode, payload);
  }

  [inTransport.onFramesSent](count: number): void {
    this[inTransport.facade]?.[inTransport.onFramesSent](count);
  }

  override [inTransport.onStreamEnded](): void {
    this[inTransport.facade]?.[inTransport.onStreamEnded]();
    super[inTransport.onStreamEnded]();
  }
}

letAssign(WebSocketTransport.prototype, ["socket"]);
