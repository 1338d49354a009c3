/** Connects a session of our own engine to its client. The listeners are shared, so that a connection costs no closures. */
import type { Client } from "./client";
import type { Socket as EngineSocket } from "./engine";
import * as inEngine from "./engine/in-engine";
import * as own from "./own";
import type { DisconnectReason } from "./socket-types";

/**
 * EventEmitter's table of listeners as it is after the three `on` of {@link listenToSession}. A constructor instead of Node's
 * `{ __proto__: null }` gives an object of 64 bytes instead of a hash table of 330: half a session is listeners otherwise.
 */
function SessionListeners(this: Record<string, unknown>): void {
  this.data = onSessionData;
  this.error = onSessionError;
  this.close = onSessionClose;
}
SessionListeners.prototype = Object.create(null);
const NewSessionListeners = SessionListeners as unknown as new () => object;

/** Lets the client hear what happens to the session. */
export function listenToSession(conn: EngineSocket): void {
  const emitter = conn as unknown as { _events: object | undefined; _eventsCount: number };
  if (emitter._events === undefined) {
    emitter._events = new NewSessionListeners();
    emitter._eventsCount = 3;
  } else {
    conn.on("data", onSessionData);
    conn.on("error", onSessionError);
    conn.on("close", onSessionClose);
  }
}

function onSessionData(this: EngineSocket, data: any): void {
  (this[inEngine.requestUser] as Client<any, any, any>)[own.tellData](data);
}

function onSessionError(this: EngineSocket, error: Error): void {
  (this[inEngine.requestUser] as Client<any, any, any>)[own.tellEnd]("onerror", error);
}

function onSessionClose(this: EngineSocket, reason: DisconnectReason, description?: any): void {
  (this[inEngine.requestUser] as Client<any, any, any>)[own.tellEnd](
    "onclose",
    reason,
    description,
  );
}

/** Listens no longer. */
export function ignoreSession(conn: EngineSocket): void {
  conn.removeListener("data", onSessionData);
  conn.removeListener("error", onSessionError);
  conn.removeListener("close", onSessionClose);
}
