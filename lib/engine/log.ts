/**
 * What sessions and transports tell of themselves under `DEBUG=engine*`, in engine.io's words: people search logs for these lines.
 *
 * Much of it is the core's doing, which JavaScript hears of only while somebody reads along (`Link.updateLog`): the heartbeat, and the
 * packets of WebSockets as they came. Nothing here is kept with a session; what has to be remembered is in weak maps, filled when a
 * namespace is on. With all of them off a call is a look at one flag.
 */
import debugModule from "debug";
import type { CloseReason } from "../link";
import { switchOf } from "../log-switch";
import type { StreamCarrier } from "./carrier";
import * as inEngine from "./in-engine";
import * as inTransport from "./in-transport";
import type { TransportName } from "./options";
import { DIGIT_ZERO, PACKET_TYPES } from "./payload";
import type { PollingTransport } from "./polling";
import type { Session } from "./session";
import type { Transport, TransportState } from "./transports";
import { OPCODE } from "./websocket-frames";

const engine = debugModule("engine");
const socket = debugModule("engine:socket");
const transport = debugModule("engine:transport");

/** Logs by transport. */
const byTransport: Record<TransportName, debugModule.Debugger> = {
  polling: debugModule("engine:polling"),
  websocket: debugModule("engine:ws"),
  webtransport: debugModule("engine:webtransport"),
};

/** What is looked at with every message. */
const socketLog = switchOf(socket);
const pollingLog = switchOf(byTransport.polling);

/** Payloads that set a GET free: a noop, or the close packet. They are no batch of the session's. */
const BARE_PAYLOADS = new Set<string | Buffer>(["6", "1", "6\x1e1", "1:6", "1:1", "1:61:1"]);

/** Packets that the core takes over a WebSocket without a word: they say nothing to a server. */
const IDLE_PACKETS = new Set<string | undefined>(["open", "close", "upgrade", "noop"]);

/** What a transport is known by. The object that users see may never be made for a stream. */
type LoggedTransport = StreamCarrier | PollingTransport;

/** The states that were told of transports; all others are open. */
const states = new WeakMap<LoggedTransport, TransportState>();
/** The sessions of streams that carry one. */
const carried = new WeakMap<StreamCarrier, Session>();
/** Sessions whose pong is awaited, as long as nothing else has come from them. */
const awaited = new WeakSet<Session>();

/** Of streams only those of WebSockets may be without the object for their transport. */
function nameOf(known: LoggedTransport): TransportName {
  return "name" in known ? known.name : (known.transport?.name ?? "websocket");
}

/** Whether each write is to be told, so that it has to take the way on which JavaScript sees it leave. */
export function logsWrites(): boolean {
  return socketLog.isOn;
}

/** A packet is given to the session. */
export function logSending(type: string, data?: unknown): void {
  if (socketLog.isOn) {
    socket('sending packet "%s" (%s)', type, data);
  }
}

/** The transport takes what is buffered. */
export function logFlush(): void {
  if (socketLog.isOn) {
    socket("flushing buffer to transport");
  }
}

/** The transport has handed over what it took. */
export function logSent(): void {
  if (socketLog.isOn) {
    socket("executing batch send callback");
  }
}

/** The open packet, and what comes with it, which the core sends by itself. */
export function logOpening(handshake: string, isDirect: boolean): void {
  if (socketLog.isOn) {
    logSending("open", handshake);
    if (isDirect) {
      logFlush();
      process.nextTick(logSent);
    }
  }
}

/** A packet of the peer was accepted, or was none (`error`). */
export function logPacket(session: Session, type: string | undefined): void {
  if (!socketLog.isOn) {
    return;
  }
  socket(`received packet ${type}`);
  if (type === "pong" && session.protocol === 4) {
    awaited.delete(session);
    socket("got pong");
  } else if (type === "ping" && session.protocol === 3) {
    socket("got ping");
  } else if (awaited.delete(session)) {
    socket("got packet while waiting for pong - refreshing ping timeout");
  }
}

/** A packet came for a session that is not open. */
export function logLatePacket(): void {
  socket("packet received with closed socket");
}

