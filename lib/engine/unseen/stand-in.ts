/**
 * The net.Socket that users find as `req.socket` when nobody has held the original: a real one, without a handle, made when it is asked for.
 *
 * For Node it is the original in every respect that still counts: `server.getConnections` counts it, `httpServer.close()` waits for it.
 */
import { Socket as NetSocket } from "node:net";
import { destroyOnError } from "../errors";
import * as inTransport from "../in-transport";

/** Node's own fields of an accepted socket and of its server. */
interface OpenSocket extends NetSocket {
  server: AcceptingServer | null;
  _server: AcceptingServer | null;
  _peername: object;
}

/** A server whose connections are counted as Node counts them. */
export interface AcceptingServer {
  readonly joinDuplicateHeaders?: boolean | null;
  _connections: number;
  _emitCloseIfDrained(): void;
}

/** What a stand-in is made of. */
export interface StandInSource {
  readonly server: AcceptingServer;
  readonly localAddress: object;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly hasEnded: boolean;
  /** Somebody destroys the stand-in, and so the stream. */
  onDestroyed(): void;
  /** Somebody chooses an option of the stream. */
  setNoDelay(isOn: unknown): void;
  setKeepAlive(isOn: unknown, milliseconds: number | undefined): void;
}

/** About as much as the core has written when it takes a stream over; nobody counts the bytes after that. */
const RESPONSE_BYTES = 129;

export class StandIn extends NetSocket {
  /** It was made when the original had closed, and been told of, long before. */
  private readonly [inTransport.isLate]: boolean;

  private readonly [inTransport.source]: StandInSource;

  constructor(source: StandInSource) {
    super({ allowHalfOpen: true });
    this[inTransport.source] = source;
    this.on("error", destroyOnError); // as on the original: a user who destroys it with an error does not end the process
    this[inTransport.isLate] = source.hasEnded;
    const socket = this as unknown as OpenSocket;
    const { server, remoteAddress: address, remotePort: port } = source;
    socket.server = server;
    socket._peername =
      address === undefined
        ? {}
        : { address, family: address.includes(":") ? "IPv6" : "IPv4", port };
    if (this[inTransport.isLate]) {
      this.destroy();
    } else {
      socket._server = server;
    }
  }

  /** Node's own name for what it has given to the handle. */
  get _bytesDispatched(): number {
    return RESPONSE_BYTES;
  }

  /** Without a handle Node answers nothing for the local address. */
  _getsockname(): object {
    return this[inTransport.source].localAddress;
  }

  override setNoDelay(isOn = true): this {
    this[inTransport.source].setNoDelay(isOn);
    return this;
  }

  override setKeepAlive(isOn?: boolean, milliseconds?: number): this {
    this[inTransport.source].setKeepAlive(isOn, milliseconds);
    return this;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this[inTransport.isLate]) {
      callback(error);
    } else {
      this[inTransport.source].onDestroyed();
      super._destroy(error, callback);
    }
  }
}

/** What a socket does by its handle, for one whose descriptor the core has. */
export const WITHOUT_HANDLE: PropertyDescriptorMap & ThisType<NetSocket> = {
  // What was sent leaves, and the stream ends with it.
  _final: {
    value(callback: () => void) {
      this.once("finish", () => this.destroy());
      callback();
    },
    configurable: true,
  },
  resetAndDestroy: {
    value() {
      return this.destroy();
    },
    configurable: true,
  },
  pending: {
    get() {
      return this.destroyed;
    },
    configurable: true,
  },
};
Object.defineProperties(StandIn.prototype, WITHOUT_HANDLE);

/** An accepted socket that no stand-in was made for is gone: what Node does when one is destroyed. */
export function forgetSocket(server: AcceptingServer): void {
  server._connections -= 1;
  server._emitCloseIfDrained();
}
