/**
 * Loads the native binary: the one file of lib/ that does.
 *
 * The environment variable `SIO_RS_BINARY` names the file. Where it is not set, a local build beside package.json
 * (`sio-rs.<platform>.node`) is looked for, then the platform package `@sio-rs/<platform>`. The error of a failed search names the
 * platform, each place in its order with the reason why it would not do, and the ways out.
 */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

/** One connection between a loaded copy of lib/ and the core; the class that the binary exports. */
export interface BindingLink {
  /** Reserves the slot of a session; the core gives it back once its last event was drained. */
  reserveSlot(): number;
  /** Reserves the number of a namespace; never used twice in a process. */
  reserveNamespace(): number;
  /** Hands over the packed commands from `start` to `end`. True: events wait to be drained, and the doorbell is not called for them. */
  submit(commands: Buffer, start: number, end: number): boolean;
  /** Duplicates the descriptor and gives the stream to the core. Returns its number, or -1 when no descriptor was left. */
  adopt(
    fd: number,
    role: number,
    slot: number,
    response: Buffer,
    input: Buffer,
    deflate: DeflateParameters | undefined,
  ): number;
  /** Opens a stream whose bytes JavaScript pumps. Returns its number. */
  bridge(
    role: number,
    slot: number,
    response: Buffer,
    input: Buffer,
    deflate: DeflateParameters | undefined,
  ): number;
  /** Opens a stream whose packets JavaScript carries, framed so. Returns its number. */
  messageBridge(role: number, slot: number, framing: number): number;
  /**
   * The prefix of the packet at the start of `bytes` of a WebTransport stream; nothing while there are too few.
   *
   * @throws an Error when there is none: the packet is empty or over the limit
   */
  packetPrefix(bytes: Buffer, maxPacketBytes: number): PacketPrefix | null;
  /**
   * Fills `target` with packed events; returns the bytes written, or minus the bytes needed when the first unit does not fit. Records are
   * whole words: an odd number says that more is left, which is to be drained in a later turn of the event loop.
   */
  drain(target: Buffer): number;
  /** Bytes of a session which the kernel has not taken yet (saturating). */
  pending(slot: number): number;
  /**
   * What waits to be written for a session; see `waiting-packets.ts`. From now on SENT tells of it too. Null if the core takes longer than
   * `milliseconds` to answer.
   */
  waiting(slot: number, turn: number, milliseconds: number): Buffer | null;
  /** Waits until the shards have done what was submitted; false when `milliseconds` were not enough. */
  wait(milliseconds: number): boolean;
  /** Sets how many bytes may wait in all outboxes of the process and for JavaScript, before sessions are ended for it. */
  setCeiling(bytes: number): void;
  /** What the core holds at this moment, over all links of the process. */
  counters(): Counters;
  /** What operators want to know of the core. */
  metrics(): CoreMetrics;
  /** Drops all sessions of this link. Nothing is posted any more. */
  close(): void;
}

/** The compression that a response agrees to, and how the server compresses. */
export interface DeflateParameters {
  /** Shorter messages, in bytes, go out as they are. */
  threshold: number;
  /** `server_max_window_bits`. */
  serverWindowBits: number;
  /** What goes out may refer to what went before. */
  serverContext: boolean;
  /** `client_max_window_bits`. */
  clientWindowBits: number;
  /** What comes in may refer to what came before. */
  clientContext: boolean;
  /** zlib's `level`, 0 to 9. */
  level: number;
  /** zlib's `memLevel`, 1 to 9. */
  memoryLevel: number;
  /** zlib's `strategy`, 0 to 4. */
  strategy: number;
  /** How many compressors a thread keeps. */
  maxCompressors: number;
}

/** What stands before a packet on a stream of WebTransport. */
export interface PacketPrefix {
  /** The packet is a binary message; else it is text. */
  isBinary: boolean;
  /** Where the packet begins. */
  start: number;
  /** How many bytes it has. */
  length: number;
}

/** What the core holds at this moment, over all links of the process. */
export interface Counters {
  /** Engine.IO sessions. */
  sessions: number;
  /** Streams: adopted descriptors and byte bridges, those in their closing handshake included. */
  connections: number;
  /** Sockets that a native broadcast can reach. */
  members: number;
  /** Rooms in the core's index (a socket's own room is not kept there). */
  rooms: number;
  /** Fan-out commands executed since the process started. */
  broadcasts: number;
  /** Bytes of memory in outboxes that wait; a frame that many sessions share counts once, and as long as it is delivered. */
  outboxBytes: number;
  /** Sessions ended since the process started because their clients took too little of what was sent. */
  slowSessionsEnded: number;
}

