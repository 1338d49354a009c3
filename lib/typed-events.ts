/**
 * The typed emitter under Server, Namespace and Socket, and the types that read an events map.
 *
 * An events map names events and the functions that listen to them: `{ greet: (name: string, ack: (answer: string) => void) => void }`.
 * At run time a typed emitter is Node's EventEmitter; only `emitReserved` and `emitUntyped` are added.
 */
import { LazyEmitter } from "./engine/lazy-emitter";

/** Any map from event names to listeners. */
export interface EventsMap {
  [event: string]: any;
}

/** The map when none is given: every name, with any arguments. */
export interface DefaultEventsMap {
  [event: string]: (...args: any[]) => void;
}

type AnyFunction = (...args: any[]) => any;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** Parameters of something that may be no function. */
type LooseParameters<T> = T extends (...args: infer P) => any ? P : never;

/** The type of the last element of a tuple, or of the elements of an array. */
export type Last<T extends readonly unknown[]> = T extends readonly [...infer _, infer L]
  ? L
  : T extends readonly (infer E)[]
    ? E
    : never;

/** A tuple without its last element. */
export type AllButLast<T extends any[]> = T extends [...infer Head, infer _] ? Head : any[];

/** Names of the events of a map. */
export type EventNames<Map extends EventsMap> = keyof Map & (string | symbol);

/** Parameters of the listener of an event. */
export type EventParams<Map extends EventsMap, Ev extends EventNames<Map>> = Parameters<Map[Ev]>;

/** Whether one event among `K` is typed so loosely that nothing can be said about acknowledgements. */
type IsLoose<Map extends EventsMap, K extends EventNames<Map>> = IsAny<
  Last<Parameters<Map[K]>> | Map[K]
>;

type EndsWithFunction<T extends any[]> = T extends never[]
  ? false
  : Last<T> extends AnyFunction
    ? true
    : false;

/** The names in `K` whose last parameter is (`Ack` = true) or is not (false) a function. */
type NamesByAck<Map extends EventsMap, K extends EventNames<Map>, Ack> = K extends any
  ? EndsWithFunction<Parameters<Map[K]>> extends Ack
    ? K
    : never
  : never;

/** Names of the events that are acknowledged. */
export type EventNamesWithAck<Map extends EventsMap, K extends EventNames<Map> = EventNames<Map>> =
  IsLoose<Map, K> extends true ? K : NamesByAck<Map, K, true>;

/** Names of the events that are not acknowledged. */
export type EventNamesWithoutAck<
  Map extends EventsMap,
  K extends EventNames<Map> = EventNames<Map>,
> = IsLoose<Map, K> extends true ? K : NamesByAck<Map, K, false>;

/** Names of the events whose acknowledgement begins with an error, as after `timeout()`. */
export type EventNamesWithError<
  Map extends EventsMap,
  K extends EventNamesWithAck<Map> = EventNamesWithAck<Map>,
> =
  IsLoose<Map, K> extends true
    ? K
    : K extends any
      ? LooseParameters<Last<Parameters<Map[K]>>>[0] extends Error
        ? K
        : never
      : never;

/** An events map reduced to the events without acknowledgement: what can be sent to many without `timeout()`. */
export type RemoveAcknowledgements<E extends EventsMap> = {
  [K in EventNamesWithoutAck<E>]: E[K];
};

/** Names of reserved and user events together. */
export type ReservedOrUserEventNames<
  ReservedEvents extends EventsMap,
  UserEvents extends EventsMap,
> = EventNames<ReservedEvents> | EventNames<UserEvents>;

/** The listener of a reserved or a user event; of a name that is both, the reserved one. */
export type ReservedOrUserListener<
  ReservedEvents extends EventsMap,
  UserEvents extends EventsMap,
  Ev extends ReservedOrUserEventNames<ReservedEvents, UserEvents>,
> = ListenerOr<
  Ev extends EventNames<ReservedEvents>
    ? ReservedEvents[Ev]
    : Ev extends EventNames<UserEvents>
      ? UserEvents[Ev]
      : never
