// Protocol 3 on the wire: WebSocket frames, `b64`, the heartbeat the other way round, the upgrade, what a socket.io 2 client is told.
// The payloads of polling are compared in __test__/engine/.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { collect, eventually, once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { openEngineV3Client } from "../harness/old-clients";
import { PollingPeer } from "../harness/polling-peer";
import { request } from "../harness/raw-http";
import { frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { startServer } from "../harness/servers";

const V3 = "/socket.io/?EIO=3&transport=websocket";

interface Opened extends BareEngine {
  peer: RawWebSocket;
  session: Session;
  messages: unknown[];
}

async function open(
  implementation: Implementation,
  path = V3,
  options: Partial<ServerOptions> = {},
): Promise<Opened> {
  const server = await startBareEngine(implementation, { allowEIO3: true, ...options });
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port, { path });
  await peer.expectText(/^0\{"sid":"[\w-]{20}","upgrades":\[\],/);
  const session = await opened;
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => messages.push(data));
  return { ...server, peer, session, messages };
}

/** A session on polling, by hand: the peer of the harness writes payloads of protocol 4. */
async function openPolling(
  server: BareEngine,
  query = "",
): Promise<{ path: string; session: Session }> {
  const opened = server.nextSession();
  const target = `/socket.io/?EIO=3&transport=polling${query}`;
  const { text } = await request(server.port, { path: target });
  const [, length, json] = /^(\d+):0(\{.*\})$/.exec(text) as unknown as string[];
  expect(Number(length)).toBe((json as string).length + 1);
  const { sid } = JSON.parse(json as string);
  return { path: `/socket.io/?EIO=3&sid=${sid}&transport=`, session: await opened };
}

async function frames(peer: RawWebSocket, count: number): Promise<unknown[]> {
  const seen = [];
  for (let index = 0; index < count; index += 1) {
    const { opcode, payload, text } = await peer.nextFrame();
    seen.push(opcode === OPCODE.binary ? [...payload] : text);
  }
  return seen;
}

