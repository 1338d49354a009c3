/** The part of a socket that lets users see every event, whatever its name: incoming ones (`onAny`) and outgoing ones (`onAnyOutgoing`). */
import * as own from "./own";
import { type EventsMap, StrictEventEmitter } from "./typed-events";

type Listener = (...args: any[]) => void;

export abstract class CatchAllEmitter<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ReservedEvents extends EventsMap,
> extends StrictEventEmitter<ListenEvents, EmitEvents, ReservedEvents> {
  protected _anyListeners: Listener[] | undefined = undefined;
  protected _anyOutgoingListeners: Listener[] | undefined = undefined;

  /**
   * Adds a listener for every event that the client sends, called with the name and the arguments before the middlewares and the listeners
   * of the event.
   *
   * @example
   * socket.onAny((event, ...args) => {
   *   console.log(`got ${event}`);
   * });
   */
  onAny(listener: Listener): this {
    this._anyListeners ??= [];
    this._anyListeners.push(listener);
    return this;
  }

  /** The same, before those that were added already. */
  prependAny(listener: Listener): this {
    this._anyListeners ??= [];
    this._anyListeners.unshift(listener);
    return this;
  }

  /** Removes a listener, or all of them. */
  offAny(listener?: Listener): this {
    this._anyListeners = without(this._anyListeners, listener);
    return this;
  }

  /** The listeners for every event; the array itself, as long as there are any. */
  listenersAny(): Listener[] {
    return this._anyListeners || [];
  }

  /**
   * Adds a listener for every event that is sent to the client, by this socket or by a broadcast. Acknowledgements are not told.
   *
   * @example
   * socket.onAnyOutgoing((event, ...args) => {
   *   console.log(`sent ${event}`);
   * });
   */
  onAnyOutgoing(listener: Listener): this {
    this._anyOutgoingListeners ??= [];
    this._anyOutgoingListeners.push(listener);
    this[own.reachChanged]();
    return this;
  }

  /** The same, before those that were added already. */
  prependAnyOutgoing(listener: Listener): this {
    this._anyOutgoingListeners ??= [];
    this._anyOutgoingListeners.unshift(listener);
    this[own.reachChanged]();
    return this;
  }

  /** Removes a listener, or all of them. */
  offAnyOutgoing(listener?: Listener): this {
    this._anyOutgoingListeners = without(this._anyOutgoingListeners, listener);
    this[own.reachChanged]();
    return this;
  }

  /** The listeners for every outgoing event; the array itself, as long as there are any. */
  listenersAnyOutgoing(): Listener[] {
    return this._anyOutgoingListeners || [];
  }

  /** Tells the outgoing listeners of a packet. Called by the socket and by adapters, for each packet that is sent to the client. */
  notifyOutgoingListeners(packet: { data?: any }): void {
    if (this[own.hasOutgoingListeners]) {
      callEach(this.listenersAnyOutgoing(), this, packet.data);
    }
  }

  /** Whether somebody sees what is sent to the client. */
  get [own.hasOutgoingListeners](): boolean {
    return this._anyOutgoingListeners !== undefined && this._anyOutgoingListeners.length > 0;
  }

  /** Called when a broadcast has to come by, or no longer has to, because somebody wants to see it. */
  abstract [own.reachChanged](): void;

  /** Tells the incoming listeners of an event; false when there are none. */
  protected [own.notifyAnyListeners](event: unknown[]): boolean {
    if (!this._anyListeners?.length) {
      return false;
    }
    callEach(this._anyListeners, this, event);
    return true;
  }
}

/** A listener that is removed meanwhile is still called, as with EventEmitter. */
function callEach(listeners: Listener[], receiver: object, args: unknown[]): void {
  for (const listener of listeners.slice()) {
    listener.apply(receiver, args);
  }
}

/** Removes the first occurrence in place; without a listener, gives a new list. */
function without(list: Listener[] | undefined, listener: Listener | undefined) {
  if (list === undefined || listener === undefined) {
    return list && [];
  }
  const position = list.indexOf(listener);
  if (position >= 0) {
    list.splice(position, 1);
  }
  return list;
}
