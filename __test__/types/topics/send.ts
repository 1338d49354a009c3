// `send()` and `write()` have the arguments of the event `message`, if there is one.

import { Server } from "socket.io";
import { is } from "./expect";
import { type FromClients, io } from "./maps";

io.send(1).write(2);
io.of("/a").send(1).write(2);
io.on("connection", (socket) => {
  is<typeof socket>()(socket.send(1));
  is<typeof socket>()(socket.write(2));
  // @ts-expect-error `message` has a number
  socket.send("text");
  // @ts-expect-error and it has one
  socket.send();
});
// @ts-expect-error `message` has a number
io.send("text");
// @ts-expect-error `message` has a number
io.of("/a").write("text");

const withoutMessage = new Server<FromClients, { hello: (a: string) => void }>();
// @ts-expect-error there is no `message`
withoutMessage.send("text");
withoutMessage.on("connection", (socket) => {
  // @ts-expect-error there is no `message`
  socket.write("text");
});

const untyped = new Server();
untyped.send().write(1, "2");
untyped.on("connection", (socket) => socket.send().write(1, "2"));
