/**
 * engine.io's table of transports by name. Sessions do not look transports up here; it is for those who extend the server, or want to know
 * what can be upgraded to what.
 */
import { createPolling } from "./jsonp";
import type { TransportName } from "./options";
import type { PollingTransport } from "./polling";
import type { EngineRequest } from "./request";
import { WebSocketTransport } from "./transports";
import { WebTransport } from "./webtransport";

/** The transport of a polling session, with or without JSONP as the handshake asks; with `new` or without. */
function polling(req: Pick<EngineRequest, "_query">): PollingTransport {
  return createPolling(req);
}
polling.upgradesTo = ["websocket", "webtransport"] as TransportName[];

/** Transports by the name that clients ask for them by. */
export const transports = { polling, websocket: WebSocketTransport, webtransport: WebTransport };
