// Clients of socket.io 3: they speak the present protocol, so they are served without any option.

import type { Socket } from "socket.io";
import { closePollingSoon } from "../harness/bare-engine";
import { TRANSPORTS } from "../harness/clients";
import { deferred, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { openV3Client } from "../harness/old-clients";
import { startServer } from "../harness/servers";

describeBoth("socket.io 3 clients", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`exchange events, binary data and acks, in two namespaces (${label})`, async () => {
      const { io, url } = await startServer(implementation);
      for (const name of ["/", "/admin"]) {
        const connected = onceValue<Socket>(io.of(name), "connection");
        const client = openV3Client(`${url}${name}`, { transports, auth: { token: "x" } });
        const [socket] = await Promise.all([connected, once(client, "connect")]);
        expect([socket.conn.protocol, client.id]).toEqual([4, socket.id]);
        expect(socket.handshake.auth).toEqual({ token: "x" });

        socket.on("up", (data, reply) => reply(data, "€"));
        const answer = deferred<any>();
        client.emit("up", Buffer.from([1, 255]), (data: any, text: string) =>
          answer.resolve([[...data], text]),
        );
        expect(await answer.promise).toEqual([[1, 255], "€"]);
        const heard = once(client, "down");
        io.of(name).emit("down", { bytes: Buffer.from([4]) });
        expect([...(await heard)[0].bytes]).toEqual([4]);
      }
    });

    it(`see why a middleware refuses them (${label})`, async () => {
      const { io, url } = await startServer(implementation);
      io.use((_socket, next) => next(Object.assign(new Error("no"), { data: { code: 7 } })));
      const error = await onceValue(openV3Client(url, { transports }), "connect_error");
      expect([error.message, error.data]).toEqual(["no", { code: 7 }]);
    });

    it(`are told to leave (${label})`, async () => {
      const { io, url } = await startServer(implementation);
      closePollingSoon(io.engine);
      io.on("connection", (socket) => socket.disconnect(true));
      expect(await onceValue(openV3Client(url, { transports }), "disconnect")).toBe(
        "io server disconnect",
      );
    });
  }
});
