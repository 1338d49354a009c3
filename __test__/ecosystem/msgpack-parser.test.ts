// socket.io-msgpack-parser 3 as it is, on both ends: packets as single binary messages, whatever they carry.

import * as msgpack from "socket.io-msgpack-parser";
import { TRANSPORTS } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { joinPair, startServer } from "../harness/servers";

const parser = msgpack as never;

/** What JSON would not keep. */
const VALUE = {
  bytes: Buffer.from([0, 255]),
  text: "€ \u0000",
  list: [1, 2.5, -3, null, true],
  nested: { big: 2 ** 40, empty: {} },
};

describeBoth("msgpack parser", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`carries events, acks, broadcasts and refusals (${label})`, async () => {
      const running = await startServer(implementation, { parser });
      const { io } = running;
      io.of("/closed").use((_socket, next) =>
        next(Object.assign(new Error("no"), { data: { bytes: Buffer.from([7]) } })),
      );
      const options = { transports, parser };
      const { client, socket } = await joinPair(running, "/", options);
      socket.on("up", (value, reply) => reply(value, "second"));
      expect(await client.emitWithAck("up", VALUE)).toEqual(VALUE);
      client.on("down", (value, reply) => reply(value));
      expect(await socket.emitWithAck("down", VALUE)).toEqual(VALUE);

      await socket.join("blue");
      const heard = [once(client, "to the room"), once(client, "to all")];
      io.to("blue").emit("to the room", VALUE);
      io.emit("to all", "plain");
      expect(await Promise.all(heard)).toEqual([[VALUE], ["plain"]]);
      expect(await io.timeout(5_000).emitWithAck("down", 1)).toEqual([1]);

      const error = await onceValue(running.connect("/closed", options), "connect_error");
      expect([error.message, error.data]).toEqual(["no", { bytes: Buffer.from([7]) }]);
      const gone = onceValue(client, "disconnect");
      socket.disconnect();
      expect(await gone).toBe("io server disconnect");
    });
  }

  it("a packet with a buffer is one binary message, in the form of the parser", async () => {
    const running = await startServer(implementation, { parser });
    const { client, socket } = await joinPair(running, "/", { parser });
    const messages: unknown[] = [];
    client.io.engine.on("message", (message: unknown) => messages.push(message));
    const heard = [once(client, "direct"), once(client, "to all")];
    socket.emit("direct", VALUE.bytes);
    running.io.emit("to all", VALUE.bytes);
    await Promise.all(heard);
    const { Encoder } = msgpack as unknown as { Encoder: new () => any };
    const encoder = new Encoder();
    expect(messages).toHaveLength(2);
    for (const [index, event] of ["direct", "to all"].entries()) {
      const [expected] = encoder.encode({ type: 2, nsp: "/", data: [event, VALUE.bytes] });
      expect(decode(messages[index])).toEqual(decode(expected));
    }
  });
});

/** The packet in a message, without the keys that only say that there is nothing. */
function decode(message: unknown): unknown {
  const { Decoder } = msgpack as unknown as { Decoder: new () => any };
  const decoder = new Decoder();
  let decoded: object = {};
  decoder.on("decoded", (packet: object) => {
    decoded = packet;
  });
  decoder.add(message);
  return Object.fromEntries(Object.entries(decoded).filter(([, value]) => value !== undefined));
}
