/**
 * `request.websocket`: engine.io puts the `ws` object of a session on the request of its opening handshake. Here that object is made when somebody
 * looks for it.
 */
import { ownValue } from "../own-value";
import type { EngineRequest } from "./request";
import type { Session } from "./session";
import type { WebSocketTransport } from "./transports";

const kSession = Symbol("session");

type Tagged = EngineRequest & { [kSession]?: Session };

/** An own property as engine.io's is, shared by all requests. */
const websocketProperty: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: Tagged) {
    return (this[kSession]?.transport as WebSocketTransport | undefined)?.socket;
  },
  set(this: Tagged, websocket: unknown) {
    ownValue(this, "websocket", websocket);
  },
};

/** Lets the WebSocket of a session be found on its request. */
export function lendWebSocket(request: EngineRequest, session: Session): void {
  (request as Tagged)[kSession] = session;
  Object.defineProperty(request, "websocket", websocketProperty);
}
