/**
 * The polling transport: owns the requests of a session, GETs that wait for an answer and POSTs that bring packets.
 *
 * What to answer a GET with is decided by the core, which keeps the outbox. Everything that can be judged from the requests alone is
 * decided here, at once: overlap, abort, size, content type.
 */
import type { AsyncResource } from "node:async_hooks";
import type { ServerResponse } from "node:http";
import { letAssign } from "../own-value";
import { type DataReceiver, DataRequest } from "./data-request";
import { transportError } from "./errors";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import { hasListeners, LazyEmitter } from "./lazy-emitter";
import * as log from "./log";
import { barePayload, type ControlType, deliverPayload, type PacketReceiver } from "./payload";
import { deliverBinaryPayload, deliverTextPayload } from "./payload-v3";
import { acknowledge, respond, tellEngine } from "./poll-response";
import { type EngineRequest, headerOf } from "./request";
import type { Session } from "./session";
import { Transport, type TransportState } from "./transports";

/** How long an orderly close waits for the GET that takes it; engine.io's value, which the core has too. */
const CLOSE_TIMEOUT_MS = 30_000;
/** The digits of control packets. */
const CLOSE = "1";
const PING = "2";
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
  /** Something waited for it. */
  endsBacklog = false;
  /** The answer was given to Node; while it is compressed the request is still held. */
  isAnswered = false;
  /** Its client has gone, and the session ends for it. */
  isAborted = false;
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
  poll?.transport[inTransport.onPollAborted](poll);
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
  [inTransport.handshakeContext]: AsyncResource | undefined = undefined;
  /** Told once that `connection` was emitted or never will be, with what a listener of the headers threw; few ask. */
  [inTransport.onHandshakeOver]: ((error?: unknown) => void) | undefined = undefined;
  private [inTransport.state]: TransportState = "open";
  /** The callback of {@link PollingTransport.close}. */
  private [inTransport.onClosed]: (() => void) | undefined = undefined;
  /** At most two: one whose answer is on its way, one waiting. */
  private readonly [inTransport.polls]: Poll[] = [];
  /** Something was sent while no GET waited, so the next one is answered at once. */
  private [inTransport.hasBacklog] = false;
  private [inTransport.data]: DataRequest | undefined;
  private [inTransport.hasReceived] = false;
  /** Messages of the body that is being delivered. */
  private [inTransport.messages] = 0;

  get readyState(): TransportState {
    return this[inTransport.state];
  }

  /** The GET that waits, or whose answer is being compressed, as engine.io names it. */
  get req(): EngineRequest | null {
    return this[inTransport.held]()?.req ?? null;
  }

  get res(): ServerResponse | null {
    return this[inTransport.held]()?.res ?? null;
  }

  /** The POST whose body is arriving. */
  get dataReq(): EngineRequest | null {
    return this[inTransport.data]?.req ?? null;
  }

  get dataRes(): ServerResponse | null {
    return this[inTransport.data]?.res ?? null;
  }

  /** The session is being opened on this transport. */
  [inTransport.carry](session: Session): void {
    const { opts } = session.server;
    this[inTransport.session] = session;
    this.maxHttpBufferSize = opts.maxHttpBufferSize;
    this.httpCompression = opts.httpCompression;
    if (hasListeners(this)) {
      this[inTransport.noteEarlyListeners]();
    }
  }

  protected override [inTransport.noteListener](event: string | symbol): void {
    if (this[inTransport.session] === undefined) {
      return; // set by whoever makes the transport, and noted when it gets its session
    }
    super[inTransport.noteListener](event);
    if (event === "headers" && this.listenerCount("headers") === 0) {
      this[inTransport.listenAsEngine]();
    }
  }

  /** Listeners were set before there was a session. */
  private [inTransport.noteEarlyListeners](): void {
    for (const event of this.eventNames()) {
      super[inTransport.noteListener](event);
    }
    if (this.listenerCount("headers") > 0) {
      this[inTransport.listenAsEngine]();
    }
  }

  private [inTransport.listenAsEngine](): void {
    LazyEmitter.prototype.on.call(this, "headers", tellEngine);
  }

  override close(callback?: () => void): void {
    if (this.readyState === "open") {
      this[inTransport.onClosed] = callback;
      const endsNow = this[inTransport.beginClose]();
      this[inTransport.session][inEngine.closePolling](endsNow);
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

  override onData(data: string | Buffer): void {
    this[inTransport.deliverBody](Buffer.from(data as string), typeof data !== "string");
  }

  /** Parks a GET. */
  onPollRequest(req: EngineRequest, res: ServerResponse): void {
    const { [inTransport.session]: session, [inTransport.polls]: polls } = this;
    if (this[inTransport.held]() !== undefined || polls.length > 1) {
      this[inTransport.refuseOverlap](res);
      return;
    }
    const { [inTransport.hasBacklog]: hasBacklog } = this;
    log.logParked(session, hasBacklog);
    const poll = new Poll(this, req, res);
    poll.endsBacklog = hasBacklog;
    poll.isTaken = hasBacklog || session.readyState === "closing";
    this[inTransport.hasBacklog] = false;
    polls.push(poll);
    session[inEngine.commands].poll(session[inEngine.slot], poll.number);
    session[inEngine.onPollParked](hasBacklog);
    if (hasListeners(this)) {
      this.emit("ready");
    }
  }

  /** Receives a POST. */
  onDataRequest(req: EngineRequest, res: ServerResponse): void {
    const { [inTransport.session]: session } = this;
    // Pipelined behind one whose body is complete is no overlap: Node delivers the bodies in order.
    if (this[inTransport.data] !== undefined && !this[inTransport.data].req.complete) {
      session[inEngine.failTransport](transportError("data request overlap from client"));
      res.writeHead(400);
      res.end();
    } else if (session.protocol === 4 && hasBinaryContent(req)) {
      session[inEngine.failTransport](transportError("invalid content"));
      res.writeHead(400).end();
    } else {
      this[inTransport.data] = new DataRequest(this, req, res, this.maxHttpBufferSize);
    }
  }

  [inTransport.onBody](request: DataRequest, body: Buffer): void {
    const { [inTransport.session]: session } = this;
    this[inTransport.forget](request);
    this[inTransport.hasReceived] = false;
    this[inTransport.messages] = 0;
    this[inTransport.deliverBody](body, hasBinaryContent(request.req));
    const { posted } = session.server[inEngine.tally];
    posted.packets += this[inTransport.messages];
    posted.bytes += body.length;
    if (this[inTransport.hasReceived] && session.readyState === "open") {
      session[inEngine.commands].received(session[inEngine.slot]);
    }
    acknowledge(this, request.req, request.res);
  }

  /** The session survives; the official client closes itself on seeing the status. */
  [inTransport.onBodyTooLarge](request: DataRequest): void {
    this[inTransport.forget](request);
    request.res.writeHead(413).end();
  }

  [inTransport.onBodyAborted](request: DataRequest): void {
    this[inTransport.forget](request);
    this[inTransport.session][inEngine.failTransport](
      transportError("data request connection closed prematurely"),
    );
  }

  [inTransport.onPolledMessage](data: string | Buffer | undefined): void {
    if (this[inTransport.session].readyState !== "open") {
      log.logLatePacket();
      return;
    }
    this[inTransport.hasReceived] = true;
    this[inTransport.messages] += 1;
    this[inTransport.session][inEngine.onContent](data);
    if (hasListeners(this)) {
      this.emit("packet", data === undefined ? { type: "message" } : { type: "message", data });
    }
  }

  [inTransport.onPolledControl](type: ControlType, data: string | Buffer | undefined): void {
    if (type === "close") {
      this[inTransport.onPeerClose]();
      return;
    }
    if (type !== "pong") {
      this[inTransport.hasReceived] = true;
    }
    this.onPacket(data === undefined ? { type } : { type, data });
  }

  /** Answers the GET that the core names; one that was answered meanwhile is ignored. */
  [inTransport.onRespond](request: number, payload: string | Buffer, compress: boolean): void {
    const poll = this[inTransport.polls].find(({ number }) => number === request);
    if (poll === undefined || poll.isAnswered) {
      return;
    }
    // The core may have said something by itself while JavaScript closed the session for which this GET waited.
    const isOvertaken = this.readyState === "closed" && isOfTheCore(this.protocol, payload);
    const answer = isOvertaken ? barePayload(this.protocol, poll.lastWord) : payload;
    this[inTransport.answer](poll, answer, compress);
    if (poll.endsBacklog) {
      this[inTransport.session][inEngine.onBacklogTaken]();
    }
  }

  /** Whether a GET waits that nothing was sent to yet. */
  [inTransport.isWaiting](): boolean {
    return this[inTransport.waiting]() !== undefined;
  }

  /** A packet was given to the core; a volatile one has left if a GET waited, and is dropped otherwise. */
  [inTransport.onSend](isCertain: boolean): void {
    const poll = this[inTransport.polls][this[inTransport.polls].length - 1];
    if (poll !== undefined) {
      // Were it taken before, the packet may wait or go along with the answer: the core knows, nobody here needs to.
      poll.isTaken = true;
    } else if (isCertain) {
      this[inTransport.hasBacklog] = true;
    }
  }

  /** Whether something may wait for the next GET. */
  [inTransport.mayHold](): boolean {
    return this[inTransport.hasBacklog] || this[inTransport.polls].some(({ isTaken }) => isTaken);
  }

  /** The GET which was taken by what was sent last. */
  [inTransport.takenPoll](): Poll | undefined {
    return this[inTransport.polls][this[inTransport.polls].length - 1];
  }

  [inTransport.onPollAborted](poll: Poll): void {
    poll.release();
    if (!poll.isAnswered) {
      poll.isAborted = true;
      this[inTransport.session][inEngine.failTransport](
        transportError("poll connection closed prematurely"),
      );
    }
    this[inTransport.polls].splice(this[inTransport.polls].indexOf(poll), 1);
  }

  /** An orderly close begins. Returns whether the session ends now: a GET waits that takes it. */
  [inTransport.beginClose](): boolean {
    this[inTransport.dropBody]();
    if (!this[inTransport.hasBacklog]) {
      this[inTransport.state] = "closing";
    }
    const poll = this[inTransport.waiting]();
    if (poll !== undefined) {
      poll.isTaken = true; // the core answers it with what is queued and the close packet
      return true;
    }
    if (this.closeTimeout !== CLOSE_TIMEOUT_MS) {
      // The link keeps the process alive as long as the session lives.
      setTimeout(() => this[inTransport.session].close(true), this.closeTimeout).unref();
    }
    return false;
  }

  /** The session has closed, or another transport carries it: GETs that wait are released. */
  [inTransport.end](isQuiet = false, lastWord = CLOSE): void {
    if (this[inTransport.state] === "closed") {
      return;
    }
    this[inTransport.state] = "closed";
    this[inTransport.dropBody]();
    const isTold = this.discarded || this[inTransport.isWaiting]();
    for (const poll of [...this[inTransport.polls]]) {
      if (poll.isTaken) {
        poll.lastWord = lastWord;
      } else if (!poll.isAborted) {
        this[inTransport.answer](poll, barePayload(this.protocol, lastWord), false);
      }
    }
    log.logTransport(this, "closed");
    this[inTransport.onClosed]?.();
    this[inTransport.onHandshakeOver]?.();
    if (isQuiet) {
      return;
    }
    if (isTold) {
      this[inTransport.tellEnd]();
    } else if (this.listenerCount("close") > 0) {
      // engine.io waits for a GET in vain, since the session is unknown by now.
      setTimeout(() => this[inTransport.tellEnd](), this.closeTimeout).unref();
    }
  }

  /**
   * Tells that the transport is closed, as engine.io does: after a close of the session; before its end by a fault if a GET waits that can
   * be told, else long after it.
   */
  [inTransport.tellEnd](): void {
    this.emit("close");
  }

  /** No answer will come from the core any more. */
  [inTransport.answerLeftovers](): void {
    for (const poll of [...this[inTransport.polls]]) {
      if (!poll.isAnswered) {
        this[inTransport.answer](poll, barePayload(this.protocol, poll.lastWord), false);
      }
    }
  }

  /** Delivers the packets of a POST. */
  protected [inTransport.deliverBody](body: Buffer, isBinary: boolean): void {
    if (isBinary) {
      log.logPayload(body);
      deliverBinaryPayload(body, this);
    } else {
      this[inTransport.deliverText](body.toString("utf8"));
    }
  }

  protected [inTransport.deliverText](payload: string): void {
    log.logPayload(payload);
    if (this.protocol === 3) {
      deliverTextPayload(payload, this);
    } else {
      deliverPayload(payload, this);
    }
  }

  /** How many bytes the response with a payload has. */
  [inTransport.bodyLength](payload: string): number {
    return Buffer.byteLength(this[inTransport.bodyOf](payload));
  }

  /** The body of the response with a payload. */
  protected [inTransport.bodyOf](payload: string | Buffer): string | Buffer {
    return payload;
  }

  /** The client says goodbye: the GET that waits is released with a noop, not with the close packet. */
  private [inTransport.onPeerClose](): void {
    log.logPeerClose();
    if (
      this[inTransport.session].readyState === "closing" &&
      this[inTransport.polls].some((poll) => !poll.isAnswered)
    ) {
      return; // a GET came before it, and the core is telling that one of the close which began here
    }
    if (this[inTransport.session].readyState !== "closed") {
      this[inTransport.end](true, NOOP);
      this[inTransport.session][inEngine.endNow]("transport close");
    }
  }

  private [inTransport.answer](poll: Poll, payload: string | Buffer, compress: boolean): void {
    log.logResponse(payload);
    poll.isTaken = true;
    poll.isAnswered = true;
    const compression = compress ? this.httpCompression : false;
    respond(this, poll.req, poll.res, this[inTransport.bodyOf](payload), compression, () => {
      poll.release();
      const index = this[inTransport.polls].indexOf(poll);
      if (index >= 0) {
        this[inTransport.polls].splice(index, 1);
      }
      log.logResponded(payload);
      poll.onAnswered?.();
    });
    const [first, next] = this[inTransport.polls];
    if (first === poll && next !== undefined) {
      // It came before this answer did, but is no less one too many now that the answer is being compressed.
      next.release();
      this[inTransport.polls].pop();
      this[inTransport.refuseOverlap](next.res);
    }
  }

  private [inTransport.refuseOverlap](res: ServerResponse): void {
    log.logOverlap();
    this[inTransport.session][inEngine.failTransport](transportError("overlap from client"));
    res.writeHead(400);
    res.end();
  }

  /** The GET that another one may not overlap. */
  private [inTransport.held](): Poll | undefined {
    return this[inTransport.waiting]() ?? this[inTransport.polls].find((poll) => poll.isAnswered);
  }

  private [inTransport.waiting](): Poll | undefined {
    const poll = this[inTransport.polls][this[inTransport.polls].length - 1];
    return poll === undefined || poll.isTaken ? undefined : poll;
  }

  private [inTransport.forget](request: DataRequest): void {
    if (this[inTransport.data] === request) {
      this[inTransport.data] = undefined;
    }
  }

  /** A body that is still arriving goes down with its connection. */
  private [inTransport.dropBody](): void {
    const { [inTransport.data]: data } = this;
    this[inTransport.data] = undefined;
    data?.destroy();
  }
}

letAssign(PollingTransport.prototype, ["req", "res", "dataReq", "dataRes"]);

/** Whether a payload is one that the core sends by itself. */
function isOfTheCore(protocol: 3 | 4, payload: string | Buffer): boolean {
  return [PING, NOOP].some((digit) => payload === barePayload(protocol, digit));
}

function hasBinaryContent(req: EngineRequest): boolean {
  return headerOf(req, "content-type") === BINARY_CONTENT;
}
