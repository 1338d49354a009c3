// The log of a server in a process of its own (`fixtures/log.cjs`), as `DEBUG` makes it: taken of npm's socket.io and of sio-rs while the
// same scripted peers talk to them. Ids, times and colours are masked or switched off.

import { startFixture } from "./child";
import { eventually } from "./events";
import { type Implementation, loadImplementation } from "./implementations";
import { request } from "./raw-http";

export interface LogTalk {
  /** Options of the server. */
  options?: object;
  /** `DEBUG`; all that both packages print by default. */
  namespaces?: string;
  /** Other variables of the `debug` package. */
  env?: NodeJS.ProcessEnv;
  talk: (server: LoggedServer) => Promise<void>;
}

export interface LoggedServer {
  port: number;
  /** Has the server do what the fixture has for this path. */
  order(path: string): Promise<void>;
  /** Resolves when `count` lines with this text were printed. */
  logged(text: string, count?: number): Promise<void>;
}

/** Everything that is printed, masked; only what comes after the order `/mark`, if that is given. */
export async function rawLogOf(name: Implementation["name"], talk: LogTalk): Promise<string> {
  const { namespaces = "engine*,socket.io*", env = {} } = talk;
  const child = startFixture(
    loadImplementation(name),
    "log.cjs",
    [JSON.stringify(talk.options ?? {})],
    {
      env: { DEBUG: namespaces, DEBUG_COLORS: "0", DEBUG_HIDE_DATE: "1", ...env },
    },
  );
  const port = Number(await child.nextLine());
  await talk.talk({
    port,
    order: async (path) => void (await request(port, { path })),
    logged: (text, count = 1) => {
      const isLogged = (): boolean => child.errors().split(text).length > count;
      return eventually(isLogged, `"${text}" was not printed ${count} times`);
    },
  });
  child.process.kill("SIGTERM");
  await child.finished;
  return masked(child.errors().split("mark\n").pop() as string);
}

/** The lines that are printed. */
export async function logOf(name: Implementation["name"], talk: LogTalk): Promise<string[]> {
  const text = await rawLogOf(name, talk);
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Each id becomes a number, in the order in which they come up. They end in a count that begins at zero. */
function masked(text: string): string {
  const ids = new Map<string, string>();
  return text.replace(/(?<![\w-])[\w-]{16}AAA[A-Z](?![\w-])/g, (id) => {
    ids.set(id, ids.get(id) ?? `<${ids.size}>`);
    return ids.get(id) as string;
  });
}

/** Whether a line tells that output was made or taken: JavaScript hears of that from the core, a little later than engine.io, which does it itself. */
export function isOutput(line: string): boolean {
  return / (?:writing "|executing batch send callback)/.test(line);
}

/** The lines of each namespace, in order; those of output apart. */
export function byNamespace(lines: readonly string[]): Record<string, string[]> {
  const streams: Record<string, string[]> = {};
  for (const line of lines) {
    const [namespace] = line.split(" ", 1) as [string];
    const stream = isOutput(line) ? `${namespace} output` : namespace;
    streams[stream] ??= [];
    streams[stream].push(line);
  }
  return streams;
}
