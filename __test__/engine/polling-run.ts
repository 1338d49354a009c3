/**
 * A case of the polling transport, played on an engine over raw HTTP: it leaves a trace, answers to the byte and events in order, which must
 * be the same for engine.io and for sio-rs.
 */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import * as reference from "engine.io";
import { RawPeer, stable } from "./raw";

/** One run of a case on one implementation. */
export class Run {
  readonly trace: unknown[] = [];
  readonly peers: RawPeer[] = [];
  sid = "";

  constructor(
    readonly server: HttpServer,
    readonly engine: any,
    /** Revision and transport, as in the query of each request. */
    readonly query: string,
  ) {}

  async peer(): Promise<RawPeer> {
    const peer = await RawPeer.connect(this.server);
    this.peers.push(peer);
    return peer;
  }

  /** Sends a request of the session on a connection of its own. */
  async send(method: string, body = "", headers = ""): Promise<RawPeer> {
    const peer = await this.peer();
    const length =
      method === "POST" ? `Content-Length: ${Buffer.byteLength(body, "latin1")}\r\n` : "";
    peer.write(
      `${method} /engine.io/?${this.query}&sid=${this.sid} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}${headers}\r\n${body}`,
    );
    return peer;
  }

  /** Sends a request and records the answer. */
  async answer(method: string, body = "", headers = ""): Promise<string> {
    const response = stable(await (await this.send(method, body, headers)).untilClosed());
    this.trace.push(response);
    return response;
  }

  async record(peer: RawPeer): Promise<void> {
    this.trace.push(stable(await peer.untilClosed()));
  }

  /** Waits until the server has parked a GET. */
  async parked(conn: any): Promise<RawPeer> {
    const peer = await this.send("GET");
    while (!conn.transport.writable) {
      await new Promise(setImmediate);
    }
    return peer;
  }
}

export type Case = (run: Run, conn: any) => Promise<void>;

/** engine.io's closed sessions keep a timer of 30 seconds; the test run need not wait for it. */
const REFERENCE_CLOSE_TIMEOUT_MS = 300;

/** Opens a session on an engine, plays the case, and returns what came of it. */
export async function play(
  engine: any,
  body: Case,
  headers = "",
  query = "EIO=4&transport=polling",
): Promise<unknown[]> {
  const server = createServer();
  engine.attach(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const run = new Run(server, engine, query);
  try {
    const connection = once(engine, "connection");
    const peer = await run.peer();
    peer.write(
      `GET /engine.io/?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`,
    );
    const response = await peer.untilClosed();
    run.sid = /\\?"sid\\?":\\?"([\w-]{20})/.exec(response)?.[1] ?? "";
    run.trace.push(stable(response));
    const [conn] = await connection;
    if (engine instanceof reference.Server) {
      conn.transport.closeTimeout = REFERENCE_CLOSE_TIMEOUT_MS;
    }
    for (const event of ["close", "heartbeat"]) {
      conn.on(event, (...args: unknown[]) => run.trace.push([event, ...args.map(String)]));
    }
    for (const event of ["packet", "data", "message"]) {
      conn.on(event, (value: unknown) => run.trace.push([event, value]));
    }
    await body(run, conn);
    return run.trace;
  } finally {
    for (const { socket } of run.peers) {
      socket.destroy();
    }
    engine.close();
    server.close();
  }
}
