// Web frameworks as the front door: their routes and a Server on one http server, and their own way to close.

import { WebSocket } from "ws";
import { TRANSPORTS } from "../../harness/clients";
import { once, onceValue } from "../../harness/events";
import { describeBoth, it } from "../../harness/implementations";
import { hasProjects, PROGRAM_LIMIT_MS, startProgram } from "../../harness/projects";
import { request } from "../../harness/raw-http";

const FRAMEWORKS = [
  { name: "Express 5", program: "express.cjs" },
  { name: "Fastify 5", program: "fastify.cjs" },
  { name: "Koa 3", program: "koa.cjs" },
  { name: "a custom server with a WebSocket of its own", program: "custom-server.cjs" },
];

describeBoth(
  "web frameworks",
  (implementation) => {
    for (const { name, program: file } of FRAMEWORKS) {
      it(
        `${name}: routes, clients of every transport and a broadcast from a route`,
        async () => {
          const program = await startProgram(implementation, file);
          const page = await request(program.port, { path: "/page" });
          expect([page.status, page.text]).toEqual([200, "page"]);
          const missing = await request(program.port, { path: "/nowhere" });
          expect(missing.status).toBe(404);

          const clients = [];
          for (const { transports } of TRANSPORTS) {
            const client = program.connect("/", { transports });
            await once(client, "connect");
            expect(await client.emitWithAck("echo", "€", Buffer.from([1, 2]))).toBe("€");
            clients.push(client);
          }
          const said = clients.slice(1).map((client) => onceValue(client, "said"));
          clients[0]?.emit("say", "to all the others");
          expect(await Promise.all(said)).toEqual(["to all the others", "to all the others"]);

          const noticed = clients.map((client) => onceValue(client, "notice"));
          const notified = await request(program.port, {
            method: "POST",
            path: "/notify",
            headers: { "content-type": "application/json" },
            body: '{"from":"a route"}',
          });
          expect(notified.status).toBe(204);
          for (const notice of await Promise.all(noticed)) {
            expect(notice).toEqual({ from: "a route" });
          }
          const seen: string[] = await program.ask("seen");
          expect(seen.filter((line) => line.startsWith("connection"))).toEqual([
            "connection over polling",
            "connection over websocket",
            "connection over polling",
          ]);
        },
        PROGRAM_LIMIT_MS,
      );

      it(
        `${name}: closing it lets the clients go and the process end`,
        async () => {
          const program = await startProgram(implementation, file);
          const client = program.connect();
          await once(client, "connect");
          const gone = once(client, "disconnect");
          expect(await program.close()).toBe(0);
          await gone;
        },
        PROGRAM_LIMIT_MS,
      );
    }

    it(
      "the package as it is published serves the client's bundles, and answers 304 to who has one",
      async () => {
        const { port } = await startProgram(implementation, "express.cjs");
        for (const file of ["socket.io.min.js", "socket.io.esm.min.js", "socket.io.js.map"]) {
          const bundle = await request(port, { path: `/socket.io/${file}` });
          expect([file, bundle.status, bundle.body.length > 10_000]).toEqual([file, 200, true]);
          const again = await request(port, {
            path: `/socket.io/${file}`,
            headers: { "if-none-match": bundle.headers.etag },
          });
          expect([file, again.status]).toEqual([file, 304]);
        }
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "a custom server keeps its own WebSocket beside the clients",
      async () => {
        const program = await startProgram(implementation, "custom-server.cjs");
        const client = program.connect();
        await once(client, "connect");
        const hotReload = new WebSocket(`ws://127.0.0.1:${program.port}/_next/webpack-hmr`);
        const [message] = await once(hotReload, "message");
        expect(String(message)).toBe("built");
        expect(await client.emitWithAck("echo", 1, 2)).toBe(1);
        hotReload.terminate();
      },
      PROGRAM_LIMIT_MS,
    );
  },
  hasProjects,
);
