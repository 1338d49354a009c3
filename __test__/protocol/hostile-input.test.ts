// Input that no correct client sends. Whatever comes, the server goes on to serve others and keeps nothing of the culprit.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { closePollingSoon, startBareEngine } from "../harness/bare-engine";
import { eventually, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { openStream, request } from "../harness/raw-http";
import {
  closeFrame,
  frame,
  OPCODE,
  openingHandshake,
  RawWebSocket,
} from "../harness/raw-websocket";
import { joinPair, listenOnFreePort, type Running, startServer, track } from "../harness/servers";

/** Socket packets that are wrong in some way, as the content of a message. */
const BAD_PACKETS = [
  "",
  "abc",
  "7",
  "9",
  "-1",
  "2",
  "2[",
  "2{}",
  "2[]",
  "2[null]",
  '2["connect"]',
  '2["disconnect"]',
  '2["newListener"]',
  "2[[]]",
  '2["a"] trailing',
  "3",
  "3[",
  "3x[]",
  "31{}",
  "1[]",
  '1{"a":1}',
  "0[",
  '0"text"',
  "0[]",
  "4",
  "4[]",
  "5",
  "5woooot",
  "5-",
  '50-["a"]',
  '51-["a"]',
  '51["a"]',
  '5-1-["a"]',
  '599999999999-["a"]',
  '51-["a",{"_placeholder":true,"num":5}]',
  '61-["a"]',
  "2/nsp",
  '2/nsp,["a"]',
  "0/unknown",
  "1/unknown,",
  `2${"[".repeat(20_000)}`,
  `2["${"x".repeat(1_000)}`,
  '2["__proto__",{"__proto__":{"polluted":1}}]',
  '299999999999999999999["a"]',
];

/** The server serves a fresh client from end to end. */
async function expectToServe(running: Running): Promise<void> {
  const { socket, client } = await joinPair(running);
  socket.on("alive", (reply) => reply("yes"));
  expect(await client.emitWithAck("alive")).toBe("yes");
  const left = once(socket, "disconnect");
  client.disconnect();
  await left;
}

/** Deterministic bytes, so that a failure can be repeated. */
function pseudoRandom(seed: number, length: number): Buffer {
  let state = seed;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return state >> 16;
    }),
  );
}

