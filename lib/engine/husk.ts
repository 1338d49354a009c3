/**
 * A net.Socket whose descriptor the core has adopted: what remains for Node and for users.
 *
 * `server.getConnections` counts it, `httpServer.close()` waits for it, its addresses can be read, and destroying or ending it drops the
 * stream. It has no handle: what is written to it does not leave but destroys it. If somebody may hold the socket it is that very object that
 * remains. Otherwise (unseen/) a few facts do, and another socket is made of them when somebody asks: 104 bytes instead of 1,080.
 */
import type { Link } from "../link";
import type { AdoptableHandle, AdoptableSocket, Carrier, Opening } from "./carrier";
import { localEnd, type OpenSocket, peerEnd } from "./endpoint";
import * as inTransport from "./in-transport";
import { logFrame, logTransport } from "./log";
import type { WebSocketTransport } from "./transports";
import {
  type AcceptingServer,
  forgetSocket,
  type RequestSource,
  StandIn,
  type StandInSource,
  WITHOUT_HANDLE,
} from "./unseen";

const kHusk = Symbol("husk");

type Tagged = AdoptableSocket & { [kHusk]?: Husk };

/** Gives the descriptor to the core; undefined when it could not be duplicated. */
export function adopt(
  link: Link,
  socket: AdoptableSocket,
  input: Buffer,
  { role, slot, response, subprotocol, deflate, isUnseen }: Opening,
): Husk | undefined {
  const handle = socket._handle as AdoptableHandle;
  const localAddress = localEnd(socket as OpenSocket);
  const isCompressed = deflate !== undefined;
  const husk = isUnseen
    ? new UnseenSocket(link, socket, localAddress, subprotocol, isCompressed)
    : new KeptSocket(link, socket, subprotocol, isCompressed);
  husk.conn = link.adopt(handle.fd as number, role, slot, response, input, husk, deflate);
  if (husk.conn < 0) {
    return undefined;
  }
  detach(socket, handle);
  if (husk instanceof KeptSocket) {
    husk.keep(localAddress, response.length);
  }
  return husk;
}

abstract class Husk implements Carrier {
  conn = -1;
  hasEnded = false;
  transport: WebSocketTransport | undefined = undefined;

  constructor(
    protected readonly link: Link,
    readonly subprotocol: string,
    readonly isCompressed: boolean,
  ) {}

  abstract readonly stream: Carrier["stream"];

  onConnEnded(): void {
    this.hasEnded = true;
    logTransport(this, "closed");
    this.transport?.[inTransport.onStreamEnded]();
    this.drop();
  }

  /** Somebody has destroyed the socket: the stream goes with it. */
  onDestroyed(): void {
    if (!this.hasEnded) {
      this.link.commands.connDestroy(this.conn);
    }
  }

  destroy(): void {
    this.stream.destroy();
  }

  /** Somebody chooses an option of the socket, which is that of the core's descriptor. */
  setNoDelay(isOn: unknown): void {
    if (!this.hasEnded) {
      this.link.commands.noDelay(this.conn, Boolean(isOn));
    }
  }

  /** The same; Node's milliseconds count as whole seconds. */
  setKeepAlive(isOn: unknown, milliseconds: number | undefined): void {
    if (!this.hasEnded) {
      const seconds = Math.max(Math.trunc((milliseconds || 0) / 1000), 0);
      this.link.commands.keepAlive(this.conn, Boolean(isOn), seconds);
    }
  }

  // A husk moves no bytes.
  onBridgeWrite(): void {}
  onBridgeEnd(): void {}
  onBridgePause(): void {}
  onBridgeResume(): void {}
  onBridgeDestroy(): void {}

  onFrame(opcode: number, payload: Buffer): void {
    logFrame(this, opcode, payload);
    this.transport?.[inTransport.onFrame](opcode, payload);
  }

  onFramesSent(count: number): void {
    this.transport?.[inTransport.onFramesSent](count);
  }

  /** The stream is closed: so is the socket. */
  protected abstract drop(): void;
}

/** The husk of a socket that somebody may hold. */
class KeptSocket extends Husk {
  constructor(
    link: Link,
    readonly stream: AdoptableSocket,
    subprotocol: string,
    isCompressed: boolean,
  ) {
    super(link, subprotocol, isCompressed);
    void stream.remoteAddress; // as long as there is a handle: Node keeps the peer's address once it was read
  }

  keep(localAddress: object, written: number): void {
    const socket: Tagged = this.stream;
    socket._sockname = localAddress;
    socket._getsockname = keptAddress;
    Object.defineProperties(socket, WITHOUT_HANDLE);
    Object.defineProperties(socket, TUNED_BY_HUSK);
    // Another engine on the same server ends upgrade streams that nobody has written to; the core has written this much.
    Object.defineProperty(socket, "_bytesDispatched", { value: written, configurable: true });
    socket[kHusk] = this;
    socket.on("close", onKeptSocketClosed);
  }

  protected override drop(): void {
    this.stream.destroy();
  }
}

/** Without a handle Node would keep what is chosen for the next one. */
const TUNED_BY_HUSK: PropertyDescriptorMap & ThisType<Tagged> = {
  setNoDelay: {
    value(isOn: unknown = true) {
      this[kHusk]?.setNoDelay(isOn);
      return this;
    },
    configurable: true,
    writable: true,
  },
  setKeepAlive: {
    value(isOn?: unknown, milliseconds?: number) {
      this[kHusk]?.setKeepAlive(isOn, milliseconds);
      return this;
    },
    configurable: true,
    writable: true,
  },
};

/** Without a handle Node answers nothing for the local address. */
function keptAddress(this: AdoptableSocket): object {
  return this._sockname ?? {};
}

function onKeptSocketClosed(this: Tagged): void {
  this[kHusk]?.onDestroyed();
}

/** The husk of a socket that nobody has seen. */
export class UnseenSocket extends Husk implements RequestSource, StandInSource {
  readonly server: AcceptingServer;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  private standIn: StandIn | undefined = undefined;

  constructor(
    link: Link,
    socket: AdoptableSocket,
    readonly localAddress: object,
    subprotocol: string,
    isCompressed: boolean,
  ) {
    super(link, subprotocol, isCompressed);
    this.server = (socket as unknown as { server: AcceptingServer }).server;
    const peer = peerEnd(socket);
    this.remoteAddress = peer.address;
    this.remotePort = peer.port;
  }

  get isUpgrade(): boolean {
    return true;
  }

  get stream(): StandIn {
    this.standIn ??= new StandIn(this);
    return this.standIn;
  }

  protected override drop(): void {
    if (this.standIn !== undefined) {
      this.standIn.destroy();
    } else {
      forgetSocket(this.server);
    }
  }
}

/** The descriptor lives on in the core; libuv takes it out of its poll set before it closes its own. */
function detach(socket: AdoptableSocket, handle: AdoptableHandle): void {
  socket._handle = null;
  handle.onread = ignoreRead;
  handle.close();
  socket.setTimeout(0);
}

function ignoreRead(): void {}

export type { Husk };
