// Plain HTTP requests that show status, headers as they were on the wire, and the body.
// No agent is shared: each request has a connection of its own unless a test passes one.

import * as http from "node:http";
import * as net from "node:net";
import { closeClientAfterTest } from "./cleanup";
import { once, within } from "./events";

export interface RawRequest {
  method?: string;
  path: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Buffer;
  agent?: http.Agent;
}

export interface RawResponse {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** Names and values alternating, in the order and the case of the wire. */
  rawHeaders: string[];
  body: Buffer;
  text: string;
}

/** Sends one request to 127.0.0.1 and reads the whole answer. */
export function request(port: number, { body, ...options }: RawRequest): Promise<RawResponse> {
  const { response, send } = startRequest(port, options);
  send(body);
  return response;
}

/** A request whose body the test still holds back, or that it may abort. */
export interface StartedRequest {
  response: Promise<RawResponse>;
  clientRequest: http.ClientRequest;
  /** Ends the request with the given body. */
  send(body?: string | Buffer): void;
}

/** Starts a request without ending it; a failure is only reported to whoever awaits `response`. */
export function startRequest(port: number, options: Omit<RawRequest, "body">): StartedRequest {
  const clientRequest = http.request({
    agent: false,
    ...options,
    host: "127.0.0.1",
    port,
  });
  closeClientAfterTest(() => clientRequest.destroy());
  const response = within(
    new Promise<RawResponse>((resolve, reject) => {
      clientRequest.on("error", reject);
      clientRequest.on("response", (incoming) => readResponse(incoming).then(resolve, reject));
    }),
    `no answer to ${options.method ?? "GET"} ${options.path}`,
  );
  response.catch(() => {});
  return { response, clientRequest, send: (body) => void clientRequest.end(body) };
}

async function readResponse(incoming: http.IncomingMessage): Promise<RawResponse> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) {
    chunks.push(chunk as Buffer);
  }
  const body = Buffer.concat(chunks);
  return {
    status: incoming.statusCode as number,
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    body,
    text: body.toString("utf8"),
  };
}

/** The header lines of a response as `name: value`, without those that Node adds to every answer. */
export function headerLines(response: RawResponse): string[] {
  const nodes = ["Date", "Connection", "Keep-Alive"];
  const lines: string[] = [];
  for (let index = 0; index < response.rawHeaders.length; index += 2) {
    const name = response.rawHeaders[index] as string;
    if (!nodes.includes(name)) {
      lines.push(`${name}: ${response.rawHeaders[index + 1]}`);
    }
  }
  return lines;
}

/** Opens a TCP connection to 127.0.0.1; it is destroyed after the test. */
export async function openStream(port: number): Promise<net.Socket> {
  const stream = net.connect(port, "127.0.0.1");
  closeClientAfterTest(() => stream.destroy());
  stream.on("error", () => {});
  await once(stream, "connect");
  return stream;
}

/** Writes `bytes` on a fresh connection and returns all that comes back until the server ends it. */
export async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const stream = await openStream(port);
  stream.write(bytes);
  return readToEnd(stream);
}

/** All bytes until the peer ends the connection, as latin1 text. */
export async function readToEnd(stream: net.Socket): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  await once(stream, "close");
  return Buffer.concat(chunks).toString("latin1");
}
