/**
 * The life of a session on the JavaScript side: opening, what the core tells, upgrade, and the ways it ends.
 *
 * JavaScript owns what JavaScript can see, above all the ready state: `close` is emitted before `close()` returns wherever engine.io does,
 * and what the core says of a session that JavaScript has closed is dropped. The core owns the rest: outbox, heartbeat, upgrade, stream.
 * There is one per connection, so it holds no closure and no timer, and what few sessions need is made when it is needed.
 */
import debugModule from "debug";
import { currentContext } from "../async-context";
import type { CloseReason, SessionSink } from "../link";
import type { Carrier, StreamCarrier } from "./carrier";
import { transportError } from "./errors";
import { hasListeners } from "./lazy-emitter";
import * as log from "./log";
import { contentOf } from "./message";
import { MAX_OUTBOX_BYTES, type TransportName } from "./options";
import type { Outgoing } from "./outgoing";
import { DIGIT_ZERO, PACKET_TYPES, type Packet, type PacketType } from "./payload";
import { PollingTransport } from "./polling";
import { SessionBase } from "./session-base";
import { type StreamTransport, type Transport, WebSocketTransport } from "./transports";
import {
  FIRST_FREE_BIT,
  WATCHES_HEARTBEAT,
  WATCHES_PACKETS,
  WATCHES_WRITES,
} from "./watched-emitter";

const debug = debugModule("engine:socket");

/** States of a session, in engine.io's words. */
export type ReadyState = "opening" | "open" | "closing" | "closed";

const UPGRADING = FIRST_FREE_BIT;
const UPGRADED = FIRST_FREE_BIT << 1;
/** The client asked for text only (`b64`). */
export const TEXT_ONLY = FIRST_FREE_BIT << 2;
/** `connection` is still to be emitted: a polling session is announced when its handshake was answered. */
const UNANNOUNCED = FIRST_FREE_BIT << 3;
/** The user has closed the polling transport, not the session. */
const TRANSPORT_CLOSED = FIRST_FREE_BIT << 4;

/** The core's text for it; an error of the session, not of its transport. */
const INVALID_HEARTBEAT = "invalid heartbeat direction";

/** Tells who listens to the transport itself of a packet, after the session's own listeners. */
export function tellTransport(transport: Transport | undefined, packet: Packet): void {
  if (transport !== undefined && hasListeners(transport)) {
    transport.emit("packet", packet);
  }
}

export abstract class Session extends SessionBase implements SessionSink {
  abstract readonly id: string;
  abstract readonly protocol: 3 | 4;
  /** The packets somebody watches; undefined as long as nobody does. */
  protected outgoing: Outgoing | undefined = undefined;
  private _readyState: ReadyState = "opening";
  /** The polling transport, or the WebSocket's once somebody has asked for it. */
  private current: Transport | undefined = undefined;
  /** The stream that carries it, unless it is on polling. */
  protected carrier: StreamCarrier | undefined = undefined;
  /** The stream of an upgrade that is under way. */
  private candidate: StreamCarrier | undefined = undefined;

  get readyState(): ReadyState {
    return this._readyState;
  }

  set readyState(state: ReadyState) {
    if (debug.enabled) {
      debug("readyState updated from %s to %s", this._readyState, state);
    }
    this._readyState = state;
  }

  /** What carries the session now. */
  get transport(): Transport {
    this.current ??= this.transportOf(this.carrier as StreamCarrier);
    return this.current;
  }

  set transport(transport: Transport) {
    this.current = transport;
  }

  /** The name of what carries the session; asking for `transport.name` would make an object for each WebSocket. */
  get _transportName(): TransportName {
    return (this.current ?? this.carrier?.transport)?.name ?? "websocket";
  }

  /** Whether an upgrade is under way. */
  get upgrading(): boolean {
    return this.has(UPGRADING);
  }

  set upgrading(isUpgrading: boolean) {
    this.setBit(UPGRADING, isUpgrading);
  }

  /** Whether a WebSocket has replaced the polling transport; false for a session that began as one. */
  get upgraded(): boolean {
    return this.has(UPGRADED);
  }

  set upgraded(isUpgraded: boolean) {
    this.setBit(UPGRADED, isUpgraded);
  }

  get _supportsBinary(): boolean {
    return !this.has(TEXT_ONLY);
  }

