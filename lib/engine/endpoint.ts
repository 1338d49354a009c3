/**
 * The addresses of accepted sockets. Those of IPv4, written as IPv6 or not, are read from the descriptor; everything else is asked of Node,
 * which makes an object of three properties for each answer: with clients that came and went these took a tenth of the JavaScript thread.
 */
import { Socket as NetSocket } from "node:net";
import { localOf, peerOf } from "../link";
import { StringPool } from "./string-pool";

/** Node's own fields of a net.Socket. */
export interface OpenSocket extends NetSocket {
  _handle: { readonly fd?: number } | null;
  _peername?: object;
  _getsockname(): NodeAddress;
}

/** What Node tells of an end; empty when it does not know. */
export interface NodeAddress {
  address?: string;
  port?: number;
  family?: string;
}

/** One end of a stream. */
export interface Endpoint {
  /** Undefined when the peer has gone, or has none (unix sockets). */
  readonly address: string | undefined;
  readonly port: number | undefined;
}

/** Of clients that have several connections, or come through one proxy: 64 UTF-16 units hold an IPv6 address with its zone. */
const texts = new StringPool(1024, 64);

/** Our own ends by number, or by text: a server has few, so that sessions share the objects. Bounded, since a host may have many. */
const localEnds = new Map<number | string, NodeAddress>();
const LOCAL_ENDS_MAX = 1024;

const PORTS = 0x1_0000;
/** Above port and address. */
const IS_MAPPED = 0x1_0000_0000_0000;

/** The peer's end. */
export function peerEnd(socket: NetSocket | undefined): Endpoint {
  const packed = isPlain(socket) ? peerOf(socket._handle?.fd ?? -1) : -1;
  if (packed >= 0) {
    return { address: texts.intern(addressText(packed)), port: packed % PORTS };
  }
  const address = socket?.remoteAddress;
  return { address: address && texts.intern(address), port: socket?.remotePort };
}

/** Has Node ask for the peer while it can be asked for; Node keeps the answer for the time after the connection. */
export function rememberPeer(socket: NetSocket | undefined): void {
  void socket?.remoteAddress;
}

/** Our own end, as Node tells it. Shared. */
export function localEnd(socket: OpenSocket): NodeAddress {
  const packed = localOf(socket._handle?.fd ?? -1);
  if (packed >= 0) {
    return localEnds.get(packed) ?? remember(packed, localAddress(packed));
  }
  const told = socket._getsockname();
  const key = `${told.address} ${told.port}`;
  return localEnds.get(key) ?? remember(key, told);
}

/** Whether what Node would say is what the kernel says: nobody has put another address on the socket, as handlers of the PROXY protocol do. */
function isPlain(socket: NetSocket | undefined): socket is OpenSocket {
  return (
    socket !== undefined &&
    Object.getPrototypeOf(socket) === NetSocket.prototype &&
    (socket as OpenSocket)._peername === undefined &&
    !Object.hasOwn(socket, "remoteAddress") &&
    !Object.hasOwn(socket, "remotePort")
  );
}

function localAddress(packed: number): NodeAddress {
  const family = packed >= IS_MAPPED ? "IPv6" : "IPv4";
  return { address: addressText(packed), family, port: packed % PORTS };
}

function addressText(packed: number): string {
  const bits = Math.floor(packed / PORTS) | 0; // the lower 32
  const text = `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
  return packed >= IS_MAPPED ? `::ffff:${text}` : text;
}

function remember(key: number | string, end: NodeAddress): NodeAddress {
  if (localEnds.size < LOCAL_ENDS_MAX) {
    localEnds.set(key, end);
  }
  return end;
}
