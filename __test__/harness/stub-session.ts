// An Engine.IO session that belongs to no engine: the least that the server layer may assume of one. What is written to it is kept, and
// a test says by `conn.emit("data", …)` what its client sends.

import { EventEmitter } from "node:events";
import type { Server, Socket } from "socket.io";
import { onceValue } from "./events";
import { internals } from "./internals";

export interface StubSession {
  /** What `io.onconnection()` is given. */
  conn: any;
  /** What was written, in order. */
  sent: unknown[];
  /** With which options. */
  options: any[];
}

/** A session that is open, of a client that speaks `protocol`. */
export function stubSession(protocol: 3 | 4 = 4): StubSession {
  const sent: unknown[] = [];
  const options: any[] = [];
  const conn = Object.assign(new EventEmitter(), {
    id: "stub",
    protocol,
    readyState: "open",
    request: undefined,
    remoteAddress: undefined,
    transport: { name: "stub", writable: true },
    write(data: unknown, opts: unknown) {
      sent.push(data);
      options.push(opts);
      return conn;
    },
    close() {
      conn.readyState = "closed";
      conn.emit("close", "forced close");
    },
  });
  return { conn, sent, options };
}

/** Has `io` take such a session, whose client joins the main namespace. */
export async function joinStub(io: Server): Promise<StubSession & { socket: Socket }> {
  const stub = stubSession();
  internals(io).onconnection(stub.conn);
  const connected = onceValue<Socket>(io, "connection");
  stub.conn.emit("data", "0");
  return { ...stub, socket: await connected };
}
