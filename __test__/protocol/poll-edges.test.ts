// The edges of polling: payloads that are larger than the client's limit, bodies whose length is not what was announced,
// the compression of packets of the protocol itself, and what a close does to requests that are on their way.

import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { eventually, nextTurn, within } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";

interface Polled extends BareEngine {
  peer: PollingPeer;
  session: Session;
}

async function startPolled(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
): Promise<Polled> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await PollingPeer.open(server.port);
  return { ...server, peer, session: await opened };
}

const GZIP = { headers: { "Accept-Encoding": "gzip" } };

describeBoth("engine polling edges", (implementation) => {
  it("a payload is not split, however small the limit of bodies is", async () => {
    const { peer, session } = await startPolled(implementation, { maxHttpBufferSize: 10 });
    for (let index = 0; index < 3; index += 1) {
      session.send("eight...");
    }
    expect(await peer.poll()).toBe("4eight...\x1e4eight...\x1e4eight...");
  });

  it("a separator inside of a message divides it for the client", async () => {
    const { peer, session } = await startPolled(implementation);
    session.send("a\x1e4b");
    expect(await peer.poll()).toBe("4a\x1e4b");
  });

  it("a frame that was prepared for WebSocket is not sent over polling", async () => {
    const { peer, session } = await startPolled(implementation);
    session.send("x", { wsPreEncodedFrame: [Buffer.from([0x81, 2]), Buffer.from("4y")] });
    expect(await peer.poll()).toBe("4x");
  });

  it("the limit is met by the bytes that came, not by those announced", async () => {
    const { peer, session } = await startPolled(implementation, { maxHttpBufferSize: 20 });
    const announced = peer.start("POST", { "Content-Length": 30 });
    announced.clientRequest.write("4".repeat(10));
    await eventually(() => session.transport.dataReq != null, "the POST did not arrive");
    await nextTurn();
    expect(session.transport.dataReq).not.toBeNull();
    announced.send("4".repeat(20));
    expect((await announced.response).status).toBe(413);

    const chunked = peer.start("POST", { "Transfer-Encoding": "chunked" });
    chunked.send("4".repeat(21));
    expect((await chunked.response).status).toBe(413);
    expect(session.readyState).toBe("open");
  });

  it("packets of the protocol itself are compressed as messages are", async () => {
    const server = await startBareEngine(implementation, {
      httpCompression: true,
      pingInterval: 20,
      pingTimeout: 2_000,
    });
    const peer = new PollingPeer(server.port, GZIP);
    const payloads: string[] = [];
    for (const expected of ["open", "ping"]) {
      const response = await peer.get();
      expect([expected, response.headers["content-encoding"]]).toEqual([expected, "gzip"]);
      payloads.push(gunzipSync(response.body).toString());
      peer.sid ||= JSON.parse((payloads[0] as string).slice(1)).sid;
    }
    expect(payloads[1]).toBe("2");
  });

  it("a packet of the protocol is enough to have a payload compressed", async () => {
    const server = await startBareEngine(implementation, {
      httpCompression: { threshold: 100 },
      pingInterval: 50,
      pingTimeout: 4_000,
    });
    const pinged = new Promise<void>((resolve) => {
      server.engine.on("connection", (session: Session) => {
        session.send("x".repeat(200), { compress: false });
        session.on("packetCreate", ({ type }: { type: string }) => type === "ping" && resolve());
      });
    });
    const peer = await PollingPeer.open(server.port);
    await within(pinged, "no ping was made");
    const response = await peer.get(GZIP);
    expect(response.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(response.body).toString()).toBe(`4${"x".repeat(200)}\x1e2`);
  });

  for (const [what, query, data] of [
    ["base64", {}, Buffer.alloc(80)],
    ["the script of JSONP", { j: "12" }, "x".repeat(88)],
    ["the lengths of protocol 3", { EIO: "3" }, "x".repeat(97)],
    ["a binary payload of protocol 3", { EIO: "3" }, Buffer.alloc(95)],
  ] as [string, Record<string, string>, string | Buffer][]) {
    it(`the threshold is one for bodies, and so for when the callback of a packet is called: ${what}`, async () => {
      const server = await startBareEngine(implementation, {
        httpCompression: { threshold: 100 },
        allowEIO3: true,
      });
      const opened = server.nextSession();
      const peer = new PollingPeer(server.port, { query, ...GZIP });
      await peer.handshake();
      const session = await opened;
      peer.sid = session.id;
      for (const [sent, isCompressed] of [
        [data, true],
        [data.slice(10), false],
      ] as const) {
        const answer = peer.get();
        await eventually(() => session.transport.writable);
        const log: string[] = [];
        session.send(sent, () => log.push("callback"));
        log.push("returned");
        const { headers } = await answer;
        expect(headers["content-encoding"]).toBe(isCompressed ? "gzip" : undefined);
        await eventually(() => log.length === 2);
        expect(log).toEqual(isCompressed ? ["returned", "callback"] : ["callback", "returned"]);
      }
      session.close(true);
    });
  }

  it("other keys of httpCompression go to zlib", async () => {
    const sizes: number[] = [];
    for (const level of [0, 9]) {
      const { peer, session } = await startPolled(implementation, {
        httpCompression: { threshold: 1, level } as never,
      });
      session.send("x".repeat(2_000));
      const { body } = await peer.get(GZIP);
      expect(gunzipSync(body).toString()).toBe(`4${"x".repeat(2_000)}`);
      sizes.push(body.length);
    }
    expect(sizes[0]).toBeGreaterThan(2_000);
    expect(sizes[1]).toBeLessThan(100);
  });

  it("the callback of a compressed packet is called once, after the answer was written", async () => {
    const { peer, session } = await startPolled(implementation, { httpCompression: true });
    const log: string[] = [];
    const poll = peer.get(GZIP);
    await eventually(() => session.transport.writable, "the poll was not held");
    session.send("x".repeat(100_000), () => log.push("callback"));
    log.push("returned");
    await poll;
    await eventually(() => log.length > 1, "the callback was not called");
    await nextTurn();
    expect(log).toEqual(["returned", "callback"]);
  });

  it("a client that goes away while its answer is being compressed: the callback is called once, and the session lives", async () => {
    const { peer, session } = await startPolled(implementation, { httpCompression: true });
    const poll = peer.start("GET", { "Accept-Encoding": "gzip" });
    poll.send();
    await eventually(() => session.transport.writable, "the poll was not held");
    const log: string[] = [];
    session.on("close", (reason: string) => log.push(reason));
    session.send(randomBytes(8 * 1024 * 1024), () => log.push("callback"));
    poll.clientRequest.once("response", () => poll.clientRequest.destroy());
    await expect(poll.response).rejects.toThrow();
    await eventually(() => log.length > 0, "the callback was not called");
    await nextTurn();
    expect(log).toEqual(["callback"]);
    session.send("still here");
    expect(await peer.poll()).toBe("4still here");
  });

  it("any j asks for JSONP, one without digits too", async () => {
    const { port } = await startPolled(implementation);
    for (const [j, name] of [
      ["", "___eio[]("],
      ["abc", "___eio[]("],
      ["-1", "___eio[1]("],
    ] as const) {
      const { text } = await new PollingPeer(port, { query: { j } }).handshake();
      expect(text.slice(0, name.length + 2)).toBe(`${name}"0`);
    }
  });

  it("a POST on its way is destroyed by the close", async () => {
    const { peer, session } = await startPolled(implementation);
    const post = peer.start("POST", { "Transfer-Encoding": "chunked" });
    post.clientRequest.write("4half");
    await eventually(() => session.transport.dataReq != null, "the POST did not arrive");
    const reasons: string[] = [];
    session.on("close", (reason: string) => reasons.push(reason));
    session.close(true);
    await expect(post.response).rejects.toThrow();
    expect(reasons).toEqual(["forced close"]);
  });

  it("close(true) ends a session that is closing while packets wait", async () => {
    const { session, engine } = await startPolled(implementation);
    const reasons: string[] = [];
    session.on("close", (reason: string) => reasons.push(reason));
    session.send("never sent");
    session.close();
    expect([session.readyState, engine.clientsCount]).toEqual(["closing", 1]);
    session.close(true);
    expect([session.readyState, engine.clientsCount, reasons]).toEqual([
      "closed",
      0,
      ["forced close"],
    ]);
  });
});
