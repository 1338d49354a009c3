// Frames and packets of an open WebSocket session (RFC 6455 §5, Engine.IO over WebSocket): what is delivered,
// what is ignored, which violation is answered with which close code, and the closing handshake.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { closeFrame, type FrameShape, frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";

interface Open extends BareEngine {
  peer: RawWebSocket;
  session: Session;
  messages: unknown[];
  /** Resolves when everything that the peer sent so far was handled. */
  settled(): Promise<void>;
}

async function startOpen(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<Open> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port);
  await peer.expectText(/^0\{/);
  const session = await opened;
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => {
    if (data !== "settled?") {
      messages.push(data);
    }
  });
  const settled = async (): Promise<void> => {
    const heard = new Promise<void>((resolve) => {
      session.on("message", (data: unknown) => data === "settled?" && resolve());
    });
    peer.send("4settled?");
    await heard;
  };
  return { ...server, peer, session, messages, settled };
}

/** Every violation: what the peer writes, and the close code that answers it. */
const VIOLATIONS: [string, Buffer, number][] = [
  ["RSV1 without an extension", frame("4x", { reserved: 4 }), 1002],
  ["RSV2", frame("4x", { reserved: 2 }), 1002],
  ["RSV3", frame("4x", { reserved: 1 }), 1002],
  ["a reserved bit on a ping", frame("", { opcode: OPCODE.ping, reserved: 4 }), 1002],
  ["a frame without a mask", frame("4x", { isMasked: false }), 1002],
  ["opcode 3", frame("", { opcode: 3 }), 1002],
  ["opcode 11", frame("", { opcode: 11 }), 1002],
  ["a continuation of nothing", frame("x", { opcode: OPCODE.continuation }), 1002],
  [
    "a new message inside of a fragmented one",
    Buffer.concat([frame("4a", { isFinal: false }), frame("4b")]),
    1002,
  ],
  ["a fragmented ping", frame("", { opcode: OPCODE.ping, isFinal: false }), 1002],
  ["a ping of 126 bytes", frame("x".repeat(126), { opcode: OPCODE.ping }), 1002],
  ["a close frame of one byte", frame("x", { opcode: OPCODE.close }), 1002],
  ["a text that is not UTF-8", frame(Buffer.from([0x34, 0xc3, 0x28])), 1007],
  ["an overlong encoding", frame(Buffer.from([0x34, 0xc0, 0xaf])), 1007],
  ["an encoded surrogate", frame(Buffer.from([0x34, 0xed, 0xa0, 0x80])), 1007],
  ["a text that ends inside of a character", frame(Buffer.from([0x34, 0xe2, 0x82])), 1007],
  ["a close reason that is not UTF-8", closeFrame(1000, Buffer.from([0xff])), 1007],
  ["a length over 2^53", frame("", { announcedLength: 2n ** 60n }), 1009],
  ["a length of a terabyte", frame("", { announcedLength: 2n ** 40n }), 1009],
];

const INVALID_CLOSE_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
const VALID_CLOSE_CODES = [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999];

