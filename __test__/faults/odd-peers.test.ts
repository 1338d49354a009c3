// Peers that keep no manners: one byte a second, half of a connection, requests of one session in parallel, the id of a session that is gone.
// Each gets what it gets of socket.io, and others are served meanwhile.

import { once as emitted } from "node:events";
import { startBareEngine } from "../harness/bare-engine";
import { closeClientAfterTest } from "../harness/cleanup";
import { once, within } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { openStream, readToEnd, request } from "../harness/raw-http";
import { frame, openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startServer } from "../harness/servers";

const BYTE_EVERY_MS = 1_000;
const SLOW_TIMEOUT_MS = 40_000;
const PARALLEL = 100;

/** Writes one byte after the other, each when a second has passed, and says how many there were. */
async function drip(stream: NodeJS.WritableStream, bytes: Buffer): Promise<void> {
  for (const [index, byte] of bytes.entries()) {
    if (index > 0) {
      await new Promise((resolve) => setTimeout(resolve, BYTE_EVERY_MS));
    }
    stream.write(Buffer.from([byte]));
  }
}

/** An engine with two polling sessions: the first is to end, the second to stay. */
async function startTwo(implementation: Implementation) {
  const { engine, port, nextSession } = await startBareEngine(implementation);
  const opened = nextSession();
  const peer = await PollingPeer.open(port);
  const closed = once(await opened, "close");
  const other = await PollingPeer.open(port);
  return { engine, port, peer, other, closed };
}

describeBoth("odd peers", (implementation) => {
  it(
    "a frame and a POST at one byte a second are delivered in the end, and others are served at once meanwhile",
    async () => {
      const running = await startServer(implementation);
      const heard: string[] = [];
      running.io.on("connection", (socket) => {
        socket.onAny((name) => heard.push(name));
        socket.on("q", (value, reply) => reply(value));
      });
      const websocket = await RawWebSocket.join(running.port);
      const polling = await PollingPeer.join(running.port);
      const { client: witness } = await joinPair(running);
      const post = polling.start("POST", { "Content-Type": "text/plain", "Content-Length": "7" });
      post.response.catch(() => {}); // its own limit is shorter than this takes
      const answered = within(
        emitted(post.clientRequest, "response"),
        "the POST was not answered",
        SLOW_TIMEOUT_MS / 2,
      );
      let isOver = false;
      const dripping = Promise.all([
        drip(websocket.stream, frame('42["w"]')),
        drip(post.clientRequest, Buffer.from('42["p"]')),
      ]).then(() => {
        isOver = true;
      });
      let served = 0;
      while (!isOver) {
        expect(await witness.timeout(BYTE_EVERY_MS).emitWithAck("q", served)).toBe(served);
        served += 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await dripping;
      const [{ statusCode }] = await answered;
      expect(statusCode).toBe(200);
      websocket.send('420["q",1]');
      await websocket.expectText("430[1]");
      expect(heard.filter((name) => name !== "q").sort()).toEqual(["p", "w"]);
    },
    SLOW_TIMEOUT_MS,
  );

  it("a client that half-closes behind its poll ends its session, and that of nobody else", async () => {
    const { engine, port, peer, other, closed } = await startTwo(implementation);
    const stream = await openStream(port);
    closeClientAfterTest(() => stream.destroy());
    stream.end(`GET ${peer.target()} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect((await closed)[0]).toBe("transport error");
    expect(engine.clientsCount).toBe(1);
    await other.send("4x");
  });

  it("a hundred polls of one session at once end it and are all answered, and others are served", async () => {
    const { engine, peer, other, closed } = await startTwo(implementation);
    const answers = await Promise.all(Array.from({ length: PARALLEL }, () => peer.get()));
    expect((await closed)[0]).toBe("transport error");
    const seen = answers.map(({ status, text }) => `${status} ${text}`);
    const UNKNOWN = '400 {"code":1,"message":"Session ID unknown"}';
    expect(seen.filter((answer) => answer === "200 1")).toHaveLength(1);
    expect(seen.filter((answer) => answer === "400 ")).toHaveLength(1);
    expect(seen.filter((answer) => answer === UNKNOWN)).toHaveLength(PARALLEL - 2);
    expect(engine.clientsCount).toBe(1);
    await other.send("4x");
  });

  it("the id of a session that is gone is unknown to a poll, a POST and an upgrade", async () => {
    const { engine, port, nextSession } = await startBareEngine(implementation);
    const opened = nextSession();
    const peer = await PollingPeer.open(port);
    const session = await opened;
    const closed = once(session, "close");
    await peer.send("1");
    await closed;
    for (const { status, text } of [await peer.get(), await peer.post("4x")]) {
      expect([status, text]).toEqual([400, '{"code":1,"message":"Session ID unknown"}']);
    }
    const stream = await openStream(port);
    closeClientAfterTest(() => stream.destroy());
    stream.write(openingHandshake({ path: peer.target("websocket") }));
    expect(await readToEnd(stream)).toMatch(/^HTTP\/1\.1 400 .*Session ID unknown$/s);
    expect((await request(port, { path: peer.target("websocket") })).status).toBe(400);
    expect(engine.clientsCount).toBe(0);
  });
});
