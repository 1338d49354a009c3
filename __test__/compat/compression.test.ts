// Compression as users meet it: `perMessageDeflate` with events, attachments, acks and broadcasts between npm's clients and a server that
// compresses (what goes over the wire is tested in protocol/permessage-deflate.test.ts), and the flag `compress` over polling.

import { randomBytes } from "node:crypto";
import type { Socket } from "socket.io";
import { TRANSPORTS } from "../harness/clients";
import { collect, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { joinPair, startPair, startServer } from "../harness/servers";

const TEXT = "one event, many words. ".repeat(200);

describeBoth("compression", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`events, attachments and acks go both ways over ${label}`, async () => {
      const options = { perMessageDeflate: { threshold: 100 } };
      const { client, socket } = await startPair(implementation, options, { transports });
      const bytes = randomBytes(70_000);
      socket.on("echo", (...args) => args.pop()(...args));
      const answer = await client.timeout(5_000).emitWithAck("echo", { text: TEXT, bytes });
      expect(answer).toEqual({ text: TEXT, bytes });
      client.on("echo", (...args) => args.pop()(...args));
      const reply = await socket.timeout(5_000).emitWithAck("echo", TEXT, [bytes, bytes]);
      expect(reply).toBe(TEXT);
    });
  }

  it("a broadcast reaches clients whatever each has agreed on, in order with what else they get", async () => {
    const running = await startServer(implementation, {
      perMessageDeflate: { serverNoContextTakeover: false, threshold: 10 },
    });
    const clientOptions = [
      {},
      { perMessageDeflate: false },
      { perMessageDeflate: { serverMaxWindowBits: 9 } },
      { perMessageDeflate: { serverMaxWindowBits: 12, clientNoContextTakeover: true } },
      { transports: ["polling"] },
    ];
    const pairs = [];
    for (const options of clientOptions) {
      pairs.push(await joinPair(running, "/", options as object));
    }
    const heard = pairs.map(({ client }) => collect(client, "news", 20));
    for (let count = 0; count < 10; count += 1) {
      running.io.emit("news", TEXT, count);
      for (const { socket } of pairs) {
        socket.emit("news", `${TEXT} for you`, count);
      }
    }
    const expected = Array.from({ length: 10 }, (_, count) => [
      [TEXT, count],
      [`${TEXT} for you`, count],
    ]).flat();
    for (const events of await Promise.all(heard)) {
      expect(events).toEqual(expected);
    }
  });

  it("a broadcast with attachments is not taken apart", async () => {
    const running = await startServer(implementation, { perMessageDeflate: { threshold: 0 } });
    const pairs = [await joinPair(running), await joinPair(running)];
    const attachments = [Buffer.alloc(5_000, "a"), randomBytes(3_000), Buffer.alloc(0)];
    const heard = pairs.map(({ client }) => once(client, "files"));
    running.io.emit("files", ...attachments, TEXT);
    for (const args of await Promise.all(heard)) {
      expect(args).toEqual([...attachments, TEXT]);
    }
  });

  it("compress(false) delivers just the same", async () => {
    const { client, socket, io } = await startPair(implementation, { perMessageDeflate: true });
    const heard = collect(client, "news", 2);
    socket.compress(false).emit("news", TEXT, 1);
    io.compress(false).emit("news", TEXT, 2);
    expect(await heard).toEqual([
      [TEXT, 1],
      [TEXT, 2],
    ]);
  });

  it("compress(false) keeps what is polled from being compressed, of a socket and of a broadcast", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.join(port);
    const socket = await joined;
    const get = async () => {
      const { headers } = await peer.get({ headers: { "Accept-Encoding": "gzip" } });
      return headers["content-encoding"];
    };
    const emissions: [() => unknown, string | undefined][] = [
      [() => socket.emit("news", TEXT), "gzip"],
      [() => socket.compress(false).emit("news", TEXT), undefined],
      [() => socket.compress(true).emit("news", TEXT), "gzip"],
      [() => io.emit("news", TEXT), "gzip"],
      [() => io.compress(false).emit("news", TEXT), undefined],
      [() => io.to(socket.id).compress(false).emit("news", TEXT), undefined],
    ];
    for (const [emit, encoding] of emissions) {
      emit();
      expect(await get()).toBe(encoding);
    }
    socket.compress(false).to("nobody").emit("news"); // it was said of this one
    socket.emit("news", TEXT);
    expect(await get()).toBe("gzip");
  });

  it("the packets of a broadcast look the same to a listener, with the option and without", async () => {
    const seen: unknown[] = [];
    for (const perMessageDeflate of [false, true]) {
      const { io, client, socket } = await startPair(implementation, { perMessageDeflate });
      socket.conn.on("packetCreate", ({ data, options }: any) => {
        const { wsPreEncodedFrame, ...others } = options;
        seen.push({ data, isPrepared: wsPreEncodedFrame !== undefined, others });
      });
      const heard = once(client, "news");
      io.emit("news", 1);
      await heard;
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[0]).toMatchObject({ data: '2["news",1]', isPrepared: true });
  });

  it("a listener may change a packet that is compressed then", async () => {
    const { io, client, socket } = await startPair(implementation, {
      perMessageDeflate: { threshold: 0 },
    });
    socket.conn.on("packetCreate", (packet: any) => {
      packet.data = packet.data.replace("one", "two");
    });
    const heard = once(client, "news");
    io.emit("news", "one");
    expect(await heard).toEqual(["two"]);
  });
});