/** The core has put its half of the heartbeat into the outbox. A stream takes it at once; of a poll it is told with the other writes. */
export function logHeartbeat(session: Session, type: "ping" | "pong"): void {
  if (!socketLog.isOn) {
    return;
  }
  if (type === "ping") {
    const { pingTimeout } = session.server.opts;
    socket("writing ping packet - expecting pong within %sms", pingTimeout);
    awaited.add(session);
  }
  logSending(type);
  if (session[inEngine.transportName] !== "polling") {
    logFlush();
    logSent();
  }
}

/** A GET came while another one waited. */
export function logOverlap(): void {
  byTransport.polling("request overlap");
}

/** The payload of a POST. */
export function logPayload(payload: string | Buffer): void {
  if (pollingLog.isOn) {
    byTransport.polling('received "%s"', payload);
  }
}

/** The peer says goodbye. */
export function logPeerClose(): void {
  byTransport.polling("got xhr close packet");
}

/** A GET was parked. `hadBacklog` says that something waited for it. */
export function logParked(session: Session, hadBacklog: boolean): void {
  if (!pollingLog.isOn) {
    return;
  }
  byTransport.polling("setting request");
  if (session.readyState === "closing" && !hadBacklog) {
    byTransport.polling("triggering empty send to append close packet");
    byTransport.polling("appending close packet to payload");
  }
}

/** A GET takes what the session does not count: the open packet. */
export function logUncountedFlush(hadBacklog: boolean): void {
  if (hadBacklog) {
    logFlush();
  }
}

/** A GET is answered. */
export function logResponse(payload: string | Buffer): void {
  if (pollingLog.isOn) {
    byTransport.polling('writing "%s"', payload);
  }
}

/** The answer was given to Node. */
export function logResponded(payload: string | Buffer): void {
  if (socketLog.isOn && !BARE_PAYLOADS.has(payload)) {
    logSent();
  }
}

/** A transport has changed its state. */
export function logTransport(known: LoggedTransport, state: TransportState): void {
  const name = nameOf(known);
  if (!transport.enabled && !byTransport[name].enabled) {
    return;
  }
  const before = states.get(known) ?? "open";
  if (before !== state && before !== "closed") {
    states.set(known, state);
    transport("readyState updated from %s to %s (%s)", before, state, name);
    if (state === "closing") {
      byTransport[name](name === "webtransport" ? "closing WebTransport session" : "closing");
    }
  }
}

/** The transport of a session is closed; one on polling as its requests have it, told only where there is a choice. */
export function logClosing(
  carrier: StreamCarrier | undefined,
  current: Transport | undefined,
  how?: "writable" | "discarded" | "not writable",
): void {
  if (carrier !== undefined) {
    logTransport(carrier, "closing");
  } else if (current?.name === "polling") {
    logPollingClose(current as PollingTransport, how);
  }
}

function logPollingClose(polling: PollingTransport, how?: string): void {
  if (!transport.enabled && !byTransport.polling.enabled) {
    return;
  }
  const wasOpen = (states.get(polling) ?? "open") === "open";
  logTransport(polling, "closing");
  const known = polling[inTransport.isWaiting]() ? "writable" : how;
  if (wasOpen && known !== undefined) {
    const then = known === "not writable" ? "buffering orderly close" : "closing right away";
    byTransport.polling(`transport ${known} - ${then}`);
  }
}

/** A stream carries a session from now on. */
export function logCarrier(session: Session, carrier: StreamCarrier): void {
  if (socketLog.isOn) {
    carried.set(carrier, session);
  }
}

/** A frame of a WebSocket, as it came: messages are told, packets or not. */
export function logFrame(carrier: StreamCarrier, opcode: number, payload: Buffer): void {
  if (opcode === OPCODE.text || opcode === OPCODE.binary) {
    logMessage(carrier, payload, opcode === OPCODE.binary);
  }
}

/** A message of a WebSocket, as it came. */
export function logMessage(carrier: StreamCarrier, content: Uint8Array, isBinary: boolean): void {
  if (byTransport.websocket.enabled) {
    const message = Buffer.from(content);
    byTransport.websocket('received "%s"', isBinary ? message : message.toString());
  }
  const session = isBinary ? undefined : carried.get(carrier);
  const type = PACKET_TYPES[(content[0] as number) - DIGIT_ZERO];
  if (session !== undefined && IDLE_PACKETS.has(type)) {
    if (session.readyState === "open") {
      logPacket(session, type);
    } else {
      logLatePacket();
    }
  }
}

