// Node processes that a test starts: a script of `fixtures/`, or the text of an ES module.
// Each gets the implementation's path in MODULE_PATH and is ended by its id after the test.

import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { closeClientAfterTest } from "./cleanup";
import { once, within } from "./events";
import type { Implementation } from "./implementations";

/** Node needs a moment to start on a busy machine. */
const EXIT_TIMEOUT_MS = 9_000;

const FIXTURES = join(__dirname, "..", "fixtures");

export interface Finished {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Child {
  process: ChildProcess;
  /** The next line that the process prints on its standard output, within the limit of events unless it may take longer. */
  nextLine(limitMs?: number): Promise<string>;
  /** What it has printed on its standard error. */
  errors(): string;
  finished: Promise<Finished>;
}

/** What a child process may have of its own. */
export interface ChildSetting {
  env?: NodeJS.ProcessEnv;
  /** How many descriptors it may have open. */
  maxDescriptors?: number;
  /** Whether the test writes to its standard input; else that is empty. */
  hasInput?: boolean;
  /** It serves several tests, and whoever starts it ends it. */
  isShared?: boolean;
}

/** Starts `fixtures/<name>` with the given implementation. */
export function startFixture(
  implementation: Implementation,
  name: string,
  args: string[] = [],
  setting: ChildSetting = {},
): Child {
  return start(implementation, [join(FIXTURES, name), ...args], setting);
}

/** Starts a fixture that reads its options from its first argument, and whose first line is the port that it listens on. */
export async function startListening(
  implementation: Implementation,
  name: string,
  options: object = {},
): Promise<Child & { port: number }> {
  const child = startFixture(implementation, name, [JSON.stringify(options)]);
  return { ...child, port: Number(await child.nextLine()) };
}

/** Runs the ES module that `source` makes of the specifier of the implementation's ES entry. */
export function runModule(
  implementation: Implementation,
  source: (specifier: string) => string,
): Promise<Finished> {
  const entry =
    implementation.name === "sio-rs"
      ? join(dirname(implementation.modulePath), "index.mjs")
      : join(dirname(implementation.modulePath), "..", "wrapper.mjs");
  const text = source(pathToFileURL(entry).href);
  return start(implementation, ["--input-type=module", "--eval", text]).finished;
}

function start(
  implementation: Implementation,
  args: string[],
  { env, maxDescriptors, hasInput, isShared }: ChildSetting = {},
): Child {
  const command =
    maxDescriptors === undefined
      ? [process.execPath, ...args]
      : ["sh", "-c", `ulimit -n ${maxDescriptors}; exec "$@"`, "sh", process.execPath, ...args];
  const child = spawn(command[0] as string, command.slice(1), {
    // `--eval` resolves bare names from here.
    cwd: join(__dirname, "..", ".."),
    env: { ...process.env, ...env, MODULE_PATH: implementation.modulePath },
    stdio: [hasInput ? "pipe" : "ignore", "pipe", "pipe"],
  });
  if (!isShared) {
    closeClientAfterTest(() => child.kill("SIGKILL"));
  }
  const output = { stdout: "", stderr: "" };
  const lines: string[] = [];
  let wake = (): void => {};
  const { stdout, stderr } = child as ChildProcess & { stdout: Readable; stderr: Readable };
  stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
    lines.splice(0, lines.length, ...output.stdout.split("\n").slice(0, -1));
    wake();
  });
  stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  let isClosed = false;
  child.on("close", () => {
    isClosed = true;
    wake();
  });
  let taken = 0;
  const nextLine = async (limitMs?: number): Promise<string> => {
    if (lines.length <= taken) {
      const printed = new Promise<void>((resolve, reject) => {
        wake = () => {
          if (lines.length > taken) {
            resolve();
          } else if (isClosed) {
            reject(new Error(`the process ended without a further line: ${output.stderr}`));
          }
        };
        wake();
      });
      await within(printed, () => `the process printed no further line: ${output.stderr}`, limitMs);
    }
    taken += 1;
    return lines[taken - 1] as string;
  };
  const finished = once(child, "close", EXIT_TIMEOUT_MS).then(([exitCode, signal]) => ({
    exitCode,
    signal,
    ...output,
  }));
  // Only a test that awaits the end wants to know that it did not come.
  finished.catch(() => {});
  return { process: child, nextLine, errors: () => output.stderr, finished };
}
