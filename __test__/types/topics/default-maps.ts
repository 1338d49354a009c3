// Without events maps every name is accepted, with any arguments; reserved events keep their types.

import {
  type BroadcastOperator,
  type DefaultEventsMap,
  type DisconnectReason,
  type Event,
  type ExtendedError,
  type Namespace,
  type RemoteSocket,
  Server,
  type Socket,
} from "socket.io";
import { accepts, is } from "./expect";

const io = new Server();

io.on("connection", (socket) => {
  is<Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, any>>()(socket);
  accepts<Socket>(socket);

  socket.on("anything", (first, second) => {
    is<any>()(first);
    is<any>()(second);
  });
  socket.on("async", async () => {});
  socket.once("disconnect", (reason, description) => {
    is<DisconnectReason>()(reason);
    is<any>()(description);
  });
  socket.on("disconnecting", (reason) => is<DisconnectReason>()(reason));
  socket.on("error", (error) => is<Error>()(error));
  socket.use((event, next) => {
    is<Event>()(event);
    next(new Error());
  });

  is<boolean>()(socket.emit("anything", 1, "2", () => {}));
  socket.timeout(1).emit("anything", (_error: Error, _answer: string) => {});
  socket.emitWithAck("anything", 1).then((answer) => is<any>()(answer));
  socket.send("text", 1).write().compress(false).volatile.emit("anything");
  socket.to("a").in(["b"]).except("c").local.volatile.compress(true).emit("anything", 1);
  socket.broadcast.emit("anything");
  accepts<BroadcastOperator<any, any>>(socket.local);

  accepts<void | Promise<void>>(socket.join("a"));
  accepts<void | Promise<void>>(socket.join(["a", "b"]));
  accepts<void | Promise<void>>(socket.leave("a"));
  is<Set<string>>()(socket.rooms);
  is<string>()(socket.id);
  is<boolean>()(socket.recovered);
  socket.data.whatever = 1;

  is<string | undefined>()(socket.handshake.headers.cookie);
  is<any>()(socket.handshake.auth.token);
  is<number>()(socket.handshake.issued);
  is<string | undefined>()(socket.request.url);
  socket.conn.on("upgrade", () => {});
  is<string>()(socket.conn.transport.name as string);
  is<string>()(socket.nsp.name);

  socket
    .onAny((event, ...args) => accepts<[string, any[]]>([event, args]))
    .prependAny(() => {})
    .offAny()
    .onAnyOutgoing(() => {})
    .prependAnyOutgoing(() => {})
    .offAnyOutgoing(() => {})
    .disconnect(true);
});

enum Names {
  Connection = "connection",
}
io.on(Names.Connection, (socket) => accepts<Socket>(socket));
io.on("connect", (socket) => accepts<Socket>(socket));
io.on("new_namespace", (namespace) => accepts<Namespace>(namespace));
io.on("from another server", (argument) => is<any>()(argument));

io.use((socket, next) => {
  accepts<Socket>(socket);
  const error: ExtendedError = new Error();
  error.data = { reason: 1 };
  next(error);
});
io.of("/a").on("connection", (socket) => accepts<Socket>(socket));
io.of(/^\/dynamic-\d+$/, (socket) => accepts<Socket>(socket));
io.of((name, auth, next) => {
  is<string>()(name);
  is<any>()(auth.token);
  next(null, true);
});

io.emit("anything", 1);
io.to("a").emit("anything", 1);
io.timeout(1).emit("anything", (_error: Error, _answers: unknown[]) => {});
io.timeout(1)
  .emitWithAck("anything")
  .then((answers) => is<any>()(answers));
io.serverSideEmit("anything", (_error: Error, _answers: unknown[]) => {});
io.serverSideEmitWithAck("anything").then((answers) => is<any[]>()(answers));

io.fetchSockets().then(([remote]) => {
  accepts<RemoteSocket<DefaultEventsMap, any> | undefined>(remote);
  remote?.emit("anything", 1);
  remote?.disconnect().join("a");
});
is<Promise<Set<string>>>()(io.allSockets());
