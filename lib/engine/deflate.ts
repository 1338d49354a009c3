/**
 * permessage-deflate (RFC 7692): the check of the option, and the negotiation, which is that of ws for every offer.
 *
 * The core compresses. It is told what was agreed on and how to go about it, and differs from ws in what the other end cannot see: `threshold`
 * and `compress(false)` count always, and messages refer to those before them only if `serverNoContextTakeover` is false and not just unset.
 */
import type { DeflateParameters } from "../native";
import { type ExtensionOffer, parseExtensions } from "./extensions";
import { COMPRESSION_THRESHOLD, invalid } from "./options";

/** The option `perMessageDeflate`, as ws has it. What is not named here has no effect. */
export interface DeflateOptions {
  /** Shorter messages, in bytes, are not compressed; 1024. */
  threshold?: number;
  /** True: tell the client that no message refers to those before. False: refuse clients that ask for that. */
  serverNoContextTakeover?: boolean;
  /** Ask the client for the same. */
  clientNoContextTakeover?: boolean;
  /** The server's window; false refuses clients that ask for one. */
  serverMaxWindowBits?: number | boolean;
  /** The client's window, for which clients have to be able to choose one; false says nothing about it. */
  clientMaxWindowBits?: number | boolean;
  /** How to compress. */
  zlibDeflateOptions?: { level?: number; memLevel?: number; strategy?: number };
  /** Nothing of it is needed here. */
  zlibInflateOptions?: object;
  /** How many compressors each thread of the core keeps; 10. */
  concurrencyLimit?: number;
}

/** What the server and a client agree on. */
export interface DeflateAgreement {
  /** The value of the response's `Sec-WebSocket-Extensions`. */
  header: string;
  /** The same for the core. */
  parameters: DeflateParameters;
}

export const PERMESSAGE_DEFLATE = "permessage-deflate";

/** zlib's default window, and the largest. */
const MAX_WINDOW_BITS = 15;
/** zlib's default level, which may also be given as -1. */
const DEFAULT_LEVEL = 6;
const DEFAULT_MEMORY_LEVEL = 8;
/** Default of ws, where it bounds how many messages are compressed at a time. */
const CONCURRENCY_LIMIT = 10;
const LARGEST_COUNT = 255;
const LARGEST_THRESHOLD = 2 ** 32 - 1;

/**
 * The option in the form in which it is used; undefined when it is off.
 *
 * @throws TypeError when a value has no meaning for zlib, where ws fails at the first message
 */
export function deflateOptions(option: unknown): DeflateOptions | undefined {
  if (!option) {
    return undefined;
  }
  const options: DeflateOptions = { ...(option as object) };
  for (const name of ["serverMaxWindowBits", "clientMaxWindowBits"] as const) {
    if (typeof options[name] === "number") {
      integer(name, options[name], 8, MAX_WINDOW_BITS);
    }
  }
  const { level, memLevel, strategy } = options.zlibDeflateOptions ?? {};
  integer("zlibDeflateOptions.level", level ?? DEFAULT_LEVEL, -1, 9);
  integer("zlibDeflateOptions.memLevel", memLevel ?? DEFAULT_MEMORY_LEVEL, 1, 9);
  integer("zlibDeflateOptions.strategy", strategy ?? 0, 0, 4);
  for (const name of ["zlibDeflateOptions", "zlibInflateOptions"] as const) {
    if ((options[name] as { dictionary?: unknown } | undefined)?.dictionary !== undefined) {
      throw invalid(
        `perMessageDeflate.${name}.dictionary`,
        "undefined: it is not supported",
        "set",
      );
    }
  }
  return options;
}

function integer(name: string, value: unknown, least: number, most: number): void {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    throw invalid(`perMessageDeflate.${name}`, `an integer from ${least} to ${most}`, value);
  }
}

/**
 * Answers a client's offers; undefined when it offers something else.
 *
 * @throws Error when the header is malformed, or none of the offers can be accepted: the request is answered with 400
 */
