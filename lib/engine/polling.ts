/**
 * The polling transport: owns the requests of a session, GETs that wait for an answer and POSTs that bring packets.
 *
 * What to answer a GET with is decided by the core, which keeps the outbox. Everything that can be judged from the requests alone is
 * decided here, at once: overlap, abort, size, content type.
 */
import type { AsyncResource } from "node:async_hooks";
import type { ServerResponse } from "node:http";
import { type DataReceiver, DataRequest } from "./data-request";
import { transportError } from "./errors";
import { hasListeners } from "./lazy-emitter";
import * as log from "./log";
import { barePayload, type ControlType, deliverPayload, type PacketReceiver } from "./payload";
import { deliverBinaryPayload, deliverTextPayload } from "./payload-v3";
import { acknowledge, respond } from "./poll-response";
import { type EngineRequest, headerOf } from "./request";
import type { Session } from "./session";
import { Transport, type TransportState } from "./transports";

/** How long an orderly close waits for the GET that takes it; engine.io's value, which the core has too. */
const CLOSE_TIMEOUT_MS = 30_000;
/** The digits of control packets. */
const CLOSE = "1";
const NOOP = "6";
/** Protocol 3: the body is a binary payload. */
const BINARY_CONTENT = "application/octet-stream";

const kPoll = Symbol("poll");

type PollingRequest = EngineRequest & { [kPoll]?: Poll };

let lastRequestNumber = 0;

function nextRequestNumber(): number {
  lastRequestNumber = (lastRequestNumber + 1) >>> 0;
  return lastRequestNumber;
}

/** A GET that waits for its answer. */
export class Poll {
  /** The number that the core names it by. */
  readonly number = nextRequestNumber();
  /** An answer is certain to come: something was sent, so the GET no longer counts as waiting. */
  isTaken = false;
  /** The answer was given to Node; while it is compressed the request is still held. */
  isAnswered = false;
  /** The packet to answer with if the session is forgotten before an answer came. */
  lastWord = CLOSE;
  /** Run when the answer has left. */
  onAnswered: (() => void) | undefined;

  constructor(
    readonly transport: PollingTransport,
    readonly req: PollingRequest,
    readonly res: ServerResponse,
  ) {
    req[kPoll] = this;
    req.on("close", onPollClosed);
  }

  release(): void {
    this.req[kPoll] = undefined;
    this.req.removeListener("close", onPollClosed);
  }
}

function onPollClosed(this: PollingRequest): void {
  const poll = this[kPoll];
  poll?.transport._onPollAborted(poll);
}

export class PollingTransport extends Transport implements DataReceiver, PacketReceiver {
  readonly name = "polling";
  /** Milliseconds that an orderly close waits for a GET. */
  closeTimeout = CLOSE_TIMEOUT_MS;
  /** How many bytes the body of a POST may have; the option as it was when the session was opened. */
  maxHttpBufferSize = 0;
  /** How answers are compressed; the option as it was then. */
  httpCompression: boolean | object | undefined = undefined;
  /** The context of the first request, until `connection` was emitted in it. */
  _handshakeContext: AsyncResource | undefined = undefined;
  private state: TransportState = "open";
  /** The callback of {@link PollingTransport.close}. */
  private onClosed: (() => void) | undefined = undefined;
  /** At most two: one whose answer is on its way, one waiting. */
  private readonly polls: Poll[] = [];
  /** Something was sent while no GET waited, so the next one is answered at once. */
  private hasBacklog = false;
  private data: DataRequest | undefined;
  private hasReceived = false;
  /** Messages of the body that is being delivered. */
  private messages = 0;

  get readyState(): TransportState {
    return this.state;
  }

  /** The GET that waits, as engine.io names it. */
  get req(): EngineRequest | null {
    return this.waiting()?.req ?? null;
  }

  get res(): ServerResponse | null {
    return this.waiting()?.res ?? null;
  }

  /** The POST whose body is arriving. */
  get dataReq(): EngineRequest | null {
    return this.data?.req ?? null;
  }

  get dataRes(): ServerResponse | null {
    return this.data?.res ?? null;
  }

  /** The session is being opened on this transport. */
  _carry(session: Session): void {
    const { opts } = session.server;
    this.session = session;
    this.maxHttpBufferSize = opts.maxHttpBufferSize;
    this.httpCompression = opts.httpCompression;
  }

