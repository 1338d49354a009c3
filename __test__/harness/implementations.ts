// Runs one test body on npm's `socket.io` and on sio-rs, so that being a drop-in is proven and not claimed.
// `describeBoth` opens a suite per implementation; `it` registers a case of the suite that is being collected.
// COMPAT_ONLY=socket.io|sio-rs runs one side. SIO_RS_CARRIER is read by sio-rs itself and only shown here.

import { join } from "node:path";
import type * as SocketIO from "socket.io";
import { readLedger } from "./ledger";

/** What `require()` of either package gives: a function with three classes on it. */
export interface SocketIOModule {
  (...args: ConstructorParameters<typeof SocketIO.Server>): SocketIO.Server;
  Server: typeof SocketIO.Server;
  Namespace: typeof SocketIO.Namespace;
  Socket: typeof SocketIO.Socket;
}

/** One of the two packages under test. */
export interface Implementation {
  name: "socket.io" | "sio-rs";
  /** What a child process or a worker passes to `require()`. */
  modulePath: string;
  /** `module.exports` itself. */
  callable: SocketIOModule;
  Server: typeof SocketIO.Server;
  Namespace: typeof SocketIO.Namespace;
  Socket: typeof SocketIO.Socket;
}

const MODULE_PATHS = {
  "socket.io": require.resolve("socket.io"),
  "sio-rs": join(__dirname, "..", "..", "index.js"),
};

/** What sio-rs carries connections on in this run; adopting their descriptors is its default. */
const carrier = process.env.SIO_RS_CARRIER === "bridge" ? "bridge" : "adopted";

const ledger = readLedger();

/** The suite whose body is running now; Jest collects cases synchronously. */
let collecting:
  | { suite: string; implementation: Implementation; titles: Set<string>; isRunnable: boolean }
  | undefined;

function selectedNames(): Implementation["name"][] {
  const only = process.env.COMPAT_ONLY;
  if (only === undefined || only === "") {
    return ["socket.io", "sio-rs"];
  }
  if (only !== "socket.io" && only !== "sio-rs") {
    throw new Error(`COMPAT_ONLY is "socket.io" or "sio-rs", not "${only}"`);
  }
  return [only];
}

/** One of the two packages, whether this run tests it by itself or not. */
export function loadImplementation(name: Implementation["name"]): Implementation {
  const modulePath = MODULE_PATHS[name];
  const callable = require(modulePath) as SocketIOModule;
  const { Server, Namespace, Socket } = callable;
  return { name, modulePath, callable, Server, Namespace, Socket };
}

/** What a describe block is called that runs on `implementation`. */
export function label(implementation: Implementation): string {
  return implementation.name === "sio-rs" ? `sio-rs (${carrier})` : implementation.name;
}

/**
 * Opens `suite` once per selected implementation. The body registers its cases with `it` from this file; they are
 * skipped where what they need is not installed (`isRunnable`), and keep their names.
 */
export function describeBoth(
  suite: string,
  body: (implementation: Implementation) => void,
  isRunnable = true,
): void {
  describe(suite, () => {
    for (const implementation of selectedImplementations()) {
      const run = () => body(implementation);
      describeOne(suite, label(implementation), implementation, run, isRunnable);
    }
  });
}

/** The packages that this run tests. */
export function selectedImplementations(): Implementation[] {
  return selectedNames().map(loadImplementation);
}

/** Opens one describe block of `suite`, whose cases count for `implementation`. */
export function describeOne(
  suite: string,
  title: string,
  implementation: Implementation,
  body: () => void,
  isRunnable = true,
): void {
  describe(title, () => {
    const titles = new Set<string>();
    collecting = { suite, implementation, titles, isRunnable };
    body();
    collecting = undefined;
    if (implementation.name === "sio-rs") {
      refuseRowsWithoutCase(suite, titles);
    }
  });
}

/**
 * Registers one case: a sentence that says what holds.
 * A case listed in `unsupported.md` must fail on sio-rs, so that a stale row fails the run.
 */
export function it(title: string, run: () => unknown, timeoutMs?: number): void {
  if (collecting === undefined) {
    throw new Error(`"${title}" stands outside of describeBoth`);
  }
  const { suite, implementation, titles, isRunnable } = collecting;
  if (titles.has(title)) {
    throw new Error(`two cases of "${suite}" are called "${title}"`);
  }
  titles.add(title);
  if (!isRunnable) {
    test.skip(title, () => {});
    return;
  }
  const isListed = ledger.some(
    (row) =>
      row.suite === suite &&
      row.title === title &&
      (row.carrier === "any" || row.carrier === carrier),
  );
  const register = isListed && implementation.name === "sio-rs" ? test.failing : test;
  register(title, async () => void (await run()), timeoutMs);
}

function refuseRowsWithoutCase(suite: string, titles: ReadonlySet<string>): void {
  for (const row of ledger) {
    if (row.suite === suite && !titles.has(row.title)) {
      test(`unsupported.md names a case that does not exist: ${row.title}`, () => {
        throw new Error("remove the row, or correct its title");
      });
    }
  }
}
