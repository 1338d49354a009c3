/**
 * The WebSocket opening handshake (RFC 6455 section 4.2): the checks of the request, in ws's order, and the bytes of the 101.
 *
 * Decides nothing about sessions.
 */
import * as crypto from "node:crypto";
import { type DeflateAgreement, type DeflateOptions, negotiateDeflate } from "./deflate";
import type { EngineRequest } from "./request";
import { headerOf } from "./request";
import { type HeaderTable, validateHeader } from "./upgrade-response";

/** A request that is no opening handshake: what to answer. */
export interface HandshakeFailure {
  status: number;
  message: string;
  /** More header lines, each ended by CRLF. */
  extraHeaders: string;
}

/** What the 101 is made of. */
export interface OpeningHandshake {
  key: string;
  /** The first subprotocol offered, `""` without any: browsers fail when none of theirs comes back. */
  subprotocol: string;
  /** The compression that was agreed on. */
  deflate: DeflateAgreement | undefined;
}

/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** RFC 6455 section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** A token of RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Checks the request; the answers are those of ws to the byte. */
export function checkHandshake(
  req: EngineRequest,
  deflateOptions: DeflateOptions | undefined,
): OpeningHandshake | HandshakeFailure {
  if (req.method !== "GET") {
    return failure(405, "Invalid HTTP method");
  }
  if (headerOf(req, "upgrade")?.toLowerCase() !== "websocket") {
    return failure(400, "Invalid Upgrade header");
  }
  const key = headerOf(req, "sec-websocket-key");
  if (key === undefined || !KEY.test(key)) {
    return failure(400, "Missing or invalid Sec-WebSocket-Key header");
  }
  const version = Number(headerOf(req, "sec-websocket-version"));
  if (version !== 13 && version !== 8) {
    const message = "Missing or invalid Sec-WebSocket-Version header";
    return failure(400, message, "Sec-WebSocket-Version: 13, 8\r\n");
  }
  const offered = headerOf(req, "sec-websocket-protocol");
  const subprotocol = offered === undefined ? "" : firstSubprotocol(offered);
  if (subprotocol === undefined) {
    return failure(400, "Invalid Sec-WebSocket-Protocol header");
  }
  const extensions = deflateOptions && headerOf(req, "sec-websocket-extensions");
  try {
    const deflate =
      extensions === undefined ? undefined : negotiateDeflate(deflateOptions ?? {}, extensions);
    return { key, subprotocol, deflate };
  } catch {
    return failure(400, "Invalid or unacceptable Sec-WebSocket-Extensions header");
  }
}

function failure(status: number, message: string, extraHeaders = ""): HandshakeFailure {
  return { status, message, extraHeaders };
}

/** The first of a list of distinct tokens; undefined when the list is malformed. As in ws, the list may not begin with white space. */
function firstSubprotocol(list: string): string | undefined {
  const names = list.split(",").map(withoutBlanks);
  const isValid =
    !/^[ \t]|[ \t]$/.test(list) &&
    names.every((name) => TOKEN.test(name)) &&
    new Set(names).size === names.length;
  return isValid ? names[0] : undefined;
}

/** Trims spaces and tabs. A regular expression would need quadratic time for a long run of them, `trim` knows more blanks than HTTP. */
function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) {
    start += 1;
  }
  while (end > start && isBlank(text.charCodeAt(end - 1))) {
    end -= 1;
  }
  return text.slice(start, end);
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

/** In one call where Node has it (20.12, 21.7): half the time. */
const sha1: (text: string) => string =
  typeof crypto.hash === "function"
    ? (text) => crypto.hash("sha1", text, "base64")
    : (text) => crypto.createHash("sha1").update(text).digest("base64");

/** The value that proves the server understood the handshake. */
export function acceptKey(key: string): string {
  return sha1(key + GUID);
}

/** The lines of the 101 before those of the application. */
export function responseLines({ key, subprotocol, deflate }: OpeningHandshake): string[] {
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptKey(key)}`,
  ];
  if (subprotocol !== "") {
    lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`);
  }
  if (deflate !== undefined) {
    lines.push(`Sec-WebSocket-Extensions: ${deflate.header}`);
  }
  return lines;
}

/**
 * Appends the application's headers, one line for each element of an array (engine.io joins them, which breaks cookies).
 *
 * @throws the error of Node's own check of header names and values
 */
export function appendHeaders(lines: string[], headers: HeaderTable): void {
  for (const [name, value] of Object.entries(headers)) {
    validateHeader(name, value);
    for (const line of Array.isArray(value) ? value : [value]) {
      lines.push(`${name}: ${line}`);
    }
  }
}

/** The whole 101, in latin1, ready to be written. */
export function responseHead(lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}
