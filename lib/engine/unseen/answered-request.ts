/**
 * The handshake request of a polling session, which is Node's own as long as it may be in use. Once the session has moved to a WebSocket it is
 * over, and as long as nobody has been shown it, another one can be made in its place when somebody asks.
 *
 * Then neither it nor its socket has to stay: 2.8 KB of an upgraded session (heap snapshot of 3,000).
 */
import type { IncomingMessage } from "node:http";
import type { EngineRequest } from "../request";
import { DeferredRequest } from "./deferred-request";
import { HiddenRequest } from "./hidden-request";
import { PolledSocket } from "./polled-socket";
import { noteShown } from "./visibility";

export class AnsweredRequest extends HiddenRequest {
  private current: EngineRequest | DeferredRequest;
  private isOriginalShown = false;
  /** Headers and query have been read, so they have to be the same for ever. */
  private isRead = false;

  /** @param original that nobody has been shown */
  constructor(original: EngineRequest) {
    super();
    this.current = original;
  }

  get request(): EngineRequest {
    const { current } = this;
    if (current instanceof DeferredRequest) {
      return current.request;
    }
    this.isOriginalShown = true;
    noteShown(current.socket);
    return current;
  }

  get isShown(): boolean {
    const { current } = this;
    return current instanceof DeferredRequest ? current.isShown : this.isOriginalShown;
  }

  get headers(): IncomingMessage["headers"] {
    this.isRead = true;
    return this.current.headers;
  }

  get url(): string | undefined {
    return this.current.url;
  }

  get _query(): EngineRequest["_query"] {
    this.isRead = true;
    return this.current._query;
  }

  /** The session needs it no longer. */
  release(): void {
    const { current } = this;
    if (!this.isOriginalShown && !(current instanceof DeferredRequest) && current.destroyed) {
      const deferred = new DeferredRequest(current, PolledSocket.of(current.socket));
      if (this.isRead) {
        deferred.remember(current.headers, current._query);
      }
      this.current = deferred;
    }
  }
}
