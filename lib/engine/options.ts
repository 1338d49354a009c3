/**
 * The options of the engine: their types, engine.io's defaults, and the check of values with which no session could work.
 *
 * An explicit `undefined` means the default (engine.io would take it literally). Numbers may be given as numeric strings, as they come from
 * environment variables. Unknown keys are kept, as `engine.opts` is public.
 */
import type { IncomingMessage } from "node:http";
import { serialize } from "cookie";
import type { CorsOptions, CorsOptionsDelegate } from "cors";
import { OUTBOX_POLICIES } from "../commands";
import { WebSocketGate } from "./websocket-gate";

/** Names of transports that a client may ask for. */
export type TransportName = "polling" | "websocket" | "webtransport";

/**
 * The session cookie of the polling handshake: a name, and what the package `cookie` takes. Written down here, since the types of that package
 * are not part of it.
 */
export interface CookieOptions {
  /** Name of the cookie; `io`. */
  name: string;
  /** Hosts that get it back; the server's own. */
  domain?: string | undefined;
  /** How the session id becomes the value; `encodeURIComponent`. */
  encode?(value: string): string;
  /** When it ends; with the browser's session. */
  expires?: Date | undefined;
  /** Whether scripts cannot read it; true. */
  httpOnly?: boolean | undefined;
  /** Seconds after which it ends; it wins over `expires`. */
  maxAge?: number | undefined;
  /** Whether each site that embeds the page has one of its own. */
  partitioned?: boolean | undefined;
  /** Paths that it is sent to; `/`. */
  path?: string | undefined;
  /** Which cookies a browser drops first. */
  priority?: "low" | "medium" | "high" | undefined;
  /** Whether requests from other sites carry it; `lax`. */
  sameSite?: true | false | "lax" | "strict" | "none" | undefined;
  /** Whether it is sent over TLS alone. */
  secure?: boolean | undefined;
}

/**
 * What is done when more waits for a client than may. Whatever the policy, a session past its budget is ended, with the reason `transport
 * error`, once its client has taken nothing for `pingTimeout`.
 *
 * - `stalled`: nothing else.
 * - `disconnect`: it is ended at once.
 * - `drop-volatile`: volatile messages that wait are dropped, the oldest first.
 * - `drop-oldest`: those are, and events that ask for no acknowledgement, until what is left is within the budget.
 *
 * A message and its attachments are dropped together or not at all. What is on its way, and the newest message, stay; so do packets of the
 * engine, connections, acknowledgements and disconnections. Nothing is dropped from a WebSocket that compresses with context takeover.
 */
export type OutboxPolicy = "stalled" | "disconnect" | "drop-volatile" | "drop-oldest";

/** What may wait in the core for each client that takes less than it is sent. */
export interface OutboxOptions {
  /**
   * How many bytes, 64 of which are counted for each message besides its own; 67108864 (64 MiB). `Infinity` is no limit. A message to many
   * counts in the budget of each. It has to be more than the longest message.
   */
  maxBytes?: number;
  /** What is done past that; `stalled`. */
  policy?: OutboxPolicy;
}

/** Options of {@link Server.attach}. */
export interface AttachOptions {
  /** Name of the path to capture; `/engine.io`. */
  path?: string;
  /** Whether upgrade requests that nobody answers are ended; true. */
  destroyUpgrade?: boolean;
  /** Milliseconds after which they are; 1000. */
  destroyUpgradeTimeout?: number;
  /** Whether the path ends with a slash; true. */
  addTrailingSlash?: boolean;
}

/** A thread of the core that notices when the JavaScript thread does not come back to its event loop. */
export interface WatchdogOptions {
  /**
   * Milliseconds after which that is reported, from 10: at once with a line on the standard error of the process, and when the thread is back with
   * the event `stalled` of the engine, whose argument is `{ duration }` in milliseconds.
   */
  stalledAfter: number;
}

