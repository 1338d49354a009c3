// Talks of WebSocket peers with an Engine.IO server that echoes, written down from both ends. A peer writes any bytes, cut
// in any way; what comes back is read by the receiver of npm's `ws`, which refuses whatever is no correct server frame.

import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { finished, type Writable } from "node:stream";
import type { ServerOptions } from "socket.io";
import * as ws from "ws";
import { type Session, startBareEngine } from "./bare-engine";
import { eventually, within } from "./events";
import type { Implementation } from "./implementations";
import { openStream } from "./raw-http";
import { closeFrame, openingHandshake } from "./raw-websocket";

/** What one connection came to. Lanes are apart, since nothing orders a pong and an echo. */
export interface Trace {
  /** Messages as the session's listeners got them. */
  delivered: string[];
  /** The reason of the session's end, with the message of its description. */
  closed: string;
  /** What came back of the messages, as far as the script waits for it. */
  echoed: string[];
  pongs: string[];
  /** The server's close frame: `none`, `empty`, or code and reason. */
  closeFrame: string;
  /** How the server ended its half. */
  end: "FIN" | "RST";
}

/** The close frame of a peer that has heard all the echoes that it waits for, as a trace shows it. */
export const ENOUGH = "1000 enough";

/** What a peer does once it has read the open packet. */
export interface Script {
  bytes: Buffer;
  /** Lengths of the writes, over and over again; one write by default. */
  pieces?: number[];
  /** The session echoes; so many echoes are waited for, and then the last act begins. */
  echoes?: number;
  /** So many messages have to be delivered before the last act begins, if the server does not end the stream first. */
  messages?: number;
  /** The last act; a close frame by default, if echoes are waited for. */
  last?: (peer: TracedPeer) => unknown;
}

interface Record {
  session: Session;
  delivered: string[];
  closed: string | undefined;
  /** Off where a case is about the end: engine.io sends the echoes of one read in several turns, and fails at those that it is late with. */
  doesEcho: boolean;
}

/** A message as a trace shows it: short ones whole. Sessions give `undefined` for a text without content. */
export function shown(message: string | Buffer | undefined = ""): string {
  const kind = typeof message === "string" ? "text" : "bytes";
  if (message.length <= 60) {
    return `${kind} ${typeof message === "string" ? message : message.toString("hex")}`;
  }
  const hash = createHash("sha1").update(message).digest("hex").slice(0, 12);
  return `${kind} of ${message.length}, ${hash}`;
}

/** Resolves when the stream has taken the bytes, or is gone. */
export function write(stream: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableEnded || stream.destroyed) {
      resolve();
    } else {
      stream.write(bytes, () => resolve());
    }
  });
}

/** Writes `bytes` in pieces of the given lengths, each after the last was taken. */
export async function writePieces(stream: Socket, bytes: Buffer, pieces?: number[]): Promise<void> {
  if (pieces === undefined) {
    return write(stream, bytes);
  }
  let start = 0;
  for (let count = 0; start < bytes.length; count += 1) {
    const length = pieces[count % pieces.length] as number;
    await write(stream, bytes.subarray(start, start + length));
    start += length;
  }
}

export class TracedPeer {
  /** The sid of the open packet, once it was read. */
  sid = "";
  /** What the 101 says of extensions. */
  extensions = "";
  readonly echoed: string[] = [];
  readonly pongs: string[] = [];
  closeFrame = "none";
  end: "FIN" | "RST" | undefined;
  private hasReadAll = false;

  /** Nothing more comes. */
  get isClosed(): boolean {
    return this.stream.closed && this.hasReadAll;
  }

  private constructor(readonly stream: Socket) {
    stream.setNoDelay(true);
    stream.once("end", () => {
      this.end ??= "FIN";
    });
    stream.once("error", () => {
      this.end ??= "RST";
    });
  }

  /** Opens a session; `offer` is the value of `Sec-WebSocket-Extensions`. */
  static async open(port: number, offer?: string): Promise<TracedPeer> {
    const peer = new TracedPeer(await openStream(port));
    const headers = { "Sec-WebSocket-Extensions": offer };
    peer.stream.write(openingHandshake({ headers }));
    await within(peer.readHead(), "no 101 came");
    await eventually(() => peer.sid !== "", "no open packet came");
    return peer;
  }

