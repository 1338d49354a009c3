// A cluster of three worker processes behind one port, and a way to run functions in them.

import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Server } from "socket.io";
import { START_LIMIT_MS } from "./clusters";
import { once, within } from "./events";
import type { Implementation } from "./implementations";

/** What functions get that are run in a worker. */
export type WorkerServer = Server & {
  /** Calls to the core for broadcasts so far; of sio-rs only. */
  broadcastsOfCore(): number;
};

/** One worker process. */
export interface Worker {
  implementation: Implementation;
  /** Runs `body` in the worker. It is sent as text: it sees its arguments and nothing else, and they and its result are JSON. */
  run<Args extends unknown[], Result>(
    body: (io: WorkerServer, ...args: Args) => Result,
    ...args: Args
  ): Promise<Awaited<Result>>;
  /** The exit code, once the process has ended. */
  exited: Promise<number>;
}

/** The cluster as a test sees it. */
export interface WorkerCluster {
  readonly url: string;
  readonly workers: Worker[];
}

interface Message {
  type: "ran" | "exit" | "listening";
  id: number;
  value: any;
  error?: string;
  worker: number;
  exitCode: number;
  port: number;
}

/** Starts workers of `implementations` for the cases of this describe block. */
export function workersForBlock(implementations: Implementation[]): WorkerCluster {
  const waiting = new Map<number, (message: Message) => void>();
  const exits = implementations.map(() => {
    let resolve!: (exitCode: number) => void;
    const promise = new Promise<number>((settle) => {
      resolve = settle;
    });
    return { promise, resolve };
  });
  let primary: ChildProcess;
  let url = "";
  let asked = 0;

  const onMessage = (message: Message): void => {
    if (message.type === "ran") {
      waiting.get(message.id)?.(message);
      waiting.delete(message.id);
    } else if (message.type === "exit") {
      exits[message.worker]?.resolve(message.exitCode);
    } else {
      url = `http://127.0.0.1:${message.port}`;
      primary.emit("listening");
    }
  };

  const run = async (worker: number, source: string, args: unknown[]): Promise<any> => {
    const id = ++asked;
    const answered = new Promise<Message>((resolve) => waiting.set(id, resolve));
    primary.send({ type: "run", worker, id, source, args });
    const { value, error } = await within(answered, `worker ${worker} did not finish: ${source}`);
    if (error !== undefined) {
      throw new Error(error);
    }
    return value;
  };

  beforeAll(async () => {
    const modules = implementations.map(({ modulePath }) => modulePath);
    primary = fork(join(__dirname, "..", "fixtures", "cluster-primary.cjs"), modules, {
      execArgv: [],
    });
    primary.on("message", onMessage);
    await once(primary, "listening", START_LIMIT_MS);
  }, START_LIMIT_MS);

  afterAll(async () => {
    const exited = once(primary, "exit");
    primary.disconnect();
    await exited;
  });

  return {
    get url() {
      return url;
    },
    workers: implementations.map((implementation, at) => ({
      implementation,
      run: (body, ...args) => run(at, body.toString(), args),
      exited: (exits[at] as (typeof exits)[0]).promise,
    })),
  };
}
