/**
 * Whether WebSockets are still accepted: `engine.ws`, in the place of engine.io's ws server.
 *
 * A `headers` listener gets the lines of each 101 before it is written, and may add some. A listener of `wsClientError` gets the error, the
 * stream and the request of an opening handshake that is none, and answers it itself.
 *
 * As the default of the `wsEngine` option the class stands for the core's own WebSockets.
 */
import { EventEmitter } from "node:events";
import type { DeflateOptions } from "./deflate";
import * as inTransport from "./in-transport";

export class WebSocketGate extends EventEmitter {
  /** Closed gates answer upgrade requests with a 503. */
  [inTransport.isClosed] = false;

  /** How offers of compression are answered, as the option was when the gate was made; undefined refuses none and accepts none. */
  readonly [inTransport.deflate]: DeflateOptions | undefined;

  constructor(deflate: DeflateOptions | undefined) {
    super();
    this[inTransport.deflate] = deflate;
  }

  /** Accepts no more; what is open stays. */
  close(callback?: () => void): void {
    if (callback) {
      this.once("close", callback);
    }
    if (!this[inTransport.isClosed]) {
      this[inTransport.isClosed] = true;
      process.nextTick(() => this.emit("close"));
    }
  }
}
