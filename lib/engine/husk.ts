/**
 * A net.Socket whose descriptor the core has adopted: what remains for Node and for users.
 *
 * `server.getConnections` counts it, `httpServer.close()` waits for it, its addresses can be read, and destroying it drops the stream. It has
 * no handle, so nothing that is written to it leaves, and `end()` does nothing.
 */
import type { Link } from "../link";
import type { AdoptableHandle, AdoptableSocket, Carrier, Opening } from "./carrier";
import type { WebSocketTransport } from "./transports";

const kHusk = Symbol("husk");

type Tagged = AdoptableSocket & { [kHusk]?: Husk };

/** Gives the descriptor to the core; undefined when it could not be duplicated. */
export function adopt(
  link: Link,
  socket: AdoptableSocket,
  input: Buffer,
  { role, slot, response, subprotocol, deflate }: Opening,
): Husk | undefined {
  const handle = socket._handle as AdoptableHandle;
  const husk = new Husk(link, socket, subprotocol, deflate !== undefined);
  rememberAddresses(socket);
  husk.conn = link.adopt(handle.fd as number, role, slot, response, input, husk, deflate);
  if (husk.conn < 0) {
    return undefined;
  }
  detach(socket, handle);
  // Another engine on the same server ends upgrade streams that nobody has written to; the core has written this much.
  Object.defineProperty(socket, "_bytesDispatched", { value: response.length, configurable: true });
  socket.setTimeout(0);
  (socket as Tagged)[kHusk] = husk;
  socket.on("close", onClose);
  return husk;
}

class Husk implements Carrier {
  conn = -1;
  hasEnded = false;
  transport: WebSocketTransport | undefined = undefined;

  constructor(
    private readonly link: Link,
    readonly stream: AdoptableSocket,
    readonly subprotocol: string,
    readonly isCompressed: boolean,
  ) {}

  onConnEnded(): void {
    this.hasEnded = true;
    this.transport?.onStreamEnded();
    this.stream.destroy();
  }

  /** Somebody has destroyed the socket: the stream goes with it. */
  onSocketClosed(): void {
    if (!this.hasEnded) {
      this.link.commands.connDestroy(this.conn);
    }
  }

  // A husk moves no bytes.
  onBridgeWrite(): void {}
  onBridgeEnd(): void {}
  onBridgePause(): void {}
  onBridgeResume(): void {}
  onBridgeDestroy(): void {}
}

function onClose(this: Tagged): void {
  this[kHusk]?.onSocketClosed();
}

/** The descriptor lives on in the core; libuv takes it out of its poll set before it closes its own. */
function detach(socket: AdoptableSocket, handle: AdoptableHandle): void {
  socket._handle = null;
  handle.onread = ignoreRead;
  handle.close();
}

function ignoreRead(): void {}

/** Local addresses by text: a server has few, and its husks share the objects. Bounded, since a host may have many. */
const localAddresses = new Map<string, object>();
const LOCAL_ADDRESSES_MAX = 1024;

/** Node keeps the peer's address once it was read, but answers nothing for the local one without a handle. */
function rememberAddresses(socket: AdoptableSocket): void {
  void socket.remoteAddress;
  const address = socket._getsockname() as { address?: string; port?: number };
  const key = `${address.address} ${address.port}`;
  let shared = localAddresses.get(key);
  if (shared === undefined) {
    shared = address;
    if (localAddresses.size < LOCAL_ADDRESSES_MAX) {
      localAddresses.set(key, shared);
    }
  }
  socket._sockname = shared;
  socket._getsockname = rememberedAddress;
}

function rememberedAddress(this: AdoptableSocket): object {
  return this._sockname ?? {};
}

export type { Husk };
