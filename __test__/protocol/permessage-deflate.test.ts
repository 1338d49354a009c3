// permessage-deflate (RFC 7692) over an open session: what clients of ws say and hear under every agreement, and what a
// peer that writes its frames by hand may send. How offers are answered is tested in engine/deflate-negotiation.test.ts.

import { randomBytes } from "node:crypto";
import { constants, createDeflateRaw, deflateRawSync, inflateRawSync } from "node:zlib";
import type { ServerOptions } from "socket.io";
import { type PerMessageDeflateOptions, WebSocket } from "ws";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { closeClientAfterTest } from "../harness/cleanup";
import { eventually, once, within } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { exchange } from "../harness/raw-http";
import { frame, OPCODE, openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { startServer } from "../harness/servers";

/** RSV1, as `FrameShape` counts. */
const COMPRESSED = 4;
const OFFER = "permessage-deflate";

/** The payload of a compressed message (RFC 7692 section 7.2.1). */
function deflated(message: string | Buffer, dictionary?: Buffer): Buffer {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, dictionary };
  return deflateRawSync(message, options).subarray(0, -4);
}

/** What such a payload says. */
function inflated(payload: Buffer, dictionary?: Buffer): string {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, dictionary };
  const whole = Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]);
  return inflateRawSync(whole, options).toString();
}

interface Open extends BareEngine {
  peer: RawWebSocket;
  session: Session;
  messages: unknown[];
  /** Resolves with reason and description. */
  closed: Promise<[string, any]>;
}

/** A session with a peer whose offer was accepted. */
async function startOpen(
  implementation: Implementation,
  perMessageDeflate: object | true = true,
  { offer = OFFER, ...options }: Partial<ServerOptions> & { offer?: string } = {},
): Promise<Open> {
  const server = await startBareEngine(implementation, { perMessageDeflate, ...options } as any);
  const opened = server.nextSession();
  const headers = { "Sec-WebSocket-Extensions": offer };
  const peer = await RawWebSocket.open(server.port, { headers });
  expect(peer.head).toMatch(/^Sec-WebSocket-Extensions: permessage-deflate/m);
  const session = await opened;
  const first = await peer.nextFrame();
  expect((first.reserved & COMPRESSED ? inflated(first.payload) : first.text)[0]).toBe("0");
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => messages.push(data));
  const closed = once(session, "close") as Promise<[string, any]>;
  closed.catch(() => {}); // most cases do not ask
  return { ...server, peer, session, messages, closed };
}

/** With this a message can be read alone, and the threshold counts. */
const NO_CONTEXT = "permessage-deflate; server_no_context_takeover";

const SIZES = [0, 1, 16, 125, 126, 1023, 1024, 1025, 8192, 65_535, 65_536, 131_072];

/** Data that repeats itself, and data that does not. */
function contents(size: number): (string | Buffer)[] {
  return [
    "say it again. ".repeat(Math.ceil(size / 14)).slice(0, size),
    Buffer.alloc(size, "0123456789abcdef"),
    randomBytes(size),
  ];
}

/** What both ends ask for; the Autobahn groups 12 and 13 have these. */
const AGREEMENTS: [string, PerMessageDeflateOptions, PerMessageDeflateOptions][] = [
  ["nothing", {}, {}],
  ["a threshold of 0", { threshold: 0 }, { threshold: 0 }],
  ["no server context", { serverNoContextTakeover: true }, {}],
  ["no client context", { clientNoContextTakeover: true }, {}],
  [
    "no context, by the client",
    {},
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
  ],
  ["a server context by all means", { serverNoContextTakeover: false, threshold: 0 }, {}],
  [
    "a server context in a small window",
    { serverNoContextTakeover: false, serverMaxWindowBits: 9, threshold: 100 },
    {},
  ],
  ["windows of 8", { threshold: 0 }, { serverMaxWindowBits: 8, clientMaxWindowBits: 8 }],
  ["windows of 9", { serverMaxWindowBits: 9, clientMaxWindowBits: 9 }, {}],
  ["windows of 12 and 15", { serverMaxWindowBits: 12, clientMaxWindowBits: 15 }, {}],
  [
    "small memory, small windows",
    {
      serverMaxWindowBits: 10,
      clientMaxWindowBits: 10,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      threshold: 1,
      zlibDeflateOptions: { level: 1, memLevel: 1, strategy: constants.Z_RLE },
    },
    { zlibDeflateOptions: { level: 9, memLevel: 9 } },
  ],
  ["no compression inside", { threshold: 0, zlibDeflateOptions: { level: 0 } }, {}],
  ["fixed codes", { threshold: 0, zlibDeflateOptions: { strategy: constants.Z_FIXED } }, {}],
];

