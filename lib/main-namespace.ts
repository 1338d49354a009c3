/**
 * The methods that a server has from its main namespace: `io.to("room1")` is `io.of("/").to("room1")`.
 */
import type { Room, SocketId } from "socket.io-adapter";
import type { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
import type { ExtendedError, Namespace, ServerReservedEventsMap } from "./namespace";
import type { Socket } from "./socket";
import {
  type AllButLast,
  type DecorateAcknowledgements,
  type DecorateAcknowledgementsWithMultipleResponses,
  type DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  type EventNames,
  type EventNamesWithAck,
  type EventParams,
  type EventsMap,
  type FirstNonErrorArg,
  type Last,
  type RemoveAcknowledgements,
  StrictEventEmitter,
} from "./typed-events";

export abstract class MainNamespaceMethods<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  /** The main namespace, `/`. */
  abstract readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;

  /** Adds a middleware to the main namespace: {@link Namespace.use}. */
  use(
    fn: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (err?: ExtendedError) => void,
    ) => void,
  ): this {
    this.sockets.use(fn);
    return this;
  }

  /** Chooses the sockets of a room: {@link BroadcastOperator.to}. */
  to(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this.sockets.to(room);
  }

  /** The same as {@link Server.to}. */
  in(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this.sockets.in(room);
  }

  /** Leaves the sockets of a room out: {@link BroadcastOperator.except}. */
  except(
    room: Room | Room[],
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this.sockets.except(room);
  }

  /** Sends a `message` event to all sockets of the main namespace. */
  send(...args: EventParams<EmitEvents, "message">): this {
    this.sockets.emit("message" as any, ...args);
    return this;
  }

  /** The same as {@link Server.send}. */
  write(...args: EventParams<EmitEvents, "message">): this {
    this.sockets.emit("message" as any, ...args);
    return this;
  }

  /** Sends an event to the other servers of the cluster: {@link Namespace.serverSideEmit}. */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<
      DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>,
      Ev
    >
  ): boolean {
    return this.sockets.serverSideEmit(ev, ...args);
  }

  /** The same, waiting for the responses: {@link Namespace.serverSideEmitWithAck}. */
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<ServerSideEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<ServerSideEvents, Ev>>>[]> {
    return this.sockets.serverSideEmitWithAck(ev, ...args);
  }

  /**
   * Ids of the sockets of the main namespace.
   *
   * @deprecated use {@link Server.fetchSockets}
   */
  allSockets(): Promise<Set<SocketId>> {
    return this.sockets.allSockets();
  }

  /** Whether what is sent may be compressed: {@link BroadcastOperator.compress}. */
  compress(
    compress: boolean,
  ): BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData> {
    return this.sockets.compress(compress);
  }

  /** Leaves out who cannot take it now: {@link BroadcastOperator.volatile}. */
  get volatile(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return this.sockets.volatile;
  }

  /** Only sockets of this very server: {@link BroadcastOperator.local}. */
  get local(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  > {
    return this.sockets.local;
  }

  /** How long acknowledgements may take, in milliseconds: {@link BroadcastOperator.timeout}. */
  timeout(
    timeout: number,
  ): BroadcastOperator<
    DecorateAcknowledgements<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>>,
    SocketData
  > {
    return this.sockets.timeout(timeout);
  }

  /** The sockets of the main namespace, on all servers of the cluster: {@link BroadcastOperator.fetchSockets}. */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]> {
    return this.sockets.fetchSockets();
  }

  /** Makes all sockets of the main namespace join one or more rooms. */
  socketsJoin(room: Room | Room[]): void {
    this.sockets.socketsJoin(room);
  }

  /** Makes all sockets of the main namespace leave one or more rooms. */
  socketsLeave(room: Room | Room[]): void {
    this.sockets.socketsLeave(room);
  }

  /**
   * Disconnects all sockets of the main namespace.
   *
   * @param close whether to close their sessions too
   */
  disconnectSockets(close = false): void {
    this.sockets.disconnectSockets(close);
  }
}
