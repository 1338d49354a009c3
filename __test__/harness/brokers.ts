// The servers that adapters talk through: Redis and PostgreSQL, started from the system's programs on spare ports of
// 127.0.0.1, each once per test file, nothing of them kept on disk afterwards.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { once, within } from "./events";
import { listenOnFreePort } from "./servers";

const START_LIMIT_MS = 30_000;

/** A program that serves one test file. */
interface Broker {
  port: number;
  /** Ends it at once. */
  stop(): Promise<void>;
}

/** The program of a test file, once its tests run. */
export interface FileBroker {
  readonly port: number;
  /** Ends it and starts it again on its port, empty. */
  restart(): Promise<void>;
}

/** Starts Redis before the tests of this file and ends it after them; the port is known once they run. */
export function redisForFile(): FileBroker {
  return forFile(startRedis);
}

/** The same with PostgreSQL, user `postgres`, no password. */
export function postgresForFile(): FileBroker {
  return forFile(startPostgres);
}

/** Starts a Redis that keeps nothing. */
async function startRedis(port?: number): Promise<Broker> {
  const program = find("redis-server", searchPath(), "redis-server");
  port ??= await sparePort();
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  return serve(spawn(program, args, { cwd: tmpdir() }), port, /Ready to accept connections/);
}

/** Starts a PostgreSQL with an empty database in a directory of its own. */
async function startPostgres(port?: number): Promise<Broker> {
  const places = [...searchPath(), ...debianPlaces()];
  const initdb = find("initdb", places, "postgresql");
  const program = find("postgres", places, "postgresql");
  const directory = mkdtempSync(join(tmpdir(), "sio-rs-postgres-"));
  const account = await unprivileged();
  if (account !== undefined) {
    chownSync(directory, account.uid, account.gid);
  }
  const data = join(directory, "data");
  const options = { cwd: directory, ...account };
  const init = ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"];
  await promisify(execFile)(initdb, init, options);
  port ??= await sparePort();
  const args = ["-D", data, "-k", directory, "-p", `${port}`, "-c", "listen_addresses=127.0.0.1"];
  const child = spawn(program, [...args, "-c", "fsync=off"], options);
  const broker = await serve(child, port, /ready to accept connections/, "SIGQUIT");
  return {
    port,
    stop: async () => {
      await broker.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

function forFile(start: (port?: number) => Promise<Broker>): FileBroker {
  let broker: Broker | undefined;
  const running = (): Broker => {
    if (broker === undefined) {
      throw new Error("it has not been started");
    }
    return broker;
  };
  beforeAll(async () => {
    broker = await start();
  }, START_LIMIT_MS);
  afterAll(() => broker?.stop());
  return {
    get port() {
      return running().port;
    },
    restart: async () => {
      const { port, stop } = running();
      await stop();
      broker = await start(port);
    },
  };
}

async function serve(
  child: ChildProcess,
  port: number,
  readyLine: RegExp,
  signal: NodeJS.Signals = "SIGKILL",
): Promise<Broker> {
  let output = "";
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = (): void => void child.kill(signal);
  // A Jest worker that is ended in the middle of a file leaves nothing behind.
  process.once("exit", kill);
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (readyLine.test(output)) {
          resolve();
        }
      });
    }
    exited.then(() => reject(new Error(`it did not start: ${output}`)));
  });
  await within(ready, () => `${child.spawnfile} did not get ready: ${output}`, START_LIMIT_MS);
  return {
    port,
    stop: async () => {
      process.removeListener("exit", kill);
      kill();
      await exited;
    },
  };
}

/** A port that was free a moment ago. */
async function sparePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnFreePort(server);
  const closed = once(server, "close");
  server.close();
  await closed;
  return port;
}

function find(program: string, places: string[], debianPackage: string): string {
  const path = places.map((place) => join(place, program)).find((path) => existsSync(path));
  if (path === undefined) {
    throw new Error(`${program} was not found (Debian: apt-get install ${debianPackage})`);
  }
  return path;
}

function searchPath(): string[] {
  return (process.env.PATH ?? "").split(delimiter);
}

/** Debian keeps PostgreSQL's programs apart, by version; the newest comes first. */
function debianPlaces(): string[] {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, "bin"));
}

/** PostgreSQL refuses to run as root; Debian's package brings an account for it. */
async function unprivileged(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  const ask = async (flag: string): Promise<number> =>
    Number((await promisify(execFile)("id", [flag, "postgres"])).stdout);
  return { uid: await ask("-u"), gid: await ask("-g") };
}
