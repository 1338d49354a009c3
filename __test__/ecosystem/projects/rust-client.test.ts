// rust_socketio 0.6 from crates.io: polling, WebSocket and the upgrade, a namespace, binary data, acks.

import type { Socket } from "socket.io";
import { once, onceValue } from "../../harness/events";
import { startForeignClient } from "../../harness/foreign-client";
import { describeBoth, it } from "../../harness/implementations";
import { startServer } from "../../harness/servers";

/** The program of rust-client/; built by the scripts, which set this. */
const CLIENT = process.env.SIO_RS_RUST_CLIENT;

const LIMIT_MS = 30_000;

const TRANSPORTS = [
  { label: "polling", final: "polling" },
  { label: "websocket", final: "websocket" },
  { label: "any", final: "websocket" },
];

describeBoth(
  "rust_socketio",
  (implementation) => {
    const connect = (url: string, transport: string, namespace = "/") =>
      startForeignClient(CLIENT as string, [url, transport, namespace]);

    for (const { label, final } of TRANSPORTS) {
      it(
        `exchanges events, binary data and acks (${label})`,
        async () => {
          const { io, url } = await startServer(implementation);
          const connected = onceValue<Socket>(io.of("/admin"), "connection");
          const client = connect(url, label, "/admin");
          const socket = await connected;
          await client.next("connect");
          expect([socket.conn.protocol, socket.conn.transport.name]).toEqual([4, final]);
          expect(socket.handshake.auth).toEqual({ token: "€" });
          expect(socket.handshake.headers["x-client"]).toBe("rust");

          socket.on("up", (value, reply) => reply(value, "€"));
          client.tell("call", "up", { list: [1, null] });
          const [, reply] = await client.next("reply");
          expect(reply.flat()).toEqual([{ list: [1, null] }, "€"]);

          const up = once(socket, "bytes");
          client.tell("emit", "bytes", { bytes: [0, 255] });
          expect((await up)[0]).toEqual(Buffer.from([0, 255]));
          socket.emit("direct", "one", { two: 2 });
          expect(await client.next("event")).toEqual(["event", "direct", ["one", { two: 2 }]]);
          io.of("/admin").emit("to all", Buffer.from([0, 10, 255]));
          expect(await client.next("event")).toEqual([
            "event",
            "to all",
            [{ bytes: [0, 10, 255] }],
          ]);

          const gone = onceValue(socket, "disconnect");
          client.tell("disconnect");
          expect(["client namespace disconnect", "transport close"]).toContain(await gone);
          expect(await client.finished).toBe(0);
        },
        LIMIT_MS,
      );
    }

    it(
      "sees why it is refused",
      async () => {
        const { io, url } = await startServer(implementation);
        io.use((_socket, next) => next(new Error("no")));
        const client = connect(url, "websocket");
        expect(JSON.stringify(await client.next("error"))).toContain("no");
      },
      LIMIT_MS,
    );
  },
  CLIENT !== undefined,
);
