/**
 * A link without a core: it records the commands of the engine and plays just enough of the core for polling sessions, so that
 * the JavaScript half can be tested alone. A stream is written to once (the 101) and then belongs to the test.
 */
import { writeSync } from "node:fs";
import * as inEngine from "../../lib/engine/in-engine";
import type { SessionSink, StreamSink } from "../../lib/link";

type Part = string | ArrayBufferView;

class FakeSession {
  outbox: string[] = [];
  poll: number | undefined;
  isClosing = false;
  compress = false;

  constructor(
    readonly sink: SessionSink,
    readonly isWebSocket: boolean,
  ) {}
}

export interface FakeStream {
  role: number;
  slot: number;
  response: string;
  input: Buffer;
  sink: StreamSink;
  isAdopted: boolean;
  deflate: object | undefined;
}

export class FakeLink {
  turn = 1;
  readonly broadcasts: { reaches(slot: number): boolean; packets: number; isVolatile: boolean }[] =
    [];
  readonly earlierBroadcasts: [] = [];
  readonly streams: FakeStream[] = [];
  /** Commands in order, as `name slot …`. */
  readonly log: string[] = [];
  pendingBytes = 0;
  canAdopt = true;
  private readonly sinks: SessionSink[] = [];
  private readonly sessions = new Map<number, FakeSession>();
  private isDirty = false;
  private isTurnOpen = false;

  readonly commands = {
    open: (slot: number, handshake: string, options: { websocket: boolean }) => {
      this.note(`open ${slot} ${options.websocket ? "websocket" : "polling"}`);
      const session = new FakeSession(this.sinks[slot] as SessionSink, options.websocket);
      session.outbox.push(`0${handshake}`);
      this.sessions.set(slot, session);
    },
    send: (slot: number, parts: string | Part[], flags: number) => {
      this.note(`send ${slot} ${JSON.stringify(parts)} ${flags}`);
      const session = this.sessions.get(slot);
      for (const part of typeof parts === "string" ? [parts] : parts) {
        session?.outbox.push(
          typeof part === "string"
            ? `4${part}`
            : `b${Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("base64")}`,
        );
      }
      if (session && flags & 2) {
        session.compress = true;
      }
      if (session) {
        this.answer(session); // the first command of a turn leaves at once
      }
    },
    /** No turn of a fake link has records. */
    recordsOfTurn: () => [],
    close: (slot: number, discard: boolean) => {
      this.note(`close ${slot} ${discard ? "discard" : "flush"}`);
      const session = this.sessions.get(slot);
      if (session && (discard || session.isWebSocket)) {
        this.end(slot);
      } else if (session) {
        session.isClosing = true;
      }
    },
    poll: (slot: number, request: number) => {
      this.note(`poll ${slot}`);
      const session = this.sessions.get(slot);
      if (session) {
        session.poll = request;
        if (session.isClosing && session.outbox.length === 0) {
          session.outbox.push("6");
        }
      }
    },
    pong: (slot: number) => this.note(`pong ${slot}`),
    received: (slot: number) => this.note(`received ${slot}`),
    observe: (slot: number, mask: number) => this.note(`observe ${slot} ${mask}`),
    bridgeData: (conn: number, bytes: Uint8Array) =>
      this.note(`bridgeData ${conn} ${Buffer.from(bytes).toString("latin1")}`),
    bridgeEof: (conn: number) => this.note(`bridgeEof ${conn}`),
    bridgeAck: (conn: number, bytes: number) => this.note(`bridgeAck ${conn} ${bytes}`),
    frame: (conn: number, opcode: number) => this.note(`frame ${conn} ${opcode}`),
    watch: (conn: number, mask: number) => this.note(`watch ${conn} ${mask}`),
    connDestroy: (conn: number) => this.note(`connDestroy ${conn}`),
  };

  /** Makes an engine use this link. */
  static under(engine: object): FakeLink {
    const link = new FakeLink();
    Reflect.set(engine, inEngine.madeLink, link);
    return link;
  }

  openSession(sink: SessionSink): number {
    return this.sinks.push(sink) - 1;
  }

  pending(): number {
    return this.pendingBytes;
  }

  /** A core that is too busy to say. */
  waiting(): undefined {
    return undefined;
  }

  atTurnEnd(listener: () => void): void {
    process.nextTick(listener);
  }

  adopt(
    fd: number,
    role: number,
    slot: number,
    response: string,
    input: Buffer,
    sink: StreamSink,
    deflate?: object,
  ): number {
    if (!this.canAdopt) {
      return -1;
    }
    writeSync(fd, response, null, "latin1");
    return this.streams.push({ role, slot, response, input, sink, isAdopted: true, deflate }) - 1;
  }

  bridge(
    role: number,
    slot: number,
    response: string,
    input: Buffer,
    sink: StreamSink,
    deflate?: object,
  ): number {
    const stream = { role, slot, response, input, sink, isAdopted: false, deflate };
    setImmediate(() => sink.onBridgeWrite(Buffer.from(response, "latin1")));
    return this.streams.push(stream) - 1;
  }

  /** The session's state as the core has it. */
  session(slot: number): FakeSession | undefined {
    return this.sessions.get(slot);
  }

  /** Ends the session as the core does after a command or by itself. */
  end(
    slot: number,
    reason?: Parameters<SessionSink[typeof inEngine.onClosed]>[0],
    description = "",
  ): void {
    const { sink } = this.sessions.get(slot) as FakeSession;
    this.sessions.delete(slot);
    setImmediate(() => {
      if (reason) {
        sink[inEngine.onClosed](reason, description, false);
      }
      sink[inEngine.onEnded]();
    });
  }

  private note(line: string): void {
    this.log.push(line);
    if (!this.isTurnOpen) {
      this.isTurnOpen = true;
      process.nextTick(() => {
        this.isTurnOpen = false;
        this.turn += 2; // no turn follows another at once
        this.broadcasts.length = 0;
      });
    }
    if (!this.isDirty) {
      this.isDirty = true;
      setImmediate(() => {
        this.isDirty = false;
        this.flush();
      });
    }
  }

  /** Answers the polls that something waits for. */
  private flush(): void {
    for (const [slot, session] of [...this.sessions]) {
      if (session.poll === undefined || session.isWebSocket) {
        continue;
      }
      if (session.isClosing) {
        session.outbox.push("1");
      }
      this.answer(session);
      if (session.isClosing) {
        this.end(slot, "forced close");
      }
    }
  }

  private answer(session: FakeSession): void {
    const { poll, outbox, compress, sink } = session;
    if (poll !== undefined && outbox.length > 0) {
      session.poll = undefined;
      session.outbox = [];
      session.compress = false;
      setImmediate(() => sink[inEngine.onRespond](poll, outbox.join("\x1e"), compress));
    }
  }
}
