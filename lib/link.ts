/**
 * The link of this loaded copy of lib/ to the core: sessions by slot, streams by number, the doorbell, and the timer that keeps the process
 * alive exactly while sessions or streams are open. One per copy and environment (main thread or worker).
 */
import timers from "node:timers";
import debugModule from "debug";
import { runApart, runOutside } from "./async-context";
import { beforeExit, notBeforeExit } from "./before-exit";
import { ceilingBytes } from "./ceiling";
import { CommandWriter } from "./commands";
import { EventReader, type SessionSink, type StreamSink } from "./events";
import { refreshSwitches, switchOf } from "./log-switch";
import {
  type BindingLink,
  type CoreMetrics,
  type Counters,
  type DeflateParameters,
  loadBinding,
  type PacketPrefix,
} from "./native";
import { responses } from "./response-queue";
import { throwApart } from "./throw-apart";

export type { CloseReason, SessionSink, StreamSink } from "./events";
export type { Counters } from "./native";

/** Taken now, and not from the globals: a test's fake timers must catch neither the keep-alive nor events. */
const { setImmediate, setInterval } = timers;

/** What a stream is for its session. */
export enum Role {
  /** The session's own WebSocket. */
  Direct = 0,
  /** The upgrade of a polling session. */
  Candidate = 1,
  /** Accepted only to be closed in WebSocket's own words. */
  Refused = 2,
}

/** How packets stand in what a message bridge hands to the core. */
export enum Framing {
  /** As on a stream of WebTransport, cut anywhere. */
  Prefixed = 1,
  /** One whole message at a time. */
  Whole = 2,
}

/** A native broadcast of the current turn, asked when somebody reads `writable` or `writeBuffer`. */
export interface TurnBroadcast {
  reaches(slot: number): boolean;
  /** The message and its attachments. */
  packets: number;
  /** It reached only those who could take it at once. */
  isVolatile: boolean;
}

/** Bytes of the memory that the core fills with events; grows when one read holds more. */
const EVENT_CAPACITY = 256 * 1024;
/** The longest delay of a timer: the keep-alive never has to fire. */
const LONGEST_DELAY_MS = 0x7fff_ffff;
/** Namespaces that print what the core alone sees. */
const sessionLog = switchOf(debugModule("engine:socket"));
const frameLog = switchOf(debugModule("engine:ws"));
/** How long `process.exit()` is held up, at the most, for what was emitted just before or is emitted by listeners of `exit`, in milliseconds. */
const EXIT_FLUSH_MS = 200;
/** How long the core may take to say what waits for a session whose peer does not read: it is asked once, when somebody first wants to know. */
const WAITING_MS = 200;
/** How many batches of events are read then for one command, at the most. */
const EXIT_BATCHES = 256;

/** Loaded with this file, so that a missing binary is told when the package is required and not at the first client. */
const binding = loadBinding();
/** Looked at here for the same reason. */
const ceiling = ceilingBytes();

/** The addresses behind a descriptor, packed, and the watchdog: see `Binding`. */
export const { peerOf, localOf, BindingWatchdog } = binding;

export class Link {
  /** Where commands to the core are written. */
  readonly commands: CommandWriter;
  /** Native broadcasts of the current turn. */
  broadcasts: TurnBroadcast[] = [];
  /** Those of the turn before, if this one has followed at once. */
  earlierBroadcasts: TurnBroadcast[] = [];
  private turnEndListeners: (() => void)[] = [];
  private readonly binding: BindingLink;
  private readonly reader: EventReader;
  private readonly sessions: (SessionSink | undefined)[] = [];
  private readonly streams: (StreamSink | undefined)[] = [];
  private readonly keepAlive: NodeJS.Timeout;
  private live = 0;
  /** The core tells what somebody reads along. */
  private isLogged = false;
  /** The core has more than the last batch. */
  private hasMore = false;
  private readonly onEventTurn = (): void => this.readEvents();
  /**
   * Events are read in a callback of their own. Not in that of the doorbell: Node calls it up to a thousand times before it lets timers and
   * sockets have their turn, and while JavaScript reads one batch the core may well have the next one. Nor inside of the call that led to them,
   * when this thread itself had it done.
   */
  private readonly readEventsSoon = (): void => {
    setImmediate(this.onEventTurn);
  };
  /** Set while something is open: a program that loads the package again and again, as tests do, is left with no listeners. */
  private readonly onExit = (): void => this.flushBeforeExit();
  /** The process is about to exit: nothing that needs another turn of the event loop will happen. */
  isLeaving = false;
  private isFlushing = false;
  private exitFlushMs = EXIT_FLUSH_MS;

