// The four parameters of server, namespace and socket, the two of operators and remote sockets, and what stands for those left out.

import {
  type BroadcastOperator,
  type DefaultEventsMap,
  type Namespace,
  type RemoteSocket,
  Server,
  type Socket,
} from "socket.io";
import { accepts, is } from "./expect";
import { type BetweenServers, type Data, type FromClients, io, type ToClients } from "./maps";

type Listener = (...args: any[]) => void;

is<Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, any>>()(new Server());
is<Server<FromClients, FromClients, DefaultEventsMap, any>>()(new Server<FromClients>());
is<Server<FromClients, ToClients, DefaultEventsMap, any>>()(new Server<FromClients, ToClients>());
is<Server<FromClients, ToClients, BetweenServers, Data>>()(io);

declare const namespace: Namespace<FromClients>;
is<Namespace<FromClients, FromClients, DefaultEventsMap, any>>()(namespace);
declare const socket: Socket<FromClients>;
is<Socket<FromClients, FromClients, DefaultEventsMap, any>>()(socket);
is<any>()(socket.data);

is<Namespace<FromClients, ToClients, BetweenServers, Data>>()(io.of("/a"));
is<Namespace<FromClients, ToClients, BetweenServers, Data>>()(io.sockets);
io.of("/a", (joined) => is<Socket<FromClients, ToClients, BetweenServers, Data>>()(joined));
is<Map<string, Socket<FromClients, ToClients, BetweenServers, Data>>>()(io.sockets.sockets);
is<Promise<RemoteSocket<ToClients, Data>[]>>()(io.fetchSockets());
accepts<BroadcastOperator<any, Data>>(io.to("a"));

// @ts-expect-error an operator has two parameters
accepts<BroadcastOperator<ToClients>>(io.to("a"));

const map: DefaultEventsMap = { anything: () => {} };
is<Listener>()(map.anything);
is<string | number>()(null as unknown as keyof DefaultEventsMap);

/** A map whose names are symbols, too. */
const SECRET: unique symbol = Symbol();
interface WithSymbol {
  [SECRET]: (a: number) => void;
  plain: () => void;
}
const symbols = new Server<WithSymbol, Record<string, never>, WithSymbol>();
symbols.on(SECRET, (a) => is<number>()(a));
symbols.on("connection", (joined) => {
  joined.on(SECRET, (a) => is<number>()(a));
  // @ts-expect-error no such event
  joined.on("other", () => {});
});

export function generic<Listen extends Record<string, any>, Emit extends Record<string, any>>(
  server: Server<Listen, Emit>,
): void {
  server.on("connection", (joined) => is<string>()(joined.id));
}
