// The files of `topics/` are compiled as a user's project with npm's socket.io and engine.io, and with sio-rs in their place; neither may
// give an error, or miss an expected one.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describeBoth, it } from "../harness/implementations";
import {
  makeTypeProject,
  RESOLUTION_NAMES,
  type Resolution,
  type TypeProject,
} from "../harness/type-project";

const FOLDER = join(__dirname, "topics");
/** What each file of the folder is about. */
const TOPICS = {
  generics: "generics of servers, namespaces, sockets and operators, and their defaults",
  listeners: "listeners of users' and reserved events, async ones and names from enums",
  broadcasts: "broadcasts refuse acknowledged events without a timeout, and get arrays of answers",
  timeouts: "timeout() puts an error before the answers, once",
  "emit-with-ack": "emitWithAck is for acknowledged events, and promises the first argument",
  "server-side-emit": "servers send each other the events of their map, and get arrays of answers",
  send: "send() and write() have the arguments of the event message",
  construction: "constructors, options, adapters and the engine",
  "default-maps": "without maps every name is accepted with any arguments",
  augmentation: "interfaces take members of an application's, and classes are extended by them",
  engine: "the engine's entry",
  "deep-imports": "files beside the entry, as far as a resolution reaches them",
};
/** What the topics share. */
const SHARED = ["expect", "maps"];
/** A cold compiler on a busy machine, four times. */
const TIMEOUT_MS = 240_000;

const path = (topic: string) => join(FOLDER, `${topic}.ts`);

/** The topics that compile under a resolution: only the oldest does not mind what `exports` of a package closes. */
function topicsOf(resolution: Resolution): string[] {
  return Object.keys(TOPICS).filter((topic) => topic !== "deep-imports" || resolution === "node10");
}

describeBoth("types", (implementation) => {
  let project: TypeProject;
  let errors: string[];

  beforeAll(() => {
    project = makeTypeProject(implementation);
    errors = RESOLUTION_NAMES.flatMap((resolution) =>
      project.compile(resolution, [...topicsOf(resolution), ...SHARED].map(path)),
    );
  }, TIMEOUT_MS);

  afterAll(() => project.remove());

  for (const [topic, sentence] of Object.entries(TOPICS)) {
    it(sentence, () => {
      expect(errors.filter((error) => error.includes(`/${topic}.`))).toEqual([]);
    });
  }

  it("the declarations of the package are sound by themselves", () => {
    const own = ["dist/server.d.ts", "dist/engine/server.d.ts"];
    const isOwn = own.map((file) => project.declarations.has(file));
    expect(isOwn).toEqual(own.map(() => implementation.name === "sio-rs"));
    const isOfTopic = (error: string) => topicsOf("node10").some((t) => error.includes(`/${t}.`));
    expect(errors.filter((error) => !isOfTopic(error))).toEqual([]);
  });
});

test("each file of the folder is a topic", () => {
  const names = readdirSync(FOLDER).map((file) => file.replace(/\.ts$/, ""));
  expect(names.sort()).toEqual([...Object.keys(TOPICS), ...SHARED].sort());
});
