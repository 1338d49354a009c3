// Binary values: found at any depth, sent as attachments, received as Buffers, on every transport.

import { runInNewContext } from "node:vm";
import { record, settleDown, TRANSPORTS } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer, packetsOf } from "../harness/polling-peer";
import { joinPair, startPair, startServer } from "../harness/servers";

/** Every kind of binary value, each showing the bytes 2, 3, 4 of a larger buffer or all of its own. */
function binaryValues(): [string, unknown][] {
  const whole = Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]).buffer;
  return [
    ["a Buffer", Buffer.from([2, 3, 4])],
    ["a slice of a Buffer", Buffer.from([0, 1, 2, 3, 4, 5]).subarray(2, 5)],
    ["an ArrayBuffer", Uint8Array.from([2, 3, 4]).buffer],
    ["a Uint8Array view", new Uint8Array(whole, 2, 3)],
    ["a DataView with an offset", new DataView(whole, 2, 3)],
    ["an Int8Array", new Int8Array(whole, 2, 3)],
  ];
}

describeBoth("binary", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    for (const [kind, value] of binaryValues()) {
      it(`${kind} goes down over ${label}`, async () => {
        const { socket, client } = await startPair(implementation, {}, { transports });
        const down = once(client, "bin");
        socket.emit("bin", value);
        expect(Buffer.from((await down)[0])).toEqual(Buffer.from([2, 3, 4]));
      });

      it(`${kind} goes up over ${label} and arrives as a Buffer`, async () => {
        const { socket, client } = await startPair(implementation, {}, { transports });
        const up = once(socket, "bin");
        client.emit("bin", value);
        const [bytes] = await up;
        expect(Buffer.isBuffer(bytes)).toBe(true);
        expect(bytes).toEqual(Buffer.from([2, 3, 4]));
      });
    }

    it(`nested Buffers keep their places over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      const value = {
        list: [Buffer.from("a"), 1, { deep: Buffer.from("b") }],
        again: Buffer.alloc(0),
        text: "t",
      };
      const down = once(client, "bin");
      socket.emit("bin", value, Buffer.from("c"));
      expect(await down).toEqual([value, Buffer.from("c")]);
      const up = once(socket, "bin");
      client.emit("bin", value, Buffer.from("c"));
      expect(await up).toEqual([value, Buffer.from("c")]);
    });

    it(`acks carry binary both ways over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      socket.on("q", (bytes, reply) => reply(Buffer.concat([bytes, Buffer.from([9])])));
      client.on("q", (bytes, reply) => reply(Buffer.concat([bytes, Buffer.from([8])])));
      expect(await client.emitWithAck("q", Buffer.from([1]))).toEqual(Buffer.from([1, 9]));
      expect(await socket.emitWithAck("q", Buffer.from([2]))).toEqual(Buffer.from([2, 8]));
    });

    it(`half a megabyte of every byte value survives over ${label}`, async () => {
      const { socket, client } = await startPair(
        implementation,
        { maxHttpBufferSize: 2e6 },
        { transports },
      );
      const bytes = Buffer.alloc(
        512 * 1024,
        Uint8Array.from({ length: 256 }, (_, index) => index),
      );
      socket.on("echo", (data, reply) => reply(data));
      expect(Buffer.compare(await client.emitWithAck("echo", bytes), bytes)).toBe(0);
    });
  }

  it("multi-byte typed arrays arrive as the bytes they show", async () => {
    const { socket, client } = await startPair(implementation);
    const values = [
      new Uint16Array([1, 258]),
      new Float64Array([Math.PI]),
      new BigInt64Array([-1n]),
    ];
    const down = once(client, "bin");
    socket.emit("bin", ...values);
    const expected = values.map((view) => Buffer.from(view.buffer));
    expect((await down).map((bytes) => Buffer.from(bytes))).toEqual(expected);
  });

  it("emit leaves the caller's objects as they were", async () => {
    const { io, socket, client } = await startPair(implementation);
    const bytes = Buffer.from([1]);
    const value = { bytes, list: [bytes] };
    socket.emit("bin", value);
    io.emit("bin", value);
    await settleDown(socket, client);
    expect(value.bytes).toBe(bytes);
    expect(value.list[0]).toBe(bytes);
  });

  it("a change of the bytes in a later turn does not reach the client", async () => {
    const { socket, client } = await startPair(implementation);
    const bytes = Buffer.alloc(64 * 1024, 1);
    const down = once(client, "bin");
    socket.emit("bin", bytes);
    await new Promise((resolve) => setImmediate(resolve));
    const [received] = await down;
    bytes.fill(2);
    expect(received.every((byte: number) => byte === 1)).toBe(true);
  });

  it("attachments of many packets never mix", async () => {
    const running = await startServer(implementation);
    const pairs = [
      await joinPair(running),
      await joinPair(running, "/", { transports: ["polling"] }),
    ];
    const seen = pairs.map(({ client }) => record(client));
    for (let index = 0; index < 60; index += 1) {
      running.io.emit("both", Buffer.from([index, 1]), { second: Buffer.from([index, 2]) });
      for (const { socket } of pairs) {
        socket.emit("text", index);
        socket.emit("one", Buffer.from([index, 3]));
      }
    }
    await Promise.all(pairs.map(({ socket, client }) => settleDown(socket, client)));
    const expected = Array.from({ length: 60 }, (_, index) => [
      ["both", Buffer.from([index, 1]), { second: Buffer.from([index, 2]) }],
      ["text", index],
      ["one", Buffer.from([index, 3])],
    ]).flat();
    for (const events of seen) {
      expect(events).toEqual(expected);
    }
  });

  it("an object that looks like a placeholder stays what it is", async () => {
    const { socket, client } = await startPair(implementation);
    const down = once(client, "text");
    socket.emit("text", { _placeholder: true, num: 0 });
    expect(await down).toEqual([{ _placeholder: true, num: 0 }]);
  });

  it("toJSON is honoured inside of a packet with binary", async () => {
    const { socket, client } = await startPair(implementation);
    const down = once(client, "bin");
    socket.emit("bin", { toJSON: () => ({ bytes: Buffer.from([5]) }) }, Buffer.from([6]));
    expect(await down).toEqual([{ bytes: Buffer.from([5]) }, Buffer.from([6])]);
  });

  it("null and undefined beside binary arrive as null", async () => {
    const { socket, client } = await startPair(implementation);
    const down = once(client, "bin");
    socket.emit("bin", null, undefined, Buffer.from([1]));
    expect(await down).toEqual([null, null, Buffer.from([1])]);
  });

  it("ten attachments in one event of the client are accepted", async () => {
    const { socket, client } = await startPair(implementation);
    const up = once(socket, "many");
    const list = Array.from({ length: 10 }, (_, index) => Buffer.from([index]));
    client.emit("many", list);
    expect(await up).toEqual([list]);
  });

  it("more than ten attachments in one event of the client end the connection", async () => {
    const { socket, client } = await startPair(implementation);
    const failed = once(socket, "error");
    const left = once(socket, "disconnect");
    client.emit(
      "many",
      Array.from({ length: 11 }, (_, index) => Buffer.from([index])),
    );
    expect((await failed)[0].message).toBe("too many attachments");
    expect((await left)[0]).toBe("forced close");
  });

  for (const [kind, value] of [
    ["a Blob", new Blob(["x"])],
    ["a File", new File(["x"], "name")],
  ] as const) {
    it(`${kind} takes the place of an attachment, and is sent as its name`, async () => {
      const { io, port } = await startServer(implementation);
      const joined = once(io, "connection");
      const peer = await PollingPeer.join(port);
      const [socket] = await joined;
      socket.emit("bin", value);
      expect(packetsOf(await peer.poll())).toEqual([
        '451-["bin",{"_placeholder":true,"num":0}]',
        `4[object ${kind.split(" ")[1]}]`,
      ]);
    });
  }

  it("views of another realm are bytes, an ArrayBuffer of it is an empty object", async () => {
    const { io, socket, client } = await startPair(implementation);
    const seen = record(client);
    const [view, nested, buffer] = runInNewContext(`
      const bytes = new Uint8Array([1, 2, 3]);
      [bytes.subarray(1), { deep: [new DataView(bytes.buffer, 1, 1)] }, bytes.buffer]
    `);
    socket.emit("direct", view, nested, buffer);
    io.emit("broadcast", view, nested, buffer);
    await settleDown(socket, client);
    const bytes = [Buffer.from([2, 3]), { deep: [Buffer.from([2])] }, {}];
    expect(seen).toEqual([
      ["direct", ...bytes],
      ["broadcast", ...bytes],
    ]);
  });
});