export function negotiateDeflate(
  options: DeflateOptions,
  header: string,
): DeflateAgreement | undefined {
  const offers = parseExtensions(header).filter(({ name }) => name === PERMESSAGE_DEFLATE);
  if (offers.length === 0) {
    return undefined;
  }
  // All of them are read before one is chosen: a bad one refuses the request wherever it stands.
  const accepted = offers.map(readOffer).find((offer) => isAcceptable(options, offer));
  if (accepted === undefined) {
    throw new Error("None of the extension offers can be accepted");
  }
  if (options.serverNoContextTakeover) {
    accepted.set("server_no_context_takeover", true);
  }
  if (options.clientNoContextTakeover) {
    accepted.set("client_no_context_takeover", true);
  }
  if (typeof options.serverMaxWindowBits === "number") {
    accepted.set("server_max_window_bits", options.serverMaxWindowBits);
  }
  if (typeof options.clientMaxWindowBits === "number") {
    accepted.set("client_max_window_bits", options.clientMaxWindowBits);
  } else if (
    accepted.get("client_max_window_bits") === true ||
    options.clientMaxWindowBits === false
  ) {
    accepted.delete("client_max_window_bits");
  }
  const values = [...accepted].map(([name, value]) => (value === true ? name : `${name}=${value}`));
  return {
    header: [PERMESSAGE_DEFLATE, ...values].join("; "),
    parameters: parametersOf(options, accepted),
  };
}

type ParameterName =
  | "server_no_context_takeover"
  | "client_no_context_takeover"
  | "server_max_window_bits"
  | "client_max_window_bits";

/** The parameters of an offer, in the order in which they are echoed. */
type Offer = Map<ParameterName, number | true>;

function readOffer({ parameters }: ExtensionOffer): Offer {
  const offer: Offer = new Map();
  for (const [name, value] of parameters) {
    if (offer.has(name as ParameterName)) {
      throw new Error(`Parameter "${name}" must have only a single value`);
    }
    offer.set(name as ParameterName, readParameter(name, value));
  }
  return offer;
}

function readParameter(name: string, value: string | true): number | true {
  switch (name) {
    case "server_no_context_takeover":
    case "client_no_context_takeover":
      if (value === true) {
        return true;
      }
      break;
    case "client_max_window_bits":
    case "server_max_window_bits": {
      if (value === true && name === "client_max_window_bits") {
        return true;
      }
      const bits = value === true ? Number.NaN : Number(value); // as in ws, `0xf` and `1e1` are numbers too
      if (Number.isInteger(bits) && bits >= 8 && bits <= MAX_WINDOW_BITS) {
        return bits;
      }
      break;
    }
    default:
      throw new Error(`Unknown parameter "${name}"`);
  }
  throw new TypeError(`Invalid value for parameter "${name}": ${value}`);
}

function isAcceptable(options: DeflateOptions, offer: Offer): boolean {
  if (options.serverNoContextTakeover === false && offer.has("server_no_context_takeover")) {
    return false;
  }
  const { serverMaxWindowBits: server, clientMaxWindowBits: client } = options;
  const offeredServer = offer.get("server_max_window_bits");
  if (
    typeof offeredServer === "number" &&
    (server === false || (typeof server === "number" && server > offeredServer))
  ) {
    return false;
  }
  const offeredClient = offer.get("client_max_window_bits");
  return (
    typeof client !== "number" ||
    offeredClient === true ||
    (offeredClient !== undefined && client <= offeredClient)
  );
}

function parametersOf(options: DeflateOptions, accepted: Offer): DeflateParameters {
  const { level = DEFAULT_LEVEL, memLevel, strategy } = options.zlibDeflateOptions ?? {};
  return {
    threshold: threshold(options.threshold),
    serverWindowBits: windowBits(accepted.get("server_max_window_bits")),
    serverContext:
      options.serverNoContextTakeover === false && !accepted.has("server_no_context_takeover"),
    clientWindowBits: windowBits(accepted.get("client_max_window_bits")),
    clientContext: !accepted.has("client_no_context_takeover"),
    level: level === -1 ? DEFAULT_LEVEL : level,
    memoryLevel: memLevel ?? DEFAULT_MEMORY_LEVEL,
    strategy: strategy ?? 0,
    maxCompressors: compressors(options.concurrencyLimit),
  };
}

function windowBits(agreed: number | true | undefined): number {
  return typeof agreed === "number" ? agreed : MAX_WINDOW_BITS;
}

/** What is compared with a length: NaN lets nothing through, as in ws. */
function threshold(given: number | undefined): number {
  const bytes = Math.ceil(Number(given ?? COMPRESSION_THRESHOLD));
  return bytes <= LARGEST_THRESHOLD ? Math.max(bytes, 0) : LARGEST_THRESHOLD;
}

/** 0 means no limit in ws. */
function compressors(given: number | undefined): number {
  const count = Math.trunc(Number(given ?? CONCURRENCY_LIMIT));
  return count > 0 && count < LARGEST_COUNT ? count : LARGEST_COUNT;
}
