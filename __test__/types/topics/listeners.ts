// What can be listened to: the events of the map, those that the library emits by itself, and no others.

import { type DisconnectReason, type Namespace, Server, type Socket } from "socket.io";
import { accepts, is } from "./expect";
import { type BetweenServers, type Data, type FromClients, io, type ToClients } from "./maps";

type OurSocket = Socket<FromClients, ToClients, BetweenServers, Data>;
type OurNamespace = Namespace<FromClients, ToClients, BetweenServers, Data>;

io.on("connect", (socket) => is<OurSocket>()(socket));
io.once("connection", (socket) => is<OurSocket>()(socket));
io.on("new_namespace", (namespace) => is<OurNamespace>()(namespace));
io.of("/a").on("connection", (socket) => is<OurSocket>()(socket));
// @ts-expect-error only the server tells of new namespaces
io.of("/a").on("new_namespace", () => {});
io.on("tell", (a) => is<number>()(a));
io.on("ask", (a, ack) => ack(`${a}`));
// @ts-expect-error what clients send comes to their sockets
io.on("two", () => {});
// @ts-expect-error no such event
io.on("other", () => {});

enum Names {
  Connect = "connect",
  Connection = "connection",
  Two = "two",
}
io.on(Names.Connect, (socket) => is<OurSocket>()(socket));
io.on(Names.Connection, (socket) => {
  is<OurSocket>()(socket);
  socket.on(Names.Two, (a, b) => {
    is<number>()(a);
    is<string>()(b);
  });
});

io.on("connection", async (socket) => {
  socket.on("empty", () => {});
  socket.on("two", (a, b) => {
    is<number>()(a);
    is<string>()(b);
  });
  socket.once("question", async (a, ack) => {
    is<string>()(a);
    ack(1, "2");
    // @ts-expect-error the answer is a number and a text
    ack("2", 1);
  });
  socket.on("disconnect", (reason, description) => {
    is<DisconnectReason>()(reason);
    is<any>()(description);
  });
  socket.on("disconnecting", async (reason) => is<DisconnectReason>()(reason));
  socket.on("error", (error) => is<Error>()(error));
  socket.off("empty", () => {});
  is<((a: number, b: string) => void)[]>()(socket.listeners("two"));
  // @ts-expect-error no such event
  socket.on("other", () => {});
  // @ts-expect-error more arguments than the event has
  socket.on("two", (_a: number, _b: string, _c: boolean) => {});
  // @ts-expect-error of another type
  socket.on("two", (_a: string) => {});
});

const reasons: Record<DisconnectReason, true> = {
  "transport error": true,
  "transport close": true,
  "forced close": true,
  "ping timeout": true,
  "parse error": true,
  "server shutting down": true,
  "forced server close": true,
  "client namespace disconnect": true,
  "server namespace disconnect": true,
};
accepts<object>(reasons);

const untyped = new Server();
untyped.on("anything", async (a, ...rest) => {
  is<any>()(a);
  is<any[]>()(rest);
});
untyped.on("connection", (socket) => socket.on("anything", async () => {}));
