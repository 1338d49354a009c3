// `timeout()` puts an error before the arguments of an acknowledgement, once, however often it is called.

import type { Socket } from "socket.io";
import { accepts, is } from "./expect";
import { io } from "./maps";

io.on("connection", (socket) => {
  socket.emit("question", "?", (answer) => is<number>()(answer));
  socket.timeout(1).emit("question", "?", (error, answer) => {
    is<Error>()(error);
    is<number>()(answer);
  });
  socket.timeout(1).emit("ping", (error) => is<Error>()(error));
  socket
    .timeout(1)
    .timeout(2)
    .emit("several", (error, a, b) => {
      is<Error>()(error);
      is<string>()(a);
      is<number>()(b);
    });
  socket
    .timeout(1)
    .volatile.compress(true)
    .emit("question", "?", (error) => is<Error>()(error));
  accepts<Socket<any, any, any, any>>(socket.timeout(1));
  // @ts-expect-error the first argument is an error
  socket.timeout(1).emit("question", "?", (_answer: number) => {});

  socket.timeout(1).broadcast.emit("several", (error, answers) => {
    is<Error>()(error);
    is<string[]>()(answers);
  });
  socket
    .timeout(1)
    .to("a")
    .emit("question", "?", (error, answers) => {
      is<Error>()(error);
      is<number[]>()(answers);
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
    .to("a")
    .timeout(2)
    .emit("question", "?", (error, answers) => {
      is<Error>()(error);
      is<number[]>()(answers);
    });
});

io.fetchSockets().then(([socket]) => {
  socket?.emit("question", "?", (answer) => is<number>()(answer));
  socket?.timeout(1).emit("question", "?", (error, answer) => {
    is<Error>()(error);
    is<number>()(answer);
  });
});
