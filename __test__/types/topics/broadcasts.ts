// What can be sent to many: without a timeout nothing that is acknowledged to all of them, and acknowledgements in arrays.

import { Server } from "socket.io";
import { is } from "./expect";
import { type FromClients, io } from "./maps";

io.emit("hello", "text");
io.of("/a").emit("hello", "text");
// @ts-expect-error not a text
io.emit("hello", 1);
// @ts-expect-error no such event
io.emit("other");
// @ts-expect-error acknowledged
io.emit("question", "?", () => {});
// @ts-expect-error acknowledged
io.of("/a").emit("ping", () => {});

io.timeout(1).emit("hello", "text");
io.timeout(1).emit("question", "?", (error, answers) => {
  is<Error>()(error);
  is<number[]>()(answers);
});
io.of("/a")
  .timeout(1)
  .emit("several", (error, answers) => {
    is<Error>()(error);
    is<string[]>()(answers);
  });
io.timeout(1).emit("ping", (error) => is<Error>()(error));
// @ts-expect-error the acknowledgement is missing
io.timeout(1).emit("question", "?");

io.to("a").emit("question", "?", (answers) => is<number[]>()(answers));
io.in("a")
  .except("b")
  .emit("several", (answers) => is<string[]>()(answers));
io.volatile.emit("question", "?", (answers) => is<number[]>()(answers));
io.local.compress(true).emit("hello", "text");
io.to("a")
  .timeout(1)
  .emit("question", "?", (error, answers) => {
    is<Error>()(error);
    is<number[]>()(answers);
  });

/** One event whose last argument may be anything takes the distinction away from all. */
interface Loose {
  loose: (a: any) => void;
  question: (ack: (answer: number) => void) => void;
}
const loose = new Server<FromClients, Loose>();
loose.emit("loose", 1);
loose.emit("question", () => {});
