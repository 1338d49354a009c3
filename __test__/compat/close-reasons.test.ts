// The disconnect reasons that depend on how soon a session closes: over WebSocket `conn.close()` is heard before it
// returns, on polling only when a poll has taken the goodbye.

import { closePollingSoon } from "../harness/bare-engine";
import { eventually, nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startServer } from "../harness/servers";

/** Socket packets that a client may not send in the state in which it sends them. */
const VIOLATIONS = [
  ["a second CONNECT of the same namespace", "40"],
  ["an event of a namespace that was not joined", '42/other,["x"]'],
] as const;

describeBoth("close reasons", (implementation) => {
  for (const [title, packet] of VIOLATIONS) {
    it(`${title} is "forced close" over websocket`, async () => {
      const { io, port } = await startServer(implementation);
      io.of("/other");
      const joined = onceValue(io, "connection");
      const peer = await RawWebSocket.join(port);
      const left = onceValue(await joined, "disconnect");
      peer.send(packet);
      expect(await left).toBe("forced close");
      expect(await peer.expectClose()).toBeUndefined();
    });

    it(`${title} is "forced server close" on polling`, async () => {
      const { io, port } = await startServer(implementation);
      io.of("/other");
      closePollingSoon(io.engine);
      const joined = onceValue(io, "connection");
      const peer = await PollingPeer.join(port);
      const left = onceValue(await joined, "disconnect");
      await peer.send(packet);
      expect(await left).toBe("forced server close");
      expect(await peer.poll()).toBe("6\x1e1");
    });
  }

  it("after a socket packet that cannot be decoded sockets on polling look connected until the next poll", async () => {
    const { io, port } = await startServer(implementation);
    closePollingSoon(io.engine);
    const joined = onceValue(io, "connection");
    const peer = await PollingPeer.join(port);
    const socket = await joined;
    const log: unknown[] = [];
    socket.on("error", (error: Error) => log.push(error.message));
    socket.on("disconnect", (reason: string) => log.push(reason));
    await peer.send("4abc");
    await nextTurn();
    expect([log, socket.connected]).toEqual([["unknown packet type NaN"], true]);
    expect(await peer.poll()).toBe("6\x1e1");
    await eventually(() => !socket.connected);
    expect(log).toEqual(["unknown packet type NaN", "forced close"]);
  });

  it("a disconnect listener finds the session counted if socket.io ended the socket, and not if the engine did", async () => {
    const running = await startServer(implementation);
    const counts: Record<string, number> = {};
    running.io.on("connection", (socket) => {
      socket.on("disconnect", (reason) => {
        counts[reason] = running.io.engine.clientsCount;
      });
    });
    const first = await joinPair(running);
    first.socket.disconnect(true);
    await eventually(() => running.io.engine.clientsCount === 0);
    const second = await joinPair(running);
    const left = once(second.socket, "disconnect");
    second.client.io.engine.close();
    await left;
    const third = await joinPair(running);
    third.socket.conn.close();
    expect(counts).toEqual({
      "server namespace disconnect": 1,
      "transport close": 0,
      "forced close": 0,
    });
  });
});
