// Faults of the application in what the engine calls: how the process hears of them. Each case is a process of its own.

import { runModule } from "../harness/child";
import { ENGINE_PATHS } from "../harness/engine-modules";
import { describeBoth, it } from "../harness/implementations";

const THROWN = 'throw new Error("no");';

/** What the application has, and as what its error ends up. */
const FAULTS: [title: string, setUp: string, heard: "uncaughtException" | "unhandledRejection"][] =
  [
    [
      "an allowRequest that throws",
      `options.allowRequest = () => { ${THROWN} }`,
      "uncaughtException",
    ],
    [
      "an allowRequest whose promise is rejected",
      `options.allowRequest = async () => { ${THROWN} }`,
      "unhandledRejection",
    ],
    [
      "an allowRequest that throws behind a middleware",
      `options.allowRequest = () => { ${THROWN} }; options.cors = {}`,
      "unhandledRejection",
    ],
  ];

describeBoth("engine faults", (implementation) => {
  for (const [title, setUp, heard] of FAULTS) {
    it(`${title} is an ${heard}, over polling`, async () => {
      const { stdout, stderr } = await runModule(
        implementation,
        () => `
          import { createRequire } from "node:module";
          import { createServer, get } from "node:http";
          const { Server } = createRequire(import.meta.url)(${JSON.stringify(ENGINE_PATHS[implementation.name])});
          const options = {};
          ${setUp}
          process.on("uncaughtException", (error, origin) => {
            console.log(origin, error.message);
            process.exit();
          });
          const server = createServer();
          const engine = new Server(options);
          engine.attach(server);
          server.listen(0, "127.0.0.1", () => {
            get({ port: server.address().port, path: "/engine.io/?EIO=4&transport=polling" }).on("error", () => {});
          });
        `,
      );
      expect([stdout, stderr]).toEqual([`${heard} no\n`, ""]);
    });
  }
});