describeBoth("engine protocol 3", (implementation) => {
  it("a binary message has its type before its bytes, in both directions", async () => {
    const { peer, session, messages } = await open(implementation);
    session.send("€");
    session.send(Buffer.from([1, 2]));
    session.send(Buffer.alloc(0));
    expect(await frames(peer, 3)).toEqual(["4€", [4, 1, 2], [4]]);
    const heard = collect(session, "message", 3);
    peer.send(Buffer.from([4, 1, 2]), { opcode: OPCODE.binary });
    peer.send("b4AQI=");
    peer.send("4text");
    await heard;
    expect(messages).toEqual([Buffer.from([1, 2]), Buffer.from([1, 2]), "text"]);
  });

  for (const { revision, expected } of [
    { revision: 3, expected: ["4€", "b4AQL/", "4", "b4"] },
    { revision: 4, expected: ["4€", "bAQL/", "4", "b"] },
  ]) {
    it(`with b64 binary messages are base64 on a WebSocket of revision ${revision}`, async () => {
      const path = `/socket.io/?EIO=${revision}&transport=websocket&b64=1`;
      const { peer, session } = await open(implementation, path);
      expect(session.transport.supportsBinary).toBe(false);
      session.send("€");
      session.send(Buffer.from([1, 2, 255]));
      session.send("");
      session.send(Buffer.alloc(0));
      expect(await frames(peer, 4)).toEqual(expected);
    });
  }

  it("a ping is answered, also one of bytes, and nobody is pinged", async () => {
    const { peer, session } = await open(implementation, V3, { pingInterval: 20 });
    const log: unknown[] = [];
    session.on("packet", ({ type }: any) => log.push(type));
    session.on("heartbeat", () => log.push("heartbeat"));
    peer.send("2");
    peer.send(Buffer.from([2]), { opcode: OPCODE.binary });
    expect(await frames(peer, 2)).toEqual(["3", "3"]);
    const heard = once(session, "message");
    peer.send("4");
    await heard;
    expect(log).toEqual(["ping", "heartbeat", "ping", "heartbeat", "message"]);
  });

  it("the pong is seen by who watches what is sent", async () => {
    const { peer, session } = await open(implementation);
    const log: unknown[] = [];
    session.on("packetCreate", ({ type }: any) => log.push(type));
    for (const name of ["flush", "drain", "heartbeat"]) {
      session.on(name, () => log.push(name));
    }
    const heartbeat = once(session, "heartbeat");
    peer.send("2");
    await heartbeat;
    await peer.expectText("3");
    expect(log).toEqual(["pong", "flush", "drain", "heartbeat"]);
  });

  it("a pong goes between the answers to the messages around its ping", async () => {
    const { peer, session } = await open(implementation);
    session.on("message", (data: string) => session.send(`re:${data}`));
    peer.write(Buffer.concat(["4a", "2", "4b"].map((text) => frame(text))));
    expect(await frames(peer, 3)).toEqual(["4re:a", "3", "4re:b"]);
  });

  it("over polling a pong waits in writeBuffer for a GET, and is flushed with it", async () => {
    const server = await startBareEngine(implementation, { allowEIO3: true });
    const { path, session } = await openPolling(server);
    const log: unknown[] = [];
    session.on("packetCreate", ({ type }: any) => log.push(type));
    for (const name of ["flush", "drain", "heartbeat"]) {
      session.on(name, () => log.push(name));
    }
    await request(server.port, { method: "POST", path: `${path}polling`, body: "1:2" });
    expect(session.writeBuffer).toEqual([{ type: "pong", options: { compress: true } }]);
    expect(log).toEqual(["pong", "heartbeat"]);
    expect((await request(server.port, { path: `${path}polling` })).text).toBe("1:3");
    expect(log).toEqual(["pong", "heartbeat", "flush", "drain"]);
    expect(session.writeBuffer).toEqual([]);
    session.close(true);
  });

  it("a pong of the client ends the session", async () => {
    const { peer, session } = await open(implementation);
    const closed = once(session, "close");
    peer.send("3");
    const [reason, error] = await closed;
    expect([reason, error.message]).toEqual(["transport error", "invalid heartbeat direction"]);
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("binary messages of no known type are ignored", async () => {
    const { peer, session, messages } = await open(implementation);
    const heard = once(session, "message");
    peer.send(Buffer.alloc(0), { opcode: OPCODE.binary });
    peer.send(Buffer.from([9, 1]), { opcode: OPCODE.binary });
    peer.send("b9AQI=");
    peer.send("b");
    peer.send("4end");
    await heard;
    expect(messages).toEqual(["end"]);
  });

  it("an unknown packet type is a parse error", async () => {
    const { peer, session } = await open(implementation);
    const closed = onceValue(session, "close");
    peer.send("7");
    expect(await closed).toBe("parse error");
  });

  it("a client that is silent for the interval and the timeout is given up", async () => {
    const options = { pingInterval: 60, pingTimeout: 40 };
    const { peer, session } = await open(implementation, V3, options);
    peer.send("4messages are no sign of life");
    expect(await onceValue(session, "close")).toBe("ping timeout");
    expect(await peer.expectClose()).toBeUndefined();
  });

  it("an upgrade takes along what was not fetched", async () => {
    const server = await startBareEngine(implementation, { allowEIO3: true });
    const { path, session } = await openPolling(server);
    const poll = request(server.port, { path: `${path}polling` });
    await eventually(() => session.transport.writable);
    const peer = await RawWebSocket.open(server.port, { path: `${path}websocket` });
    peer.send("2probe");
    await peer.expectText("3probe");
    expect((await poll).text).toBe("1:6");
    session.send("€");
    session.send(Buffer.from([1, 2]));
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    expect(await frames(peer, 2)).toEqual(["4€", [4, 1, 2]]);
  });

  // Clients of socket.io 2 do so wherever XMLHttpRequest has no `responseType`, which is on Node too.
  it("a client that asked for base64 on polling alone takes bytes over WebSocket", async () => {
    const server = await startBareEngine(implementation, { allowEIO3: true });
    const { path, session } = await openPolling(server, "&b64=1");
    session.send(Buffer.from([1, 2]));
    expect((await request(server.port, { path: `${path}polling` })).text).toBe("6:b4AQI=");
    session.send("€");
    session.send(Buffer.from([1, 2]));
    const peer = await RawWebSocket.open(server.port, { path: `${path}websocket` });
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    session.send(Buffer.from([3]));
    expect(await frames(peer, 3)).toEqual(["4€", [4, 1, 2], [4, 3]]);
  });

  it("a poll that still waits at the switch is answered with a close packet", async () => {
    const server = await startBareEngine(implementation, { allowEIO3: true });
    const { path, session } = await openPolling(server);
    const poll = request(server.port, { path: `${path}polling` });
    await eventually(() => session.transport.writable);
    const peer = await RawWebSocket.open(server.port, { path: `${path}websocket` });
    peer.send("5");
    expect((await poll).text).toBe("1:1");
  });

  it("a session that was upgraded has no deadline any more", async () => {
    const options = { allowEIO3: true, pingInterval: 60, pingTimeout: 40 };
    const server = await startBareEngine(implementation, options);
    const { path, session } = await openPolling(server);
    const peer = await RawWebSocket.open(server.port, { path: `${path}websocket` });
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    // Opened later, so its deadline is the later one.
    const other = await openPolling(server);
    expect(await onceValue(other.session, "close")).toBe("ping timeout");
    expect(session.readyState).toBe("open");
  });

  it("an upgrade with another EIO than the session's is refused", async () => {
    const server = await startBareEngine(implementation, { allowEIO3: true });
    const peer = await PollingPeer.open(server.port);
    const refused = onceValue(server.engine, "connection_error");
    const path = peer.target("websocket").replace("EIO=4", "EIO=3");
    await expect(RawWebSocket.open(server.port, { path })).rejects.toThrow("400 Bad Request");
    expect((await refused).context).toEqual({
      name: "PROTOCOL_MISMATCH",
      protocol: 3,
      previousProtocol: 4,
    });
  });

  for (const forceBase64 of [false, true]) {
    for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
      const how = `${transports.join(" and ")}${forceBase64 ? ", base64" : ""}`;
      it(`a client of engine.io 3 hears its own messages (${how})`, async () => {
        const server = await startBareEngine(implementation, { allowEIO3: true });
        server.engine.on("connection", (session: Session) => {
          session.on("message", (data: unknown) => session.send(data ?? ""));
        });
        const url = `ws://127.0.0.1:${server.port}`;
        const client = openEngineV3Client(url, { transports, forceBase64 });
        await once(client, "open");
        if (transports.length > 1) {
          await once(client, "upgrade");
        }
        const heard = collect(client, "message", 3);
        client.send("€😀");
        client.send(Buffer.from([4, 0, 255]));
        client.send("end");
        const [text, [bytes], end] = (await heard) as any[];
        expect([text, [...new Uint8Array(bytes)], end]).toEqual([["€😀"], [4, 0, 255], ["end"]]);
      });
    }
  }
});

describeBoth("socket packets of protocol 3", (implementation) => {
  it("the main namespace is joined unasked, others with a query", async () => {
    const { port, io } = await startServer(implementation, { allowEIO3: true });
    io.of("/ns");
    const peer = await RawWebSocket.open(port, { path: V3 });
    await peer.expectText(/^0\{/);
    await peer.expectText("40");
    peer.send("40/ns?x=1&y=a%20b,");
    await peer.expectText("40/ns,");
    expect({ ...[...io.of("/ns").sockets.values()][0]?.handshake.auth }).toEqual({
      x: "1",
      y: "a b",
    });
  });

  it("a refusal carries the data of the error, or else its message", async () => {
    const { port, io } = await startServer(implementation, { allowEIO3: true });
    io.of("/data").use((_socket, next) => next(Object.assign(new Error("no"), { data: { k: 1 } })));
    io.of("/text").use((_socket, next) => next(new Error("msg")));
    const peer = await RawWebSocket.open(port, { path: V3 });
    await peer.expectText(/^0\{/);
    await peer.expectText("40");
    for (const [sent, expected] of [
      ["40/data,", '44/data,{"k":1}'],
      ["40/text,", '44/text,"msg"'],
      ["40/none,", '44/none,{"message":"Invalid namespace"}'],
    ] as const) {
      peer.send(sent);
      await peer.expectText(expected);
    }
  });

  it("a second CONNECT to the main namespace ends the session", async () => {
    const { port } = await startServer(implementation, { allowEIO3: true });
    const peer = await RawWebSocket.open(port, { path: V3 });
    await peer.expectText(/^0\{/);
    await peer.expectText("40");
    peer.send("40");
    expect(await peer.expectClose()).toBeUndefined();
  });
});
