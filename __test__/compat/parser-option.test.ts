// A parser of one's own: the packets it is given, the chunks it may give, and that all of the API works over it.

import { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import { record, settleDown, TRANSPORTS } from "../harness/clients";
import { onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, startPair, startServer } from "../harness/servers";
import { stubSession } from "../harness/stub-session";

/** Makes one Buffer of a packet, as binary parsers do. */
class BufferEncoder {
  encode(packet: any): Buffer[] {
    return [Buffer.from(JSON.stringify(packet))];
  }
}

/** Makes one text of a packet. */
class TextEncoder {
  encode(packet: any): string[] {
    return [JSON.stringify(packet)];
  }
}

class JsonDecoder extends EventEmitter {
  add(chunk: Buffer | string): void {
    this.emit("decoded", JSON.parse(String(chunk)));
  }
  destroy(): void {}
}

const PARSERS = [
  { name: "Buffers", parser: { Encoder: BufferEncoder, Decoder: JsonDecoder } },
  { name: "text", parser: { Encoder: TextEncoder, Decoder: JsonDecoder } },
];

describeBoth("parser option", (implementation) => {
  for (const { name, parser } of PARSERS) {
    for (const { label, transports } of TRANSPORTS) {
      it(`a parser that makes ${name} carries events, acks and broadcasts over ${label}`, async () => {
        const pair = await startPair(implementation, { parser }, { parser, transports });
        const { io, socket, client } = pair;
        socket.on("q", (value, reply) => reply(value + 1));
        expect(await client.emitWithAck("q", 1)).toBe(2);
        client.on("q", (value, reply) => reply(value * 2));
        expect(await socket.emitWithAck("q", 21)).toBe(42);
        socket.join("r");
        const seen = record(client);
        socket.emit("direct", { a: [1] });
        io.emit("all");
        io.to("r").emit("room");
        io.except("r").emit("others");
        await settleDown(socket, client);
        expect(seen).toEqual([["direct", { a: [1] }], ["all"], ["room"]]);
        expect(await io.timeout(4_000).emitWithAck("q", 4)).toEqual([8]);
        const left = onceValue(socket, "disconnect");
        client.disconnect();
        expect(await left).toBe("client namespace disconnect");
      });
    }
  }

  it("packets have type, nsp, data and id alone, and never a binary type", async () => {
    const packets: any[] = [];
    class RecordingEncoder extends TextEncoder {
      override encode(packet: any): string[] {
        packets.push(packet);
        return super.encode(packet);
      }
    }
    const parser = { Encoder: TextEncoder, Decoder: JsonDecoder };
    const running = await startServer(implementation, {
      parser: { ...parser, Encoder: RecordingEncoder },
    });
    running.io.of("/n");
    const { socket, client } = await joinPair(running, "/n", { parser });
    socket.on("q", (reply) => reply(Buffer.from([1])));
    await client.emitWithAck("q");
    socket.emit("bin", Buffer.from([1]), () => {});
    running.io.of("/n").emit("all", Buffer.from([2]));
    running.io.of("/n").use((_socket, next) => next(new Error("no")));
    const refused = onceValue(running.connect("/n", { parser }), "connect_error");
    expect((await refused).message).toBe("no");
    socket.disconnect();
    expect(packets.map(({ type }) => type)).toEqual([0, 3, 2, 2, 4, 1]);
    const known = new Set(["type", "nsp", "data", "id"]);
    const unknown = packets.flatMap((packet) =>
      Object.keys(packet).filter((key) => !known.has(key)),
    );
    expect(unknown).toEqual([]);
  });

  for (const payload of [5, "", "text", [], true, {}]) {
    it(`the auth is what a decoder gives, whatever it is: ${JSON.stringify(payload)}`, async () => {
      const [, { parser }] = PARSERS as [unknown, (typeof PARSERS)[number]];
      const io = new implementation.Server({ parser });
      const { conn } = stubSession();
      internals(io).onconnection(conn);
      const connected = onceValue<Socket>(io, "connection");
      conn.emit("data", JSON.stringify({ type: 0, nsp: "/", data: payload }));
      expect((await connected).handshake.auth).toEqual(payload);
    });
  }

  it("a decoder that throws ends the connection with an error for its sockets", async () => {
    const [, { parser }] = PARSERS as [unknown, (typeof PARSERS)[number]];
    const { socket, client } = await startPair(implementation, { parser }, { parser });
    const failed = onceValue(socket, "error");
    const left = onceValue(socket, "disconnect");
    client.io.engine.write("this is not JSON");
    expect(await failed).toBeInstanceOf(Error);
    expect(await left).toBe("forced close");
  });

  it("the server has one encoder, each client a decoder of its own, destroyed at its end", async () => {
    const destroyed: unknown[] = [];
    class Decoder extends JsonDecoder {
      override destroy(): void {
        destroyed.push(this);
      }
    }
    const parser = { Encoder: TextEncoder, Decoder };
    const running = await startServer(implementation, { parser });
    const first = await joinPair(running, "/", {
      parser: { Encoder: TextEncoder, Decoder: JsonDecoder },
    });
    const second = await joinPair(running, "/", {
      parser: { Encoder: TextEncoder, Decoder: JsonDecoder },
    });
    expect(internals(running.io).encoder).toBeInstanceOf(TextEncoder);
    expect(internals(first.socket.client).encoder).toBe(internals(running.io).encoder);
    const { decoder } = internals(first.socket.client);
    expect(decoder).toBeInstanceOf(Decoder);
    expect(decoder).not.toBe(internals(second.socket.client).decoder);
    const left = onceValue(first.socket, "disconnect");
    first.client.io.engine.close();
    await left;
    expect(destroyed).toEqual([decoder]);
  });
});
