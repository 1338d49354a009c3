// The peer's address, asked of the request of a session when the connection that had brought it is gone: what applications log at the end.

import type { Server } from "node:http";
import * as ws from "ws";
import { type EngineOptions, type RunningEngine, startEngine } from "../harness/engine-modules";
import { eventually, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";

const PATH = "/engine.io/";

/** Resolves when the server has no connection: each request of a {@link PollingPeer} has one of its own. */
async function allClosed(httpServer: Server): Promise<void> {
  let open = -1;
  await eventually(() => {
    httpServer.getConnections((_error, count) => {
      open = count;
    });
    return open === 0;
  });
}

function peerOf(session: any): unknown[] {
  const { socket } = session.request;
  return [socket.remoteAddress, typeof socket.remotePort, socket.remoteFamily, socket.destroyed];
}

const GONE = ["127.0.0.1", "number", "IPv4", true];

/** Opens a session over WebSocket, cuts it off, and looks at the peer when it has closed. */
async function expectPeerAfterClose({ engine, port }: RunningEngine): Promise<void> {
  const [[session], websocket] = await Promise.all([
    once(engine, "connection"),
    RawWebSocket.open(port, { path: `${PATH}?EIO=4&transport=websocket` }),
  ]);
  const close = once(session, "close");
  websocket.stream.destroy();
  await close;
  expect(peerOf(session).slice(0, 3)).toEqual(GONE.slice(0, 3));
}

describeBoth("peer address", (implementation) => {
  const start = (options: EngineOptions = {}): Promise<RunningEngine> =>
    startEngine(implementation.name, options);

  const middleware = (_req: unknown, _res: unknown, next: () => void): void => next();

  for (const isShown of [false, true]) {
    const seen = isShown ? ", whose request a middleware has seen" : "";

    it(`is known of a polling session${seen}, when the connection of its handshake has closed`, async () => {
      const { engine, httpServer, port } = await start();
      if (isShown) {
        engine.use(middleware);
      }
      const [[session]] = await Promise.all([
        once(engine, "connection"),
        PollingPeer.open(port, { path: PATH }),
      ]);
      await allClosed(httpServer);
      expect(peerOf(session)).toEqual(GONE);
      expect(session.request.connection.remoteAddress).toBe("127.0.0.1");
    });

    it(`is known of a session that has moved to a WebSocket${seen}`, async () => {
      const { engine, httpServer, port } = await start();
      if (isShown) {
        engine.use(middleware);
      }
      const [[session], peer] = await Promise.all([
        once(engine, "connection"),
        PollingPeer.open(port, { path: PATH }),
      ]);
      await allClosed(httpServer);
      const websocket = await RawWebSocket.open(port, {
        path: `${PATH}?EIO=4&transport=websocket&sid=${peer.sid}`,
      });
      const upgrade = once(session, "upgrade");
      websocket.send("2probe");
      expect((await websocket.nextFrame()).text).toBe("3probe");
      websocket.send("5");
      await upgrade;
      expect(peerOf(session)).toEqual(GONE);
    });

    it(`is known of a WebSocket${seen}, in a listener of close`, async () => {
      const running = await start();
      if (isShown) {
        running.engine.use(middleware);
      }
      await expectPeerAfterClose(running);
    });
  }

  it("is known of a WebSocket of a wsEngine, in a listener of close", async () => {
    await expectPeerAfterClose(await start({ wsEngine: ws.Server as never }));
  });

  it("is known of a polling session, in a listener of close", async () => {
    const { engine, port } = await start();
    let told: unknown[] = [];
    engine.on("connection", (session: any) => {
      session.on("close", (reason: string) => {
        told = [reason, ...peerOf(session)];
      });
    });
    const peer = await PollingPeer.open(port, { path: PATH });
    const poll = peer.start("GET");
    poll.send();
    await eventually(() => Object.values<any>(engine.clients)[0]?.transport.req != null);
    poll.clientRequest.destroy();
    await eventually(() => told.length > 0);
    expect(told).toEqual(["transport error", ...GONE]);
  });
});
