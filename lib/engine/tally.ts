/**
 * What an engine counts of its sessions: when one opens, moves, ends or is refused, and once for each POST. Nothing here is done for a
 * packet; what goes through streams is counted in the core.
 */
import type { CloseReason } from "../link";
import type { ErrorCode } from "./errors";
import type { TransportName } from "./options";

/** Numbers by the name of a transport. */
export type ByTransport = Record<TransportName, number>;

/**
 * Why requests were refused: one of engine.io's error codes, `handshake` for an opening handshake of WebSocket or WebTransport that makes no
 * sense, `draining` for a new session while the server is drained.
 */
export type RefusalCode = `${ErrorCode}` | "handshake" | "draining";

/** How many requests were refused, by code. */
export type Refusals = Record<RefusalCode, number>;

/** How many sessions have ended, by the reason that their listeners are told. */
export type Closes = Record<CloseReason, number>;

export class Tally {
  /** Open sessions. */
  readonly sessions: ByTransport = { polling: 0, websocket: 0, webtransport: 0 };
  /** Sessions that were opened, by the transport they began on. */
  readonly handshakes: ByTransport = { polling: 0, websocket: 0, webtransport: 0 };
  /** Requests that were refused. */
  readonly refusals: Refusals = {
    0: 0,
    1: 0,
    2: 0,
    3: 0,
    4: 0,
    5: 0,
    handshake: 0,
    draining: 0,
  };
  /** Sessions that moved from polling to a stream, and streams that they did not move to. */
  readonly upgrades = { completed: 0, failed: 0 };
  /** Sessions that have ended. */
  readonly closes: Closes = {
    "transport error": 0,
    "transport close": 0,
    "forced close": 0,
    "ping timeout": 0,
    "parse error": 0,
  };
  /** What came in POSTs. */
  readonly posted = { packets: 0, bytes: 0 };
  /** Stalls of the JavaScript thread that the watchdog has reported. */
  readonly stalls = { count: 0, duration: 0 };

  /** A request was refused with this code. Whoever extends the engine may have codes of his own, which are nobody's but his. */
  refused(code: ErrorCode): void {
    if (Object.hasOwn(this.refusals, code)) {
      this.refusals[code] += 1;
    }
  }

  /** A session was opened on this transport. */
  opened(transport: TransportName): void {
    this.handshakes[transport] += 1;
    this.sessions[transport] += 1;
  }

  /** A session has moved from polling to this transport. */
  moved(transport: TransportName): void {
    this.sessions.polling -= 1;
    this.sessions[transport] += 1;
    this.upgrades.completed += 1;
  }

  /** A session on this transport has ended. */
  closed(transport: TransportName, reason: CloseReason): void {
    this.sessions[transport] -= 1;
    this.closes[reason] += 1;
  }
}
