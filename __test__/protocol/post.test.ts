// POST of a session over polling: what a payload may hold, its limits, overlap, abort, and the order of delivery and answer.

import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { collect, eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { headerLines } from "../harness/raw-http";

interface Posted extends BareEngine {
  peer: PollingPeer;
  session: Session;
  /** The content of the messages that came so far. */
  messages: unknown[];
}

async function startPosted(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<Posted> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await PollingPeer.open(server.port);
  const session = await opened;
  const messages: unknown[] = [];
  session.on("message", (data: unknown) => messages.push(data));
  return { ...server, peer, session, messages };
}

describeBoth("engine post", (implementation) => {
  it("the answer is ok, with these headers", async () => {
    const { peer } = await startPosted(implementation);
    const response = await peer.post("4hello");
    expect([response.status, response.text]).toEqual([200, "ok"]);
    expect(headerLines(response)).toEqual([
      "Content-Type: text/html",
      "Content-Length: 2",
      "cache-control: no-store",
    ]);
  });

  it("all packets of a payload are delivered, in order, before the answer", async () => {
    const { peer, messages } = await startPosted(implementation);
    await peer.send("4one", "4é😀", "bAP8=");
    expect(messages).toEqual(["one", "é😀", Buffer.from([0, 255])]);
  });

  it("a message may be empty", async () => {
    const { peer, messages } = await startPosted(implementation);
    await peer.send("4");
    expect(messages).toHaveLength(1);
    expect(messages[0] ?? "").toBe("");
  });

  it("packet, data and message are emitted for each packet", async () => {
    const { peer, session } = await startPosted(implementation);
    const log: unknown[] = [];
    session.on("packet", (packet: any) => log.push("packet", packet.type, packet.data));
    session.on("data", (data: unknown) => log.push("data", data));
    session.on("message", (data: unknown) => log.push("message", data));
    await peer.send("4a", "4b");
    const expected = ["a", "b"].flatMap((text) => [
      "packet",
      "message",
      text,
      "data",
      text,
      "message",
      text,
    ]);
    expect(log).toEqual(expected);
  });

  it("all packets of a payload are delivered in one go", async () => {
    const { peer, session } = await startPosted(implementation);
    let tick = 0;
    const ticks: number[] = [];
    session.on("message", () => {
      ticks.push(tick);
      process.nextTick(() => {
        tick += 1;
      });
    });
    await peer.send("4a", "4b", "4c");
    expect(ticks).toEqual([0, 0, 0]);
  });

  it("a chunked body and a body in pieces are read whole", async () => {
    const { peer, messages } = await startPosted(implementation);
    const post = peer.start("POST", { "Transfer-Encoding": "chunked" });
    const bytes = Buffer.from("4split é inside of a character");
    post.clientRequest.write(bytes.subarray(0, 9));
    await new Promise((resolve) => setImmediate(resolve));
    post.send(bytes.subarray(9));
    expect((await post.response).text).toBe("ok");
    expect(messages).toEqual(["split é inside of a character"]);
  });

  it("a body of exactly maxHttpBufferSize is taken", async () => {
    const { peer, messages } = await startPosted(implementation, { maxHttpBufferSize: 20 });
    await peer.send(`4${"x".repeat(19)}`);
    expect(messages).toEqual(["x".repeat(19)]);
  });

  it("a body over maxHttpBufferSize is an empty 413, and the session lives", async () => {
    const { peer, messages, session } = await startPosted(implementation, {
      maxHttpBufferSize: 20,
    });
    const response = await peer.post(`4${"x".repeat(20)}`);
    expect([response.status, response.text]).toEqual([413, ""]);
    expect(session.readyState).toBe("open");
    await peer.send("4after");
    expect(messages).toEqual(["after"]);
  });

  it("the limit counts bytes, not characters", async () => {
    const { peer } = await startPosted(implementation, { maxHttpBufferSize: 20 });
    expect((await peer.post(`4${"é".repeat(10)}`)).status).toBe(413);
    expect((await peer.post(`4${"é".repeat(9)}`)).status).toBe(200);
  });

  it('a payload that cannot be decoded delivers what came before, closes with "parse error" and is answered ok', async () => {
    const { peer, session, messages } = await startPosted(implementation);
    const closed = once(session, "close");
    const response = await peer.post("4good\x1e9bad\x1e4never");
    expect([response.status, response.text]).toEqual([200, "ok"]);
    expect((await closed)[0]).toBe("parse error");
    expect(messages).toEqual(["good"]);
  });

  for (const [title, body] of [
    ["an empty body", ""],
    ["an unknown packet type", "x"],
    ["an empty packet between two", "4a\x1e\x1e4b"],
    ["a byte order mark", "\ufeff4a"],
  ] as const) {
    it(`${title} is a parse error`, async () => {
      const { peer, session } = await startPosted(implementation);
      const closed = once(session, "close");
      expect((await peer.post(body)).status).toBe(200);
      expect((await closed)[0]).toBe("parse error");
    });
  }

  it("invalid UTF-8 is replaced", async () => {
    const { peer, messages } = await startPosted(implementation);
    await peer.post(Buffer.from([0x34, 0x61, 0xff, 0x62]));
    expect(messages).toEqual(["a\ufffdb"]);
  });

  it("base64 is read as leniently as Node reads it", async () => {
    const { peer, messages } = await startPosted(implementation);
    await peer.send("bAAEC", "bAP8", "b-_8=", "b");
    expect(messages).toEqual([
      Buffer.from([0, 1, 2]),
      Buffer.from([0, 255]),
      Buffer.from([251, 255]),
      Buffer.alloc(0),
    ]);
  });

  it("application/octet-stream is invalid content: 400, and the session ends", async () => {
    const { peer, session } = await startPosted(implementation);
    const closed = once(session, "close");
    const response = await peer.post("4x", { "Content-Type": "application/octet-stream" });
    expect([response.status, response.text]).toEqual([400, ""]);
    const [reason, description] = await closed;
    expect([reason, description.message]).toEqual(["transport error", "invalid content"]);
  });

  it("any other content type is text", async () => {
    const { peer, messages } = await startPosted(implementation);
    for (const type of ["application/json", "text/html", "nonsense"]) {
      expect((await peer.post("4x", { "Content-Type": type })).text).toBe("ok");
    }
    expect(messages).toEqual(["x", "x", "x"]);
  });

  it("a second POST while one is on its way ends the session", async () => {
    const { peer, session } = await startPosted(implementation);
    const closed = once(session, "close");
    const first = peer.start("POST", { "Transfer-Encoding": "chunked" });
    first.clientRequest.write("4half");
    await eventually(() => session.transport.dataReq != null, "the first POST did not arrive");
    const second = await peer.post("4second");
    expect([second.status, second.text]).toEqual([400, ""]);
    const [reason, description] = await closed;
    expect([reason, description.message]).toEqual([
      "transport error",
      "data request overlap from client",
    ]);
    await expect(first.response).rejects.toThrow();
  });

  it("a POST that is aborted ends the session", async () => {
    const { peer, session } = await startPosted(implementation);
    const closed = once(session, "close");
    const post = peer.start("POST", { "Transfer-Encoding": "chunked" });
    post.clientRequest.write("4half");
    await eventually(() => session.transport.dataReq != null, "the POST did not arrive");
    post.clientRequest.destroy();
    const [reason, description] = await closed;
    expect([reason, description.message]).toEqual([
      "transport error",
      "data request connection closed prematurely",
    ]);
  });

  it("a close packet ends the session, answers a waiting poll with 6, and what follows it is dropped", async () => {
    const { peer, session, messages } = await startPosted(implementation);
    const poll = peer.poll();
    await eventually(() => session.transport.writable);
    const closed = once(session, "close");
    await peer.send("4before", "1", "4after");
    expect((await closed)[0]).toBe("transport close");
    expect(await poll).toBe("6");
    expect(messages).toEqual(["before"]);
  });

  it("a handler may close the session before the POST is answered", async () => {
    const { peer, session } = await startPosted(implementation);
    session.on("message", () => session.close(true));
    const response = await peer.post("4x");
    expect([response.status, response.text]).toEqual([200, "ok"]);
  });

  it("while the session is closing, POSTs are answered and their packets dropped", async () => {
    const { peer, session, messages } = await startPosted(implementation);
    session.close();
    await peer.send("4ignored");
    expect(messages).toEqual([]);
    expect(await peer.poll()).toBe("6\x1e1");
  });

  it("a thousand packets in one payload arrive in order", async () => {
    const { peer, session } = await startPosted(implementation);
    const arrived = collect(session, "message", 1_000);
    await peer.send(...Array.from({ length: 1_000 }, (_, index) => `4${index}`));
    expect((await arrived).map(([text]) => Number(text))).toEqual(
      Array.from({ length: 1_000 }, (_, index) => index),
    );
  });
});