  /** Transports this session may still be upgraded to. */
  getAvailableUpgrades(): TransportName[] {
    const name = this.current instanceof PollingTransport ? "polling" : "websocket";
    return this.server.upgrades(name).filter((to) => this.server.opts.transports.includes(to));
  }

  /**
   * Bytes that wait in the core for the client, or did when it last looked: what the kernel has not taken of a WebSocket, and what no GET
   * has come for. The event `drained` tells when nothing waits any more.
   */
  get bufferedAmount(): number {
    return this._pendingBytes();
  }

  /**
   * Opens the session in the core, on polling or on a WebSocket; the first packet of its transport is the open packet.
   *
   * @param sendOpen gets the content of the open packet, if it is not the core that sends it
   */
  _open(polling?: PollingTransport, sendOpen?: (handshake: string) => void): void {
    const { opts, _link } = this.server;
    if (polling !== undefined) {
      this.current = polling;
      polling._carry(this);
      polling._handshakeContext = currentContext();
      this.setBit(UNANNOUNCED, true);
    }
    this._slot = _link.openSession(this);
    this.readyState = "open";
    const { pingInterval, pingTimeout, upgradeTimeout, maxHttpBufferSize: maxPayload } = opts;
    const json = this.openContent();
    _link.commands.open(this._slot, sendOpen === undefined ? json : "", {
      websocket: polling === undefined,
      protocol: this.protocol,
      textOnly: !this._supportsBinary,
      pingInterval,
      pingTimeout,
      upgradeTimeout,
      maxPayload,
    });
    if (opts.outbox !== undefined) {
      const { maxBytes = MAX_OUTBOX_BYTES, policy = "stalled" } = opts.outbox;
      _link.commands.budget(this._slot, maxBytes, policy);
    }
    sendOpen?.(json);
    this._stamp(1, true);
    log.logOpening(json, polling === undefined);
    if (opts.initialPacket) {
      log.logSending("message", opts.initialPacket);
      this._sendMessage(contentOf(opts.initialPacket), true);
    }
  }

  /** Tells listeners of the server, who may use the session at once, that its transport has taken the open packet. */
  _tellOpening(): void {
    if (this.server._watchesWrites) {
      const data = this.openContent();
      const packet: Packet = { type: "open", data, options: { compress: true } };
      this.server.emit("flush", this, [packet]);
      this.server.emit("drain", this);
    }
  }

