// python-socketio 5.18 from PyPI: polling, WebSocket and the upgrade, namespaces, binary data and acks in both directions.

import { join } from "node:path";
import type { Socket } from "socket.io";
import { onceValue } from "../../harness/events";
import { startForeignClient } from "../../harness/foreign-client";
import { describeBoth, it } from "../../harness/implementations";
import { startServer } from "../../harness/servers";

/** The interpreter that has the packages of requirements.txt; set by the scripts. */
const PYTHON = process.env.SIO_RS_PYTHON;

const PROGRAM = join(__dirname, "programs", "client.py");
const LIMIT_MS = 30_000;

const TRANSPORTS = [
  { label: "polling", transports: "polling", final: "polling" },
  { label: "websocket", transports: "websocket", final: "websocket" },
  { label: "upgrade", transports: "polling,websocket", final: "websocket" },
];

const BYTES = Buffer.from([0, 10, 255]);
const BYTES_SAID = { bytes: [0, 10, 255] };

describeBoth(
  "python-socketio",
  (implementation) => {
    const connect = (url: string, transports: string, namespaces = "/") =>
      startForeignClient(PYTHON as string, [PROGRAM, url, transports, namespaces]);

    for (const { label, transports, final } of TRANSPORTS) {
      it(
        `exchanges events, binary data and acks in two namespaces (${label})`,
        async () => {
          const { io, url } = await startServer(implementation);
          const connections = ["/", "/admin"].map((name) =>
            onceValue<Socket>(io.of(name), "connection"),
          );
          const client = connect(url, transports, "/,/admin");
          expect((await client.next("transport"))[1]).toBe(final);
          for (const connection of connections) {
            const socket = await connection;
            const { name } = socket.nsp;
            expect(socket.conn.protocol).toBe(4);
            expect(socket.conn.transport.name).toBe(final);
            expect(socket.handshake.auth).toEqual({ token: "€" });
            expect(socket.handshake.headers["x-client"]).toBe("python");
            expect(await client.next("connect")).toEqual(["connect", name, socket.id]);

            socket.on("up", (text, bytes, nested, reply) => reply(bytes, text, nested));
            client.tell("call", name, "up", "€", BYTES_SAID, { list: [1, null, BYTES_SAID] });
            expect(await client.next("reply")).toEqual([
              "reply",
              [BYTES_SAID, "€", { list: [1, null, BYTES_SAID] }],
            ]);
            expect(await socket.timeout(5_000).emitWithAck("question", 1, BYTES)).toBe("answer");
            expect(await client.next("event")).toEqual(["event", name, "question", 1, BYTES_SAID]);
            io.of(name).emit("to all", { bytes: BYTES });
            expect(await client.next("event")).toEqual([
              "event",
              name,
              "to all",
              { bytes: BYTES_SAID },
            ]);
          }
        },
        LIMIT_MS,
      );

      it(
        `a dozen events at once arrive each way, upwards in their order (${label})`,
        async () => {
          const { io, url } = await startServer(implementation);
          const connected = onceValue<Socket>(io, "connection");
          const client = connect(url, transports);
          const socket = await connected;
          await client.next("transport");
          // The client takes no more than 16 packets in one payload.
          const count = 12;
          const upward: number[] = [];
          const all = new Promise<void>((resolve) => {
            socket.on("up", (index) => {
              upward.push(index);
              if (upward.length === count) resolve();
            });
          });
          const expected = Array.from({ length: count }, (_, index) => index);
          for (const index of expected) {
            client.tell("emit", "/", "up", index);
            socket.emit("down", index);
          }
          const downward: number[] = [];
          for (const _ of expected) downward.push((await client.next("event"))[3]);
          // The client runs each listener in a thread of its own, so it loses the order that they came in.
          expect(downward.sort((one, other) => one - other)).toEqual(expected);
          await all;
          expect(upward).toEqual(expected);
        },
        LIMIT_MS,
      );

      it(
        `leaves, is told to leave, and sees why it is refused (${label})`,
        async () => {
          const { io, url } = await startServer(implementation);
          io.of("/closed").use((_socket, next) => next(new Error("no")));
          const refused = connect(url, transports, "/closed");
          expect(await refused.next("connect_error")).toEqual([
            "connect_error",
            "/closed",
            { message: "no" },
          ]);

          const connected = onceValue<Socket>(io, "connection");
          const told = connect(url, transports);
          const socket = await connected;
          await told.next("transport");
          socket.disconnect(true);
          const [, , reason] = await told.next("disconnect");
          expect(["server disconnect", "transport error"]).toContain(reason);

          const again = onceValue<Socket>(io, "connection");
          const leaving = connect(url, transports);
          const left = await again;
          await leaving.next("transport");
          const gone = onceValue(left, "disconnect");
          leaving.tell("disconnect", "/");
          expect(["client namespace disconnect", "transport close"]).toContain(await gone);
          expect(await leaving.finished).toBe(0);
        },
        LIMIT_MS,
      );
    }

    it(
      "stays over many pings",
      async () => {
        const { io, url } = await startServer(implementation, {
          pingInterval: 100,
          pingTimeout: 2_000,
        });
        const connected = onceValue<Socket>(io, "connection");
        const client = connect(url, "websocket");
        const socket = await connected;
        for (let beat = 0; beat < 5; beat += 1) await onceValue(socket.conn, "heartbeat");
        socket.on("up", (reply) => reply("still here"));
        client.tell("call", "/", "up");
        expect(await client.next("reply")).toEqual(["reply", "still here"]);
      },
      LIMIT_MS,
    );
  },
  PYTHON !== undefined,
);