/** What operators want to know of the core. Sums are of one link, unless it says otherwise, since the link was made. */
export interface CoreMetrics {
  /** Messages that came on streams; an attachment is one. */
  packetsReceived: number;
  /** Bytes that came on streams. */
  bytesReceived: number;
  /** Messages that were sent; an attachment is one. */
  packetsSent: number;
  /** Bytes that streams took, and the payloads of polls. */
  bytesSent: number;
  /** Native broadcasts. */
  broadcasts: number;
  /** Sessions that got one, over all of them. */
  deliveries: number;
  /** Units that left in the write of the one before. */
  merged: number;
  /** Sessions that ended by a fault while more than a heartbeat waited for their clients. */
  slowClientsEnded: number;
  /** How many delays of the event queue were within each of `delayBoundsUs`, and not within the one before; then how many were longer. */
  delayCounts: number[];
  /** Where the buckets end, in microseconds. */
  delayBoundsUs: number[];
  /** All delays together, in microseconds. */
  delaySumUs: number;
  /** The longest of them, in microseconds. */
  delayMaxUs: number;
  /** Half of the sessions of the process have no more bytes waiting. */
  outboxP50: number;
  /** 99 of 100 sessions have no more. */
  outboxP99: number;
  /** The most of one session. */
  outboxMax: number;
  /** Of all of them. */
  outboxTotal: number;
  /** Threads of the core. */
  threads: number;
}

/** A thread that notices when the JavaScript thread that made it does not come back to its event loop, and says so on stderr. */
export interface BindingWatchdog {
  /** A sign of life. Returns for how many milliseconds there was none, if that was reported; else 0. */
  sign(): number;
  /** Ends the watch. */
  stop(): void;
}

/** What the binary exports. */
export interface Binding {
  /** The version of sio-rs that the binary was built from. */
  VERSION: string;
  BindingLink: new (doorbell: () => void) => BindingLink;
  BindingWatchdog: new (stalledAfterMs: number) => BindingWatchdog;
  /**
   * The peer's IPv4 address of an open descriptor: the port in the lower 16 bits, then the address, then one bit for `::ffff:`.
   * -1 for other addresses.
   */
  peerOf(fd: number): number;
  /** The same of our own end. */
  localOf(fd: number): number;
}

/** `require`, so that bundlers put the text in; the binary was built from the same version or it does not fit. */
const { version: VERSION } = require("../package.json") as { version: string };

/** What the binding asks of Node: the Node-API of 20.3, 18.17 and all that came later. */
const NODE_API = 9;

/** How much of an executable is read for the name of its interpreter, in bytes; linkers put that right behind the headers. */
const EXECUTABLE_HEAD = 4_096;

/** What Node knows a binary by. */
const ENDING = ".node";

/** The platform packages, each in a `require` of its own: tools that pack or trace programs read them here. */
const PACKAGES: Readonly<Record<string, () => Binding>> = {
  "linux-x64-gnu": () => require("@sio-rs/linux-x64-gnu"),
  "linux-arm64-gnu": () => require("@sio-rs/linux-arm64-gnu"),
  "linux-x64-musl": () => require("@sio-rs/linux-x64-musl"),
  "linux-arm64-musl": () => require("@sio-rs/linux-arm64-musl"),
  "darwin-x64": () => require("@sio-rs/darwin-x64"),
  "darwin-arm64": () => require("@sio-rs/darwin-arm64"),
  "win32-x64-msvc": () => require("@sio-rs/win32-x64-msvc"),
};

/** What can be done where Node itself refuses, whatever file there is. */
const ADDONS_REFUSED =
  "Way out: start Node without --no-addons; under the permission model of Node, with --allow-addons.";

/** A place to look for the binary. */
interface Place {
  /** What a user knows it as. */
  name: string;
  load(): Binding;
}

/**
 * Returns the exports of the native binary.
 *
 * @throws an Error with code `SIO_RS_BINARY_MISSING` that names the platform, what was looked for in which order, and the ways out
 * @throws an Error with code `SIO_RS_NODE_TOO_OLD` where no binary could be loaded
 */
export function loadBinding(): Binding {
  refuseOldNode();
  const platform = platformName();
  const failures: string[] = [];
  let mayLoad = true;
  for (const { name, load } of places(platform)) {
    try {
      const binding = load();
      if (binding.VERSION === VERSION) {
        return binding;
      }
      failures.push(`${name}: ${mismatchOf(binding)}`);
    } catch (error) {
      failures.push(`${name}: ${reasonOf(error as NodeJS.ErrnoException)}`);
      mayLoad &&= (error as NodeJS.ErrnoException).code !== "ERR_DLOPEN_DISABLED";
    }
  }
  throw coded("SIO_RS_BINARY_MISSING", [
    `sio-rs has no native binary that loads on ${platform} (Node ${process.versions.node}). Looked for, in this order:`,
    ...failures.map((failure, index) => `  ${index + 1}. ${failure}`),
    ...(mayLoad ? waysOut(platform) : [ADDONS_REFUSED]),
  ]);
}

