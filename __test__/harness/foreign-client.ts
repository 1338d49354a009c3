// A client in another language, as a process that reads commands and tells what happened, one JSON array a line each way.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { closeClientAfterTest } from "./cleanup";
import { once, within } from "./events";

/** An interpreter has to start first. */
const LINE_LIMIT_MS = 9_000;

export interface ForeignClient {
  /** The next line that begins with `kind`; lines before it are kept for whoever asks for them. */
  next(kind: string): Promise<any[]>;
  /** Sends one command. */
  tell(...command: unknown[]): void;
  /** Resolves with the exit code. */
  finished: Promise<number | null>;
}

/** Starts the program; it is ended by its id after the test. */
export function startForeignClient(program: string, args: string[]): ForeignClient {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  closeClientAfterTest(() => child.kill("SIGKILL"));
  // A command to a client that is gone fails where its answer is missing.
  child.stdin.on("error", () => {});
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  const lines: any[][] = [];
  let wake = (): void => {};
  createInterface(child.stdout).on("line", (line) => {
    lines.push(JSON.parse(line));
    wake();
  });
  const take = (kind: string): any[] | undefined => {
    const index = lines.findIndex(([first]) => first === kind);
    return index < 0 ? undefined : lines.splice(index, 1)[0];
  };
  const finished = once(child, "close", LINE_LIMIT_MS).then(([code]) => code);
  // Only a test that awaits the end wants to know that it did not come.
  finished.catch(() => {});
  return {
    next: (kind) => {
      const line = new Promise<any[]>((resolve) => {
        wake = () => {
          const found = take(kind);
          if (found !== undefined) {
            wake = () => {};
            resolve(found);
          }
        };
        wake();
      });
      const what = () => `no "${kind}" among ${JSON.stringify(lines)}: ${complaints}`;
      return within(line, what, LINE_LIMIT_MS);
    },
    tell: (...command) => void child.stdin.write(`${JSON.stringify(command)}\n`),
    finished,
  };
}
