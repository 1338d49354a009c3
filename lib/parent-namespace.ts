/**
 * What `io.of()` gives for a regular expression or a function: the mould of the namespaces that clients bring into being by connecting.
 *
 * It has no sockets. Its listeners and middlewares are copied to each child when the child is made, and what is sent through it goes to
 * all children.
 */
import debugModule from "debug";
import { Adapter, type BroadcastOptions } from "socket.io-adapter";
import type { RemoteSocket } from "./broadcast-operator";
import { Namespace } from "./namespace";
import * as own from "./own";
import type { Server } from "./server";
import type {
  DefaultEventsMap,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
} from "./typed-events";

const debug = debugModule("socket.io:parent-namespace");

/**
 * A mould of namespaces.
 *
 * @example
 * const parent = io.of(/^\/dynamic-\d+$/);
 *
 * parent.on("connection", (socket) => console.log(socket.nsp.name)); // "/dynamic-101"
 * parent.emit("hello"); // reaches the clients of all its children
 */
export class ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  private static count = 0;
  /** Namespaces made from this one. */
  readonly children: Set<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>> =
    new Set();

  constructor(server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) {
    super(server, `/_${ParentNamespace.count++}`);
  }

  /** Whatever the server's adapter: the parent only hands on to those of the children. */
  override _initAdapter(): void {
    this.adapter = new ParentAdapter(this);
  }

  /** Sends an event to the sockets of all children. */
  override emit<Ev extends EventNamesWithoutAck<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean {
    for (const child of this.children) {
      child.emit(ev, ...args);
    }
    return true;
  }

  /** Makes the namespace of this name, with the middlewares and the `connect` and `connection` listeners of this moment. */
  createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    debug("creating child namespace %s", name);
    const { server } = this;
    const child = new Namespace(server, name);
    for (const middleware of this._fns) {
      child.use(middleware);
    }
    for (const event of ["connect", "connection"] as const) {
      for (const listener of this.listeners(event)) {
        child.on(event, listener as any);
      }
    }
    this.children.add(child);
    if (server._opts.cleanupEmptyChildNamespaces) {
      this[own.removeWhenEmpty](child);
    }
    server._nsps.set(name, child);
    server[own.announceNamespace](child);
    return child;
  }

  /**
   * Not possible: with several servers a child may exist on one and not on another.
   *
   * @throws Error always
   */
  override fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]> {
    throw new Error("fetchSockets() is not supported on parent namespaces");
  }

  /** A child goes when its last socket has left, or its only candidate was refused. */
  private [own.removeWhenEmpty](
    child: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ): void {
    const remove = child._remove;
    child._remove = (socket) => {
      remove.call(child, socket);
      if (child.sockets.size === 0) {
        debug("closing child namespace %s", child.name);
        child.adapter.close();
        this.server._nsps.delete(child.name);
        this.children.delete(child);
      }
    };
  }
}

class ParentAdapter extends Adapter {
  override broadcast(packet: any, opts: BroadcastOptions): void {
    for (const child of (this.nsp as ParentNamespace).children) {
      child.adapter.broadcast(packet, opts);
    }
  }
}
