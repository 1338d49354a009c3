// How WebSocket connections end: half-closes and resets at every stage of the closing handshake, ends that come in the same
// segment as a frame, and what was on its way. Each case comes to the same trace on npm's engine.io and on sio-rs.

import { constants, deflateRawSync } from "node:zlib";
import type { ServerOptions } from "socket.io";
import { eventually } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { closeFrame, frame, OPCODE } from "../harness/raw-websocket";
import { shown, type Trace, TracedEngine, TracedPeer, write } from "../harness/wire-trace";

interface Open {
  engine: TracedEngine;
  peer: TracedPeer;
  session: any;
  trace(echoes?: number): Promise<Trace>;
}

async function startOpen(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
  offer?: string,
): Promise<Open> {
  const engine = await TracedEngine.start(implementation, options);
  const peer = await TracedPeer.open(engine.port, offer);
  const session = engine.session(peer);
  return { engine, peer, session, trace: (echoes) => engine.traceOf(peer, echoes) };
}

const GONE = {
  delivered: [],
  closed: "transport close",
  echoed: [],
  pongs: [],
  closeFrame: "none",
  end: "FIN",
};
const CLOSED_BY_US = { ...GONE, closed: "forced close", closeFrame: "empty" };

describeBoth("websocket endings", (implementation) => {
  it("a FIN in the same segment as a close frame ends the session as the close frame alone does", async () => {
    const { peer, trace } = await startOpen(implementation);
    peer.stream.end(Buffer.concat([frame("4last"), closeFrame(4001, "bye")]));
    expect(await trace()).toEqual({
      ...GONE,
      delivered: ["text last"],
      closeFrame: "4001 bye",
    });
  });

  it("a FIN without a close frame is answered by a FIN without one", async () => {
    const { peer, trace } = await startOpen(implementation);
    peer.stream.end(frame("4last"));
    expect(await trace()).toEqual({ ...GONE, delivered: ["text last"] });
  });

  it("a FIN inside of a frame, or between two fragments, delivers nothing of the message", async () => {
    const engine = await TracedEngine.start(implementation);
    const whole = frame("4a message that is never whole");
    const fragment = frame("4fragment", { isFinal: false });
    for (const bytes of [
      whole.subarray(0, 1),
      whole.subarray(0, 5),
      whole.subarray(0, -1),
      fragment,
    ]) {
      const peer = await TracedPeer.open(engine.port);
      peer.stream.end(Buffer.concat([frame("4before"), bytes]));
      expect(await engine.traceOf(peer)).toEqual({ ...GONE, delivered: ["text before"] });
    }
  });

  it("a reset at every place of a frame is the end of the connection and no violation", async () => {
    const engine = await TracedEngine.start(implementation);
    const bytes = frame(`4${"x".repeat(130)}`);
    for (const cut of [0, 1, 2, 4, 7, 8, 20, bytes.length - 1]) {
      const peer = await TracedPeer.open(engine.port);
      await write(peer.stream, bytes.subarray(0, cut));
      peer.stream.resetAndDestroy();
      const { delivered, closed } = await engine.traceOf(peer);
      expect([cut, delivered, closed]).toEqual([cut, [], "transport close"]);
    }
  });

  it("a reset behind a close frame ends the session no other way than the close frame does", async () => {
    const { peer, trace } = await startOpen(implementation);
    await write(peer.stream, closeFrame(1000));
    await eventually(() => peer.closeFrame !== "none");
    peer.stream.resetAndDestroy();
    expect((await trace()).closed).toBe("transport close");
  });

  it("a peer that answers our close frame gets a FIN", async () => {
    const { peer, session, trace } = await startOpen(implementation);
    session.close();
    await eventually(() => peer.closeFrame === "empty");
    await write(peer.stream, closeFrame());
    expect(await trace()).toEqual(CLOSED_BY_US);
  });

  it("a peer that half-closes instead of answering our close frame gets a FIN", async () => {
    const { peer, session, trace } = await startOpen(implementation);
    session.close();
    await eventually(() => peer.closeFrame === "empty");
    peer.stream.end();
    expect(await trace()).toEqual(CLOSED_BY_US);
  });

  it("a peer that resets instead of answering our close frame is forgotten", async () => {
    const { peer, session, trace } = await startOpen(implementation);
    session.close();
    await eventually(() => peer.closeFrame === "empty");
    peer.stream.resetAndDestroy();
    expect((await trace()).closed).toBe("forced close");
  });

  it("what comes behind our close frame is neither delivered nor answered, and violations are not told", async () => {
    const { peer, session, trace } = await startOpen(implementation);
    session.close();
    await eventually(() => peer.closeFrame === "empty");
    const late = [frame("4late"), frame("late", { opcode: OPCODE.ping }), closeFrame(1000)];
    await write(peer.stream, Buffer.concat(late));
    expect(await trace()).toEqual(CLOSED_BY_US);
  });

  it("the connection stays half open until the peer answers our close frame", async () => {
    const { peer, session, trace } = await startOpen(implementation);
    session.close();
    await eventually(() => peer.closeFrame === "empty");
    // The FIN that must not come would come within this time.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(peer.end).toBeUndefined();
    await write(peer.stream, closeFrame());
    expect(await trace()).toEqual(CLOSED_BY_US);
  });

  it("a violation is answered though the peer has half-closed already", async () => {
    const { peer, trace } = await startOpen(implementation);
    peer.stream.end(Buffer.concat([frame("4before"), frame("", { opcode: 3 })]));
    expect(await trace()).toEqual({
      ...GONE,
      delivered: ["text before"],
      closed: "transport error: RangeError: Invalid WebSocket frame: invalid opcode 3",
      closeFrame: "1002",
    });
  });

  for (const [what, options, offer] of [
    ["plain", {}, undefined],
    ["compressed", { perMessageDeflate: { threshold: 0 } }, "permessage-deflate"],
  ] as [string, Partial<ServerOptions>, string | undefined][]) {
    it(`what was sent before close() comes before the close frame, ${what}`, async () => {
      const { peer, session, trace } = await startOpen(implementation, options, offer);
      const texts = Array.from({ length: 20 }, (_, count) => `${count} `.repeat(5_000));
      for (const text of texts) {
        session.send(text);
      }
      session.close();
      await eventually(() => peer.closeFrame === "empty");
      await write(peer.stream, closeFrame());
      expect(await trace(20)).toEqual({ ...CLOSED_BY_US, echoed: texts.map(shown) });
    });
  }

  it("compressed messages are delivered before the close frame behind them is acted on", async () => {
    const options = { perMessageDeflate: true };
    const { peer, trace } = await startOpen(implementation, options, "permessage-deflate");
    const texts = Array.from({ length: 10 }, (_, count) => `${count} `.repeat(10_000));
    const frames = texts.map((text) => {
      const deflated = deflateRawSync(`4${text}`, { finishFlush: constants.Z_SYNC_FLUSH });
      return frame(deflated.subarray(0, -4), { reserved: 4 });
    });
    await write(peer.stream, Buffer.concat([...frames, closeFrame(1000)]));
    expect(await trace()).toEqual({ ...GONE, delivered: texts.map(shown), closeFrame: "1000" });
  });

  it("a bad compressed message fails after those before it, and those behind it are not looked at", async () => {
    const options = { perMessageDeflate: true };
    const { peer, trace } = await startOpen(implementation, options, "permessage-deflate");
    const good = deflateRawSync("4good", { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    const bytes = [
      frame(good, { reserved: 4 }),
      frame("ping", { opcode: OPCODE.ping }),
      frame(Buffer.alloc(9, 0xff), { reserved: 4 }),
      frame("late", { opcode: OPCODE.ping }),
      closeFrame(1000),
    ];
    await write(peer.stream, Buffer.concat(bytes));
    expect(await trace()).toEqual({
      ...GONE,
      delivered: ["text good"],
      pongs: ["text ping"],
      closed: "transport error: Error: invalid block type",
      closeFrame: "1007",
    });
  });
});
