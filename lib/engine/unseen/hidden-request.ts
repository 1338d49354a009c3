/**
 * A handshake request that users have not asked for yet: what can be read of it, and the request itself for when they do.
 *
 * Two kinds: one that is made anew (deferred-request.ts), and one that stays until it has been answered (answered-request.ts).
 */
import type { IncomingMessage } from "node:http";
import type { EngineRequest } from "../request";

export abstract class HiddenRequest {
  /** The object that users get, always the same. */
  abstract get request(): EngineRequest;
  /** Somebody has got it. */
  abstract get isShown(): boolean;
  /** The same object as `request.headers`. */
  abstract get headers(): IncomingMessage["headers"];
  abstract get url(): string | undefined;
  /** The same object as `request._query`. */
  abstract get _query(): EngineRequest["_query"];
}
