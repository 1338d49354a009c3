// Files beside the entry that people import types from: editors complete to them, and moleculer-io extends `Client`. The package's
// `exports` close them to newer ways of resolution, with npm's socket.io too.

import { type DefaultEventsMap, Server, type Socket } from "socket.io";
import type { BroadcastOperator, RemoteSocket } from "socket.io/dist/broadcast-operator";
import type { Client } from "socket.io/dist/client";
import type { ExtendedError, Namespace } from "socket.io/dist/namespace";
import type { ParentNamespace } from "socket.io/dist/parent-namespace";
import type { Socket as DeepSocket, Event } from "socket.io/dist/socket";
import type { DisconnectReason, Handshake } from "socket.io/dist/socket-types";
import type {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap as DeepDefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventNamesWithError,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  FirstNonErrorTuple,
  Last,
  RemoveAcknowledgements,
  ReservedOrUserEventNames,
  ReservedOrUserListener,
  StrictEventEmitter,
  TypedEventBroadcaster,
} from "socket.io/dist/typed-events";
import { accepts, is } from "./expect";
import type { Data, ToClients } from "./maps";

declare function value<T>(): T;

is<DefaultEventsMap>()(value<DeepDefaultEventsMap>());
accepts<EventsMap>(value<DefaultEventsMap>());
is<any>()(value<EventsMap>().anything);
is<keyof ToClients>()(value<EventNames<ToClients>>());
is<"question" | "ping" | "several">()(value<EventNamesWithAck<ToClients>>());
is<"message" | "hello">()(value<EventNamesWithoutAck<ToClients>>());
is<"question" | "ping" | "several">()(
  value<EventNamesWithError<DecorateAcknowledgements<ToClients>>>(),
);
is<"message" | "hello">()(value<keyof RemoveAcknowledgements<ToClients>>());
is<[a: string]>()(value<EventParams<ToClients, "hello">>());
is<string>()(value<Last<[number, string]>>());
is<[number]>()(value<AllButLast<[number, string]>>());
is<number>()(value<FirstNonErrorArg<(error: Error, a: number) => void>>());
is<number>()(value<FirstNonErrorTuple<[Error, number]>>());
is<"a" | "b">()(value<ReservedOrUserEventNames<{ a: () => void }, { b: () => void }>>());
is<(a: 1) => void>()(
  value<ReservedOrUserListener<{ a: (a: 1) => void }, { b: () => void }, "a">>(),
);

interface Asks {
  ask: (ack: (a: number) => void) => void;
}
is<(ack: (err: Error, a: number) => void) => void>()(
  value<DecorateAcknowledgements<Asks>["ask"]>(),
);
is<(ack: (a: number[]) => void) => void>()(
  value<DecorateAcknowledgementsWithMultipleResponses<Asks>["ask"]>(),
);
is<(ack: (err: Error, a: number[]) => void) => void>()(
  value<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<Asks>["ask"]>(),
);

is<Socket>()(value<DeepSocket>());
is<[eventName: string, ...args: any[]]>()(value<Event>());
accepts<Error>(value<ExtendedError>());
is<any>()(value<ExtendedError>().data);
accepts<string>(value<DisconnectReason>());
is<number>()(value<Handshake>().issued);
accepts<Namespace>(new Server().of("/"));
accepts<Namespace>(value<ParentNamespace>());
accepts<BroadcastOperator<any, Data>>(
  new Server<ToClients, ToClients, Record<string, never>, Data>().to("a"),
);
accepts<string>(value<RemoteSocket<ToClients, Data>>().data.user);
accepts<TypedEventBroadcaster<EventsMap>>(value<StrictEventEmitter<EventsMap, EventsMap>>());

declare class ClientOfUser<
  A extends EventsMap,
  B extends EventsMap,
  C extends EventsMap,
> extends Client<A, B, C> {
  user?: string;
}
accepts<string | undefined>(value<ClientOfUser<EventsMap, EventsMap, EventsMap>>().user);
