/** Raw HTTP over TCP for the tests of the engine: what was written by the server, to the byte. */
import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { type AddressInfo, connect, type Socket as NetSocket } from "node:net";

const TIMEOUT_MS = 5000;

/** A connection that keeps all it has received. */
export class RawPeer {
  received = "";

  private constructor(readonly socket: NetSocket) {
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
    });
    socket.on("error", () => {});
  }

  static async connect(server: HttpServer): Promise<RawPeer> {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    return new RawPeer(socket);
  }

  write(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Waits until what was received matches, and returns it. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      await once(this.socket, "data", { signal: AbortSignal.timeout(TIMEOUT_MS) });
    }
    return this.received;
  }

  /** Waits until the server has closed the connection, and returns all it has sent. */
  async untilClosed(): Promise<string> {
    if (!this.socket.closed) {
      await once(this.socket, "close", { signal: AbortSignal.timeout(TIMEOUT_MS) });
    }
    return this.received;
  }
}

/** Sends one request on a connection of its own and returns everything that came back. */
export async function exchange(server: HttpServer, request: string): Promise<string> {
  const peer = await RawPeer.connect(server);
  peer.write(request.replaceAll("\n", "\r\n"));
  return peer.untilClosed();
}

/** Without what differs from run to run: the date and session ids. */
export function stable(response: string): string {
  return response
    .replace(/^Date: .*$/gm, "Date: …")
    .replace(/(\\?"sid\\?":\\?")[\w-]{20}/, "$1…")
    .replace(/^(Set-Cookie: \w+)=[\w-]{20};/gm, "$1=…;");
}

/** The body of a chunked response. */
export function unchunk(content: string): string {
  let plain = "";
  for (let rest = content; ; ) {
    const [size = "0", after = ""] = rest.split(/\r\n(.*)/s);
    const length = Number.parseInt(size, 16);
    if (length === 0) {
      return plain;
    }
    plain += after.slice(0, length);
    rest = after.slice(length + 2);
  }
}