  override close(callback?: () => void): void {
    if (this.readyState === "open") {
      this.onClosed = callback;
      const endsNow = this._beginClose();
      this.session._closePolling(endsNow);
    }
  }

  override onRequest(req: EngineRequest): void {
    const res = req.res as ServerResponse;
    req.res = null; // the first request of a session is kept; its response need not be
    if (req.method === "GET") {
      this.onPollRequest(req, res);
    } else if (req.method === "POST") {
      this.onDataRequest(req, res);
    } else {
      res.writeHead(500);
      res.end();
    }
  }

  /** Parks a GET. */
  onPollRequest(req: EngineRequest, res: ServerResponse): void {
    const { session, polls } = this;
    if (this.waiting() !== undefined || polls.length > 1) {
      log.logOverlap();
      session._failTransport(transportError("overlap from client"));
      res.writeHead(400);
      res.end();
      return;
    }
    const { hasBacklog } = this;
    log.logParked(session, hasBacklog);
    const poll = new Poll(this, req, res);
    poll.isTaken = hasBacklog || session.readyState === "closing";
    this.hasBacklog = false;
    polls.push(poll);
    session._commands.poll(session._slot, poll.number);
    session._onPollParked(hasBacklog);
    if (hasListeners(this)) {
      this.emit("ready");
    }
  }

  /** Receives a POST. */
  onDataRequest(req: EngineRequest, res: ServerResponse): void {
    const { session } = this;
    // Pipelined behind one whose body is complete is no overlap: Node delivers the bodies in order.
    if (this.data !== undefined && !this.data.req.complete) {
      session._failTransport(transportError("data request overlap from client"));
      res.writeHead(400);
      res.end();
    } else if (session.protocol === 4 && hasBinaryContent(req)) {
      session._failTransport(transportError("invalid content"));
      res.writeHead(400).end();
    } else {
      this.data = new DataRequest(this, req, res, this.maxHttpBufferSize);
    }
  }

  onBody(request: DataRequest, body: Buffer): void {
    const { session } = this;
    this.forget(request);
    this.hasReceived = false;
    this.messages = 0;
    this.deliverBody(body, hasBinaryContent(request.req));
    const { posted } = session.server._tally;
    posted.packets += this.messages;
    posted.bytes += body.length;
    if (this.hasReceived && session.readyState === "open") {
      session._commands.received(session._slot);
    }
    acknowledge(session, request.req, request.res);
  }

  /** The session survives; the official client closes itself on seeing the status. */
  onBodyTooLarge(request: DataRequest): void {
    this.forget(request);
    request.res.writeHead(413).end();
  }

  onBodyAborted(request: DataRequest): void {
    this.forget(request);
    this.session._failTransport(transportError("data request connection closed prematurely"));
  }

  onPolledMessage(data: string | Buffer | undefined): void {
    if (this.session.readyState !== "open") {
      log.logLatePacket();
      return;
    }
    this.hasReceived = true;
    this.messages += 1;
    this.session._onContent(data);
    if (hasListeners(this)) {
      this.emit("packet", data === undefined ? { type: "message" } : { type: "message", data });
    }
  }

  onPolledControl(type: ControlType, data: string | Buffer | undefined): void {
    if (type === "close") {
      this.onPeerClose();
      return;
    }
    if (type !== "pong") {
      this.hasReceived = true;
    }
    const packet = data === undefined ? { type } : { type, data };
    this.session.onPacket(packet);
    if (hasListeners(this)) {
      this.emit("packet", packet);
    }
  }

  /** Answers the GET that the core names; one that was answered meanwhile is ignored. */
  _onRespond(request: number, payload: string | Buffer, compress: boolean): void {
    const poll = this.polls.find(({ number }) => number === request);
    if (poll !== undefined && !poll.isAnswered) {
      this.answer(poll, payload, compress);
    }
  }

  /** Whether a GET waits that nothing was sent to yet. */
  _isWaiting(): boolean {
    return this.waiting() !== undefined;
  }

  /** A packet was given to the core; a volatile one has left if a GET waited, and is dropped otherwise. */
  _onSend(isCertain: boolean): void {
    const poll = this.polls[this.polls.length - 1];
    if (poll !== undefined) {
      // Were it taken before, the packet may wait or go along with the answer: the core knows, nobody here needs to.
      poll.isTaken = true;
    } else if (isCertain) {
      this.hasBacklog = true;
    }
  }

