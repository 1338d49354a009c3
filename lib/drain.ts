/**
 * `io.drain()`: how a server takes leave of its clients before it goes, so that they come back to the others one by one and not all at once.
 *
 * The time is cut into as many equal parts as there are sessions. In each part, at a random moment of it, one session is told goodbye; so
 * the rate is even, and clients of servers that are drained at the same time do not fall into step.
 */
import type { Socket as EngineSocket } from "./engine";
import { LONGEST_DELAY_MS } from "./engine/options";
import { throwApart } from "./throw-apart";

/** Options of {@link Server.drain}. */
export interface DrainOptions {
  /** How long it takes to say goodbye to all clients, in milliseconds; 10000. */
  over?: number;
  /**
   * What clients are told: the reason of the WebSocket's close frame, whose code is 1001 (going away), and the second argument of
   * `disconnect` listeners here. At most 123 bytes; empty.
   */
  reason?: string;
}

const DEFAULT_OVER_MS = 10_000;
/** RFC 6455 section 5.5: a control frame has 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123;
/** How long a session may take to end after its goodbye: a polling client has to come once more to hear it. In milliseconds. */
const GRACE_MS = 5_000;

/**
 * Fills in the defaults.
 *
 * @throws TypeError for a time that is none, or a reason that does not fit into a close frame
 */
export function completeDrain({ over = DEFAULT_OVER_MS, reason = "" }: DrainOptions): {
  over: number;
  reason: string;
} {
  if (typeof over !== "number" || !(over >= 0 && over <= LONGEST_DELAY_MS)) {
    throw new TypeError(
      `option "over" must be a number of milliseconds from 0 to ${LONGEST_DELAY_MS}, not ${String(over)}`,
    );
  }
  if (typeof reason !== "string" || Buffer.byteLength(reason) > MAX_REASON_BYTES) {
    throw new TypeError(`option "reason" must be a text of at most ${MAX_REASON_BYTES} bytes`);
  }
  return { over, reason };
}

/**
 * Says goodbye to these sessions within `over` milliseconds. Resolves when all of them have ended, by it or by themselves.
 *
 * @param sayGoodbye leads to the end of a session; what it throws is an uncaught exception and stops nothing here
 */
export function drainSessions(
  sessions: EngineSocket[],
  over: number,
  sayGoodbye: (session: EngineSocket) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const start = performance.now();
    const part = over / sessions.length;
    const dueOf = (index: number): number => (index + Math.random()) * part;
    let open = sessions.length;
    let index = 0;
    let due = dueOf(0);
    let timer: NodeJS.Timeout | undefined;
    if (open === 0) {
      resolve();
      return;
    }
    const onClose = (): void => {
      open -= 1;
      if (open === 0) {
        clearTimeout(timer);
        resolve();
      }
    };
    const goOn = (): void => {
      for (; index < sessions.length; index += 1, due = dueOf(index)) {
        const session = sessions[index] as EngineSocket;
        if (session.readyState === "closed") {
          continue; // it has left by itself
        }
        const wait = start + due - performance.now();
        if (wait > 0) {
          timer = setTimeout(goOn, wait);
          return;
        }
        try {
          sayGoodbye(session);
        } catch (error) {
          throwApart(error);
        }
      }
      if (open > 0) {
        timer = setTimeout(endRest, GRACE_MS);
      }
    };
    const endRest = (): void => {
      for (const session of sessions) {
        session.close(true);
      }
    };
    for (const session of sessions) {
      session.once("close", onClose);
    }
    goOn();
  });
}