>;

/** TypeScript finds `never` for some generic maps (microsoft/TypeScript#41778); then any listener is accepted. */
type ListenerOr<T> = [T] extends [never] ? (...args: any[]) => void | Promise<void> : T;

/** Something that sends events without being an emitter. */
export interface TypedEventBroadcaster<EmitEvents extends EventsMap> {
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
}

/** The first element that is no error. */
export type FirstNonErrorTuple<T extends unknown[]> = T[0] extends Error ? T[1] : T[0];

/** The first parameter of a function that is no error; `any` when it is no function. */
export type FirstNonErrorArg<T> = T extends (...args: infer Params) => any
  ? FirstNonErrorTuple<Params>
  : any;

/** A tuple whose elements have each become an array. */
export type MultiplyArray<T extends unknown[]> = { [K in keyof T]: T[K][] };

/** The first element of a tuple as a tuple, with the name of the parameter kept. */
type FirstOnly<T extends any[]> = T extends [any, ...infer Rest]
  ? T extends [...infer First, ...Rest]
    ? First
    : never
  : never;

/** Functions among the parameters get a leading error, unless they have one. */
type WithTimeoutError<T extends any[]> = {
  [K in keyof T]: T[K] extends (...args: infer Params) => infer Result
    ? Params[0] extends Error
      ? T[K]
      : (err: Error, ...args: Params) => Result
    : T[K];
};

/** Functions among the parameters get the array of the first arguments of all clients. */
type WithManyResponses<T extends any[]> = {
  [K in keyof T]: T[K] extends (...args: infer Params) => infer Result
    ? Params extends [Error]
      ? (err: Error) => Result
      : Params extends [Error, ...infer Rest]
        ? (err: Error, ...args: FirstOnly<MultiplyArray<Rest>>) => Result
        : Params extends []
          ? () => Result
          : (...args: FirstOnly<MultiplyArray<Params>>) => Result
    : T[K];
};

/** An events map after `timeout()`: the acknowledgement is called with an error first. */
export type DecorateAcknowledgements<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: WithTimeoutError<Params>) => Result
    : E[K];
};

/** An events map for many receivers: the acknowledgement is called with all responses. */
export type DecorateAcknowledgementsWithMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: WithManyResponses<Params>) => Result
    : E[K];
};

/** Both of the above. */
export type DecorateAcknowledgementsWithTimeoutAndMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: WithManyResponses<WithTimeoutError<Params>>) => Result
    : E[K];
};

/**
 * Node's EventEmitter with types.
 *
 * @typeParam ListenEvents - what can be listened to
 * @typeParam EmitEvents - what can be emitted
 * @typeParam ReservedEvents - what the library emits itself, and users may listen to
 */
export abstract class StrictEventEmitter<
    ListenEvents extends EventsMap,
    EmitEvents extends EventsMap,
    // biome-ignore lint/complexity/noBannedTypes: no reserved events at all, as socket.io's own type has it
    ReservedEvents extends EventsMap = {},
  >
  extends LazyEmitter
  implements TypedEventBroadcaster<EmitEvents>
{
  /** Adds a listener. */
  override on<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    ev: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this {
    return super.on(ev, listener);
  }

  /** Adds a listener that is called once. */
  override once<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    ev: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this {
    return super.once(ev, listener);
  }

  /** Calls the listeners of an event. */
  override emit<Ev extends EventNames<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean {
    return super.emit(ev, ...args);
  }

  /** Calls the listeners of a reserved event; never an `emit` that a subclass or a user has put over it. */
  protected emitReserved<Ev extends EventNames<ReservedEvents>>(
    ev: Ev,
    ...args: EventParams<ReservedEvents, Ev>
  ): boolean {
    return super.emit(ev, ...args);
  }

  /** The same for any event, without types. */
  protected emitUntyped(ev: string, ...args: any[]): boolean {
    return super.emit(ev, ...args);
  }

  /** The listeners of an event. */
  override listeners<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
  ): ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>[] {
    return super.listeners(event) as ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>[];
  }
}
