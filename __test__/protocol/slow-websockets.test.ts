// WebSocket peers that do not read, or read little at a time: what is sent to them is kept in order and reported as
// buffered, broadcasts and unicasts stay in the order in which they were emitted, and shared frames come whole to everybody.

import { eventually, within } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { startServer } from "../harness/servers";
import { shown, TracedEngine, TracedPeer, write } from "../harness/wire-trace";

const MEBIBYTE = 1024 * 1024;

describeBoth("slow websockets", (implementation) => {
  it("what a peer does not read is counted in bufferedAmount, and comes once it reads", async () => {
    const engine = await TracedEngine.start(implementation);
    const peer = await TracedPeer.open(engine.port);
    const session = engine.session(peer);
    peer.stream.pause();
    const large = Buffer.alloc(16 * MEBIBYTE, "x");
    session.send(large);
    session.send("behind it");
    await eventually(() => session.transport.socket.bufferedAmount > 4 * MEBIBYTE);
    expect(session.transport.socket.bufferedAmount).toBeLessThan(17 * MEBIBYTE);
    peer.stream.resume();
    await eventually(() => peer.echoed.length === 2, "not everything came");
    expect(peer.echoed).toEqual([shown(large), "text behind it"]);
    await eventually(() => session.transport.socket.bufferedAmount === 0);
  });

  it("a session that is closed while its peer does not read delivers what it had before the close frame", async () => {
    const engine = await TracedEngine.start(implementation);
    const peer = await TracedPeer.open(engine.port);
    peer.stream.pause();
    const large = Buffer.alloc(8 * MEBIBYTE, "y");
    engine.session(peer).send(large);
    engine.session(peer).close();
    peer.stream.resume();
    await eventually(() => peer.closeFrame === "empty", "no close frame came");
    expect(peer.echoed).toEqual([shown(large)]);
    peer.stream.end();
    expect((await engine.traceOf(peer)).closed).toBe("forced close");
  });

  it("a peer that vanishes with megabytes unread is let go of", async () => {
    const engine = await TracedEngine.start(implementation);
    const peer = await TracedPeer.open(engine.port);
    const session = engine.session(peer);
    peer.stream.pause();
    session.send(Buffer.alloc(16 * MEBIBYTE));
    await eventually(() => session.transport.socket.bufferedAmount > 4 * MEBIBYTE);
    peer.stream.resetAndDestroy();
    await eventually(() => session.readyState === "closed");
  });

  it("large broadcasts between unicasts come whole and in order to peers that read slowly", async () => {
    const ROUNDS = 12;
    const running = await startServer(implementation);
    const sockets: any[] = [];
    running.io.on("connection", (socket) => sockets.push(socket));
    const peers: RawWebSocket[] = [];
    for (let count = 0; count < 8; count += 1) {
      const peer = await RawWebSocket.join(running.port);
      peer.stream.pause();
      peers.push(peer);
    }
    const text = "*".repeat(150_000);
    const first = Buffer.alloc(100_000, 1);
    const second = Buffer.alloc(70_000, 2);
    for (let round = 0; round < ROUNDS; round += 1) {
      running.io.emit("text", round, text);
      for (const [index, socket] of sockets.entries()) {
        socket.emit("own", index, round);
      }
      running.io.emit("bytes", round, first, second);
      sockets[round % sockets.length].emit("extra", round);
    }
    const ids = sockets.map(({ id }) => id);
    expect(new Set(ids).size).toBe(peers.length);
    await within(
      Promise.all(peers.map((peer, index) => readAll(peer, index))),
      "not everything came",
      9_000,
    );

    async function readAll(peer: RawWebSocket, index: number): Promise<void> {
      // A little at a time, so that the server's writes are cut anywhere.
      const trickle = setInterval(() => {
        peer.stream.resume();
        setImmediate(() => peer.stream.pause());
      }, 1);
      try {
        for (let round = 0; round < ROUNDS; round += 1) {
          await peer.expectText(`42["text",${round},"${text}"]`);
          await peer.expectText(`42["own",${index},${round}]`);
          await peer.expectText(
            `452-["bytes",${round},{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`,
          );
          for (const attachment of [first, second]) {
            const { opcode, isFinal, isMasked, payload } = await peer.nextFrame();
            expect([opcode, isFinal, isMasked]).toEqual([OPCODE.binary, true, false]);
            expect(payload.equals(attachment)).toBe(true);
          }
          if (round % peers.length === index) {
            await peer.expectText(`42["extra",${round}]`);
          }
        }
      } finally {
        clearInterval(trickle);
      }
    }
  });

  it("pings that come faster than their pongs are read are answered in order, the last one at any rate, and others are served", async () => {
    const engine = await TracedEngine.start(implementation);
    const peer = await TracedPeer.open(engine.port);
    peer.stream.pause();
    const payload = (count: number): string => `${count}`.padStart(50, "0");
    const flood = Buffer.concat(
      Array.from({ length: 10_000 }, (_, count) => frame(payload(count), { opcode: OPCODE.ping })),
    );
    // Nobody takes it all before the pongs are read.
    const flooded = write(peer.stream, flood);
    const other = await engine.talk({ bytes: frame("4served"), echoes: 1 });
    expect(other.echoed).toEqual(["text served"]);
    const session = engine.session(peer);
    expect(session.transport.socket.bufferedAmount).toBeLessThan(5 * MEBIBYTE);
    peer.stream.resume();
    await flooded;
    // Once this is echoed nothing waits before the last ping.
    await write(peer.stream, frame("4read"));
    await eventually(() => peer.echoed.length === 1, "no echo came");
    await write(peer.stream, frame(payload(10_000), { opcode: OPCODE.ping }));
    const isOver = (): boolean => peer.pongs.at(-1) === `text ${payload(10_000)}`;
    await eventually(isOver, "the last ping was not answered");
    // Some may go without an answer (RFC 6455 section 5.5.3), none gets two, and none is overtaken.
    const numbers = peer.pongs.map((text) => Number(text.slice("text ".length)));
    expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
    expect(numbers[0]).toBe(0);
    peer.stream.destroy();
    await eventually(() => session.readyState === "closed");
  });
});
