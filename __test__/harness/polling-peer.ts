// A scripted Engine.IO peer over HTTP polling: it sends and shows payloads as they are on the wire.
// It keeps no protocol state of its own besides the sid; heartbeats are answered only by the test.

import type { OutgoingHttpHeaders } from "node:http";
import {
  type RawRequest,
  type RawResponse,
  request,
  type StartedRequest,
  startRequest,
} from "./raw-http";

/** Separates the packets of one payload, in revision 4 of the protocol. */
export const SEPARATOR = "\x1e";

/** The content of an `open` packet. */
export interface OpenPacket {
  sid: string;
  upgrades: string[];
  pingInterval: number;
  pingTimeout: number;
  maxPayload: number;
}

export interface PeerOptions {
  /** The path with its trailing slash. */
  path?: string;
  /** Added to the query of each request. */
  query?: Record<string, string>;
  headers?: OutgoingHttpHeaders;
}

export class PollingPeer {
  sid = "";
  readonly #port: number;
  readonly #options: PeerOptions;

  constructor(port: number, options: PeerOptions = {}) {
    this.#port = port;
    this.#options = options;
  }

  /** Opens a session; the answer must be an `open` packet alone. */
  static async open(port: number, options: PeerOptions = {}): Promise<PollingPeer> {
    const peer = new PollingPeer(port, options);
    await peer.open();
    return peer;
  }

  /** Opens a session and joins namespace `/`; returns the peer when the CONNECT reply was read. */
  static async join(port: number, options: PeerOptions = {}): Promise<PollingPeer> {
    const peer = await PollingPeer.open(port, options);
    await peer.send("40");
    const reply = await peer.poll();
    if (!reply.startsWith("40{")) {
      throw new Error(`not a CONNECT reply: ${reply}`);
    }
    return peer;
  }

  async open(): Promise<OpenPacket> {
    const { text } = await this.handshake();
    if (!text.startsWith("0{")) {
      throw new Error(`not an open packet: ${text}`);
    }
    const packet = JSON.parse((text.split(SEPARATOR)[0] as string).slice(1)) as OpenPacket;
    this.sid = packet.sid;
    return packet;
  }

  /** The handshake request alone, for its status, headers and body. */
  handshake(): Promise<RawResponse> {
    return request(this.#port, { path: this.target(), headers: this.#options.headers });
  }

  /** One GET: the payload, which must come with status 200. */
  async poll(): Promise<string> {
    const response = await this.get();
    if (response.status !== 200) {
      throw new Error(`the poll was answered ${response.status} ${response.text}`);
    }
    return response.text;
  }

  /** One GET, with status and headers. */
  get(options: Partial<RawRequest> = {}): Promise<RawResponse> {
    return request(this.#port, {
      path: this.target(),
      ...options,
      headers: { ...this.#options.headers, ...options.headers },
    });
  }

  /** One POST of `payload`, which must be answered `ok`. */
  async send(...packets: string[]): Promise<void> {
    const response = await this.post(packets.join(SEPARATOR));
    if (response.status !== 200 || response.text !== "ok") {
      throw new Error(`the POST was answered ${response.status} ${response.text}`);
    }
  }

  /** One POST, with status and headers. */
  post(body: string | Buffer, headers: OutgoingHttpHeaders = {}): Promise<RawResponse> {
    return request(this.#port, {
      method: "POST",
      path: this.target(),
      headers: { "Content-Type": "text/plain;charset=UTF-8", ...this.#options.headers, ...headers },
      body,
    });
  }

  /** A request to this session that the test ends or aborts itself. */
  start(method: "GET" | "POST", headers: OutgoingHttpHeaders = {}): StartedRequest {
    return startRequest(this.#port, { method, path: this.target(), headers });
  }

  /** The request target of this session for `transport`. */
  target(transport = "polling"): string {
    const query = new URLSearchParams({
      EIO: "4",
      transport,
      ...(this.sid === "" ? {} : { sid: this.sid }),
      ...this.#options.query,
    });
    return `${this.#options.path ?? "/socket.io/"}?${query}`;
  }
}

/** The packets of a payload. */
export function packetsOf(payload: string): string[] {
  return payload.split(SEPARATOR);
}
