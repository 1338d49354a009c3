// `emitWithAck`: only of events that are acknowledged, to many only after `timeout()`, and a promise of the first argument.

import { is } from "./expect";
import { io } from "./maps";

io.on("connection", (socket) => {
  is<Promise<number>>()(socket.emitWithAck("question", "?"));
  is<Promise<string>>()(socket.emitWithAck("several"));
  is<Promise<undefined>>()(socket.emitWithAck("ping"));
  is<Promise<number>>()(socket.timeout(1).emitWithAck("question", "?"));
  is<Promise<string>>()(socket.timeout(1).emitWithAck("several"));
  is<Promise<number[]>>()(socket.timeout(1).broadcast.emitWithAck("question", "?"));
  is<Promise<string[]>>()(socket.to("a").timeout(1).emitWithAck("several"));
  // @ts-expect-error not acknowledged
  socket.emitWithAck("hello", "text");
  // @ts-expect-error no such event
  socket.emitWithAck("other");
  // @ts-expect-error the acknowledgement is the promise
  socket.emitWithAck("question", "?", () => {});
  // @ts-expect-error a broadcast needs a timeout to be acknowledged
  socket.broadcast.emitWithAck("question", "?");
});

is<Promise<number[]>>()(io.timeout(1).emitWithAck("question", "?"));
is<Promise<string[]>>()(io.timeout(1).to("a").except("b").emitWithAck("several"));
is<Promise<string[]>>()(io.of("/a").timeout(1).emitWithAck("several"));
// @ts-expect-error a broadcast needs a timeout to be acknowledged
io.to("a").emitWithAck("ping");
// @ts-expect-error not acknowledged
io.timeout(1).emitWithAck("hello", "text");
// @ts-expect-error there is none without an operator
io.emitWithAck("question", "?");
