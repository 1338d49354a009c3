// Each session closes once, whatever ends it, and also if two things do at the same time.

import { startBareEngine } from "../harness/bare-engine";
import { eventually } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { request } from "../harness/raw-http";
import { closeFrame, RawWebSocket } from "../harness/raw-websocket";

describeBoth("one close", (implementation) => {
  it("each session that opened emits close once, however it ends", async () => {
    const options = { pingInterval: 200, pingTimeout: 100 };
    const { port, engine } = await startBareEngine(implementation, options);
    const sessions: any[] = [];
    const closes = new Map<string, number>();
    engine.on("connection", (session: any) => {
      sessions.push(session);
      session.on("close", () => closes.set(session.id, (closes.get(session.id) ?? 0) + 1));
    });
    const poll = async (end: (peer: PollingPeer, session: any) => unknown): Promise<void> => {
      const peer = await PollingPeer.open(port);
      await end(peer, sessions.at(-1));
    };
    const ws = async (end: (peer: RawWebSocket, session: any) => unknown): Promise<void> => {
      const count = sessions.length;
      const peer = await RawWebSocket.open(port);
      await peer.nextFrame();
      await eventually(() => sessions.length > count);
      await end(peer, sessions.at(-1));
    };

    await poll((peer) => peer.send("1"));
    await poll((_peer, session) => session.close(true));
    await poll(async (peer, session) => {
      const waiting = peer.get();
      await eventually(() => session.transport.writable);
      session.close();
      await waiting;
      session.close(true);
    });
    await poll(() => {}); // its client never answers a ping
    await ws((peer) => peer.write(closeFrame(1000)));
    await ws((peer) => peer.stream.resetAndDestroy());
    await ws((peer) => peer.send("x"));
    await ws((_peer, session) => {
      session.close();
      session.close(true);
    });
    await ws((peer, session) => {
      peer.write(closeFrame(1000));
      peer.stream.end();
      session.close();
    });
    await ws((peer, session) => {
      peer.stream.destroy();
      session.close(true);
    });
    await ws(() => {});
    await eventually(() => closes.size === 11);
    engine.close();
    await request(port, { path: "/socket.io/?EIO=4&transport=polling&sid=nobody" });
    expect(sessions.map(({ id }) => closes.get(id))).toEqual(sessions.map(() => 1));
    expect(engine.clientsCount).toBe(0);
  });
});
