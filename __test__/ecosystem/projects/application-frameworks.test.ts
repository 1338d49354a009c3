// Application frameworks that bring a Server of their own: FeathersJS and Moleculer.

import { deferred, once, onceValue } from "../../harness/events";
import { describeBoth, it } from "../../harness/implementations";
import { hasProjects, PROGRAM_LIMIT_MS, startProgram } from "../../harness/projects";

/** Calls an action or a service method whose callback begins with an error. */
async function call(client: any, ...args: unknown[]): Promise<any[]> {
  const answer = deferred<any[]>();
  client.emit(...args, (...reply: any[]) => answer.resolve(reply));
  return await answer.promise;
}

describeBoth(
  "application frameworks",
  (implementation) => {
    it(
      "FeathersJS: service calls, their errors, real-time events and the end of a connection",
      async () => {
        const program = await startProgram(implementation, "feathers.cjs");
        const ada = program.connect("/", { auth: { user: "ada" } });
        await once(ada, "connect");
        const grace = program.connect("/", {
          auth: { user: "grace" },
          transports: ["polling"],
        });
        await once(grace, "connect");

        const created = onceValue(grace, "messages created");
        const message = { text: "hello", by: "ada", provider: "socketio" };
        expect(await call(ada, "create", "messages", { text: "hello" })).toEqual([null, message]);
        expect(await created).toEqual(message);
        expect(await call(grace, "find", "messages", {})).toEqual([null, [message]]);
        const [error] = await call(ada, "get", "messages", 7);
        expect(error).toMatchObject({ message: "no message 7" });

        ada.disconnect();
        grace.disconnect();
        let seen: string[] = [];
        const deadline = Date.now() + 5_000;
        while (seen.length < 4 && Date.now() < deadline) {
          seen = await program.ask("seen");
        }
        expect(seen.slice(0, 2)).toEqual(["connection of ada", "connection of grace"]);
        expect(seen.slice(2).sort()).toEqual(["disconnect of ada", "disconnect of grace"]);
        expect(await program.close()).toBe(0);
      },
      PROGRAM_LIMIT_MS,
    );

    it(
      "Moleculer: actions over a connection, rooms, broadcasts and middlewares",
      async () => {
        const program = await startProgram(implementation, "moleculer.cjs");
        const client = program.connect("/", { query: { id: "7" } });
        const other = program.connect("/", { query: { id: "8" } });
        await Promise.all([once(client, "connect"), once(other, "connect")]);
        expect(await call(client, "call", "math.add", { a: 1, b: 2 })).toEqual([null, 3]);
        const [refusal] = await call(client, "call", "secret.add", {});
        expect(refusal).toMatchObject({ name: "ServiceNotFoundError" });

        const entered = await call(client, "call", "math.enter", { room: "blue", name: "ada" });
        expect(entered).toEqual([null, "entered"]);
        expect(await call(client, "call", "math.rooms", {})).toEqual([null, 2]);
        expect(await call(client, "call", "math.who", {})).toEqual([null, "ada"]);
        expect(await program.ask("clients", "blue")).toBe(1);

        const heard: unknown[] = [];
        other.on("news", (...news) => heard.push(news));
        const news = once(client, "news");
        await program.ask("broadcast", ["blue"]);
        expect(await news).toEqual([1, { two: 2 }]);
        const toAll = once(other, "news");
        await program.ask("broadcast");
        await toAll;
        expect(heard).toHaveLength(1);

        const seen: string[] = await program.ask("seen");
        expect(seen.slice(0, 2).sort()).toEqual(["connection 7", "connection 8"]);
        expect(seen.slice(2)).toEqual(new Array(5).fill("packet call"));
        expect(await program.close()).toBe(0);
      },
      PROGRAM_LIMIT_MS,
    );
  },
  hasProjects,
);
