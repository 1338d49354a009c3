// All names that the declarations of socket.io and engine.io export, and all members of their classes and interfaces, are in ours with the
// same types. What differs is in the table below with the reason; a row that is out of date fails. Types that calculate with events maps
// cannot be compared as text; `types.test.ts` holds those to what they give.

import { join } from "node:path";
import { readSurfaces, type Surface } from "../harness/type-surface";

const ROOT = join(__dirname, "..", "..");
/** A cold compiler on a busy machine. */
const TIMEOUT_MS = 60_000;

/** Files that can be imported from, theirs and ours. */
const FILES = {
  "socket.io": ["socket.io/dist/index", "index"],
  "engine.io": ["engine.io/build/engine.io", "engine"],
  ...Object.fromEntries(
    [
      "broadcast-operator",
      "client",
      "namespace",
      "parent-namespace",
      "socket",
      "socket-types",
      "typed-events",
    ].map((name) => [`socket.io/dist/${name}`, [`socket.io/dist/${name}`, `dist/${name}`]]),
  ),
};

/** Reasons, each with the members that it excuses: `file export.member`. */
const DIFFERENCES: Record<string, string[]> = {
  "The same type has a name of its own, or another name.": [
    "socket.io Server._parser",
    "socket.io ServerOptions.connectionStateRecovery",
    "socket.io ServerOptions.cookie",
    "socket.io BroadcastOperator.new",
    "socket.io/dist/broadcast-operator BroadcastOperator.new",
    "engine.io Server.opts",
    "engine.io BaseServer.opts",
    "engine.io ServerOptions.cookie",
    "engine.io ErrorCallback.=",
    "engine.io transports.=",
    "engine.io Transport.readyState",
  ],
  "More is taken, or may be reached.": [
    "socket.io ServerOptions.cors",
    "socket.io ServerOptions.perMessageDeflate",
    "socket.io/dist/client Client._remove",
    "socket.io/dist/client Client._packet",
    "engine.io ServerOptions.cors",
    "engine.io ServerOptions.perMessageDeflate",
    "engine.io listen.=",
    "engine.io attach.=",
    "engine.io Server.use",
    "engine.io BaseServer.use",
    "engine.io uServer.use",
    "engine.io Server.clients",
    "engine.io Server.middlewares",
    "engine.io BaseServer.clients",
    "engine.io BaseServer.middlewares",
    "engine.io Socket.send",
    "engine.io Socket.write",
    "engine.io Transport.discarded",
    "engine.io Transport.supportsBinary",
    "engine.io Transport.onError",
  ],
  "More is known of what is given.": [
    "engine.io Server.httpServer",
    "engine.io Server.createTransport",
    "engine.io Server.upgrades",
    "engine.io Server.verify",
    "engine.io Server.handshake",
    "engine.io BaseServer.upgrades",
    "engine.io BaseServer.verify",
    "engine.io BaseServer.handshake",
    "engine.io BaseServer.createTransport",
    "engine.io BaseServer.close",
    "engine.io BaseServer.cleanup",
    "engine.io Socket.protocol",
    "engine.io Transport.name",
    "engine.io Transport.onRequest",
    "engine.io Transport.static upgradesTo",
  ],
  "Sessions and transports are made by the engine, and their packets are read and written by the core: classes of one's own cannot do it.":
    [
      "engine.io Socket.new",
      "engine.io Socket._readyState",
      "engine.io Socket._maybeUpgrade",
      "engine.io Transport.new",
      "engine.io Transport._readyState",
      "engine.io Transport.parser",
      "engine.io Transport.onPacket",
      "engine.io Transport.onData",
      "engine.io Transport.onClose",
      "engine.io Transport.doClose",
    ],
  "It is engine.io's own class, which is declared as far as it is used from outside, since engine.io need not be there.":
    [
      "engine.io uServer.generics",
      "engine.io uServer.new",
      "engine.io uServer.static errors",
      "engine.io uServer.static errorMessages",
      "engine.io uServer.opts",
      "engine.io uServer.clients",
      "engine.io uServer.middlewares",
      "engine.io uServer.init",
      "engine.io uServer.cleanup",
      "engine.io uServer.createTransport",
      "engine.io uServer._applyMiddlewares",
      "engine.io uServer._computePath",
      "engine.io uServer.upgrades",
      "engine.io uServer.verify",
      "engine.io uServer.handshake",
    ],
};

const EXCUSED = Object.values(DIFFERENCES).flat();

/** What is not as it is there, by member: both types as text. */
const found = new Map<string, string>();
const missing: string[] = [];
let compared = 0;

beforeAll(() => {
  const theirs = Object.values(FILES).map(([file]) => join(ROOT, "node_modules", `${file}.d.ts`));
  const ours = Object.values(FILES).map(([, file]) => join(ROOT, `${file}.d.ts`));
  const surfaces = readSurfaces([...theirs, ...ours]);
  for (const [index, file] of Object.keys(FILES).entries()) {
    compare(file, surfaces[index], surfaces[theirs.length + index]);
  }
}, TIMEOUT_MS);

function compare(file: string, theirs: Surface, ours: Surface): void {
  for (const [name, members] of theirs) {
    const own = ours.get(name);
    if (own === undefined) {
      missing.push(`${file} ${name}`);
      continue;
    }
    for (const [member, type] of members) {
      compared += 1;
      const ownType = own.get(member) ?? "missing";
      if (ownType !== type) {
        found.set(`${file} ${name}.${member}`, `there: ${type}\nhere: ${ownType}`);
      }
    }
  }
}

test("every name that socket.io's and engine.io's declarations export is exported here", () => {
  expect(missing).toEqual([]);
  expect(compared).toBeGreaterThan(400);
});

test("every member has the type that it has there, unless a row says why not", () => {
  const unexplained = [...found].filter(([member]) => !EXCUSED.includes(member));
  expect(Object.fromEntries(unexplained)).toEqual({});
});

test("no row is out of date", () => {
  expect(EXCUSED.filter((member) => !found.has(member))).toEqual([]);
  expect(EXCUSED).toEqual([...new Set(EXCUSED)]);
});
