// A talk over bare TCP connections that is held with npm's engine.io and with sio-rs/engine, and must be answered with the same bytes.
// Only the ids of sessions and the Date header may differ: they are masked.

import { createServer, type ServerOptions as HttpOptions } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { type EngineOptions, startEngine } from "./engine-modules";
import { eventually, once, within } from "./events";
import type { Implementation } from "./implementations";
import { openStream } from "./raw-http";

/** What the server is made to do between two requests. `session` is the one opened first. */
export type Act = (session: any, engine: any) => unknown;

export interface Request {
  /** The connection it is sent over, a new one for a new name; "first" if nothing is said. */
  on?: string;
  /** The bytes; several pieces are sent one after the other, each in a turn of its own. `SID` stands for the id of the first session. */
  send: string | Buffer | readonly (string | Buffer)[];
  /**
   * What is waited for: the whole answer if nothing is said, the `end` of the connection, that the server has taken the request and holds
   * it (`held`), or a text or pattern in what came since.
   */
  until?: string | RegExp;
}

/** A plain text is a request on the first connection. */
export type Step = string | Request | Act;

export interface Talk {
  title: string;
  options?: EngineOptions;
  /** Options of the http server below it. */
  http?: HttpOptions;
  /** Prepares the engine: listeners, middlewares. */
  engine?: (engine: any) => void;
  /** In the order in which it happens. */
  steps: readonly Step[];
  /** Found in the answers, so that the talk is about what its title says. */
  shows: string | RegExp;
}

/** All that could be seen from outside, and what the engine told its application. */
export interface Transcript {
  /** By connection, as latin1 text. */
  answers: Record<string, string>;
  /** `connection_error`: code, message, context. */
  refusals: unknown[];
  /** The ends of sessions: reason and text of the description. */
  ends: unknown[];
}

const SID = "SID";

/** Holds the talk with one implementation. */
export async function hold(name: Implementation["name"], talk: Talk): Promise<Transcript> {
  const httpServer = createServer(talk.http ?? {});
  const { engine, port } = await startEngine(name, talk.options, undefined, httpServer);
  const sessions: any[] = [];
  const refusals: unknown[] = [];
  const ends: unknown[] = [];
  engine.on("connection", (session: any) => {
    sessions.push(session);
    session.on("close", (reason: string, description?: Error) => {
      ends.push([reason, description?.message]);
    });
  });
  engine.on("connection_error", ({ code, message, context }: any) => {
    refusals.push([code, message, describe(context)]);
  });
  talk.engine?.(engine);
  const connections = new Map<string, Connection>();
  for (const step of talk.steps) {
    if (typeof step === "function") {
      await eventually(() => sessions.length > 0, "no session was opened");
      await step(sessions[0], engine);
      continue;
    }
    const { on = "first", send, until }: Request = typeof step === "string" ? { send: step } : step;
    const connection = connections.get(on) ?? new Connection(await openStream(port));
    connections.set(on, connection);
    const pieces = typeof send === "string" || Buffer.isBuffer(send) ? [send] : send;
    await connection.send(pieces.map((piece) => named(piece, sessions[0]?.id)));
    if (until === "held") {
      const { transport } = sessions[0];
      await eventually(() => transport.dataReq || transport.writable, "the request was not held");
    } else {
      await connection.read(until);
    }
  }
  // The last stream may have closed before its session was told.
  await eventually(() => sessions.every(isSettled), "a session outlived its WebSocket");
  const ids = sessions.map(({ id }) => id as string);
  const masked = (text: string): string =>
    ids
      .reduce((all, id) => all.replaceAll(id, SID), text)
      .replace(/\r\nDate: [^\r]+/g, "\r\nDate: …");
  const answers = [...connections].map(([on, { bytes }]) => [on, masked(bytes.toString("latin1"))]);
  return {
    answers: Object.fromEntries(answers),
    refusals: JSON.parse(masked(JSON.stringify(refusals))),
    ends,
  };
}

function isSettled({ transport, readyState }: any): boolean {
  return transport.name !== "websocket" || readyState === "closed";
}

/** Errors have no JSON. */
function describe(context: Record<string, unknown> | undefined): unknown {
  const { error, ...others } = context ?? {};
  return error instanceof Error ? { ...others, error: error.message } : context;
}

function named(piece: string | Buffer, id: string | undefined): string | Buffer {
  return typeof piece === "string" && id !== undefined ? piece.replaceAll(SID, id) : piece;
}

class Connection {
  bytes = Buffer.alloc(0);
  /** Where what has not been read yet begins. */
  #start = 0;
  #hasEnded = false;

  constructor(readonly stream: NetSocket) {
    stream.on("data", (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      stream.emit("more");
    });
    stream.on("close", () => {
      this.#hasEnded = true;
      stream.emit("more");
    });
  }

  /** Writes the pieces so that each arrives by itself. */
  async send(pieces: readonly (string | Buffer)[]): Promise<void> {
    this.stream.setNoDelay(true);
    for (const piece of pieces) {
      await new Promise<void>((resolve) => this.stream.write(piece, () => resolve()));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async read(until: string | RegExp | undefined): Promise<void> {
    const holds = (): boolean => {
      const unread = this.bytes.subarray(this.#start).toString("latin1");
      if (until instanceof RegExp) {
        return until.test(unread);
      }
      return until === undefined ? isWhole(unread) : until !== "end" && unread.includes(until);
    };
    const arrival = async (): Promise<void> => {
      while (!this.#hasEnded && !holds()) {
        await once(this.stream, "more");
      }
    };
    await within(
      arrival(),
      () => `still waiting after ${JSON.stringify(this.bytes.toString("latin1"))}`,
    );
    this.#start = this.bytes.length;
  }
}

/** Whether this is a whole HTTP answer. One that closes its connection is whole at the end of that. */
function isWhole(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  const head = answer.slice(0, end).toLowerCase();
  if (end < 0 || /^connection: close$/m.test(head.replaceAll("\r", ""))) {
    return false;
  }
  const body = answer.slice(end + 4);
  const length = /content-length: (\d+)/.exec(head)?.[1];
  if (length !== undefined) {
    return body.length >= Number(length);
  }
  if (head.includes("transfer-encoding: chunked")) {
    return body.endsWith("0\r\n\r\n");
  }
  return /^http\/1\.1 (?:204|304)/.test(head);
}

/** A request without a body; header lines as they are to be sent. */
export function get(target: string, ...headers: string[]): string {
  return request("GET", target, headers);
}

/** A request of any method; a body gets its Content-Length. */
export function request(
  method: string,
  target: string,
  headers: readonly string[] = [],
  body?: string,
  version = "1.1",
): string {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return [
    `${method} ${target} HTTP/${version}`,
    "Host: x",
    ...headers,
    ...length,
    "",
    body ?? "",
  ].join("\r\n");
}
