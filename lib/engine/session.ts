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
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
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
  WATCHES_BUFFER,
  WATCHES_HEARTBEAT,
  WATCHES_PACKETS,
  WATCHES_WRITES,
} from "./watched-emitter";

const debug = debugModule("engine:socket");

/** States of a session, in engine.io's words. */
export type ReadyState = "opening" | "open" | "closing" | "closed";

const UPGRADING = FIRST_FREE_BIT;
const UPGRADED = FIRST_FREE_BIT << 1;
/** The request that opened the transport asked for text only (`b64`). */
export const TEXT_ONLY = FIRST_FREE_BIT << 2;
/** The same of the transport that an upgrade may lead to, and when it has, of the one before. */
const OTHER_TEXT_ONLY = FIRST_FREE_BIT << 5;
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

/** An error that no promise of a user's tells. */
function unhandled(error: unknown): void {
  void Promise.reject(error);
}

export abstract class Session extends SessionBase implements SessionSink {
  abstract readonly id: string;
  abstract readonly protocol: 3 | 4;
  /** The packets somebody watches; undefined as long as nobody does. */
  protected [inEngine.outgoing]: Outgoing | undefined = undefined;
  private _readyState: ReadyState = "opening";
  /** The polling transport, or the WebSocket's once somebody has asked for it. */
  private [inEngine.current]: Transport | undefined = undefined;
  /** The stream that carries it, unless it is on polling. */
  protected [inEngine.carrier]: StreamCarrier | undefined = undefined;
  /** The stream of an upgrade that is under way. */
  private [inEngine.candidate]: StreamCarrier | undefined = undefined;

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
    this[inEngine.current] ??= this[inEngine.transportOf](this[inEngine.carrier] as StreamCarrier);
    return this[inEngine.current];
  }

  set transport(transport: Transport) {
    this[inEngine.current] = transport;
  }

  /** The name of what carries the session; asking for `transport.name` would make an object for each WebSocket. */
  get [inEngine.transportName](): TransportName {
    return (this[inEngine.current] ?? this[inEngine.carrier]?.transport)?.name ?? "websocket";
  }

  /** Whether an upgrade is under way. */
  get upgrading(): boolean {
    return this[inEngine.has](UPGRADING);
  }

  set upgrading(isUpgrading: boolean) {
    this[inEngine.setBit](UPGRADING, isUpgrading);
  }

  /** Whether a WebSocket has replaced the polling transport; false for a session that began as one. */
  get upgraded(): boolean {
    return this[inEngine.has](UPGRADED);
  }

  set upgraded(isUpgraded: boolean) {
    this[inEngine.setBit](UPGRADED, isUpgraded);
  }

  /** Whether binary messages go out as they are over the transport it has now, or over `transport`, one that it moves to or from. */
  [inEngine.supportsBinary](transport = this[inEngine.current]): boolean {
    const isCurrent = transport === this[inEngine.current];
    return !this[inEngine.has](isCurrent ? TEXT_ONLY : OTHER_TEXT_ONLY);
  }

  /** Transports this session may still be upgraded to. */
  getAvailableUpgrades(): TransportName[] {
    const name = this[inEngine.current] instanceof PollingTransport ? "polling" : "websocket";
    return this.server.upgrades(name).filter((to) => this.server.opts.transports.includes(to));
  }

  /**
   * Bytes that wait in the core for the client, or did when it last looked: what the kernel has not taken of a WebSocket, and what no GET
   * has come for. The event `drained` tells when nothing waits any more, unless the session ends before that.
   */
  get bufferedAmount(): number {
    return this[inEngine.pendingBytes]();
  }

  /**
   * Opens the session in the core, on polling or on a WebSocket; the first packet of its transport is the open packet.
   *
   * @param sendOpen gets the content of the open packet, if it is not the core that sends it
   */
  [inEngine.open](polling?: PollingTransport, sendOpen?: (handshake: string) => void): void {
    const { opts, [inEngine.link]: link } = this.server;
    if (polling !== undefined) {
      this[inEngine.current] = polling;
      polling[inTransport.handshakeContext] = currentContext();
      this[inEngine.setBit](UNANNOUNCED, true);
    }
    this[inEngine.slot] = link.openSession(this);
    this.readyState = "open";
    const { pingInterval, pingTimeout, upgradeTimeout, maxHttpBufferSize: maxPayload } = opts;
    const json = this[inEngine.openContent]();
    link.commands.open(this[inEngine.slot], sendOpen === undefined ? json : "", {
      websocket: polling === undefined,
      protocol: this.protocol,
      textOnly: !this[inEngine.supportsBinary](),
      pingInterval,
      pingTimeout,
      upgradeTimeout,
      maxPayload,
    });
    polling?.[inTransport.carry](this);
    if (opts.outbox !== undefined) {
      const { maxBytes = MAX_OUTBOX_BYTES, policy = "stalled" } = opts.outbox;
      link.commands.budget(this[inEngine.slot], maxBytes, policy);
    }
    sendOpen?.(json);
    this[inEngine.stamp](1, true);
    log.logOpening(json, polling === undefined);
    if (opts.initialPacket) {
      log.logSending("message", opts.initialPacket);
      this[inEngine.sendMessage](contentOf(opts.initialPacket), true);
    }
  }

  /** Tells listeners of the server, who may use the session at once, what its transport has taken: a payload takes the initial packet too. */
  [inEngine.tellOpening](): void {
    if (this.server[inEngine.watchesWrites]) {
      const data = this[inEngine.openContent]();
      const packets: Packet[] = [{ type: "open", data, options: { compress: true } }];
      const { initialPacket } = this.server.opts;
      if (initialPacket) {
        if (this[inEngine.current] instanceof PollingTransport) {
          packets.push({ type: "message", data: initialPacket, options: { compress: true } });
        } else {
          this[inEngine.watch](WATCHES_WRITES); // it waits behind the open packet, and is told when it is taken
        }
      }
      this.server.emit("flush", this, packets);
      this.server.emit("drain", this);
    }
  }

  /**
   * Settles when the handshake of a polling session is over, which takes the answer of the core: it was answered and `connection` emitted, or
   * neither will be. Undefined for one that is over.
   */
  [inEngine.handshakeOver](): Promise<void> | undefined {
    const { [inEngine.current]: polling } = this;
    if (!(polling instanceof PollingTransport) || this._readyState !== "open") {
      return undefined;
    }
    return new Promise((resolve, reject) => {
      polling[inTransport.onHandshakeOver] = (error) =>
        error === undefined ? resolve() : reject(error);
    });
  }

  private [inEngine.openContent](): string {
    const { pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = this.server.opts;
    const upgrades = this.getAvailableUpgrades();
    return JSON.stringify({ sid: this.id, upgrades, pingInterval, pingTimeout, maxPayload });
  }

  /** The stream that carries the session from its beginning. */
  [inEngine.setCarrier](carrier: StreamCarrier): void {
    this[inEngine.carrier] = carrier;
    log.logCarrier(this, carrier);
  }

  /** A stream is about to be given to the core that may become the transport; its request says by itself whether it takes text only. */
  [inEngine.expectCandidate](isTextOnly: boolean): void {
    this[inEngine.setBit](OTHER_TEXT_ONLY, isTextOnly);
    if (isTextOnly === this[inEngine.supportsBinary]()) {
      this[inEngine.commands].expectCandidate(this[inEngine.slot], isTextOnly);
    }
  }

  /** A stream that may become the transport. */
  [inEngine.setCandidate](carrier: StreamCarrier): void {
    log.logCandidate(carrier);
    this[inEngine.candidate] = carrier;
    this.upgrading = true;
  }

  /** Whether a WebSocket may become the transport. A session that began as one is not handed to a second (engine.io lets it be). */
  [inEngine.canUpgrade](): boolean {
    return (
      this._readyState !== "closed" &&
      !this[inEngine.has](UPGRADING | UPGRADED) &&
      this[inEngine.current] instanceof PollingTransport
    );
  }

  /** Whether a stream carries the session, or is about to. */
  [inEngine.carries](carrier: StreamCarrier): boolean {
    return (
      this._readyState !== "closed" &&
      (carrier === this[inEngine.carrier] || carrier === this[inEngine.candidate])
    );
  }

  /** Whether a volatile packet would be sent now: nothing was in this turn, and the transport takes more. */
  [inEngine.canWrite](transport = this[inEngine.current]): boolean {
    if (transport !== this[inEngine.current] || this._readyState === "closed") {
      return transport?.readyState === "open";
    }
    return transport instanceof PollingTransport
      ? transport[inTransport.isWaiting]() && this[inEngine.broadcastsInTurn]() === 0
      : this[inEngine.isStreamFree]() && !this[inEngine.carrier]?.isBusy;
  }

  override [inEngine.stamp](packets = 1, isCertain = false): void {
    super[inEngine.stamp](packets, isCertain);
    if (this[inEngine.current] instanceof PollingTransport) {
      this[inEngine.current][inTransport.onSend](isCertain);
    }
  }

  /** A GET was parked: it takes what is buffered. */
  [inEngine.onPollParked](hadBacklog: boolean): void {
    if (this[inEngine.outgoing]?.buffer.length) {
      this[inEngine.outgoing].flush();
    } else {
      log.logUncountedFlush(hadBacklog);
    }
  }

  /** A GET was answered with what waited; more may wait by now. */
  [inEngine.onBacklogTaken](): void {
    if (this.listenerCount("drained") > 0 && this[inEngine.pendingBytes]() === 0) {
      this.emit("drained");
    }
  }

  /** An accepted packet, or `error` for an undecodable one. */
  onPacket(packet: Packet): void {
    if (this._readyState !== "open") {
      log.logLatePacket();
      return;
    }
    if (packet.type === "message") {
      this[inEngine.onContent](packet.data);
      return;
    }
    log.logPacket(this, packet.type);
    if (this[inEngine.has](WATCHES_PACKETS)) {
      this.emit("packet", packet);
    }
    if (packet.type === "error") {
      this[inEngine.endNow]("parse error");
    } else if (packet.type === this[inEngine.clientHeartbeat]) {
      this[inEngine.onPolledHeartbeat]();
    } else if (packet.type === "ping" || packet.type === "pong") {
      this[inEngine.endNow]("transport error", new Error(INVALID_HEARTBEAT));
    }
  }

  /** The content of a message has arrived. */
  [inEngine.onContent](data: string | Buffer | undefined): void {
    log.logPacket(this, "message");
    // An empty text message has no data at all: socket.io's decoder depends on it.
    const content = data === "" ? undefined : data;
    if (this[inEngine.has](WATCHES_PACKETS)) {
      this.emit("packet", content === undefined ? { type: "message" } : { type: "message", data });
    }
    this.emit("data", content);
    this.emit("message", content);
  }

  [inEngine.onMessage](data: string | Buffer): void {
    if (this._readyState === "open") {
      const { [inEngine.current]: current } = this;
      this[inEngine.onContent](data);
      tellTransport(current, { type: "message", data });
    } else {
      log.logLatePacket();
    }
  }

  [inEngine.onClosed](reason: CloseReason, description: string, isAwaited: boolean): void {
    if (this._readyState === "closed") {
      return; // the core has been told to close it
    }
    if (isAwaited) {
      this[inEngine.commands].finish(this[inEngine.slot]);
    }
    const failure = this[inEngine.carrier]?.failure;
    if (reason === "transport close" && failure !== undefined) {
      this[inEngine.onTransportFailed](failure);
    } else if (reason === "transport error" && description !== "") {
      const { [inEngine.carrier]: carrier } = this;
      if (description === INVALID_HEARTBEAT) {
        log.logPacket(this, this.protocol === 3 ? "pong" : "ping");
        this[inEngine.finish](reason, new Error(description));
      } else {
        log.logProtocolError();
        this[inEngine.onTransportFailed](transportError(description));
        carrier?.transport?.[inTransport.onFailed](description);
      }
    } else if (reason === "parse error") {
      const packet: Packet = { type: "error", data: "parser error" };
      log.logPacket(this, "error");
      if (this[inEngine.has](WATCHES_PACKETS)) {
        this.emit("packet", packet);
      }
      this[inEngine.finish](reason);
      tellTransport(this[inEngine.current], packet);
    } else {
      this[inEngine.finish](this[inEngine.has](TRANSPORT_CLOSED) ? "transport close" : reason);
    }
  }

  [inEngine.onEnded](): void {
    this[inEngine.finish]("transport close"); // the core has told the reason before; this is for the day it does not
    this[inEngine.slot] = -1;
    if (this[inEngine.current] instanceof PollingTransport) {
      this[inEngine.current][inTransport.answerLeftovers]();
    }
  }

  [inEngine.onRespond](request: number, payload: string | Buffer, compress: boolean): void {
    if (!(this[inEngine.current] instanceof PollingTransport)) {
      return;
    }
    const polling = this[inEngine.current];
    if (this[inEngine.has](UPGRADING)) {
      log.logNoop(payload);
    }
    if (!this[inEngine.has](UNANNOUNCED)) {
      polling[inTransport.onRespond](request, payload, compress);
      return;
    }
    this[inEngine.setBit](UNANNOUNCED, false);
    const context = polling[inTransport.handshakeContext];
    polling[inTransport.handshakeContext] = undefined;
    context?.runInAsyncScope(() => {
      try {
        polling[inTransport.onRespond](request, payload, compress);
      } catch (error) {
        // A listener of the headers: there is no session then, no answer, and the rejection is unhandled, as with engine.io.
        this[inEngine.abandon]();
        const { [inTransport.onHandshakeOver]: fail = unhandled } = polling;
        fail(error);
        return;
      }
      if (this._readyState === "open") {
        this.server[inEngine.announce](this);
      }
      polling[inTransport.onHandshakeOver]?.();
    });
  }

  [inEngine.onUpgrading](conn: number): void {
    const { [inEngine.candidate]: candidate } = this;
    if (candidate?.conn !== conn || this._readyState === "closed") {
      return;
    }
    log.logProbe();
    if (this.listenerCount("upgrading") > 0) {
      this.emit("upgrading", this[inEngine.transportOf](candidate));
    }
  }

  [inEngine.onUpgraded](conn: number): void {
    const { [inEngine.candidate]: candidate } = this;
    if (candidate?.conn !== conn || this._readyState === "closed") {
      return;
    }
    const polling = this[inEngine.current] as PollingTransport;
    log.logUpgrade(polling);
    log.logCarrier(this, candidate);
    this[inEngine.candidate] = undefined;
    this[inEngine.carrier] = candidate;
    this[inEngine.current] = candidate.transport;
    this.upgrading = false;
    this.upgraded = true;
    const wasTextOnly = this[inEngine.has](TEXT_ONLY);
    this[inEngine.setBit](TEXT_ONLY, this[inEngine.has](OTHER_TEXT_ONLY));
    this[inEngine.setBit](OTHER_TEXT_ONLY, wasTextOnly);
    this.server[inEngine.tally].moved(this[inEngine.transportName]);
    polling.discard();
    polling[inTransport.end]();
    polling[inTransport.answerLeftovers]();
    if (this.listenerCount("upgrade") > 0) {
      this.emit("upgrade", this.transport);
    }
    this[inEngine.outgoing]?.flush();
    this[inEngine.onMoved]();
  }

  [inEngine.onUpgradeFailed](conn: number, failure: number): void {
    if (this[inEngine.candidate]?.conn === conn) {
      log.logFailedUpgrade(this[inEngine.candidate], failure);
      this.server[inEngine.tally].upgrades.failed += 1;
      this[inEngine.candidate] = undefined;
      this.upgrading = false;
    }
  }

  [inEngine.onHeartbeat](): void {
    if (this._readyState === "open") {
      const packet: Packet = { type: this[inEngine.clientHeartbeat] };
      log.logPacket(this, packet.type);
      if (this[inEngine.has](WATCHES_PACKETS)) {
        this.emit("packet", packet);
      }
      if (this.protocol === 3) {
        this[inEngine.emitControlSent]("pong");
      }
      this.emit("heartbeat");
      tellTransport(this[inEngine.current], packet);
    }
  }

  [inEngine.onControl](digit: number, text: string): void {
    const packet: Packet = { type: PACKET_TYPES[digit - DIGIT_ZERO] };
    if (text !== "") {
      packet.data = text;
    }
    const { [inEngine.current]: current } = this;
    this.onPacket(packet);
    tellTransport(current, packet);
  }

  [inEngine.onPingSent](): void {
    if (this._readyState === "open") {
      this[inEngine.emitControlSent]("ping");
    }
  }

  [inEngine.onSent](count: number): void {
    if (this._readyState === "closed") {
      return;
    }
    if (count > 0) {
      this[inEngine.outgoing]?.onSent(count);
    } else if (this[inEngine.carrier] !== undefined) {
      this.emit("drained");
    }
  }

  /** Closes the session after what was sent; with `discard` at once. */
  close(discard?: boolean): void {
    if (discard && (this._readyState === "open" || this._readyState === "closing")) {
      log.logDiscard();
      try {
        this[inEngine.finish](
          this[inEngine.has](TRANSPORT_CLOSED) ? "transport close" : "forced close",
        );
      } finally {
        // Behind the listeners of `close`, who may want to see what is lost.
        this[inEngine.commands].close(this[inEngine.slot], true);
      }
    }
    if (this._readyState !== "open") {
      return;
    }
    const polling =
      this[inEngine.current] instanceof PollingTransport ? this[inEngine.current] : undefined;
    const isHeldUp = polling === undefined && this[inEngine.pendingBytes]() > 0;
    if (isHeldUp) {
      this[inEngine.watch](WATCHES_WRITES); // to be told when the peer has read what waits
    }
    const endsNow =
      polling === undefined ? !this[inEngine.hasWaiting]() : polling[inTransport.beginClose]();
    this.readyState = "closing";
    if (debug.enabled) {
      log.logClose(this[inEngine.outgoing]?.buffer.length ?? 0);
    }
    if (!this[inEngine.outgoing]?.buffer.length) {
      log.logClosing(
        this[inEngine.carrier],
        this[inEngine.current],
        endsNow ? "writable" : "not writable",
      );
    }
    if (endsNow || !isHeldUp) {
      this[inEngine.commands].close(this[inEngine.slot], false, endsNow);
    }
    if (endsNow) {
      this[inEngine.finish]("forced close");
    }
  }

  /** The user closes a stream, current or candidate, instead of the session. */
  [inEngine.closeStream](transport: StreamTransport): void {
    if (transport !== this[inEngine.current]) {
      transport[inTransport.carrier].destroy();
    } else if (this._readyState === "open") {
      this[inEngine.setBit](TRANSPORT_CLOSED, true);
      this[inEngine.commands].close(this[inEngine.slot], false);
    }
  }

  /** The user closes the polling transport instead of the session. */
  [inEngine.closePolling](endsNow: boolean): void {
    if (this._readyState === "open") {
      this[inEngine.setBit](TRANSPORT_CLOSED, true);
      this[inEngine.commands].close(this[inEngine.slot], false, endsNow);
      if (endsNow) {
        this[inEngine.finish]("transport close");
      }
    }
  }

  /** What was buffered is with the transport now: a session that waits to be closed is. */
  [inEngine.onDrained](): void {
    if (this._readyState === "closing") {
      log.logDrainedClose(this[inEngine.carrier], this[inEngine.current]);
      if (!(this[inEngine.current] instanceof PollingTransport)) {
        this[inEngine.commands].close(this[inEngine.slot], false);
        this[inEngine.finish]("forced close");
      }
    }
  }

  /** Whether packets wait behind those that the stream has got, as far as that is known in JavaScript. */
  private [inEngine.hasWaiting](): boolean {
    return this[inEngine.outgoing] === undefined
      ? this[inEngine.waitingInTurn]() > 0
      : this[inEngine.outgoing].buffer.length > 0 ||
          (!this[inEngine.observed]() && this[inEngine.waitingInTurn]() > 0);
  }

  /** The transport fails, by the peer's fault or the user's order. */
  [inEngine.failTransport](error: Error): void {
    if (this._readyState !== "closed") {
      this[inEngine.commands].close(this[inEngine.slot], true);
      this[inEngine.onTransportFailed](error);
    }
  }

  private [inEngine.onTransportFailed](error: Error): void {
    const { [inEngine.current]: current } = this;
    this[inEngine.finish]("transport error", error);
    if (current !== undefined && current.listenerCount("error") > 0) {
      current.emit("error", error);
    }
  }

  /** The session ends at once. */
  [inEngine.endNow](reason: CloseReason, description?: Error): void {
    if (this._readyState !== "closed") {
      this[inEngine.commands].close(this[inEngine.slot], true);
      this[inEngine.finish](reason, description);
    }
  }

  /** The packet that is the client's half of the heartbeat: in protocol 3 it is the client that pings. */
  private get [inEngine.clientHeartbeat](): "ping" | "pong" {
    return this.protocol === 3 ? "ping" : "pong";
  }

  private [inEngine.onPolledHeartbeat](): void {
    if (this[inEngine.slot] < 0) {
      return;
    }
    this[inEngine.commands].pong(this[inEngine.slot]);
    if (this.protocol === 3) {
      this[inEngine.emitControlSent]("pong");
    }
    this.emit("heartbeat");
  }

  /** The events of a packet that the core has sent by itself. */
  private [inEngine.emitControlSent](type: "ping" | "pong"): void {
    const packet: Packet = { type, options: { compress: true } };
    log.logHeartbeat(this, type);
    const { [inEngine.current]: polling } = this;
    if (polling instanceof PollingTransport) {
      const isTaken = polling[inTransport.isWaiting]();
      this.emit("packetCreate", packet);
      polling[inTransport.onSend](true);
      if (this._readyState === "open") {
        this[inEngine.noteControl](packet, isTaken);
      }
      return;
    }
    this.emit("packetCreate", packet);
    this.emit("flush", [packet]);
    this.server.emit("flush", this, [packet]);
    this.emit("drain");
    this.server.emit("drain", this);
  }

  /** A packet of the core's own is on its way, or waits for a GET, and whoever watches the writes is to see it. */
  protected abstract [inEngine.noteControl](packet: Packet, isTaken: boolean): void;

  /** Called when a WebSocket has replaced the polling transport. */
  protected abstract [inEngine.onMoved](): void;

  /** Somebody listens to what the transport tells of the packets in it. */
  [inEngine.watchTransport](event: "drain" | "packet"): void {
    this[inEngine.watch](event === "packet" ? WATCHES_HEARTBEAT : WATCHES_BUFFER);
  }

  /** Whether somebody watches the writes of this session. */
  abstract [inEngine.observed](): boolean;

  /** Gives the core a packet that somebody has put into `writeBuffer`; whether the next one goes with it. */
  abstract [inEngine.givePacket](packet: Packet, isFollowed: boolean): void;

  /** Finds out what waits, for a session whose writes nobody has watched. */
  abstract [inEngine.takeStock](outgoing: Outgoing): void;

  /** Sends one packet that is no message, without events. */
  abstract [inEngine.sendControl](type: PacketType | undefined, data: unknown, flags: number): void;

  /** Sends one message without events; `flags` are more of the command's. */
  abstract [inEngine.sendMessage](
    content: string | ArrayBufferView,
    compress: boolean,
    flags?: number,
  ): void;

  /** The one way a session ends in JavaScript. */
  private [inEngine.finish](reason: CloseReason, description?: Error): void {
    if (this._readyState === "closed") {
      return;
    }
    const isFault = reason !== "forced close" && reason !== "transport close";
    const polling =
      this[inEngine.current] instanceof PollingTransport ? this[inEngine.current] : undefined;
    log.logEnding(reason, this[inEngine.carrier], this[inEngine.current]);
    this.readyState = "closed";
    if (isFault) {
      log.logClosing(this[inEngine.carrier], this[inEngine.current]);
    }
    polling?.[inTransport.end](!isFault);
    this.server[inEngine.forget](this, reason);
    this[inEngine.outgoing]?.close();
    this.emit("close", reason, description);
    if (this[inEngine.candidate] !== undefined) {
      log.logLostCandidate(this[inEngine.candidate]);
    }
    this[inEngine.setBit](UPGRADING, false); // an upgrade under way is engine.io's last to hear of it
    if (!isFault) {
      polling?.[inTransport.tellEnd]();
    }
  }

  /** The session ends before anybody was told of it. */
  private [inEngine.abandon](): void {
    const isCounted = this._readyState !== "closed"; // a listener may have closed it before it threw
    this.readyState = "closed";
    this[inEngine.commands].close(this[inEngine.slot], true);
    if (isCounted) {
      this.server[inEngine.forget](this, "transport error");
    }
  }

  private [inEngine.transportOf](carrier: StreamCarrier): StreamTransport {
    carrier.transport ??= new WebSocketTransport(this, carrier as Carrier); // the others bring theirs
    return carrier.transport;
  }
}
