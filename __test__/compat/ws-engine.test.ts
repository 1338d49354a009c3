// socket.io over the WebSockets of a `wsEngine`: what only shows with the layer above, beside clients of the core's own transports.

import type { Socket } from "socket.io";
import { WebSocketServer } from "ws";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { RawWebSocket } from "../harness/raw-websocket";
import { type ScriptedWebSocket, scriptedWsEngine } from "../harness/scripted-ws-engine";
import { joinPair, startPair, startServer } from "../harness/servers";

const WITH_WS = { wsEngine: WebSocketServer };
const OVER_WEBSOCKET = { transports: ["websocket"] };

describeBoth("socket.io with a wsEngine", (implementation) => {
  it("events with attachments and acks go both ways", async () => {
    const { client, socket } = await startPair(implementation, WITH_WS, OVER_WEBSOCKET);
    socket.on("up", (value: Buffer, answer: (value: unknown) => void) => answer([value, "ok"]));
    expect(await client.emitWithAck("up", Buffer.from([1]))).toEqual([Buffer.from([1]), "ok"]);
    client.on("down", (value: Buffer, answer: (value: unknown) => void) => answer(value));
    expect(await socket.emitWithAck("down", Buffer.from([2]))).toEqual(Buffer.from([2]));
  });

  it("broadcasts to rooms reach clients over polling and over it, in order", async () => {
    const running = await startServer(implementation, WITH_WS);
    const first = await joinPair(running, "/", OVER_WEBSOCKET);
    const second = await joinPair(running, "/", { transports: ["polling"] });
    const upgraded = await joinPair(running);
    const seen: Record<string, unknown[]> = {};
    const ends = Object.entries({ first, second, upgraded }).map(([name, { client, socket }]) => {
      socket.join("room");
      client.on("news", (...args: unknown[]) => {
        seen[name] = [...(seen[name] ?? []), ...args];
      });
      return once(client, "end");
    });
    for (let index = 0; index < 20; index += 1) {
      running.io.to("room").emit("news", index, Buffer.from([index]));
    }
    running.io.emit("end");
    await Promise.all(ends);
    const expected = Array.from({ length: 20 }, (_, index) => [index, Buffer.from([index])]).flat();
    expect(seen).toEqual({ first: expected, second: expected, upgraded: expected });
  });

  it("the official client upgrades to it", async () => {
    const { client, socket } = await startPair(implementation, WITH_WS);
    if (socket.conn.transport.name !== "websocket") {
      await once(socket.conn, "upgrade");
    }
    client.on("question", (answer: (value: string) => void) => answer("here"));
    expect(await socket.emitWithAck("question")).toBe("here");
  });

  it("volatile packets are dropped while the WebSocket has not taken the last batch", async () => {
    const wsEngine = scriptedWsEngine();
    const running = await startServer(implementation, { wsEngine } as object);
    const connected = onceValue<Socket>(running.io, "connection");
    await RawWebSocket.open(running.port);
    const websocket = wsEngine.websockets[0] as ScriptedWebSocket;
    websocket.receive("40");
    const socket = await connected;
    await websocket.sent(2);
    await new Promise((resolve) => setTimeout(resolve, 10)); // the CONNECT reply is taken
    websocket.isFree = false;
    socket.emit("first");
    await websocket.sent(3);
    socket.volatile.emit("lost");
    await new Promise((resolve) => setImmediate(resolve));
    socket.emit("second");
    websocket.isFree = true;
    websocket.sendings[2]?.done();
    expect((await websocket.sent(4)).slice(2)).toEqual(['42["first"]', '42["second"]']);
  });

  it("disconnect(true), a client that leaves and io.close() end sockets with their reasons", async () => {
    const running = await startServer(implementation, WITH_WS);
    const kicked = await joinPair(running, "/", OVER_WEBSOCKET);
    const leaving = await joinPair(running, "/", OVER_WEBSOCKET);
    const staying = await joinPair(running, "/", OVER_WEBSOCKET);
    const reasons = [kicked, leaving, staying].map(({ socket }) => once(socket, "disconnect"));
    const told = once(kicked.client, "disconnect");
    kicked.socket.disconnect(true);
    leaving.client.disconnect();
    await Promise.all(reasons.slice(0, 2));
    await running.io.close();
    const seen = (await Promise.all(reasons)).map(([reason]) => reason);
    expect(seen).toEqual([
      "server namespace disconnect",
      "client namespace disconnect",
      "server shutting down",
    ]);
    expect((await told)[0]).toBe("io server disconnect");
  });
});
