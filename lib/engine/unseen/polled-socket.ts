/**
 * The socket under polling requests that were answered: Node's own until it closes, then what can still be said of it.
 *
 * Requests of many sessions may come over one socket, when it is a proxy's.
 */
import type { Socket as NetSocket } from "node:net";
import { peerEnd } from "../endpoint";
import type { RequestSource } from "./deferred-request";
import { type AcceptingServer, StandIn, type StandInSource } from "./stand-in";
import { wasShown } from "./visibility";

const kPolled = Symbol("polled");

type Tagged = NetSocket & { server?: AcceptingServer; [kPolled]?: PolledSocket };

export class PolledSocket implements RequestSource, StandInSource {
  readonly server: AcceptingServer;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** What a stand-in stands for is always a closed socket. */
  readonly hasEnded = true;
  /** Undefined once it has closed, unless somebody may know it. */
  private socket: NetSocket | undefined;
  private standIn: StandIn | undefined = undefined;

  /** The one of this socket. */
  static of(socket: NetSocket): PolledSocket {
    const tagged = socket as Tagged;
    tagged[kPolled] ??= new PolledSocket(tagged);
    return tagged[kPolled];
  }

  private constructor(socket: Tagged) {
    this.server = socket.server as AcceptingServer;
    const peer = peerEnd(socket);
    this.remoteAddress = peer.address;
    this.remotePort = peer.port;
    this.socket = socket;
    if (socket.closed) {
      this.forget();
    } else {
      socket.on("close", onClose);
    }
  }

  get isUpgrade(): boolean {
    return false;
  }

  /** Node knows the local address of an open socket only. */
  get localAddress(): object {
    return {};
  }

  get stream(): NetSocket {
    if (this.socket !== undefined) {
      return this.socket;
    }
    this.standIn ??= new StandIn(this);
    return this.standIn;
  }

  // A stand-in is made when the stream has gone.
  onDestroyed(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}

  forget(): void {
    if (this.socket !== undefined && !wasShown(this.socket)) {
      this.socket = undefined;
    }
  }
}

function onClose(this: Tagged): void {
  this[kPolled]?.forget();
}