  private openContent(): string {
    const { pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = this.server.opts;
    const upgrades = this.getAvailableUpgrades();
    return JSON.stringify({ sid: this.id, upgrades, pingInterval, pingTimeout, maxPayload });
  }

  /** The stream that carries the session from its beginning. */
  _setCarrier(carrier: StreamCarrier): void {
    this.carrier = carrier;
    log.logCarrier(this, carrier);
  }

  /** A stream that may become the transport. */
  _setCandidate(carrier: StreamCarrier): void {
    log.logCandidate(carrier);
    this.candidate = carrier;
    this.upgrading = true;
  }

  /** Whether a WebSocket may become the transport. A session that began as one is not handed to a second (engine.io lets it be). */
  _canUpgrade(): boolean {
    return (
      this._readyState !== "closed" &&
      !this.has(UPGRADING | UPGRADED) &&
      this.current instanceof PollingTransport
    );
  }

  /** Whether a stream carries the session, or is about to. */
  _carries(carrier: StreamCarrier): boolean {
    return (
      this._readyState !== "closed" && (carrier === this.carrier || carrier === this.candidate)
    );
  }

  /** Whether a volatile packet would be sent now: nothing was in this turn, and the transport takes more. */
  _canWrite(transport = this.current): boolean {
    if (transport !== this.current || this._readyState === "closed") {
      return transport?.readyState === "open";
    }
    return transport instanceof PollingTransport
      ? transport._isWaiting() && this.broadcastsInTurn() === 0
      : this.isStreamFree() && !this.carrier?.isBusy;
  }

  override _stamp(packets = 1, isCertain = false): void {
    super._stamp(packets, isCertain);
    if (this.current instanceof PollingTransport) {
      this.current._onSend(isCertain);
    }
  }

  /** A GET was parked: it takes what is buffered. */
  _onPollParked(hadBacklog: boolean): void {
    if (this.outgoing?.buffer.length) {
      this.outgoing.flush();
    } else {
      log.logUncountedFlush(this, hadBacklog);
    }
  }

  /** An accepted packet, or `error` for an undecodable one. */
  onPacket(packet: Packet): void {
    if (this._readyState !== "open") {
      log.logLatePacket();
      return;
    }
    if (packet.type === "message") {
      this._onContent(packet.data);
      return;
    }
    log.logPacket(this, packet.type);
    if (this.has(WATCHES_PACKETS)) {
      this.emit("packet", packet);
    }
    if (packet.type === "error") {
      this._end("parse error");
    } else if (packet.type === this.clientHeartbeat) {
      this.onPolledHeartbeat();
    } else if (packet.type === "ping" || packet.type === "pong") {
      this._end("transport error", new Error(INVALID_HEARTBEAT));
    }
  }

  /** The content of a message has arrived. */
  _onContent(data: string | Buffer | undefined): void {
    log.logPacket(this, "message");
    // An empty text message has no data at all: socket.io's decoder depends on it.
    const content = data === "" ? undefined : data;
    if (this.has(WATCHES_PACKETS)) {
      this.emit("packet", content === undefined ? { type: "message" } : { type: "message", data });
    }
    this.emit("data", content);
    this.emit("message", content);
  }

  onMessage(data: string | Buffer): void {
    if (this._readyState === "open") {
      const { current } = this;
      this._onContent(data);
      tellTransport(current, { type: "message", data });
    } else {
      log.logLatePacket();
    }
  }

  onClosed(reason: CloseReason, description: string, isAwaited: boolean): void {
    if (this._readyState === "closed") {
      return; // the core has been told to close it
    }
    if (isAwaited) {
      this._commands.finish(this._slot);
    }
    const failure = this.carrier?.failure;
    if (reason === "transport close" && failure !== undefined) {
      this.failTransport(failure);
    } else if (reason === "transport error" && description !== "") {
      const { carrier } = this;
      if (description === INVALID_HEARTBEAT) {
        log.logPacket(this, this.protocol === 3 ? "pong" : "ping");
        this.finish(reason, new Error(description));
      } else {
        log.logProtocolError();
        this.failTransport(transportError(description));
        carrier?.transport?._onFailed(description);
      }
    } else if (reason === "parse error") {
      const packet: Packet = { type: "error", data: "parser error" };
      log.logPacket(this, "error");
      if (this.has(WATCHES_PACKETS)) {
        this.emit("packet", packet);
      }
      this.finish(reason);
      tellTransport(this.current, packet);
    } else {
      this.finish(this.has(TRANSPORT_CLOSED) ? "transport close" : reason);
    }
  }

  onEnded(): void {
    this.finish("transport close"); // the core has told the reason before; this is for the day it does not
    this._slot = -1;
    if (this.current instanceof PollingTransport) {
      this.current._answerLeftovers();
    }
  }

  onRespond(request: number, payload: string | Buffer, compress: boolean): void {
    if (!(this.current instanceof PollingTransport)) {
      return;
    }
    const polling = this.current;
    if (this.has(UPGRADING)) {
      log.logNoop(payload);
    }
    if (!this.has(UNANNOUNCED)) {
      polling._onRespond(request, payload, compress);
      return;
    }
    this.setBit(UNANNOUNCED, false);
    const context = polling._handshakeContext;
    polling._handshakeContext = undefined;
    context?.runInAsyncScope(() => {
      try {
        polling._onRespond(request, payload, compress);
      } catch (error) {
        // A listener of the headers: there is no session then, no answer, and the rejection is unhandled, as with engine.io.
        this.abandon();
        void Promise.reject(error);
        return;
      }
      if (this._readyState === "open") {
        this.server._announce(this);
      }
    });
  }

  onUpgrading(conn: number): void {
    const { candidate } = this;
    if (candidate?.conn !== conn || this._readyState === "closed") {
      return;
    }
    log.logProbe();
    if (this.listenerCount("upgrading") > 0) {
      this.emit("upgrading", this.transportOf(candidate));
    }
  }

  onUpgraded(conn: number): void {
    const { candidate } = this;
    if (candidate?.conn !== conn || this._readyState === "closed") {
      return;
    }
    const polling = this.current as PollingTransport;
    log.logUpgrade(polling);
    log.logCarrier(this, candidate);
    this.candidate = undefined;
    this.carrier = candidate;
    this.current = candidate.transport;
    this.upgrading = false;
    this.upgraded = true;
    this.server._tally.moved(this._transportName);
    polling.discard();
    polling._end();
    polling._answerLeftovers();
    if (this.listenerCount("upgrade") > 0) {
      this.emit("upgrade", this.transport);
    }
    this.outgoing?.flush();
    this.onMoved();
  }

  onUpgradeFailed(conn: number, failure: number): void {
    if (this.candidate?.conn === conn) {
      log.logFailedUpgrade(this.candidate, failure);
      this.server._tally.upgrades.failed += 1;
      this.candidate = undefined;
      this.upgrading = false;
    }
  }

  onHeartbeat(): void {
    if (this._readyState === "open") {
      const packet: Packet = { type: this.clientHeartbeat };
      log.logPacket(this, packet.type);
      if (this.has(WATCHES_PACKETS)) {
        this.emit("packet", packet);
      }
      if (this.protocol === 3) {
        this.emitControlSent("pong");
      }
      this.emit("heartbeat");
      tellTransport(this.current, packet);
    }
  }

  onControl(digit: number, text: string): void {
    const packet: Packet = { type: PACKET_TYPES[digit - DIGIT_ZERO] };
    if (text !== "") {
      packet.data = text;
    }
    const { current } = this;
    this.onPacket(packet);
    tellTransport(current, packet);
  }

  onPingSent(): void {
    if (this._readyState === "open") {
      this.emitControlSent("ping");
    }
  }

  onSent(count: number): void {
    if (this._readyState === "closed") {
      return;
    }
    if (count > 0) {
      this.outgoing?.onSent(count);
    } else if (this.carrier !== undefined) {
      this.emit("drained");
    }
  }

  /** Closes the session after what was sent; with `discard` at once. */
  close(discard?: boolean): void {
    if (discard && (this._readyState === "open" || this._readyState === "closing")) {
      log.logDiscard();
      try {
        this.finish(this.has(TRANSPORT_CLOSED) ? "transport close" : "forced close");
      } finally {
        // Behind the listeners of `close`, who may want to see what is lost.
        this._commands.close(this._slot, true);
      }
    }
    if (this._readyState !== "open") {
      return;
    }
    const polling = this.current instanceof PollingTransport ? this.current : undefined;
    const isHeldUp = polling === undefined && this._pendingBytes() > 0;
    if (isHeldUp) {
      this.watch(WATCHES_WRITES); // to be told when the peer has read what waits
    }
    const endsNow = polling === undefined ? !this.hasWaiting() : polling._beginClose();
    this.readyState = "closing";
    if (debug.enabled) {
      log.logClose(this.outgoing?.buffer.length ?? 0);
    }
    if (!this.outgoing?.buffer.length) {
      log.logClosing(this.carrier, this.current, endsNow ? "writable" : "not writable");
    }
    if (endsNow || !isHeldUp) {
      this._commands.close(this._slot, false);
    }
    if (endsNow) {
      this.finish("forced close");
    }
  }

  /** The user closes a stream, current or candidate, instead of the session. */
  _closeStream(transport: StreamTransport): void {
    if (transport !== this.current) {
      transport.carrier.destroy();
    } else if (this._readyState === "open") {
      this.setBit(TRANSPORT_CLOSED, true);
      this._commands.close(this._slot, false);
    }
  }

  /** The user closes the polling transport instead of the session. */
  _closePolling(endsNow: boolean): void {
    if (this._readyState === "open") {
      this.setBit(TRANSPORT_CLOSED, true);
      this._commands.close(this._slot, false);
      if (endsNow) {
        this.finish("transport close");
      }
    }
  }

  /** What was buffered is with the transport now: a session that waits to be closed is. */
  _onDrained(): void {
    if (this._readyState === "closing") {
      log.logDrainedClose(this.carrier, this.current);
      if (!(this.current instanceof PollingTransport)) {
        this._commands.close(this._slot, false);
        this.finish("forced close");
      }
    }
  }

  /** Whether packets wait behind those that the stream has got, as far as that is known in JavaScript. */
  private hasWaiting(): boolean {
    return this.outgoing === undefined
      ? this.waitingInTurn() > 0
      : this.outgoing.buffer.length > 0 || (!this._observed() && this.waitingInTurn() > 0);
  }

  /** The transport fails, by the peer's fault or the user's order. */
  _failTransport(error: Error): void {
    if (this._readyState !== "closed") {
      this._commands.close(this._slot, true);
      this.failTransport(error);
    }
  }

  private failTransport(error: Error): void {
    const { current } = this;
    this.finish("transport error", error);
    if (current !== undefined && current.listenerCount("error") > 0) {
      current.emit("error", error);
    }
  }

  /** The session ends at once. */
  _end(reason: CloseReason, description?: Error): void {
    if (this._readyState !== "closed") {
      this._commands.close(this._slot, true);
      this.finish(reason, description);
    }
  }

  /** The packet that is the client's half of the heartbeat: in protocol 3 it is the client that pings. */
  private get clientHeartbeat(): "ping" | "pong" {
    return this.protocol === 3 ? "ping" : "pong";
  }

  private onPolledHeartbeat(): void {
    if (this._slot < 0) {
      return;
    }
    this._commands.pong(this._slot);
    if (this.protocol === 3) {
      const isTaken = this.takesControl();
      this._stamp(1, true); // the core answers with a pong, which takes a GET that waits
      this.emitControlSent("pong", isTaken);
    }
    this.emit("heartbeat");
  }

  /** The events of a packet that the core has sent by itself. */
  private emitControlSent(type: "ping" | "pong", isTaken = this.takesControl()): void {
    log.logHeartbeat(this, type, isTaken);
    const packet: Packet = { type, options: { compress: true } };
    this.emit("packetCreate", packet);
    this.emit("flush", [packet]);
    this.server.emit("flush", this, [packet]);
    this.emit("drain");
    this.server.emit("drain", this);
  }

  /** Whether the transport takes a packet of the core's own at once. */
  private takesControl(): boolean {
    return !(this.current instanceof PollingTransport) || this.current._isWaiting();
  }

  /** Called when a WebSocket has replaced the polling transport. */
  protected abstract onMoved(): void;

  /** Somebody listens to what the transport tells of the packets in it. */
  _watchTransport(event: "drain" | "packet"): void {
    this.watch(event === "packet" ? WATCHES_HEARTBEAT : WATCHES_WRITES);
  }

  /** Whether somebody watches the writes of this session. */
  abstract _observed(): boolean;

  /** Gives the core a packet that somebody has put into `writeBuffer`. */
  abstract _givePacket(packet: Packet): void;

  /** Finds out what waits, for a session whose writes nobody has watched. */
  abstract _takeStock(outgoing: Outgoing): void;

  /** Sends one packet that is no message, without events. */
  abstract _sendControl(type: PacketType | undefined, data: unknown, flags: number): void;

  /** Sends one message without events. */
  abstract _sendMessage(content: string | ArrayBufferView, compress: boolean): void;

  /** The one way a session ends in JavaScript. */
  private finish(reason: CloseReason, description?: Error): void {
    if (this._readyState === "closed") {
      return;
    }
    const isFault = reason !== "forced close" && reason !== "transport close";
    const polling = this.current instanceof PollingTransport ? this.current : undefined;
    log.logEnding(reason, this.carrier, this.current);
    this.readyState = "closed";
    if (isFault) {
      log.logClosing(this.carrier, this.current);
    }
    polling?._end(!isFault);
    this.server._forget(this, reason);
    this.outgoing?.close();
    this.emit("close", reason, description);
    if (this.candidate !== undefined) {
      log.logLostCandidate(this.candidate);
    }
    this.setBit(UPGRADING, false); // an upgrade under way is engine.io's last to hear of it
    if (!isFault) {
      polling?._tellEnd();
    }
  }

  /** The session ends before anybody was told of it. */
  private abandon(): void {
    this.readyState = "closed";
    this._commands.close(this._slot, true);
    this.server._forget(this, "transport error");
  }

  private transportOf(carrier: StreamCarrier): StreamTransport {
    carrier.transport ??= new WebSocketTransport(this, carrier as Carrier); // the others bring theirs
    return carrier.transport;
  }
}
