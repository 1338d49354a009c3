/**
 * What a socket remembers for its user: data, callbacks that wait for acknowledgements, middlewares, flags.
 *
 * Most sockets never have most of it, and there is one socket per client and namespace, so each is made when it is first asked for.
 */
import debugModule from "debug";
import { CatchAllEmitter } from "./catch-all";
import type { WriteOptions } from "./encoded-packet";
import type { Middleware } from "./middleware";
import * as own from "./own";
import type { SocketReservedEventsMap } from "./socket-types";
import type { EventsMap } from "./typed-events";

const debug = debugModule("socket.io:socket");

/** An event as middlewares see it: the name, then the arguments. */
export type Event = [string, ...any[]];

/** Called with the arguments of an acknowledgement. */
export type AckCallback = (...args: any[]) => void;

/** Flags of the next emission. */
export interface SocketFlags extends WriteOptions {
  /** How long the acknowledgement may take, in milliseconds. */
  timeout?: number;
}

/** Stands for the empty object that `socket.data` begins as. */
const NO_DATA = Symbol("no data");

function noop(): void {}

/**
 * EventEmitter's table of listeners, with the one that every socket has: without it an `error` event, which any client can send, would be
 * thrown. A constructor instead of Node's `{ __proto__: null }` gives an object of 64 bytes instead of a hash table of 280.
 */
function ListenerTable(this: { error: () => void }): void {
  this.error = noop;
}
ListenerTable.prototype = Object.create(null);
const NewListenerTable = ListenerTable as unknown as new () => object;

/** Who has the field: the object itself, or the socket that it was derived from by `Object.create`, which then gets what is made. */
export function holderOf<T extends object>(object: T, field: symbol): T {
  let holder: T | null = object;
  while (holder !== null && !Object.hasOwn(holder, field)) {
    holder = Object.getPrototypeOf(holder) as T | null;
  }
  return holder ?? object;
}

export abstract class SocketState<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  SocketData,
> extends CatchAllEmitter<ListenEvents, EmitEvents, SocketReservedEventsMap> {
  private [own.data]: SocketData | typeof NO_DATA = NO_DATA;
  protected [own.acks]: Map<number, AckCallback> | undefined = undefined;
  protected [own.middlewares]: Middleware<Event>[] | undefined = undefined;
  protected [own.flags]: SocketFlags | undefined = undefined;

  constructor() {
    super();
    const emitter = this as unknown as { _events: object; _eventsCount: number };
    emitter._events = new NewListenerTable();
    emitter._eventsCount = 1;
  }

  /** Whatever users want to keep with the socket; other servers see it through `fetchSockets()`. An empty object at first. */
  get data(): SocketData {
    if (this[own.data] === NO_DATA) {
      holderOf(this, own.data)[own.data] = {} as SocketData;
    }
    return this[own.data] as SocketData;
  }

  set data(data: SocketData) {
    this[own.data] = data;
  }

  /** Callbacks that wait for an acknowledgement, by ack id. Adapters add theirs. */
  get acks(): Map<number, AckCallback> {
    if (this[own.acks] === undefined) {
      holderOf(this, own.acks)[own.acks] = new Map();
    }
    return this[own.acks] as Map<number, AckCallback>;
  }

  set acks(acks: Map<number, AckCallback>) {
    this[own.acks] = acks;
  }

  /** Middlewares for events, in order. */
  get fns(): Middleware<Event>[] {
    if (this[own.middlewares] === undefined) {
      holderOf(this, own.middlewares)[own.middlewares] = [];
    }
    return this[own.middlewares] as Middleware<Event>[];
  }

  set fns(middlewares: Middleware<Event>[]) {
    this[own.middlewares] = middlewares;
  }

  /** Flags of the next emission. */
  get flags(): SocketFlags {
    this[own.flags] ??= {};
    return this[own.flags];
  }

  set flags(flags: SocketFlags) {
    this[own.flags] = flags;
  }

  /** Waits for an acknowledgement: as long as it takes, or as the `timeout` flag says. */
  protected registerAckCallback(id: number, ack: AckCallback): void {
    const timeout = this[own.flags]?.timeout;
    if (timeout === undefined) {
      this.acks.set(id, ack);
      return;
    }
    const timer = setTimeout(() => {
      debug("event with ack id %d has timed out after %d ms", id, timeout);
      this.acks.delete(id);
      ack.call(this, new Error("operation has timed out"));
    }, timeout);
    this.acks.set(id, (...args) => {
      clearTimeout(timer);
      ack.call(this, null, ...args);
    });
  }

  /** Waits no longer for an acknowledgement. */
  [own.forgetAck](id: number): void {
    this[own.acks]?.delete(id);
  }

  /** The flags that have been set; the next emission begins without. */
  protected [own.takeFlags](): SocketFlags {
    const flags = this[own.flags];
    this[own.flags] = undefined;
    return flags ?? {};
  }
}
