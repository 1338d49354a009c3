// Node's module `domain`: what is made inside of one belongs to it, and what its listeners throw goes there. A process of its own, since the
// module changes every emitter of the process that loads it.

import { runModule } from "../harness/child";
import { describeBoth, it } from "../harness/implementations";

describeBoth("domain", (implementation) => {
  for (const transport of ["websocket", "polling"]) {
    it(`server, session and socket over ${transport} belong to the domain that they were made in`, async () => {
      const { stdout, stderr } = await runModule(
        implementation,
        (specifier) => `
          import { create } from "node:domain";
          import { createServer } from "node:http";
          import { createRequire } from "node:module";
          const { Server } = await import(${JSON.stringify(specifier)});
          const { io: connect } = createRequire(${JSON.stringify(__filename)})("socket.io-client");
          const domain = create();
          domain.on("error", (error) => {
            console.log("the domain hears of", error.message);
            process.exit();
          });
          domain.run(() => {
            const httpServer = createServer();
            const io = new Server(httpServer);
            io.on("connection", (socket) => {
              console.log([io, io.sockets, socket, socket.conn].map((it) => it.domain === domain).join());
              socket.on("event", () => {
                throw new Error("a listener");
              });
            });
            httpServer.listen(0, "127.0.0.1", () => {
              const url = "http://127.0.0.1:" + httpServer.address().port;
              connect(url, { transports: [${JSON.stringify(transport)}] }).emit("event");
            });
          });
        `,
      );
      expect([stdout, stderr]).toEqual([
        "true,true,true,true\nthe domain hears of a listener\n",
        "",
      ]);
    });
  }
});