  /** Whether something may wait for the next GET. */
  _mayHold(): boolean {
    return this.hasBacklog || this.polls.some(({ isTaken }) => isTaken);
  }

  /** The GET which was taken by what was sent last. */
  _takenPoll(): Poll | undefined {
    return this.polls[this.polls.length - 1];
  }

  _onPollAborted(poll: Poll): void {
    poll.release();
    this.polls.splice(this.polls.indexOf(poll), 1);
    if (!poll.isAnswered) {
      this.session._failTransport(transportError("poll connection closed prematurely"));
    }
  }

  /** An orderly close begins. Returns whether the session ends now: a GET waits that takes it. */
  _beginClose(): boolean {
    this.dropBody();
    if (!this.hasBacklog) {
      this.state = "closing";
    }
    const poll = this.waiting();
    if (poll !== undefined) {
      poll.isTaken = true; // the core answers it with what is queued and the close packet
      return true;
    }
    if (this.closeTimeout !== CLOSE_TIMEOUT_MS) {
      // The link keeps the process alive as long as the session lives.
      setTimeout(() => this.session.close(true), this.closeTimeout).unref();
    }
    return false;
  }

  /** The session has closed, or another transport carries it: GETs that wait are released. */
  _end(isQuiet = false, lastWord = CLOSE): void {
    if (this.state === "closed") {
      return;
    }
    this.state = "closed";
    this.dropBody();
    for (const poll of [...this.polls]) {
      if (poll.isTaken) {
        poll.lastWord = lastWord;
      } else {
        this.answer(poll, barePayload(this.protocol, lastWord), false);
      }
    }
    log.logTransport(this, "closed");
    this.onClosed?.();
    if (!isQuiet) {
      this._tellEnd();
    }
  }

  /** Tells that the transport is closed: after a close of the session, but before its end by a fault, as with engine.io. */
  _tellEnd(): void {
    this.emit("close");
  }

  /** No answer will come from the core any more. */
  _answerLeftovers(): void {
    for (const poll of [...this.polls]) {
      if (!poll.isAnswered) {
        this.answer(poll, barePayload(this.protocol, poll.lastWord), false);
      }
    }
  }

  /** Delivers the packets of a POST. */
  protected deliverBody(body: Buffer, isBinary: boolean): void {
    if (isBinary) {
      log.logPayload(body);
      deliverBinaryPayload(body, this);
    } else {
      this.deliverText(body.toString("utf8"));
    }
  }

  protected deliverText(payload: string): void {
    log.logPayload(payload);
    if (this.protocol === 3) {
      deliverTextPayload(payload, this);
    } else {
      deliverPayload(payload, this);
    }
  }

  /** The body of the response with a payload. */
  protected bodyOf(payload: string | Buffer): string | Buffer {
    return payload;
  }

  /** The client says goodbye: the GET that waits is released with a noop, not with the close packet. */
  private onPeerClose(): void {
    log.logPeerClose();
    if (this.session.readyState === "closing" && this.polls.some((poll) => !poll.isAnswered)) {
      return; // a GET came before it, and the core is telling that one of the close which began here
    }
    if (this.session.readyState !== "closed") {
      this._end(true, NOOP);
      this.session._end("transport close");
    }
  }

  private answer(poll: Poll, payload: string | Buffer, compress: boolean): void {
    log.logResponse(payload);
    poll.isTaken = true;
    poll.isAnswered = true;
    const compression = compress ? this.httpCompression : false;
    respond(this.session, poll.req, poll.res, this.bodyOf(payload), compression, () => {
      poll.release();
      const index = this.polls.indexOf(poll);
      if (index >= 0) {
        this.polls.splice(index, 1);
      }
      log.logResponded(payload);
      poll.onAnswered?.();
    });
  }

  private waiting(): Poll | undefined {
    const poll = this.polls[this.polls.length - 1];
    return poll === undefined || poll.isTaken ? undefined : poll;
  }

  private forget(request: DataRequest): void {
    if (this.data === request) {
      this.data = undefined;
    }
  }

  /** A body that is still arriving goes down with its connection. */
  private dropBody(): void {
    const { data } = this;
    this.data = undefined;
    data?.destroy();
  }
}

function hasBinaryContent(req: EngineRequest): boolean {
  return headerOf(req, "content-type") === BINARY_CONTENT;
}