/** Options of the engine. Times are in milliseconds, sizes in bytes. */
export interface ServerOptions {
  /** How long a pong may take before the session is closed; 20000. */
  pingTimeout?: number;
  /** How long after opening, or after a pong, the next ping is sent; 25000. */
  pingInterval?: number;
  /** How long an upgrade may take before it is given up; 10000. */
  upgradeTimeout?: number;
  /** How large a message or the body of a POST may be; 1e6. */
  maxHttpBufferSize?: number;
  /** Decides whether a handshake is accepted: `callback(message, accepted)`. */
  allowRequest?: (
    req: IncomingMessage,
    callback: (message: string | null | undefined, accepted: boolean) => void,
  ) => void;
  /** Which transports are accepted; polling and websocket. */
  transports?: TransportName[];
  /** Whether clients are told of the transports they may upgrade to; true. */
  allowUpgrades?: boolean;
  /** Whether and how messages over WebSocket are compressed: see `DeflateOptions`; false. */
  perMessageDeflate?: boolean | object;
  /** How poll responses are compressed; `{ threshold: 1024 }`. */
  httpCompression?: boolean | object;
  /**
   * A class in the place of the core's own WebSockets, such as `require("ws").Server`; a class that stands for them. Their frames are its own then, and each message crosses
   * to the core and back.
   */
  wsEngine?: any;
  /** Sent as a message right after the open packet. */
  initialPacket?: any;
  /** The session cookie; none. */
  cookie?: CookieOptions | boolean;
  /** Handed to the `cors` package. */
  cors?: CorsOptions | CorsOptionsDelegate | false;
  /** Whether clients of revision 3 of the protocol, those of socket.io 2, are accepted; false. */
  allowEIO3?: boolean;
  /** Reports a JavaScript thread that is stalled: see {@link WatchdogOptions}; off. */
  watchdog?: WatchdogOptions;
  /** What may wait for a client that does not read, and what is done past that. A session has it as it is when it opens. */
  outbox?: OutboxOptions;
  /** Who moves the bytes of a WebSocket: the core where it can (`auto`), or always JavaScript (`bridge`). */
  carrier?: "auto" | "bridge";
}

/** The options after the defaults were filled in. */
export type EngineOptions = ServerOptions &
  Required<
    Pick<
      ServerOptions,
      | "pingTimeout"
      | "pingInterval"
      | "upgradeTimeout"
      | "maxHttpBufferSize"
      | "transports"
      | "allowUpgrades"
      | "allowEIO3"
    >
  >;

/** setTimeout's longest delay; engine.io's own timers fire at once beyond it. */
export const LONGEST_DELAY_MS = 2 ** 31 - 1;
/** A garbage collection may take as long. */
const SHORTEST_STALL_MS = 10;
/** socket.io compresses nothing shorter, in bytes. */
export const COMPRESSION_THRESHOLD = 1024;

/** What may wait for a client unless the option says otherwise, in bytes. */
export const MAX_OUTBOX_BYTES = 64 * 1024 * 1024;

const TRANSPORT_NAMES: readonly string[] = ["polling", "websocket", "webtransport"];

/**
 * Fills in the defaults.
 *
 * @throws TypeError naming the option and the value when a value cannot work
 */