describeBoth("websocket frames", (implementation) => {
  it("text and binary messages are delivered", async () => {
    const { peer, messages, settled } = await startOpen(implementation);
    peer.send("4hello é😀");
    peer.send(Buffer.from([0, 255]), { opcode: OPCODE.binary });
    peer.send("bAP8=");
    peer.send(Buffer.alloc(0), { opcode: OPCODE.binary });
    await settled();
    expect(messages).toEqual([
      "hello é😀",
      Buffer.from([0, 255]),
      Buffer.from([0, 255]),
      Buffer.alloc(0),
    ]);
    expect(messages.slice(1).every((data) => Buffer.isBuffer(data))).toBe(true);
  });

  it("one packet is one unmasked, unfragmented frame with the shortest length", async () => {
    const { peer, session } = await startOpen(implementation);
    for (const size of [0, 1, 124, 125, 126, 65_534, 65_535, 70_000]) {
      session.send("x".repeat(size));
      const received = await peer.nextFrame();
      expect(received.text.length).toBe(size + 1);
      expect([received.opcode, received.isFinal, received.reserved, received.isMasked]).toEqual([
        OPCODE.text,
        true,
        0,
        false,
      ]);
    }
    session.send(Buffer.from([1, 2, 3]));
    const { opcode, payload } = await peer.nextFrame();
    expect([opcode, payload]).toEqual([OPCODE.binary, Buffer.from([1, 2, 3])]);
  });

  for (const size of [0, 124, 125, 126, 127, 65_534, 65_535, 65_536, 200_000]) {
    it(`a message of ${size} bytes is delivered, also byte by byte in its head`, async () => {
      const { peer, messages, settled } = await startOpen(implementation);
      const bytes = frame(`4${"x".repeat(size)}`);
      for (const byte of bytes.subarray(0, 16)) {
        peer.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      peer.write(bytes.subarray(16));
      await settled();
      expect(messages.map((text) => String(text ?? "").length)).toEqual([size]);
    });
  }

  it("a length that is longer than needed is accepted", async () => {
    const { peer, messages, settled } = await startOpen(implementation);
    const short = frame("4x");
    const mask = short.subarray(2);
    peer.write(Buffer.concat([Buffer.from([0x81, 0x80 | 126, 0, 2]), mask]));
    await settled();
    expect(messages).toEqual(["x"]);
  });

  it("a mask of zeros is a mask", async () => {
    const { peer, messages, settled } = await startOpen(implementation);
    peer.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x78]));
    await settled();
    expect(messages).toEqual(["x"]);
  });

  it("fragments make one message, cut anywhere, with pings and pongs in between", async () => {
    const { peer, messages, settled } = await startOpen(implementation);
    const bytes = Buffer.from("4é😀 text");
    peer.send(bytes.subarray(0, 2), { isFinal: false });
    peer.send("are you there", { opcode: OPCODE.ping });
    peer.send(Buffer.alloc(0), { opcode: OPCODE.continuation, isFinal: false });
    peer.send("unasked", { opcode: OPCODE.pong });
    peer.send(bytes.subarray(2, 5), { opcode: OPCODE.continuation, isFinal: false });
    peer.send(bytes.subarray(5), { opcode: OPCODE.continuation });
    const { opcode, text } = await peer.nextFrame();
    expect([opcode, text]).toEqual([OPCODE.pong, "are you there"]);
    await settled();
    expect(messages).toEqual(["é😀 text"]);
  });

  it("many frames in one segment are delivered in order", async () => {
    const { peer, messages, settled } = await startOpen(implementation);
    peer.write(Buffer.concat(Array.from({ length: 500 }, (_, index) => frame(`4${index}`))));
    await settled();
    expect(messages).toEqual(Array.from({ length: 500 }, (_, index) => String(index)));
  });

  it("WebSocket pings are answered with the same payload, in order", async () => {
    const { peer } = await startOpen(implementation);
    for (const payload of ["", "a", "x".repeat(125)]) {
      peer.send(payload, { opcode: OPCODE.ping });
    }
    for (const payload of ["", "a", "x".repeat(125)]) {
      const { opcode, text } = await peer.nextFrame();
      expect([opcode, text]).toEqual([OPCODE.pong, payload]);
    }
  });

  it("open, close, upgrade and noop packets are ignored on an open websocket", async () => {
    const { peer, session, messages, settled } = await startOpen(implementation);
    const packets: string[] = [];
    session.on("packet", ({ type }: { type: string }) => packets.push(type));
    for (const packet of ["0", "1", "5", "6"]) {
      peer.send(packet);
    }
    peer.send("4after");
    await settled();
    expect(session.readyState).toBe("open");
    expect(messages).toEqual(["after"]);
    expect(packets.slice(-2)).toEqual(["message", "message"]);
  });

  for (const [title, text] of [
    ["an unknown packet type", "9"],
    ["an empty text", ""],
  ] as const) {
    it(`${title} is a parse error`, async () => {
      const { peer, session } = await startOpen(implementation);
      const closed = once(session, "close");
      peer.send(text);
      expect((await closed)[0]).toBe("parse error");
      expect(await peer.expectClose()).toBeUndefined();
    });
  }

  it("a ping packet of the client is the wrong heartbeat direction", async () => {
    const { peer, session } = await startOpen(implementation);
    const closed = once(session, "close");
    peer.send("2");
    const [reason, description] = await closed;
    expect([reason, description.message]).toEqual([
      "transport error",
      "invalid heartbeat direction",
    ]);
    expect(await peer.expectClose()).toBeUndefined();
  });

  for (const [title, bytes, code] of VIOLATIONS) {
    it(`${title} is answered ${code}, and the session ends with "transport error"`, async () => {
      const { peer, session, engine } = await startOpen(implementation);
      const closed = once(session, "close");
      peer.write(bytes);
      const [reason, description] = await closed;
      expect(reason).toBe("transport error");
      expect(description).toBeInstanceOf(Error);
      expect(await peer.expectClose()).toBe(code);
      expect(engine.clientsCount).toBe(0);
    });
  }

  for (const code of INVALID_CLOSE_CODES) {
    it(`the close code ${code} is invalid`, async () => {
      const { peer, session } = await startOpen(implementation);
      const closed = once(session, "close");
      peer.write(closeFrame(code));
      expect((await closed)[0]).toBe("transport error");
      expect(await peer.expectClose()).toBe(1002);
    });
  }

  for (const code of VALID_CLOSE_CODES) {
    it(`the close code ${code} is echoed, and the server ends the connection`, async () => {
      const { peer, session } = await startOpen(implementation);
      const closed = once(session, "close");
      peer.write(closeFrame(code, "a reason"));
      expect((await closed)[0]).toBe("transport close");
      const { opcode, payload } = await peer.nextFrame();
      expect([opcode, payload.readUInt16BE(), payload.subarray(2).toString()]).toEqual([
        OPCODE.close,
        code,
        "a reason",
      ]);
      await peer.ended();
    });
  }

  it("a close frame without a code is echoed without one", async () => {
    const { peer, session } = await startOpen(implementation);
    const closed = once(session, "close");
    peer.write(closeFrame());
    expect((await closed)[0]).toBe("transport close");
    expect(await peer.expectClose()).toBeUndefined();
    await peer.ended();
  });

  it("what comes before a close frame in the same segment is delivered, what comes after is not", async () => {
    const { peer, session, messages } = await startOpen(implementation);
    const closed = once(session, "close");
    peer.write(Buffer.concat([frame("4before"), closeFrame(1000), frame("4after")]));
    await closed;
    expect(messages).toEqual(["before"]);
  });

  it("the limit is maxHttpBufferSize exactly, for one frame and for the sum of fragments", async () => {
    const limit = { maxHttpBufferSize: 100 };
    const first = await startOpen(implementation, limit);
    first.peer.send(`4${"x".repeat(99)}`);
    await first.settled();
    expect(first.messages).toEqual(["x".repeat(99)]);

    const shapes: [string, FrameShape][][] = [
      [[`4${"x".repeat(100)}`, {}]],
      [
        [`4${"x".repeat(59)}`, { isFinal: false }],
        ["x".repeat(41), { opcode: OPCODE.continuation }],
      ],
    ];
    for (const fragments of shapes) {
      const { peer, session } = await startOpen(implementation, limit);
      const closed = once(session, "close");
      for (const [payload, shape] of fragments) {
        peer.send(payload, shape);
      }
      const [reason, description] = await closed;
      expect([reason, description.message]).toEqual([
        "transport error",
        "RangeError: Max payload size exceeded",
      ]);
      expect(await peer.expectClose()).toBe(1009);
    }
  });

  it('the end of the TCP connection is "transport close"', async () => {
    for (const end of ["end", "destroy", "resetAndDestroy"] as const) {
      const { peer, session } = await startOpen(implementation);
      const closed = once(session, "close");
      peer.stream[end]();
      const [reason, description] = await closed;
      expect([reason, description]).toEqual(["transport close", undefined]);
    }
  });

  it("session.close() emits close before it returns and sends an empty close frame", async () => {
    const { peer, session, engine } = await startOpen(implementation);
    const log: unknown[] = [];
    session.on("close", (reason: string) =>
      log.push(reason, session.readyState, engine.clientsCount),
    );
    session.close();
    expect(log).toEqual(["forced close", "closed", 0]);
    expect(await peer.expectClose()).toBeUndefined();
    peer.write(closeFrame());
    await peer.ended();
  });

  it("what was sent before session.close() arrives before the close frame", async () => {
    const { peer, session } = await startOpen(implementation);
    session.send("one");
    session.send("two");
    session.close();
    await peer.expectText("4one");
    await peer.expectText("4two");
    expect(await peer.expectClose()).toBeUndefined();
  });
});