/** The user closes the session at once. */
export function logDiscard(): void {
  socket("closing the transport (discard? %s)", true);
}

/** The user closes the session after the packets that wait. */
export function logClose(waiting: number): void {
  if (waiting > 0) {
    const text = "there are %d remaining packets in the buffer, waiting for the 'drain' event";
    socket(text, waiting);
  } else {
    socket("the buffer is empty, closing the transport right away");
    socket("closing the transport (discard? %s)", false);
  }
}

/** The packets have left that a close had to wait for. */
export function logDrainedClose(
  carrier: StreamCarrier | undefined,
  current: Transport | undefined,
): void {
  socket("all packets have been sent, closing the transport");
  socket("closing the transport (discard? %s)", false);
  logClosing(carrier, current, "not writable");
}

/** The peer has broken the protocol of WebSockets. */
export function logProtocolError(): void {
  engine("websocket error before upgrade"); // engine.io's words, though there may be none to come
}

/** The session is about to end. Its transport is closed before that, unless a fault ends it. */
export function logEnding(
  reason: CloseReason,
  carrier: StreamCarrier | undefined,
  current: Transport | undefined,
): void {
  if (reason === "transport error") {
    socket("transport error");
  } else if (reason === "forced close") {
    logClosing(carrier, current, "discarded");
  } else if (reason === "transport close") {
    const known = carrier ?? (current?.name === "polling" ? current : undefined);
    if (known !== undefined) {
      logTransport(known as LoggedTransport, "closed");
    }
  }
}

/** A stream may become the transport of a session on polling. */
export function logCandidate(candidate: StreamCarrier): void {
  engine("upgrading existing transport");
  socket('might upgrade socket transport from "%s" to "%s"', "polling", nameOf(candidate));
}

/** A stream was taken only to be refused, so its end is not that of a transport. */
export function logRefused(carrier: StreamCarrier | undefined): void {
  if (transport.enabled && carrier !== undefined) {
    states.set(carrier, "closed");
  }
}

/** A stream is refused as the upgrade of a session, or of none. */
export function logUpgradeRefusal(
  session: Session | undefined,
  carrier?: StreamCarrier | undefined,
): void {
  logRefused(carrier);
  if (session === undefined) {
    engine("upgrade attempt for closed client");
  } else if (session.upgrading) {
    engine("transport has already been trying to upgrade");
  } else {
    engine("transport had already been upgraded");
  }
}

/** The client has probed its candidate. */
export function logProbe(): void {
  socket("got probe ping packet, sending pong");
}

/** A GET is answered during an upgrade: with a noop, so that the client can go on with it, or with messages. */
export function logNoop(payload: string | Buffer): void {
  if (payload === "6" || payload === "1:6") {
    socket("writing a noop packet to polling for fast upgrade");
  }
}

/** The candidate carries the session. */
export function logUpgrade(polling: PollingTransport): void {
  socket("got upgrade packet - upgrading");
  logPollingClose(polling, "discarded");
}

/** Why an upgrade came to nothing, by the number in an UPGRADE_FAILED record. */
export const UPGRADE_TIMED_OUT = 1;
export const CANDIDATE_CLOSED = 2;

/** The candidate is gone, or sent what has no place in an upgrade. */
export function logFailedUpgrade(candidate: StreamCarrier, failure: number): void {
  if (failure === CANDIDATE_CLOSED) {
    logTransport(candidate, "closed");
    socket("client did not complete upgrade - %s", "transport closed");
    return;
  }
  if (failure === UPGRADE_TIMED_OUT) {
    socket("client did not complete upgrade - closing transport");
  }
  logTransport(candidate, "closing");
}

/** The session has closed before its candidate could carry it. */
export function logLostCandidate(candidate: StreamCarrier): void {
  socket("client did not complete upgrade - %s", "socket closed");
  logTransport(candidate, "closing");
}
