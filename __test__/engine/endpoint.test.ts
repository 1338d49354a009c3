// The addresses of accepted sockets: what is read from the descriptor is what Node would have said.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type NetConnectOpts, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localEnd, type OpenSocket, peerEnd } from "../../lib/engine/endpoint";

/** Accepts one connection and hands it to `look`. */
async function accepted<Result>(
  listenOn: { host?: string; path?: string; port?: number },
  look: (socket: OpenSocket) => Result,
): Promise<Result> {
  const server = createServer();
  server.listen(listenOn);
  await once(server, "listening");
  const address = server.address();
  const target: NetConnectOpts =
    typeof address === "string"
      ? { path: address }
      : { host: listenOn.host === "::1" ? "::1" : "127.0.0.1", port: address?.port as number };
  const client = connect(target);
  const [socket] = (await once(server, "connection")) as [Socket];
  try {
    return look(socket as OpenSocket);
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
}

const LISTENING = [
  ["IPv4", { host: "127.0.0.1", port: 0 }],
  ["IPv4 written as IPv6", { host: "::ffff:127.0.0.1", port: 0 }],
  ["IPv6", { host: "::1", port: 0 }],
] as const;

describe("engine: the ends of an accepted socket", () => {
  it.each(LISTENING)("%s: as Node tells them", async (_name, listenOn) => {
    await accepted(listenOn, (socket) => {
      const peer = peerEnd(socket);
      const local = localEnd(socket);
      expect(peer).toEqual({ address: socket.remoteAddress, port: socket.remotePort });
      expect(local).toEqual(socket._getsockname());
      expect(peer.address).toBeDefined();
    });
  });

  it("a unix socket has none", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sio-rs-"));
    try {
      await accepted({ path: join(folder, "s") }, (socket) => {
        expect(peerEnd(socket)).toEqual({ address: undefined, port: undefined });
        expect(localEnd(socket)).toEqual({});
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("an address that a handler of the PROXY protocol has put on the socket counts", async () => {
    await accepted({ host: "127.0.0.1", port: 0 }, (socket) => {
      Object.defineProperty(socket, "remoteAddress", { value: "203.0.113.9" });
      expect(peerEnd(socket).address).toBe("203.0.113.9");
    });
  });

  it("a closed socket tells what was asked before, as Node does", async () => {
    await accepted({ host: "127.0.0.1", port: 0 }, (socket) => {
      const { remoteAddress } = socket;
      socket.destroy();
      expect(peerEnd(socket).address).toBe(remoteAddress);
    });
  });
});