  constructor() {
    this.binding = new binding.BindingLink(this.readEventsSoon);
    this.commands = new CommandWriter(this.binding, this.readEventsSoon, (followsAtOnce) =>
      this.onTurnEnd(followsAtOnce),
    );
    this.reader = new EventReader(
      {
        session: (slot) => this.sessions[slot],
        stream: (conn) => this.streams[conn],
        sessionEnded: (slot) => {
          this.sessions[slot] = undefined;
          this.release();
        },
        streamEnded: (conn) => {
          this.streams[conn] = undefined;
          this.release();
        },
      },
      EVENT_CAPACITY,
    );
    this.binding.setCeiling(ceiling);
    // Made last: a core that cannot start its threads must not leave a timer behind.
    this.keepAlive = setInterval(() => {}, LONGEST_DELAY_MS).unref();
  }

  /** Number of the current turn of the event loop. */
  get turn(): number {
    return this.commands.turn;
  }

  /** Reserves a slot and registers its sink; the process stays alive until the session has ended. */
  openSession(sink: SessionSink): number {
    this.updateLog();
    const slot = this.binding.reserveSlot();
    put(this.sessions, slot, sink);
    this.retain();
    return slot;
  }

  /** Gives the stream behind a descriptor to the core; -1 when it could not be duplicated, then the byte bridge must carry it. */
  adopt(
    fd: number,
    role: Role,
    slot: number,
    response: string,
    input: Buffer,
    sink: StreamSink,
    deflate?: DeflateParameters,
  ): number {
    this.commands.submit();
    const head = Buffer.from(response, "latin1");
    const conn = this.binding.adopt(fd, role, slot, head, input, deflate);
    return conn < 0 ? conn : this.openStream(conn, sink);
  }

  /** Opens a stream whose bytes JavaScript pumps. */
  bridge(
    role: Role,
    slot: number,
    response: string,
    input: Buffer,
    sink: StreamSink,
    deflate?: DeflateParameters,
  ): number {
    this.commands.submit();
    const head = Buffer.from(response, "latin1");
    return this.openStream(this.binding.bridge(role, slot, head, input, deflate), sink);
  }

  /** Opens a stream whose packets JavaScript carries. What goes out is prefixed, whole packets at a time. */
  messageBridge(role: Role, slot: number, framing: Framing, sink: StreamSink): number {
    this.commands.submit();
    return this.openStream(this.binding.messageBridge(role, slot, framing), sink);
  }

  /** The prefix of the first packet of a WebTransport stream; see {@link BindingLink.packetPrefix}. */
  packetPrefix(bytes: Buffer, maxPacketBytes: number): PacketPrefix | null {
    return this.binding.packetPrefix(bytes, maxPacketBytes);
  }

  /** A number for a namespace, never used twice in a process. */
  reserveNamespace(): number {
    return this.binding.reserveNamespace();
  }

  /** Calls `listener` when this turn has ended. */
  atTurnEnd(listener: () => void): void {
    this.commands.expectTurnEnd();
    this.turnEndListeners.push(listener);
  }

  /** What the core has of a session that is still to be written; undefined if it is too busy to say. */
  waiting(slot: number): Buffer | undefined {
    this.commands.submit();
    return this.binding.waiting(slot, this.turn, WAITING_MS) ?? undefined;
  }

  /** Bytes of a session which the kernel has not taken yet. */
  pending(slot: number): number {
    return this.binding.pending(slot);
  }

  /** What the core holds at this moment. */
  counters(): Counters {
    return this.binding.counters();
  }

