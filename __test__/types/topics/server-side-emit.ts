// What servers send to each other.

import { is } from "./expect";
import { io } from "./maps";

is<boolean>()(io.serverSideEmit("tell", 1));
io.serverSideEmit("ask", 1, (error, answers) => {
  is<Error>()(error);
  is<string[]>()(answers);
});
io.of("/a").serverSideEmit("ask", 1, (error, answers) => {
  is<Error>()(error);
  is<string[]>()(answers);
});
// @ts-expect-error clients get that one
io.serverSideEmit("hello", "text");
// @ts-expect-error not a number
io.serverSideEmit("tell", "text");

is<Promise<string[]>>()(io.serverSideEmitWithAck("ask", 1));
is<Promise<string[]>>()(io.of("/a").serverSideEmitWithAck("ask", 1));
// @ts-expect-error not acknowledged
io.serverSideEmitWithAck("tell", 1);
