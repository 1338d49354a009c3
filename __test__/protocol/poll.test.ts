// GET of a session over polling: when it waits, what it is answered, overlap, abort, compression, headers, the end.

import { randomBytes } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { gunzipSync, inflateSync } from "node:zlib";
import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { type PeerOptions, PollingPeer } from "../harness/polling-peer";
import { headerLines } from "../harness/raw-http";

interface Polled extends BareEngine {
  peer: PollingPeer;
  session: Session;
  /** Starts a poll and waits until the session holds it. */
  park(headers?: OutgoingHttpHeaders): Promise<ReturnType<PollingPeer["start"]>>;
}

async function startPolled(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
  peerOptions: PeerOptions = {},
): Promise<Polled> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await PollingPeer.open(server.port, peerOptions);
  const session = await opened;
  const park = async (headers?: OutgoingHttpHeaders) => {
    const poll = peer.start("GET", headers);
    poll.send();
    await eventually(() => session.transport.writable, "the poll was not held");
    return poll;
  };
  return { ...server, peer, session, park };
}

describeBoth("engine poll", (implementation) => {
  it("a poll takes all that waits, as one payload", async () => {
    const { peer, session } = await startPolled(implementation);
    session.send("one");
    session.send("two");
    session.send(Buffer.from([0, 255]));
    session.send("");
    expect(await peer.poll()).toBe("4one\x1e4two\x1ebAP8=\x1e4");
  });

  it("a poll with nothing to take waits for the next packet", async () => {
    const { peer, session, park } = await startPolled(implementation);
    const poll = await park();
    session.send("later");
    session.send("next poll");
    expect((await poll.response).text).toBe("4later");
    expect(await peer.poll()).toBe("4next poll");
  });

  it("the answer has these headers", async () => {
    const { peer, session } = await startPolled(implementation);
    session.send("é");
    const response = await peer.get();
    expect(headerLines(response)).toEqual([
      "Content-Type: text/plain; charset=UTF-8",
      "Content-Length: 3",
      "cache-control: no-store",
    ]);
  });

  for (const agent of ["x;MSIE 8", "Mozilla/5.0 Trident/7.0"]) {
    it(`X-XSS-Protection is off for ${agent}`, async () => {
      const { peer, session } = await startPolled(
        implementation,
        {},
        { headers: { "User-Agent": agent } },
      );
      session.send("x");
      expect((await peer.get()).headers["x-xss-protection"]).toBe("0");
    });
  }

  it("X-XSS-Protection is off for an old browser in each answer that succeeds, and in no other", async () => {
    const headers = { "User-Agent": "x;MSIE 8" };
    const { peer, port } = await startPolled(implementation, {}, { headers });
    const opening = await new PollingPeer(port, { headers }).handshake();
    const post = await peer.post("4x");
    const refused = await peer.get({ method: "PUT" });
    expect(
      [opening, post, refused].map((answer) => [
        answer.status,
        answer.headers["x-xss-protection"],
        answer.headers["cache-control"],
      ]),
    ).toEqual([
      [200, "0", "no-store"],
      [200, "0", "no-store"],
      [500, undefined, undefined],
    ]);
  });

  it("packets written between two polls are kept", async () => {
    const { peer, session } = await startPolled(implementation);
    for (let index = 0; index < 5; index += 1) {
      session.send(`m${index}`);
      expect(await peer.poll()).toBe(`4m${index}`);
    }
  });

  it("a second poll while one waits closes the session: the first reads 1, the second an empty 400", async () => {
    const { peer, session, park, engine } = await startPolled(implementation);
    const closed = once(session, "close");
    const first = await park();
    const second = await peer.get();
    expect([second.status, second.text]).toEqual([400, ""]);
    const { status, text } = await first.response;
    expect([status, text]).toEqual([200, "1"]);
    const [reason, description] = await closed;
    expect(reason).toBe("transport error");
    expect(description.message).toBe("overlap from client");
    expect(engine.clientsCount).toBe(0);
  });

  it("a second poll while the answer to the first is being compressed is an overlap", async () => {
    const options = { httpCompression: { threshold: 1 } };
    const { peer, session, park } = await startPolled(implementation, options);
    const poll = await park({ "Accept-Encoding": "gzip" });
    const log: string[] = [];
    session.on("close", (reason: string, { message }: Error) => log.push(`${reason}: ${message}`));
    const large = randomBytes(4 * 1024 * 1024).toString("hex");
    session.send(large, () => log.push("callback"));
    await once(poll.clientRequest, "response");
    expect(session.transport.req).not.toBeNull();
    const second = await peer.get();
    expect([second.status, second.text]).toEqual([400, ""]);
    expect(log).toEqual(["transport error: overlap from client"]);
    const { body } = await poll.response;
    expect(gunzipSync(body).toString()).toBe(`4${large}`);
    expect(log).toHaveLength(1);
  });

  it("a second poll right after what is sent is an overlap if that is compressed", async () => {
    const options = { httpCompression: { threshold: 1 } };
    const { peer, session, park } = await startPolled(implementation, options);
    const poll = await park({ "Accept-Encoding": "gzip" });
    const closed = once(session, "close");
    session.send(randomBytes(4 * 1024 * 1024).toString("hex"));
    const { status } = await peer.get();
    expect(status).toBe(400);
    const [reason, { message }] = await closed;
    expect([reason, message]).toEqual(["transport error", "overlap from client"]);
    expect((await poll.response).status).toBe(200);
  });

  it("an aborted poll ends the session with an error that tells so", async () => {
    const { session, park } = await startPolled(implementation);
    const closed = once(session, "close");
    (await park()).clientRequest.destroy();
    const [reason, description] = await closed;
    expect([reason, description.message]).toEqual([
      "transport error",
      "poll connection closed prematurely",
    ]);
  });

  it("a poll that was answered in full may close its connection", async () => {
    const { peer, session } = await startPolled(implementation);
    session.send("x");
    await peer.get({ headers: { Connection: "close" } });
    await peer.send("4still here");
    expect(session.readyState).toBe("open");
  });

  it("an orderly close answers a waiting poll with 1", async () => {
    const { session, park } = await startPolled(implementation);
    const poll = await park();
    const reasons: unknown[] = [];
    session.on("close", (reason: string) => reasons.push(reason));
    session.close();
    expect(reasons).toEqual(["forced close"]);
    expect((await poll.response).text).toBe("1");
  });

  it("an orderly close without a waiting poll is told to the next one as 6, 1 and only then happens", async () => {
    const { peer, session } = await startPolled(implementation);
    const closed = once(session, "close");
    session.close();
    expect(session.readyState).toBe("closing");
    expect(await peer.poll()).toBe("6\x1e1");
    expect((await closed)[0]).toBe("forced close");
    expect(session.readyState).toBe("closed");
  });

  it("an orderly close that no poll comes for happens after closeTimeout", async () => {
    const { session } = await startPolled(implementation);
    session.transport.closeTimeout = 20;
    const closed = once(session, "close");
    session.close();
    expect(session.readyState).toBe("closing");
    expect((await closed)[0]).toBe("forced close");
  });

  it("what was sent before an orderly close is still taken", async () => {
    const { peer, session } = await startPolled(implementation);
    const closed = once(session, "close");
    session.send("last words");
    session.close();
    expect(await peer.poll()).toBe("4last words");
    expect(await peer.poll()).toBe("6\x1e1");
    expect((await closed)[0]).toBe("forced close");
  });

  it("close(true) is immediate and drops what was not sent", async () => {
    const { peer, session, engine } = await startPolled(implementation);
    session.send("never sent");
    const reasons: unknown[] = [];
    session.on("close", (reason: string) => reasons.push(reason));
    session.close(true);
    expect(reasons).toEqual(["forced close"]);
    expect(engine.clientsCount).toBe(0);
    const response = await peer.get();
    expect(response.text).toBe('{"code":1,"message":"Session ID unknown"}');
  });

  it("a poll of a session that was closed without an answer gets code 1", async () => {
    const { peer, engine } = await startPolled(implementation);
    engine.close();
    expect((await peer.get()).text).toBe('{"code":1,"message":"Session ID unknown"}');
  });

  const large = "x".repeat(2_000);
  const encodings: [string | undefined, string | undefined][] = [
    ["gzip", "gzip"],
    ["deflate", "deflate"],
    ["gzip, deflate, br", "gzip"],
    ["deflate, gzip", "deflate"],
    ["gzip;q=0.2, deflate;q=0.8", "deflate"],
    ["*", "gzip"],
    ["br", undefined],
    ["gzip;q=0", undefined],
    [undefined, undefined],
  ];
  for (const [accepted, used] of encodings) {
    it(`Accept-Encoding ${accepted} is answered with ${used ?? "no compression"}`, async () => {
      const { peer, session } = await startPolled(implementation);
      session.send(large);
      const headers = accepted === undefined ? {} : { "Accept-Encoding": accepted };
      const response = await peer.get({ headers });
      expect(response.headers["content-encoding"]).toBe(used);
      const body =
        used === "gzip"
          ? gunzipSync(response.body)
          : used === "deflate"
            ? inflateSync(response.body)
            : response.body;
      expect(body.toString()).toBe(`4${large}`);
    });
  }

  it("payloads under the threshold, and those that ask for it, are not compressed", async () => {
    const { peer, session } = await startPolled(implementation);
    const get = () => peer.get({ headers: { "Accept-Encoding": "gzip" } });
    session.send("x".repeat(1_022));
    expect((await get()).headers["content-encoding"]).toBeUndefined();
    session.send("x".repeat(1_023));
    expect((await get()).headers["content-encoding"]).toBe("gzip");
    session.send(large, { compress: false });
    expect((await get()).headers["content-encoding"]).toBeUndefined();
    session.send("not me", { compress: false });
    session.send(large, { compress: true });
    expect((await get()).headers["content-encoding"]).toBe("gzip");
  });

  it("httpCompression: false compresses nothing", async () => {
    const { peer, session } = await startPolled(implementation, { httpCompression: false });
    session.send(large);
    const response = await peer.get({ headers: { "Accept-Encoding": "gzip" } });
    expect(response.headers["content-encoding"]).toBeUndefined();
    expect(response.text).toBe(`4${large}`);
  });

  it("httpCompression: true compresses whatever there is", async () => {
    const { peer, session } = await startPolled(implementation, { httpCompression: true });
    session.send("x");
    const response = await peer.get({ headers: { "Accept-Encoding": "gzip" } });
    expect(response.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(response.body).toString()).toBe("4x");
  });
});
