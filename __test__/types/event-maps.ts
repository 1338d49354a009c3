// With events maps names and arguments are checked, and acknowledgements get the types that timeouts and broadcasts give them.

import { type BroadcastOperator, type Namespace, Server, type Socket } from "socket.io";
import { accepts, is } from "./expect";

interface FromClients {
  empty: () => void;
  two: (a: number, b: string) => void;
  question: (a: string, ack: (b: number, c: string) => void) => void;
}

interface ToClients {
  message: (a: number) => void;
  hello: (a: string) => void;
  question: (a: string, ack: (answer: number) => void) => void;
  ping: (ack: () => void) => void;
  several: (ack: (a: string, b: number) => void) => void;
}

interface BetweenServers {
  tell: (a: number) => void;
  ask: (a: number, ack: (answer: string) => void) => void;
}

interface Data {
  user: string;
}

const io = new Server<FromClients, ToClients, BetweenServers, Data>();

io.on("connection", (socket) => {
  is<Socket<FromClients, ToClients, BetweenServers, Data>>()(socket);

  socket.on("empty", () => {});
  socket.on("two", (a, b) => {
    is<number>()(a);
    is<string>()(b);
  });
  socket.on("question", async (a, ack) => {
    is<string>()(a);
    ack(1, "2");
  });
  // @ts-expect-error no such event
  socket.on("other", () => {});

  socket.emit("hello", "text");
  // @ts-expect-error not a string
  socket.emit("hello", 1);
  // @ts-expect-error no such event
  socket.emit("other");
  socket.emit("question", "?", (answer) => is<number>()(answer));
  socket.timeout(1).emit("question", "?", (error, answer) => {
    is<Error>()(error);
    is<number>()(answer);
  });
  socket
    .timeout(1)
    .timeout(2)
    .emit("several", (error, a, b) => {
      is<Error>()(error);
      is<string>()(a);
      is<number>()(b);
    });
  socket.emitWithAck("question", "?").then((answer) => is<number>()(answer));
  socket
    .timeout(1)
    .emitWithAck("several")
    .then((answer) => is<string>()(answer));
  socket.emitWithAck("ping").then((answer) => is<undefined>()(answer));
  // @ts-expect-error not acknowledged
  socket.emitWithAck("hello", "text");

  socket.to("a").emit("question", "?", (answers) => is<number[]>()(answers));
  socket.timeout(1).broadcast.emit("several", (error, answers) => {
    is<Error>()(error);
    is<string[]>()(answers);
  });
  socket
    .to("a")
    .timeout(1)
    .emit("question", "?", (error, answers) => {
      is<Error>()(error);
      is<number[]>()(answers);
    });
  socket
    .timeout(1)
    .broadcast.emitWithAck("question", "?")
    .then((answers) => is<number[]>()(answers));
  // @ts-expect-error a broadcast needs a timeout to be acknowledged
  socket.broadcast.emitWithAck("question", "?");

  socket.send(1).write(2);
  // @ts-expect-error `message` has a number
  socket.send("text");
  is<string>()(socket.data.user);
});

io.emit("hello", "text");
// @ts-expect-error acknowledged
io.emit("question", "?", () => {});
// @ts-expect-error acknowledged
io.of("/").emit("ping", () => {});
io.timeout(1).emit("ping", (error) => is<Error>()(error));
io.to("a").emit("question", "?", (answers) => is<number[]>()(answers));
io.timeout(1)
  .to("a")
  .except("b")
  .emitWithAck("several")
  .then((answers) => is<string[]>()(answers));
// @ts-expect-error a broadcast needs a timeout to be acknowledged
io.to("a").emitWithAck("ping");
io.send(1);
accepts<BroadcastOperator<any, Data>>(io.volatile);
accepts<Namespace<FromClients, ToClients, BetweenServers, Data>>(io.of("/a"));

io.serverSideEmit("tell", 1);
io.serverSideEmit("ask", 1, (error, answers) => {
  is<Error>()(error);
  is<string[]>()(answers);
});
// @ts-expect-error no such event
io.serverSideEmit("other");
io.serverSideEmitWithAck("ask", 1).then((answers) => is<string[]>()(answers));
// @ts-expect-error not acknowledged
io.serverSideEmitWithAck("tell", 1);
io.on("tell", (a) => is<number>()(a));
io.on("ask", (a, ack) => ack(`${a}`));
// @ts-expect-error no such event
io.on("other", () => {});

io.fetchSockets().then((sockets) => {
  for (const socket of sockets) {
    is<Data>()(socket.data);
    socket.emit("hello", "text");
    socket.timeout(1).emit("question", "?", (error, answer) => {
      is<Error>()(error);
      is<number>()(answer);
    });
  }
});

const withoutMessage = new Server<FromClients, { hello: (a: string) => void }>();
// @ts-expect-error there is no `message`
withoutMessage.send("text");
withoutMessage.on("connection", (socket) => {
  // @ts-expect-error there is no `message`
  socket.write("text");
});

/** One event whose last argument may be anything takes the distinction away from all. */
interface Loose {
  loose: (a: any) => void;
  question: (ack: (answer: number) => void) => void;
}
const loose = new Server<FromClients, Loose>();
loose.emit("loose", 1);
loose.emit("question", () => {});

export function generic<Listen extends Record<string, any>, Emit extends Record<string, any>>(
  server: Server<Listen, Emit>,
): void {
  server.on("connection", (socket) => is<string>()(socket.id));
}
