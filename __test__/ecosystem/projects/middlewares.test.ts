// Middlewares and tools that reach into sockets: what they replace, read and write has to be there, and to be used.

import { once, onceValue } from "../../harness/events";
import { describeBoth, it } from "../../harness/implementations";
import { hasProjects, PROGRAM_LIMIT_MS, startProgram } from "../../harness/projects";
import { request } from "../../harness/raw-http";

describeBoth(
  "middlewares and tools",
  (implementation) => {
    it(
      "socketio-wildcard hears every event, and listeners and acks still work",
      async () => {
        const program = await startProgram(implementation, "patched-sockets.cjs");
        const client = program.connect("/wild");
        await once(client, "connect");
        client.emit("unknown", 1, { two: 2 });
        expect(await client.emitWithAck("known", "€")).toBe("€");
        expect(await program.ask("seen")).toEqual([
          ["unknown", 1, { two: 2 }],
          ["known", "€"],
        ]);
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "socket.io-prometheus counts connections, events and bytes",
      async () => {
        const program = await startProgram(implementation, "patched-sockets.cjs");
        const client = program.connect();
        await once(client, "connect");
        const direct = once(client, "direct");
        expect(await client.emitWithAck("question", "four")).toBe("answer");
        await direct;
        const metrics = await program.ask("metrics");
        expect(metrics).toMatchObject({
          socket_io_connected: [["", 1]],
          socket_io_connect_total: [["", 1]],
          socket_io_events_received_total: [["question", 1]],
          socket_io_events_sent_total: [["direct", 1]],
          socket_io_recieve_bytes: [["question", 4]],
          socket_io_transmit_bytes: [["direct", 4]],
        });
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "express-socket.io-session shares the session of Express, which keeps what a listener writes",
      async () => {
        const program = await startProgram(implementation, "authorisation.cjs");
        const cookie = await logIn(program.port);
        for (const transports of [["polling"], ["websocket"]]) {
          const client = program.connect("/session", { transports, extraHeaders: { cookie } });
          await once(client, "connect");
          expect(await client.emitWithAck("visit")).toBeNull();
        }
        const visits = await request(program.port, { path: "/visits", headers: { cookie } });
        expect(visits.text).toBe("3");
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "passport.socketio lets the users of Passport in and nobody else",
      async () => {
        const program = await startProgram(implementation, "authorisation.cjs");
        const cookie = await logIn(program.port);
        const known = program.connect("/passport", { extraHeaders: { cookie } });
        expect(await once(known, "you")).toEqual([
          { id: "7", name: "user 7", logged_in: true },
          true,
        ]);
        const error = await onceValue(program.connect("/passport"), "connect_error");
        expect(error.message).toBe("No session found");
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "@thream/socketio-jwt lets valid tokens in, and its errors carry data",
      async () => {
        const program = await startProgram(implementation, "authorisation.cjs");
        const connect = (token?: string) =>
          program.connect("/jwt", token === undefined ? {} : { auth: { token } });
        const valid = connect(`Bearer ${await program.ask("token")}`);
        expect(await once(valid, "you")).toEqual([{ name: "user 7" }, "7"]);
        const refusals = [];
        for (const token of [undefined, "nonsense", `Bearer ${await program.ask("token", "x")}`]) {
          const { message, data } = await onceValue(connect(token), "connect_error");
          refusals.push([message, data.code]);
        }
        expect(refusals).toEqual([
          ["no token provided", "credentials_required"],
          ["Format is Authorization: Bearer [token]", "credentials_bad_format"],
          ["Unauthorized: Token is missing or invalid Bearer", "invalid_token"],
        ]);
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "y-socket.io keeps documents the same, in namespaces with a bar in their name",
      async () => {
        const program = await startProgram(implementation, "yjs.cjs");
        expect(await program.ask("converge")).toEqual(["hello world", ["paper"]]);
        expect(await program.ask("refused")).toBe("Unauthorized");
      },
      PROGRAM_LIMIT_MS,
    );
  },
  hasProjects,
);

/** Logs in over HTTP and returns the cookie of the session. */
async function logIn(port: number): Promise<string> {
  const { status, headers } = await request(port, { path: "/login/7" });
  expect(status).toBe(204);
  return String(headers["set-cookie"]?.[0]).split(";")[0] as string;
}