async function openClient(port: number, options: PerMessageDeflateOptions): Promise<WebSocket> {
  const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
  const client = new WebSocket(url, { perMessageDeflate: options });
  closeClientAfterTest(() => client.terminate());
  await Promise.all([once(client, "open"), once(client, "message")]);
  return client;
}

describeBoth("permessage-deflate", (implementation) => {
  for (const [what, serverOptions, clientOptions] of AGREEMENTS) {
    it(`everything comes through: ${what}`, async () => {
      const server = await startBareEngine(implementation, {
        perMessageDeflate: serverOptions,
      } as any);
      server.engine.on("connection", (session: Session) => {
        session.on("message", (data: unknown) => session.send(data));
      });
      const client = await openClient(server.port, clientOptions);
      expect(client.extensions).toBe(OFFER);
      const sent = SIZES.flatMap(contents);
      const heard: (string | Buffer)[] = [];
      const all = new Promise<void>((resolve) => {
        client.on("message", (data: Buffer, isBinary) => {
          heard.push(isBinary ? data : data.toString().slice(1));
          if (heard.length === sent.length) {
            resolve();
          }
        });
      });
      for (const content of sent) {
        client.send(typeof content === "string" ? `4${content}` : content);
      }
      await within(all, () => `${heard.length} of ${sent.length} messages came`);
      for (const [index, content] of sent.entries()) {
        expect(heard[index]?.length).toBe(content.length);
        expect(Buffer.from(heard[index] as Buffer).equals(Buffer.from(content as Buffer))).toBe(
          true,
        );
      }
    });
  }

  it("a message may be compressed as a whole, in fragments, or not at all", async () => {
    const { peer, messages, session } = await startOpen(implementation);
    const whole = deflated("4in three fragments");
    const heard = once(session, "heartbeat").catch(() => {});
    peer.send(deflated("4whole"), { reserved: COMPRESSED });
    peer.send("4plain");
    peer.send(whole.subarray(0, 5), { reserved: COMPRESSED, isFinal: false });
    peer.send("ping", { opcode: OPCODE.ping });
    peer.send(whole.subarray(5, 6), { opcode: OPCODE.continuation, isFinal: false });
    peer.send("", { opcode: OPCODE.continuation, isFinal: false });
    peer.send(whole.subarray(6), { opcode: OPCODE.continuation });
    peer.send(deflated(Buffer.from([1, 2, 3])), { opcode: OPCODE.binary, reserved: COMPRESSED });
    peer.send(deflated("3"), { reserved: COMPRESSED });
    const pong = await peer.nextFrame();
    expect([pong.opcode, pong.reserved, pong.text]).toEqual([OPCODE.pong, 0, "ping"]);
    await heard;
    expect(messages).toEqual(["whole", "plain", "in three fragments", Buffer.from([1, 2, 3])]);
  });

  it("a compressed message is heard in a turn of its own, with those of its read behind it that are not compressed", async () => {
    const { peer, session } = await startOpen(implementation, true, {
      offer: `${OFFER}; client_no_context_takeover`,
    });
    const turns: string[][] = [];
    let turn: string[] | undefined;
    const all = new Promise<void>((resolve) => {
      session.on("message", (data: string) => {
        if (turn === undefined) {
          turn = [];
          turns.push(turn);
          setImmediate(() => {
            turn = undefined;
          });
        }
        turn.push(data);
        if (data === "last") {
          resolve();
        }
      });
    });
    const compressed = (text: string) => frame(deflated(text), { reserved: COMPRESSED });
    peer.write(
      Buffer.concat([
        ...[frame("4a"), frame("4b"), compressed("4c"), frame("4d")],
        ...[compressed("4e"), compressed("4f"), frame("4last")],
      ]),
    );
    await within(all, "the last message was not heard");
    expect(turns).toEqual([["a", "b"], ["c", "d"], ["e"], ["f", "last"]]);
  });

  for (const [what, isCompressed] of [
    ["compressed", true],
    ["as they are", false],
  ] as const) {
    it(`CONNECT, an event and DISCONNECT in one read, ${what}: ${isCompressed ? "each is dealt with" : "the connection is closed"}`, async () => {
      const { io, port } = await startServer(implementation, { perMessageDeflate: true });
      const heard: string[] = [];
      const closed = new Promise<string>((resolve) => {
        io.engine.on("connection", (session: Session) => session.on("close", resolve));
      });
      io.on("connection", (socket) => {
        socket.on("hello", () => heard.push("hello"));
        socket.on("disconnect", (reason) => heard.push(reason));
      });
      const headers = { "Sec-WebSocket-Extensions": `${OFFER}; client_no_context_takeover` };
      const peer = await RawWebSocket.open(port, { headers });
      const packets = ["40", '42["hello"]', "41"];
      peer.write(
        Buffer.concat(
          packets.map((text) =>
            isCompressed ? frame(deflated(text), { reserved: COMPRESSED }) : frame(text),
          ),
        ),
      );
      if (isCompressed) {
        await eventually(() => heard.length === 2);
        peer.stream.destroy();
      }
      const reason = await within(closed, "the session was not closed");
      expect([reason, heard]).toEqual(
        isCompressed
          ? ["transport close", ["hello", "client namespace disconnect"]]
          : ["forced close", []],
      );
    });
  }

  it("a compressed message may come one byte at a time", async () => {
    const { peer, session } = await startOpen(implementation);
    const message = once(session, "message");
    for (const byte of frame(deflated("4bytes"), { reserved: COMPRESSED })) {
      peer.write(Buffer.from([byte]));
    }
    expect(await message).toEqual(["bytes"]);
  });

  it("a message may refer to those before it", async () => {
    const { peer, session, messages } = await startOpen(implementation);
    const compressor = createDeflateRaw();
    for (let count = 0; count < 3; count += 1) {
      const chunks: Buffer[] = [];
      compressor.on("data", (chunk) => chunks.push(chunk));
      compressor.write(`4the same words, time and again, ${count}`);
      await new Promise<void>((resolve) => compressor.flush(constants.Z_SYNC_FLUSH, resolve));
      compressor.removeAllListeners("data");
      const payload = Buffer.concat(chunks).subarray(0, -4);
      expect(payload.length < 12).toBe(count > 0);
      const message = once(session, "message");
      peer.send(payload, { reserved: COMPRESSED });
      await message;
    }
    expect(messages).toEqual([0, 1, 2].map((count) => `the same words, time and again, ${count}`));
  });

  it("without client context takeover a message cannot refer to those before it", async () => {
    const offer = "permessage-deflate; client_no_context_takeover";
    const { peer, closed } = await startOpen(implementation, true, { offer });
    peer.send(deflated("4Hello Hello"), { reserved: COMPRESSED });
    peer.send(deflated("4Hello Hello", Buffer.from("4Hello Hello")), { reserved: COMPRESSED });
    expect(await peer.expectClose()).toBe(1007);
    const [reason, { message }] = await closed;
    expect([reason, message]).toEqual(["transport error", "Error: invalid distance too far back"]);
  });

  for (const [what, bytes, text] of [
    ["no deflate data", Buffer.alloc(20, 0xff), "Error: invalid block type"],
    [
      "a lie about a length",
      Buffer.from([0, 5, 0, 0, 0, 1]),
      "Error: invalid stored block lengths",
    ],
    [
      "text that is not UTF-8",
      deflated(Buffer.from([0x34, 0xff])),
      "Error: Invalid WebSocket frame: invalid UTF-8 sequence",
    ],
  ] as [string, Buffer, string][]) {
    it(`a compressed message with ${what} is answered with 1007`, async () => {
      const { peer, messages, closed } = await startOpen(implementation);
      peer.send(bytes, { reserved: COMPRESSED });
      peer.send("4late");
      expect(await peer.expectClose()).toBe(1007);
      const [reason, { message }] = await closed;
      expect([reason, message, messages]).toEqual(["transport error", text, []]);
    });
  }

  for (const [what, bytes] of [
    ["a ping", frame("", { opcode: OPCODE.ping, reserved: COMPRESSED })],
    ["a close frame", frame("", { opcode: OPCODE.close, reserved: COMPRESSED })],
    [
      "a fragment that is not the first",
      Buffer.concat([
        frame(deflated("4a"), { reserved: COMPRESSED, isFinal: false }),
        frame("b", { opcode: OPCODE.continuation, reserved: COMPRESSED }),
      ]),
    ],
    ["a continuation of nothing", frame("", { opcode: OPCODE.continuation, reserved: COMPRESSED })],
  ] as [string, Buffer][]) {
    it(`the mark of compression on ${what} is answered with 1002`, async () => {
      const { peer, closed } = await startOpen(implementation);
      peer.write(bytes);
      expect(await peer.expectClose()).toBe(1002);
      const [, { message }] = await closed;
      expect(message).toBe("RangeError: Invalid WebSocket frame: RSV1 must be clear");
    });
  }

  it("a message that is over the limit once it is inflated is answered with 1009", async () => {
    const { peer, messages, closed } = await startOpen(implementation, true, {
      maxHttpBufferSize: 100_000,
    });
    peer.send(deflated(`4${"x".repeat(99_999)}`), { reserved: COMPRESSED });
    peer.send(deflated(Buffer.alloc(50_000_000)), { reserved: COMPRESSED });
    expect(await peer.expectClose()).toBe(1009);
    const [reason, { message }] = await closed;
    expect([reason, message]).toEqual(["transport error", "RangeError: Max payload size exceeded"]);
    expect(messages).toEqual(["x".repeat(99_999)]);
  });

  it("fragments that are over the limit only together are answered with 1009", async () => {
    const { peer, messages } = await startOpen(implementation, true, { maxHttpBufferSize: 1_000 });
    const whole = deflated(`4${"x".repeat(1_000)}`);
    peer.send(whole.subarray(0, 4), { reserved: COMPRESSED, isFinal: false });
    peer.send(whole.subarray(4), { opcode: OPCODE.continuation });
    expect(await peer.expectClose()).toBe(1009);
    expect(messages).toEqual([]);
  });

  it("data that ends too early gives what it has", async () => {
    const { peer, session } = await startOpen(implementation);
    const message = once(session, "message");
    // A stored block announces ten bytes and has two; the four that complete a message are taken for its content.
    peer.send(Buffer.from([0x00, 10, 0, 0xf5, 0xff, 0x34, 0x61]), {
      opcode: OPCODE.binary,
      reserved: COMPRESSED,
    });
    expect(await message).toEqual([Buffer.from([0x34, 0x61, 0, 0, 0xff, 0xff])]);
  });

  it("a block that is marked as the last one ends the message", async () => {
    const { peer, session } = await startOpen(implementation);
    const message = once(session, "message");
    peer.send(Buffer.concat([deflateRawSync("4Hello"), Buffer.from([0])]), {
      reserved: COMPRESSED,
    });
    expect(await message).toEqual(["Hello"]);
  });

  it("a long message goes out compressed, its attachments each by itself", async () => {
    const { peer, session } = await startOpen(
      implementation,
      { threshold: 50 },
      { offer: NO_CONTEXT },
    );
    session.write("long ".repeat(100));
    session.write(Buffer.alloc(2_000, "ab"));
    const text = await peer.nextFrame();
    expect([text.opcode, text.reserved, text.isFinal]).toEqual([OPCODE.text, COMPRESSED, true]);
    expect(inflated(text.payload)).toBe(`4${"long ".repeat(100)}`);
    const binary = await peer.nextFrame();
    expect([binary.opcode, binary.reserved]).toEqual([OPCODE.binary, COMPRESSED]);
    expect(inflated(binary.payload)).toBe("ab".repeat(1_000));
    expect(binary.payload.length).toBeLessThan(50);
  });

  it("without server context takeover the threshold counts, to the byte", async () => {
    const { peer, session } = await startOpen(
      implementation,
      { threshold: 50 },
      { offer: NO_CONTEXT },
    );
    session.write("x".repeat(48));
    session.write("x".repeat(49)); // 50 with the packet type
    const frames = [await peer.nextFrame(), await peer.nextFrame()];
    expect(frames.map(({ reserved }) => reserved)).toEqual([0, COMPRESSED]);
  });

  it("with server context takeover a message is compressed however short it is", async () => {
    const { peer, session } = await startOpen(implementation);
    session.write("short");
    expect((await peer.nextFrame()).reserved).toBe(COMPRESSED);
  });

  it("compress: false has no say over a WebSocket", async () => {
    const { peer, session } = await startOpen(implementation, true, { offer: NO_CONTEXT });
    session.write("x".repeat(5_000), { compress: false });
    expect((await peer.nextFrame()).reserved).toBe(COMPRESSED);
  });

  it("with serverNoContextTakeover: false a message refers to those before it", async () => {
    const { peer, session } = await startOpen(implementation, {
      serverNoContextTakeover: false,
      threshold: 500,
    });
    const words = randomBytes(400).toString("hex");
    session.write(`${words} 1`);
    session.write(`${words} 2`);
    const [first, second] = [await peer.nextFrame(), await peer.nextFrame()];
    expect([first.reserved, second.reserved]).toEqual([COMPRESSED, COMPRESSED]);
    expect(second.payload.length).toBeLessThan(first.payload.length / 4);
  });

  it("frames of the protocol itself are never compressed", async () => {
    const { peer, session } = await startOpen(
      implementation,
      { threshold: 0 },
      { offer: NO_CONTEXT },
    );
    peer.send("x".repeat(125), { opcode: OPCODE.ping });
    const pong = await peer.nextFrame();
    expect([pong.opcode, pong.reserved]).toEqual([OPCODE.pong, 0]);
    session.close();
    const close = await peer.nextFrame();
    expect([close.opcode, close.reserved]).toEqual([OPCODE.close, 0]);
  });

  it("an upgrade may agree to it, and what waited for a poll follows over the WebSocket", async () => {
    const { port, nextSession } = await startBareEngine(implementation, {
      perMessageDeflate: { threshold: 10 },
    } as any);
    const opened = nextSession();
    const response = await exchange(
      port,
      "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    const { sid } = JSON.parse(/\{.*\}/.exec(response)?.[0] as string);
    const session = await opened;
    const peer = await RawWebSocket.open(port, {
      path: `/socket.io/?EIO=4&transport=websocket&sid=${sid}`,
      headers: { "Sec-WebSocket-Extensions": NO_CONTEXT },
    });
    session.write("waits for a poll");
    peer.send(deflated("2probe"), { reserved: COMPRESSED });
    await peer.expectText("3probe");
    const upgraded = once(session, "upgrade");
    peer.send("5");
    await upgraded;
    session.write("comes after the upgrade");
    const texts = [];
    for (let count = 0; count < 2; count += 1) {
      const { reserved, payload, text } = await peer.nextFrame();
      texts.push(reserved === COMPRESSED ? inflated(payload) : text);
    }
    expect(texts).toEqual(["4waits for a poll", "4comes after the upgrade"]);
    expect(session.transport.socket.extensions).toBe(OFFER);
  });

  it("an offer that cannot be accepted is refused, whatever else is offered", async () => {
    const { port } = await startBareEngine(implementation, { perMessageDeflate: true } as any);
    const headers = { "Sec-WebSocket-Extensions": `${OFFER}, ${OFFER}; unknown` };
    const answer = await exchange(port, openingHandshake({ headers }));
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain("\r\n\r\nInvalid or unacceptable Sec-WebSocket-Extensions header");
  });

  it("a client that offers nothing is served without it", async () => {
    const { port, nextSession } = await startBareEngine(implementation, {
      perMessageDeflate: { threshold: 0 },
    } as any);
    const opened = nextSession();
    const peer = await RawWebSocket.open(port);
    expect(peer.head).not.toContain("Extensions");
    await peer.expectText(/^0\{/);
    const session = await opened;
    session.write("x".repeat(5_000));
    await peer.expectText(`4${"x".repeat(5_000)}`);
    peer.send(deflated("4a"), { reserved: COMPRESSED });
    expect(await peer.expectClose()).toBe(1002);
  });
});