describeBoth("hostile input", (implementation) => {
  it("no malformed socket packet before the CONNECT harms anybody, over websocket", async () => {
    const running = await startServer(implementation);
    for (const packet of BAD_PACKETS) {
      const peer = await RawWebSocket.open(running.port);
      peer.send(`4${packet}`);
      peer.send("", { opcode: OPCODE.close });
      await peer.ended();
    }
    await eventually(() => running.io.engine.clientsCount === 0);
    await expectToServe(running);
  });

  it("no malformed socket packet after the CONNECT harms anybody, over websocket", async () => {
    const running = await startServer(implementation);
    for (const packet of BAD_PACKETS) {
      const peer = await RawWebSocket.join(running.port);
      peer.send(`4${packet}`);
      peer.send("", { opcode: OPCODE.close });
      await peer.ended();
    }
    await eventually(() => running.io.engine.clientsCount === 0);
    expect(running.io.sockets.sockets.size).toBe(0);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    await expectToServe(running);
  });

  it("no malformed socket packet harms anybody over polling", async () => {
    const running = await startServer(implementation);
    closePollingSoon(running.io.engine);
    for (const packet of BAD_PACKETS) {
      const peer = await PollingPeer.join(running.port);
      await peer.send(`4${packet}`);
      await peer.post("1");
    }
    await expectToServe(running);
    running.io.engine.close();
    expect(running.io.sockets.sockets.size).toBe(0);
  });

  it("a binary message that nobody announced ends that connection alone", async () => {
    const running = await startServer(implementation);
    const joined = onceValue(running.io, "connection");
    const peer = await RawWebSocket.join(running.port);
    const socket = await joined;
    const failed = onceValue(socket, "error");
    peer.send(Buffer.from([1]), { opcode: OPCODE.binary });
    expect((await failed).message).toBe("got binary data when not reconstructing a packet");
    await expectToServe(running);
  });

  it("text where an attachment was announced ends that connection alone", async () => {
    const running = await startServer(implementation);
    const joined = onceValue(running.io, "connection");
    const peer = await RawWebSocket.join(running.port);
    const socket = await joined;
    const failed = onceValue(socket, "error");
    peer.send('451-["a",{"_placeholder":true,"num":0}]');
    peer.send('42["b"]');
    expect((await failed).message).toBe("got plaintext data when reconstructing a packet");
    await expectToServe(running);
  });

  it("a client that vanishes between a packet and its attachment leaves nothing behind", async () => {
    const running = await startServer(implementation);
    const joined = onceValue(running.io, "connection");
    const peer = await RawWebSocket.join(running.port);
    const left = onceValue(await joined, "disconnect");
    peer.send('451-["a",{"_placeholder":true,"num":0}]');
    peer.stream.destroy();
    expect(await left).toBe("transport close");
    expect(running.io.engine.clientsCount).toBe(0);
  });

  it("a client that vanishes anywhere inside of a frame leaves nothing behind", async () => {
    const running = await startServer(implementation);
    const bytes = frame(`42["text","${"x".repeat(300)}"]`);
    for (const cut of [1, 2, 3, 4, 7, 8, 9, 50, bytes.length - 1]) {
      for (const end of ["destroy", "resetAndDestroy"] as const) {
        const joined = onceValue(running.io, "connection");
        const peer = await RawWebSocket.join(running.port);
        const left = onceValue(await joined, "disconnect");
        await new Promise<void>((resolve) => {
          peer.stream.write(bytes.subarray(0, cut), () => resolve());
        });
        peer.stream[end]();
        expect(await left).toBe("transport close");
      }
    }
    expect(running.io.engine.clientsCount).toBe(0);
    await expectToServe(running);
  });

  it("random bytes in the place of frames end that connection alone", async () => {
    const running = await startServer(implementation);
    for (let seed = 1; seed <= 40; seed += 1) {
      const peer = await RawWebSocket.join(running.port);
      peer.write(pseudoRandom(seed, 400));
      peer.stream.end();
      await peer.ended();
    }
    await eventually(() => running.io.engine.clientsCount === 0);
    await expectToServe(running);
  });

  it("random bytes as content of correct frames end that connection alone", async () => {
    const running = await startServer(implementation);
    for (let seed = 1; seed <= 40; seed += 1) {
      const peer = await RawWebSocket.join(running.port);
      for (const opcode of [OPCODE.text, OPCODE.binary, OPCODE.ping]) {
        peer.send(pseudoRandom(seed, 100), { opcode });
      }
      peer.stream.end();
      await peer.ended();
    }
    await eventually(() => running.io.engine.clientsCount === 0);
    await expectToServe(running);
  });

  it("random payloads by POST end that session alone", async () => {
    const running = await startServer(implementation);
    closePollingSoon(running.io.engine);
    for (let seed = 1; seed <= 20; seed += 1) {
      const peer = await PollingPeer.open(running.port);
      const { status } = await peer.post(pseudoRandom(seed, 300));
      expect(status).toBe(200);
      await peer.post("1");
    }
    await expectToServe(running);
  });

  it("requests with odd targets are refused or served, and harm nobody", async () => {
    const running = await startServer(implementation);
    for (const path of [
      "/socket.io/",
      "/socket.io/?",
      "/socket.io/?&&&==",
      "/socket.io/?EIO=4&transport=polling&sid=%00",
      "/socket.io/?EIO[]=4&transport[]=polling",
      "/socket.io/?__proto__=1&transport=polling",
      "/socket.io/?EIO=4&transport=polling&t=%zz%",
      `/socket.io/?EIO=4&transport=polling&sid=${"x".repeat(4_000)}`,
      "/socket.io/../../etc/passwd?EIO=4&transport=polling",
    ]) {
      const { status } = await request(running.port, { path });
      expect([200, 400]).toContain(status);
    }
    await expectToServe(running);
  });

  it("an opening handshake behind a waiting poll on the same connection harms nobody else", async () => {
    const running = await startServer(implementation);
    const polling = await PollingPeer.join(running.port);
    const stream = await openStream(running.port);
    stream.write(`GET ${polling.target()} HTTP/1.1\r\nHost: x\r\n\r\n`);
    stream.write(openingHandshake());
    const gone = once(stream, "close");
    await expectToServe(running);
    running.io.engine.close();
    stream.destroy();
    await gone;
    await expectToServe(await startServer(implementation));
  });

  it("handshakes that stop half-way are ended in time, and nothing of them is left", async () => {
    const httpServer = createServer({ headersTimeout: 200, connectionsCheckingInterval: 50 });
    const options = { upgradeTimeout: 200, connectTimeout: 200 };
    const io = track(new implementation.Server(httpServer, options));
    const port = await listenOnFreePort(httpServer);
    closePollingSoon(io.engine);
    const bytes = openingHandshake();
    const cuts = [10, 60, bytes.length - 2];
    const unfinishedHeads = cuts.map(async (cut) => {
      const stream = await openStream(port);
      const gone = once(stream.resume(), "close");
      stream.write(bytes.subarray(0, cut));
      await gone;
    });
    const polling = await PollingPeer.open(port);
    const path = `/socket.io/?EIO=4&transport=websocket&sid=${polling.sid}`;
    const unfinishedWebSockets = [await RawWebSocket.open(port, { path })]; // an upgrade without its probe
    for (let count = 0; count < 3; count += 1) {
      unfinishedWebSockets.push(await RawWebSocket.open(port)); // joins no namespace
    }
    await Promise.all(unfinishedHeads);
    for (const peer of unfinishedWebSockets) {
      await peer.expectClose();
      peer.write(closeFrame());
      await peer.ended();
    }
    await eventually(() => io.engine.clientsCount === 0, "a session was left");
    httpServer.closeIdleConnections();
    const countConnections = promisify(httpServer.getConnections.bind(httpServer));
    let count: number;
    do {
      count = await countConnections();
    } while (count > 0);
  });

  it("a flood of pings is answered or ends the connection, and memory stays where it was", async () => {
    const { peer, session } = await (async () => {
      const server = await startBareEngine(implementation);
      const opened = server.nextSession();
      const opening = await RawWebSocket.open(server.port);
      await opening.expectText(/^0\{/);
      return { peer: opening, session: await opened };
    })();
    peer.stream.pause();
    const flood = Buffer.concat(
      Array.from({ length: 5_000 }, () => frame(randomBytes(100), { opcode: OPCODE.ping })),
    );
    await new Promise<void>((resolve) => {
      peer.stream.write(flood, () => resolve());
      setTimeout(resolve, 200);
    });
    peer.stream.resume();
    const { opcode } = await peer.nextFrame();
    expect([OPCODE.pong, OPCODE.close]).toContain(opcode);
    expect(session.transport.socket.bufferedAmount).toBeLessThan(5e6);
  });

  it("many empty fragments do not exhaust the server", async () => {
    const running = await startServer(implementation);
    const peer = await RawWebSocket.join(running.port);
    const closed = peer.expectClose();
    peer.send("4", { isFinal: false });
    const empty = frame("", { opcode: OPCODE.continuation, isFinal: false });
    for (let round = 0; round < 20; round += 1) {
      peer.write(Buffer.concat(Array.from({ length: 1_000 }, () => empty)));
    }
    expect(await closed).toBe(1008);
    await expectToServe(running);
  });

  it("an event of twenty thousand arguments is delivered", async () => {
    const running = await startServer(implementation);
    const { socket, client } = await joinPair(running);
    const many = Array.from({ length: 20_000 }, () => 1);
    const heard = new Promise((resolve) => socket.on("many", (...args) => resolve(args.length)));
    const left = new Promise((resolve) => socket.on("disconnect", resolve));
    client.emit("many", ...many);
    expect(await Promise.race([heard, left])).toBe(20_000);
  });
});