  private onTurnEnd(followsAtOnce: boolean): void {
    this.updateLog();
    if (this.broadcasts.length > 0 || this.earlierBroadcasts.length > 0) {
      this.earlierBroadcasts = followsAtOnce ? this.broadcasts : [];
      this.broadcasts = [];
    }
    if (this.turnEndListeners.length > 0) {
      const listeners = this.turnEndListeners;
      this.turnEndListeners = [];
      for (const listener of listeners) {
        try {
          runApart(listener, undefined);
        } catch (error) {
          throwApart(error); // a user's listener: the others are told all the same
        }
      }
    }
  }

  /** What operators want to know of the core. */
  metrics(): CoreMetrics {
    return this.binding.metrics();
  }

  /**
   * One batch for each turn of the event loop: its nextTicks and microtasks run before the next one is read, and a flood of messages does not
   * starve timers and other I/O.
   */
  private readEvents(): void {
    this.updateLog();
    const { reader } = this;
    const goesOn = reader.hasRest;
    try {
      runApart(goesOn ? reader.resume : this.drain, goesOn ? reader : this);
    } finally {
      if (goesOn || this.hasMore || reader.hasRest) {
        this.readEventsSoon();
      }
    }
  }

  /** Reads one batch; returns whether there was one. */
  private drain(): boolean {
    const { reader } = this;
    let result = this.binding.drain(reader.target);
    const isOneLargeUnit = result < 0;
    if (isOneLargeUnit) {
      reader.resize(-result);
      result = this.binding.drain(reader.target);
    }
    this.hasMore = result % 2 === 1;
    const length = this.hasMore ? result - 1 : result;
    try {
      reader.read(length);
    } finally {
      if (isOneLargeUnit) {
        reader.resizeWhenRead(EVENT_CAPACITY);
      }
    }
    return length > 0;
  }

  /** Looked at with each batch, since nothing tells when `DEBUG` namespaces are switched on or off while the process runs. */
  private updateLog(): void {
    refreshSwitches();
    const isLogged = sessionLog.isOn || frameLog.isOn;
    if (isLogged !== this.isLogged) {
      this.isLogged = isLogged;
      this.commands.log(isLogged);
    }
  }

  private openStream(conn: number, sink: StreamSink): number {
    put(this.streams, conn, sink);
    this.retain();
    return conn;
  }

  private retain(): void {
    if (this.live++ === 0) {
      this.keepAlive.ref();
      beforeExit(this.onExit);
    }
  }

  private release(): void {
    if (--this.live === 0) {
      this.keepAlive.unref();
      notBeforeExit(this.onExit);
    }
  }

  /** `emit(); process.exit()` is delivered, as with socket.io, where libuv writes at once. */
  private flushBeforeExit(): void {
    responses.leave();
    this.isLeaving = true;
    this.reader.leave();
    this.reader.resume();
    // Other listeners of `exit` may come after this one; what they emit is flushed too.
    this.commands.beginExit(() => this.flushCommands());
    this.flushCommands();
  }

  /** Poll responses and the bytes of bridges are written by this thread; what the core writes needs only time. */
  private flushCommands(): void {
    if (this.isFlushing) {
      return; // writing gives commands itself
    }
    this.isFlushing = true;
    try {
      let batches = 0;
      do {
        this.commands.submit();
      } while (this.waitBeforeExit() && this.drain() && ++batches < EXIT_BATCHES);
    } finally {
      this.isFlushing = false;
    }
  }

  /** Returns whether the core has done what was submitted. A core that is late once is not waited for again. */
  private waitBeforeExit(): boolean {
    const isDone = this.binding.wait(this.exitFlushMs);
    if (!isDone) {
      this.exitFlushMs = 0;
    }
    return isDone;
  }
}

/** Numbers of the core are dense, so an array takes eight bytes for each; it has no holes, or it would lose its fast kind. */
function put<Sink>(sinks: (Sink | undefined)[], number: number, sink: Sink): void {
  while (sinks.length < number) {
    sinks.push(undefined);
  }
  sinks[number] = sink;
}

let link: Link | undefined;

/** The link of this copy of lib/, if something has needed it yet. */
export function linkInUse(): Link | undefined {
  return link;
}

/** The link of this copy of lib/; made at first use, so that merely loading the package starts no thread. */
export function currentLink(): Link {
  link ??= runOutside(() => new Link());
  return link;
}