function refuseOldNode(): void {
  const found = process.versions.napi;
  if (Number(found) < NODE_API) {
    throw coded("SIO_RS_NODE_TOO_OLD", [
      `sio-rs needs Node 20.3 or newer (Node-API ${NODE_API}); this is Node ${process.versions.node} with Node-API ${found}.`,
    ]);
  }
}

/** A file named by the user is the only place, so that a typing error does not go unnoticed. */
function places(platform: string): Place[] {
  const named = process.env.SIO_RS_BINARY;
  if (named) {
    return [filePlace(resolve(named), "named by SIO_RS_BINARY")];
  }
  return [
    filePlace(join(__dirname, "..", `sio-rs.${platform}.node`), "a local build"),
    { name: `@sio-rs/${platform} (the platform package)`, load: packageLoader(platform) },
  ];
}

function filePlace(file: string, known: string): Place {
  // Not the `require` of this module: a bundler would look for the file when it bundles.
  const load = (): Binding => {
    if (!file.endsWith(ENDING)) {
      throw new Error(`the name of a binary has to end in ${ENDING}`); // Node would run it as JavaScript
    }
    return createRequire(__filename)(file);
  };
  return { name: `${file} (${known})`, load };
}

function packageLoader(platform: string): () => Binding {
  return (
    PACKAGES[platform] ??
    (() => {
      throw new Error(`there is none; those that are: ${Object.keys(PACKAGES).join(", ")}`);
    })
  );
}

function mismatchOf({ VERSION: found }: Partial<Binding>): string {
  const what =
    found === undefined
      ? "no binary of sio-rs that tells its version"
      : `the binary of sio-rs ${found}`;
  return `is ${what}, this is ${VERSION}`;
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const reason = error.message.split("\n", 1)[0] as string;
  // What glibc says of a file for another processor, too.
  const [, file] = /^(.*): cannot open shared object file: No such file/.exec(reason) ?? [];
  return file && existsSync(file)
    ? `${reason} (the file is there: it is for another processor)`
    : reason;
}

function waysOut(platform: string): string[] {
  const [install, build] = [
    `npm install @sio-rs/${platform}@${VERSION}`,
    "build it from a checkout, which needs a Rust toolchain (npm run build)",
  ];
  if (process.env.SIO_RS_BINARY) {
    return [
      "Ways out: correct SIO_RS_BINARY, or unset it and let the package of this platform be found",
      `(${install}), or ${build} and name that file.`,
    ];
  }
  return PACKAGES[platform] === undefined
    ? [`Way out: ${build} and name the file in the environment variable SIO_RS_BINARY.`]
    : [
        `Ways out: install the package of this platform (${install}; optional dependencies must not be switched off, and a lock file`,
        `from another platform may lack it), or ${build} and name the file in the environment variable SIO_RS_BINARY.`,
      ];
}

function coded(code: string, lines: string[]): Error {
  return Object.assign(new Error(lines.join("\n")), { code });
}

/** The name of this platform as the packages spell it: `linux-x64-gnu`, `darwin-arm64`, `win32-x64-msvc`, … */
export function platformName(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") {
    return `${base}-${usesMusl() ? "musl" : "gnu"}`;
  }
  return process.platform === "win32" ? `${base}-msvc` : base;
}

/** Whether this process runs on musl: the interpreter that its executable names is the C library. */
function usesMusl(): boolean {
  const head = readHead(process.execPath);
  if (head.includes("/ld-musl-")) {
    return true;
  }
  if (head.includes("/ld-linux")) {
    return false;
  }
  // No such name, or it was moved to the end of the file. A report costs tens of milliseconds, and names glibc alone.
  const report = process.report?.getReport() as
    | { header?: { glibcVersionRuntime?: string } }
    | undefined;
  return report?.header !== undefined && report.header.glibcVersionRuntime === undefined;
}

/** The first bytes of a file; none when it cannot be read, as in a sandbox. */
function readHead(path: string): Buffer {
  const head = Buffer.alloc(EXECUTABLE_HEAD);
  try {
    const descriptor = openSync(path, "r");
    try {
      return head.subarray(0, readSync(descriptor, head));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return head.subarray(0, 0);
  }
}
