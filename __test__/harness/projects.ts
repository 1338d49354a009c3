// Programs of the projects that `npm run test:ecosystem` installs outside of this checkout: once beside npm's socket.io,
// once with sio-rs under that name. A program is written as a user would write it; it is started by the test, tells its port,
// answers questions about what it saw, and has to end by itself when it is told to close.

import { type ChildProcess, fork } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Socket as ClientSocket } from "socket.io-client";
import { closeServerAfterTest } from "./cleanup";
import { openClient } from "./clients";
import { once, within } from "./events";
import type { Implementation } from "./implementations";
import type { ClientOptions } from "./servers";

/** Where the projects are; set by the scripts. */
const PROJECTS = process.env.SIO_RS_PROJECTS;

/** Whether there are projects to run programs in; without them `npx jest` skips these suites. */
export const hasProjects = PROJECTS !== undefined;

const PROGRAMS = join(__dirname, "..", "ecosystem", "projects", "programs");

/** The largest framework needs seconds to load on a busy machine. */
const START_LIMIT_MS = 25_000;
const CLOSE_LIMIT_MS = 9_000;

/** The limit of a case that starts a program. */
export const PROGRAM_LIMIT_MS = START_LIMIT_MS + CLOSE_LIMIT_MS;

/** A program that listens. */
export interface Program {
  port: number;
  url: string;
  connect(namespace?: string, options?: ClientOptions): ClientSocket;
  /** Calls one of the answers that the program offers. */
  ask(question: string, ...args: unknown[]): Promise<any>;
  /** Tells the program to close what it opened; resolves with its exit code, once it ended by itself. */
  close(): Promise<number | null>;
}

/** Starts `programs/<name>` in the project of `implementation`. */
export async function startProgram(
  implementation: Implementation,
  name: string,
  args: string[] = [],
): Promise<Program> {
  const project = join(PROJECTS as string, implementation.name);
  // Beside node_modules, so that the program finds its packages as any user's does; workers of Jest copy at the same time.
  const programs = join(project, `programs-${process.env.JEST_WORKER_ID}`);
  cpSync(PROGRAMS, programs, { recursive: true });
  const child = fork(join(programs, name), args, {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  closeServerAfterTest(() => child.kill("SIGKILL"));
  const output = readOutput(child);
  const exited = once(child, "exit", PROGRAM_LIMIT_MS);
  exited.catch(() => {});

  const port = await within(
    new Promise<number>((resolve, reject) => {
      child.once("message", (message: { port: number }) => resolve(message.port));
      child.once("exit", (code) => reject(new Error(`${name} exited with ${code}: ${output()}`)));
    }),
    () => `${name} did not start: ${output()}`,
    START_LIMIT_MS,
  );
  const url = `http://127.0.0.1:${port}`;
  let questions = 0;
  return {
    port,
    url,
    connect: (namespace = "/", options = {}) => openClient(`${url}${namespace}`, options),
    ask: (question, ...rest) => {
      questions += 1;
      return ask(child, { id: questions, question, args: rest }, output);
    },
    close: async () => {
      child.send({ question: "close" });
      const what = () => `${name} did not end by itself: ${output()}`;
      const [code] = await within(exited, what, CLOSE_LIMIT_MS);
      return code;
    },
  };
}

interface Question {
  id: number;
  question: string;
  args: unknown[];
}

function ask(child: ChildProcess, question: Question, output: () => string): Promise<any> {
  const answered = new Promise((resolve, reject) => {
    const listener = (message: { id: number; answer: unknown; error?: string }): void => {
      if (message.id === question.id) {
        child.off("message", listener);
        if (message.error === undefined) resolve(message.answer);
        else reject(new Error(message.error));
      }
    };
    child.on("message", listener);
  });
  child.send(question);
  return within(answered, () => `no answer to "${question.question}": ${output()}`);
}

function readOutput(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}
