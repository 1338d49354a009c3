/**
 * Loads the native binary: the one file of lib/ that does.
 *
 * Looked for in this order: the file named by the environment variable `SIO_RS_BINARY`, a local build beside package.json
 * (`sio-rs.<platform>.node`), and the platform package `@sio-rs/<platform>`. The error of a failed search names the platform, what was
 * tried and the ways out.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One connection between a loaded copy of lib/ and the core; the class that the binary exports. */
export interface BindingLink {
  /** Reserves the slot of a session; the core gives it back once its last event was drained. */
  reserveSlot(): number;
  /** Reserves the number of a namespace; never used twice in a process. */
  reserveNamespace(): number;
  /** Hands over `length` bytes of packed commands. True: events wait to be drained, and the doorbell is not called for them. */
  submit(commands: Buffer, length: number): boolean;
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
  /** Waits until the shards have done what was submitted; false when `milliseconds` were not enough. */
  wait(milliseconds: number): boolean;
  /** What the core holds at this moment, over all links of the process. */
  counters(): Counters;
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
}

/** What the binary exports. */
export interface Binding {
  BindingLink: new (doorbell: () => void) => BindingLink;
  /**
   * The peer's IPv4 address of an open descriptor: the port in the lower 16 bits, then the address, then one bit for `::ffff:`.
   * -1 for other addresses.
   */
  peerOf(fd: number): number;
  /** The same of our own end. */
  localOf(fd: number): number;
}

/**
 * Returns the exports of the native binary.
 *
 * @throws an Error with code `SIO_RS_BINARY_MISSING` that names the platform, what was looked for and the ways out
 */
export function loadBinding(): Binding {
  const platform = platformName();
  const tried: string[] = [];
  for (const candidate of candidates(platform)) {
    try {
      return require(candidate) as Binding;
    } catch (error) {
      tried.push(`  ${candidate}: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  throw Object.assign(
    new Error(
      `sio-rs has no native binary that loads on ${platform} (Node ${process.versions.node}). Looked for:\n${tried.join("\n")}\n` +
        `Ways out: install the package of this platform (npm install @sio-rs/${platform}; check that optional dependencies are not switched off), ` +
        "or build it from a checkout with a Rust toolchain (npm run build) and name the file in the environment variable SIO_RS_BINARY.",
    ),
    { code: "SIO_RS_BINARY_MISSING" },
  );
}

/** The places to look in. A path named by the user is the only one, so that a typing error does not go unnoticed. */
function candidates(platform: string): string[] {
  const named = process.env.SIO_RS_BINARY;
  if (named) {
    return [named];
  }
  const local = join(__dirname, "..", `sio-rs.${platform}.node`);
  return existsSync(local) ? [local, `@sio-rs/${platform}`] : [`@sio-rs/${platform}`];
}

/** The name of this platform as the packages spell it: `linux-x64-gnu`, `darwin-arm64`, `win32-x64-msvc`, … */
export function platformName(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") {
    return `${base}-${usesMusl() ? "musl" : "gnu"}`;
  }
  return process.platform === "win32" ? `${base}-msvc` : base;
}

/** Whether the C library is musl: only glibc has `ldd` as a script that names it, and a full report costs tens of milliseconds. */
function usesMusl(): boolean {
  try {
    return readFileSync("/usr/bin/ldd", "latin1").includes("musl");
  } catch {
    const header = (
      process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
    )?.header;
    return header !== undefined && header.glibcVersionRuntime === undefined;
  }
}
