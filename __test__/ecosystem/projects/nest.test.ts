// NestJS gateways over @nestjs/platform-socket.io, which depends on one exact version of socket.io: npm's `overrides` puts
// the other package in its place.

import { collect, eventually, once, onceValue } from "../../harness/events";
import { describeBoth, it } from "../../harness/implementations";
import { hasProjects, PROGRAM_LIMIT_MS, startProgram } from "../../harness/projects";
import { request } from "../../harness/raw-http";

describeBoth(
  "NestJS",
  (implementation) => {
    const start = () => startProgram(implementation, "nest.mjs");

    it(
      "a gateway in a namespace answers with acks, events, streams of events and exceptions",
      async () => {
        const program = await start();
        const client = program.connect("/chat", { auth: { name: "ada" } });
        await once(client, "connect");
        expect(await client.emitWithAck("echo", { text: "€", list: [1, null] })).toEqual({
          text: "€",
          list: [1, null],
        });
        expect(await client.emitWithAck("echo", "a", "b")).toEqual(["a", "b"]);

        const greeting = onceValue(client, "greeting");
        client.emit("greet", "ada");
        expect(await greeting).toBe("hello ada");

        const steps = collect(client, "step", 3);
        client.emit("countdown", 3);
        expect(await steps).toEqual([[3], [2], [1]]);

        const exception = onceValue(client, "exception");
        client.emit("fail", { some: "data" });
        expect(await exception).toMatchObject({ status: "error", message: "refused" });
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "a gateway joins rooms, broadcasts, and sees clients come and go",
      async () => {
        const program = await start();
        const ada = program.connect("/chat", { auth: { name: "ada" } });
        await once(ada, "connect");
        const joined = once(ada, "joined");
        expect(await ada.emitWithAck("join", "blue")).toBe(2);
        expect(await joined).toEqual(["blue", ada.id]);
        const grace = program.connect("/chat", {
          auth: { name: "grace" },
          transports: ["polling"],
        });
        await once(grace, "connect");
        const heard = collect(ada, "joined", 1);
        await grace.emitWithAck("join", "blue");
        expect(await heard).toEqual([["blue", grace.id]]);

        grace.disconnect();
        let seen: string[] = [];
        const deadline = Date.now() + 5_000;
        while (!seen.includes("disconnect grace") && Date.now() < deadline) {
          seen = await program.ask("seen");
        }
        expect(seen.filter((line) => !line.startsWith("adapter"))).toEqual([
          "init /chat",
          "connection ada",
          "connection grace",
          "disconnect grace",
        ]);
        expect(seen.filter((line) => line.startsWith("adapter")).sort()).toEqual([
          "adapter of /",
          "adapter of /chat",
        ]);
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "gateways, controllers and CORS share one http server",
      async () => {
        const program = await start();
        expect((await request(program.port, { path: "/page" })).text).toBe("page");
        const opened = await request(program.port, {
          path: "/socket.io/?EIO=4&transport=polling",
          headers: { origin: "http://example.com" },
        });
        expect([opened.status, opened.headers["access-control-allow-origin"]]).toEqual([
          200,
          "http://example.com",
        ]);
        const client = program.connect();
        expect(await onceValue(client, "welcome")).toBe(true);
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "closing the application lets the clients go and the process end",
      async () => {
        const program = await start();
        let gone = 0;
        for (const namespace of ["/chat", "/"]) {
          const client = program.connect(namespace);
          await once(client, "connect");
          client.on("disconnect", () => {
            gone += 1;
          });
        }
        expect(await program.close()).toBe(0);
        await eventually(() => gone === 2, "a client was not told");
      },
      PROGRAM_LIMIT_MS,
    );
  },
  hasProjects,
);
