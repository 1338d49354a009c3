// The reference wire samples: socket packets as a polling client of Engine.IO 4 reads and writes them.

import type { Server, Socket } from "socket.io";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer, packetsOf } from "../harness/polling-peer";
import { OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { startServer } from "../harness/servers";

/** What is emitted to a connected socket, and the packets that a poll then reads. */
const EMISSIONS: [string, (socket: Socket, io: Server) => unknown, string[]][] = [
  ["an event", (socket) => socket.emit("hi", 1, "two"), ['42["hi",1,"two"]']],
  ["an event without arguments", (socket) => socket.emit("hi"), ['42["hi"]']],
  ["a number as name", (socket) => socket.emit(7 as never, 1), ["42[7,1]"]],
  [
    "values that JSON changes",
    (socket) =>
      socket.emit("u", undefined, null, Number.NaN, new Date(0), new Map(), -0, () => {}, "tail"),
    ['42["u",null,null,null,"1970-01-01T00:00:00.000Z",{},0,null,"tail"]'],
  ],
  ["text beyond ASCII", (socket) => socket.emit("é", "漢😀\u2028"), ['42["é","漢😀\u2028"]']],
  ["a lone surrogate", (socket) => socket.emit("s", "\ud800"), ['42["s","\\ud800"]']],
  ["escapes", (socket) => socket.emit("e", '"\\\n\u0001'), ['42["e","\\"\\\\\\n\\u0001"]']],
  ["send", (socket) => socket.send("text"), ['42["message","text"]']],
  ["a broadcast", (_socket, io) => io.emit("all", { a: [1] }), ['42["all",{"a":[1]}]']],
  ["a broadcast to a room", (socket, io) => io.to(socket.id).emit("r"), ['42["r"]']],
  [
    "a binary event",
    (socket) => socket.emit("bin", Buffer.from([1, 2, 255])),
    ['451-["bin",{"_placeholder":true,"num":0}]', "bAQL/"],
  ],
  [
    "a binary broadcast",
    (_socket, io) => io.emit("bin", { a: Buffer.from("a"), b: [Buffer.from("b")] }),
    [
      '452-["bin",{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}]',
      "bYQ==",
      "bYg==",
    ],
  ],
  ["disconnect", (socket) => socket.disconnect(), ["41"]],
];

/** What a connected client sends, and what it reads as the answer of `reply`. */
const ACKS: [string, string[], unknown[], string[]][] = [
  ["an ack", ['427["q",5]'], [1], ["437[1]"]],
  ["an ack without arguments", ['420["q"]'], [], ["430[]"]],
  ["an ack with a large id", ['429007199254740991["q"]'], ["x"], ['439007199254740991["x"]']],
  [
    "a binary ack",
    ['427["q"]'],
    [Buffer.from([1])],
    ['461-7[{"_placeholder":true,"num":0}]', "bAQ=="],
  ],
  [
    "an ack of a binary event",
    ['451-8["q",{"_placeholder":true,"num":0}]', "bAQ=="],
    ["got it"],
    ['438["got it"]'],
  ],
];

describeBoth("wire", (implementation) => {
  it("CONNECT of / is 40, its reply 40 with the sid alone", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.open(port);
    await peer.send("40");
    expect(await peer.poll()).toBe(`40{"sid":"${(await joined).id}"}`);
  });

  it("CONNECT of /n is 40/n, and its reply says the namespace", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io.of("/n"), "connection");
    const peer = await PollingPeer.open(port);
    await peer.send("40/n,");
    expect(await peer.poll()).toBe(`40/n,{"sid":"${(await joined).id}"}`);
  });

  it("CONNECT of /n may leave out the comma", async () => {
    const { io, port } = await startServer(implementation);
    io.of("/n");
    const peer = await PollingPeer.open(port);
    await peer.send("40/n");
    expect(await peer.poll()).toMatch(/^40\/n,\{"sid":"[\w-]{20}"\}$/);
  });

  it("an unknown namespace is 44 with the message, and the session stays open", async () => {
    const { port } = await startServer(implementation);
    const peer = await PollingPeer.open(port);
    await peer.send("40/nope,");
    expect(await peer.poll()).toBe('44/nope,{"message":"Invalid namespace"}');
    await peer.send("40");
    expect(await peer.poll()).toMatch(/^40\{/);
  });

  it("an error of a middleware is 44 with message and data", async () => {
    const { io, port } = await startServer(implementation);
    io.of("/x").use((_socket, next) => next(Object.assign(new Error("m"), { data: { a: 1 } })));
    io.use((_socket, next) => next(new Error("bare")));
    const peer = await PollingPeer.open(port);
    await peer.send("40/x,");
    expect(await peer.poll()).toBe('44/x,{"message":"m","data":{"a":1}}');
    await peer.send("40");
    expect(await peer.poll()).toBe('44{"message":"bare"}');
  });

  it("a refusal has what the reason has: nothing of a text, any data that is not undefined", async () => {
    const { io, port } = await startServer(implementation);
    const reasons: Record<string, unknown> = {
      "/text": "a text",
      "/null": Object.assign(new Error("m"), { data: null }),
      "/object": { message: 5, data: 0 },
    };
    for (const [name, reason] of Object.entries(reasons)) {
      io.of(name).use((_socket, next) => next(reason as Error));
    }
    const peer = await PollingPeer.open(port);
    for (const [name, payload] of [
      ["/text", "{}"],
      ["/null", '{"message":"m","data":null}'],
      ["/object", '{"message":5,"data":0}'],
    ]) {
      await peer.send(`40${name},`);
      expect(await peer.poll()).toBe(`44${name},${payload}`);
    }
  });

  for (const [title, emission, packets] of EMISSIONS) {
    it(`${title} is ${packets.join(" and ")}`, async () => {
      const { io, port } = await startServer(implementation);
      const joined = onceValue<Socket>(io, "connection");
      const peer = await PollingPeer.join(port);
      emission(await joined, io);
      expect(packetsOf(await peer.poll())).toEqual(packets);
    });
  }

  for (const [title, question, answer, packets] of ACKS) {
    it(`${title}: ${question.join(" and ")} is answered ${packets.join(" and ")}`, async () => {
      const { io, port } = await startServer(implementation);
      io.on("connection", (socket) => socket.on("q", (...args) => args.at(-1)(...answer)));
      const peer = await PollingPeer.join(port);
      await peer.send(...question);
      expect(packetsOf(await peer.poll())).toEqual(packets);
    });
  }

  it("an event that asks for an ack carries the id of the namespace's counter", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.join(port);
    const socket = await joined;
    internals(io.of("/"))._ids = 41;
    const answered = socket.emitWithAck("q", 1);
    expect(await peer.poll()).toBe('4241["q",1]');
    await peer.send('4341["a",2]');
    expect(await answered).toBe("a");
  });

  it("events, acks and the end of a namespace say its name", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io.of("/n"), "connection");
    const peer = await PollingPeer.open(port);
    await peer.send("40/n,");
    await peer.poll();
    const socket = await joined;
    socket.on("q", (reply) => reply("yes"));
    socket.emit("hi", 1);
    socket.emit("bin", Buffer.from([1]));
    expect(packetsOf(await peer.poll())).toEqual([
      '42/n,["hi",1]',
      '451-/n,["bin",{"_placeholder":true,"num":0}]',
      "bAQ==",
    ]);
    await peer.send('42/n,9["q"]');
    expect(await peer.poll()).toBe('43/n,9["yes"]');
    socket.disconnect();
    expect(await peer.poll()).toBe("41/n,");
  });

  it("an event of the client may carry attachments, also inside of objects", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.join(port);
    const heard = once(await joined, "bin");
    await peer.send(
      '452-["bin",{"a":{"_placeholder":true,"num":1},"b":[{"_placeholder":true,"num":0}]}]',
      "bAQ==",
      "bAg==",
    );
    expect(await heard).toEqual([{ a: Buffer.from([2]), b: [Buffer.from([1])] }]);
  });

  it("an event and an ack without any payload do no harm", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.join(port);
    const socket = await joined;
    await peer.send("42", "4312", "43");
    socket.emit("alive");
    expect(await peer.poll()).toBe('42["alive"]');
    expect(socket.connected).toBe(true);
  });

  it("an event without any payload that asks for an ack has the ack for its only argument", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.join(port);
    (await joined).onAny((reply: unknown, ...rest) => {
      (reply as (value: unknown) => void)(rest);
    });
    await peer.send("4212");
    expect(await peer.poll()).toBe("4312[[]]");
  });

  it("over websocket the packet and its attachments are consecutive frames", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await RawWebSocket.join(port);
    const socket = await joined;
    socket.emit("bin", Buffer.from([1]), Buffer.from([2]));
    io.emit("text");
    await peer.expectText(
      '452-["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
    );
    for (const byte of [1, 2]) {
      const { opcode, payload } = await peer.nextFrame();
      expect([opcode, payload]).toEqual([OPCODE.binary, Buffer.from([byte])]);
    }
    await peer.expectText('42["text"]');
  });
});