  private async readHead(): Promise<void> {
    let head: Buffer = Buffer.alloc(0);
    while (!head.includes("\r\n\r\n")) {
      head = await new Promise<Buffer>((resolve, reject) => {
        this.stream.once("close", reject);
        this.stream.once("data", (chunk: Buffer) => {
          this.stream.off("close", reject);
          resolve(Buffer.concat([head, chunk]));
        });
      });
    }
    const end = head.indexOf("\r\n\r\n") + 4;
    this.extensions = /^sec-websocket-extensions: (.*)$/im.exec(head.toString())?.[1] ?? "";
    const receiver = this.receiver();
    receiver.write(head.subarray(end));
    this.stream.on("data", (chunk: Buffer) => receiver.writableEnded || receiver.write(chunk));
    this.stream.once("close", () => receiver.end());
    // It inflates on threads of its own, and may be behind the stream.
    finished(receiver, () => {
      this.hasReadAll = true;
    });
  }

  /** npm's own reader, which knows what the 101 agreed to. */
  private receiver(): Writable {
    const { Receiver, PerMessageDeflate, extension } = ws as any;
    const extensions: { [name: string]: unknown } = {};
    if (this.extensions !== "") {
      const name = PerMessageDeflate.extensionName;
      extensions[name] = new PerMessageDeflate({ isServer: false });
      (extensions[name] as any).accept(extension.parse(this.extensions)[name]);
    }
    const receiver = new Receiver({ extensions, isServer: false });
    receiver.on("message", (data: Buffer, isBinary: boolean) => {
      const message = isBinary ? data : data.toString();
      if (this.sid === "") {
        this.sid = JSON.parse(String(message).slice(1)).sid;
      } else {
        this.echoed.push(shown(typeof message === "string" ? message.slice(1) : message));
      }
    });
    receiver.on("pong", (data: Buffer) => this.pongs.push(shown(data.toString("latin1"))));
    receiver.on("conclude", (code: number, reason: Buffer) => {
      this.closeFrame = code === 1005 ? "empty" : `${code} ${reason}`.trim();
    });
    receiver.on("error", (error: Error) => {
      this.closeFrame = `the server broke the protocol: ${error.message}`;
    });
    return receiver;
  }
}

/** A server whose sessions echo, and the records of all of them. */
export class TracedEngine {
  private readonly records = new Map<string, Record>();

  private constructor(readonly port: number) {}

  static async start(
    implementation: Implementation,
    options: Partial<ServerOptions> = {},
  ): Promise<TracedEngine> {
    const { engine, port } = await startBareEngine(implementation, options);
    const traced = new TracedEngine(port);
    engine.on("connection", (session: Session) => {
      const record: Record = { session, delivered: [], closed: undefined, doesEcho: true };
      traced.records.set(session.id, record);
      session.on("message", (data?: string | Buffer) => {
        record.delivered.push(shown(data));
        if (record.doesEcho) {
          session.send(data);
        }
      });
      session.on("close", (reason: string, description?: Error) => {
        record.closed = description === undefined ? reason : `${reason}: ${description.message}`;
      });
    });
    return traced;
  }

  /** The session that a peer has opened. */
  session(peer: TracedPeer): Session {
    return this.records.get(peer.sid)?.session;
  }

  /** Plays a script to its end. */
  async talk(script: Script, offer?: string): Promise<Trace> {
    const { bytes, pieces, echoes, messages = 0, last } = script;
    const peer = await TracedPeer.open(this.port, offer);
    const record = this.records.get(peer.sid) as Record;
    record.doesEcho = echoes !== undefined;
    await writePieces(peer.stream, bytes, pieces);
    await eventually(
      () => record.delivered.length >= messages || peer.end !== undefined,
      `fewer than ${messages} messages were delivered`,
    );
    if (echoes !== undefined) {
      await eventually(
        () => peer.echoed.length >= echoes || peer.isClosed,
        `fewer than ${echoes} echoes came`,
      );
    }
    if (last !== undefined) {
      await last(peer);
    } else if (echoes !== undefined) {
      await write(peer.stream, closeFrame(1000, "enough"));
    }
    return this.traceOf(peer, echoes);
  }

  /** What came of a peer, once the stream and the session have ended. */
  async traceOf(peer: TracedPeer, echoes = 0): Promise<Trace> {
    const record = this.records.get(peer.sid) as Record;
    await eventually(
      () => peer.isClosed && record.closed !== undefined,
      `${peer.isClosed ? "the session" : "the stream"} goes on: ${JSON.stringify(peer.pongs)}`,
    );
    return {
      delivered: record.delivered,
      closed: record.closed as string,
      echoed: peer.echoed.slice(0, echoes),
      pongs: peer.pongs,
      closeFrame: peer.closeFrame,
      end: peer.end ?? "RST",
    };
  }
}