export function completeOptions(given: ServerOptions = {}): EngineOptions {
  const defaults: EngineOptions = {
    pingTimeout: 20_000,
    pingInterval: 25_000,
    upgradeTimeout: 10_000,
    maxHttpBufferSize: 1e6,
    transports: ["polling", "websocket"],
    allowUpgrades: true,
    httpCompression: { threshold: COMPRESSION_THRESHOLD },
    cors: false,
    allowEIO3: false,
    wsEngine: WebSocketGate,
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const options: EngineOptions = Object.assign(defaults, Object.fromEntries(set));
  options.pingTimeout = delay("pingTimeout", options.pingTimeout);
  options.pingInterval = delay("pingInterval", options.pingInterval);
  options.upgradeTimeout = delay("upgradeTimeout", options.upgradeTimeout);
  options.maxHttpBufferSize = size("maxHttpBufferSize", options.maxHttpBufferSize);
  options.transports = transportList(options.transports);
  if (options.allowRequest && typeof options.allowRequest !== "function") {
    throw invalid("allowRequest", "a function", options.allowRequest);
  }
  if (options.carrier !== undefined && !["auto", "bridge"].includes(options.carrier)) {
    throw invalid("carrier", '"auto" or "bridge"', options.carrier);
  }
  if (options.watchdog !== undefined) {
    options.watchdog = watchdogOptions(options.watchdog);
  }
  if (typeof options.wsEngine !== "function") {
    throw invalid("wsEngine", "a constructor", options.wsEngine);
  }
  if (options.outbox !== undefined) {
    options.outbox = outboxOptions(options.outbox);
  }
  if (options.perMessageDeflate) {
    options.perMessageDeflate = {
      threshold: COMPRESSION_THRESHOLD,
      ...(options.perMessageDeflate as object),
    };
  }
  if (options.cookie) {
    options.cookie = cookieOptions(options.cookie);
  }
  return options;
}

function outboxOptions(given: OutboxOptions): OutboxOptions {
  if (typeof given !== "object" || given === null) {
    throw invalid("outbox", "an object with maxBytes and policy", given);
  }
  const { maxBytes = MAX_OUTBOX_BYTES, policy = "stalled" } = given;
  if (!OUTBOX_POLICIES.includes(policy)) {
    throw invalid("outbox.policy", OUTBOX_POLICIES.join(", "), policy);
  }
  return { ...given, maxBytes: size("outbox.maxBytes", maxBytes), policy };
}

function delay(name: string, value: unknown): number {
  const milliseconds = numeric(value);
  if (!(milliseconds >= 0 && milliseconds <= LONGEST_DELAY_MS)) {
    throw invalid(name, `a number of milliseconds from 0 to ${LONGEST_DELAY_MS}`, value);
  }
  return milliseconds;
}

function watchdogOptions(given: WatchdogOptions): WatchdogOptions {
  const stalledAfter = numeric(given?.stalledAfter);
  if (!(stalledAfter >= SHORTEST_STALL_MS && stalledAfter <= LONGEST_DELAY_MS)) {
    const range = `from ${SHORTEST_STALL_MS} to ${LONGEST_DELAY_MS}`;
    throw invalid(
      "watchdog.stalledAfter",
      `a number of milliseconds ${range}`,
      given?.stalledAfter,
    );
  }
  return { ...given, stalledAfter };
}

function size(name: string, value: unknown): number {
  const bytes = numeric(value);
  if (!(bytes >= 0)) {
    throw invalid(name, "a number of bytes, or Infinity", value);
  }
  return bytes;
}

/** The number meant by a number or a numeric string; NaN for anything else. */
function numeric(value: unknown): number {
  if (typeof value === "string" && value.trim() !== "") {
    return Number(value);
  }
  return typeof value === "number" ? value : Number.NaN;
}

/** Names beside those that exist stay in the list, as with engine.io: applications of long ago have `flashsocket` there. */
function transportList(value: unknown): TransportName[] {
  const names: unknown = typeof value === "string" ? [value] : value;
  const isOfUse = (name: unknown) => TRANSPORT_NAMES.includes(name as string);
  if (!Array.isArray(names) || (names.length > 0 && !names.some(isOfUse))) {
    throw invalid("transports", `an array of ${TRANSPORT_NAMES.join(", ")}`, value);
  }
  return names;
}

/** The defaults of the cookie; an attribute that cannot be serialised is told now, not to the first client. */
function cookieOptions(given: CookieOptions | boolean): CookieOptions {
  const options: CookieOptions = {
    name: "io",
    path: "/",
    httpOnly: true,
    sameSite: "lax",
    ...(given as object),
  };
  serialize(options.name, "sid", options);
  return options;
}

/** The error for an option whose value cannot work. */
export function invalid(name: string, expected: string, value: unknown): TypeError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return Object.assign(new TypeError(`option "${name}" must be ${expected}, not ${shown}`), {
    code: "SIO_RS_INVALID_OPTION",
  });
}
