// What a session does not tell: no event of an error, no callback of what the peer may never have got, no packet before
// its `connection`; and the limits that an option lifts.

import { deflateRawSync } from "node:zlib";
import type { ServerOptions } from "socket.io";
import { type BareEngine, type Session, startBareEngine } from "../harness/bare-engine";
import { eventually, nextTurn, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";

interface Open extends BareEngine {
  peer: RawWebSocket;
  session: Session;
}

async function startOpen(
  implementation: Implementation,
  options: Partial<ServerOptions> = {},
  headers: Record<string, string> = {},
): Promise<Open> {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port, { headers });
  expect((await peer.nextFrame()).opcode).toBe(1);
  const session = await opened;
  await eventually(() => session.transport.writable);
  return { ...server, peer, session };
}

describeBoth("quiet session", (implementation) => {
  it("connection is emitted before any packet, however soon it comes", async () => {
    const { engine, port } = await startBareEngine(implementation);
    const heard: string[] = [];
    engine.on("connection", (session: Session) => {
      session.on("message", (text: string) => heard.push(text));
    });
    for (let index = 0; index < 20; index += 1) {
      const peer = await RawWebSocket.open(port);
      peer.send(`4${index}`); // before the open packet was looked at
      await eventually(() => heard.length === index + 1, "a message came to nobody");
    }
    expect(heard).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
  });

  it("error is never emitted: close tells what was wrong", async () => {
    const { peer, session } = await startOpen(implementation);
    const log: unknown[] = [];
    session.on("error", () => log.push("error"));
    session.on("close", (reason: string) => log.push(reason));
    const closed = once(session, "close");
    peer.send("4x", { isMasked: false });
    await closed;
    await nextTurn();
    expect(log).toEqual(["transport error"]);
  });

  it("close() in the tick of a send drops its callback, not its packet", async () => {
    const { peer, session } = await startOpen(implementation);
    let calls = 0;
    session.send("x", () => {
      calls += 1;
    });
    session.close();
    await peer.expectText("4x");
    expect(await peer.expectClose()).toBeUndefined();
    await nextTurn();
    expect(calls).toBe(0);
  });

  for (const maxHttpBufferSize of [0, Number.POSITIVE_INFINITY]) {
    it(`maxHttpBufferSize: ${maxHttpBufferSize} lets any message through a WebSocket`, async () => {
      const { peer, session } = await startOpen(implementation, { maxHttpBufferSize });
      const heard = once(session, "message");
      peer.send(`4${"x".repeat(3_000_000)}`);
      expect((await heard)[0].length).toBe(3_000_000);
    });
  }

  it("a maxHttpBufferSize of 2 ** 32 + 10 is a limit of ten bytes for a WebSocket", async () => {
    const { peer, session } = await startOpen(implementation, { maxHttpBufferSize: 2 ** 32 + 10 });
    const told: string[] = [];
    session.on("message", () => told.push("message"));
    session.on("close", (reason: string) => told.push(reason));
    peer.send("4".repeat(11));
    await eventually(() => told.length > 0);
    expect(told).toEqual(["transport error"]);
  });

  it("perMessageDeflate: {} has a threshold of 1024 bytes", async () => {
    const { peer, session, engine } = await startOpen(
      implementation,
      { perMessageDeflate: {} },
      { "Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover" },
    );
    expect((engine as any).opts.perMessageDeflate).toMatchObject({ threshold: 1_024 });
    session.send("x".repeat(1_022));
    session.send("x".repeat(1_023)); // 1,024 with the packet type
    const frames = [await peer.nextFrame(), await peer.nextFrame()];
    expect(frames.map(({ reserved }) => reserved)).toEqual([0, 4]);
  });

  it("a frame that was prepared by an adapter is compressed as the message in it, with the option", async () => {
    const { peer, session } = await startOpen(
      implementation,
      { perMessageDeflate: { threshold: 0 } },
      { "Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover" },
    );
    session.send("hello", {
      wsPreEncodedFrame: [Buffer.from([0x81, 6]), Buffer.from("4hello")],
    });
    const { reserved, payload } = await peer.nextFrame();
    expect(reserved).toBe(4);
    expect(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])])).toEqual(
      deflateRawSync("4hello", { finishFlush: 2 }),
    );
  });

  it("a heartbeat has the direction of the session's revision after an upgrade as before it", async () => {
    for (const [revision, sent, direction] of [
      ["4", "3", "2"],
      ["3", "2", "3"],
    ] as const) {
      const server = await startBareEngine(implementation, { allowEIO3: true });
      const opened = server.nextSession();
      const polling = new PollingPeer(server.port, { query: { EIO: revision } });
      const { text } = await polling.handshake();
      polling.sid = /"sid":"([\w-]{20})"/.exec(text)?.[1] as string;
      const session = await opened;
      const peer = await RawWebSocket.open(server.port, { path: polling.target("websocket") });
      const upgraded = once(session, "upgrade");
      peer.send("5");
      await upgraded;
      const beat = once(session, "heartbeat");
      peer.send(sent);
      await beat;
      const closed = once(session, "close");
      peer.send(direction);
      const [reason, description] = await closed;
      expect([reason, description.message]).toEqual([
        "transport error",
        "invalid heartbeat direction",
      ]);
    }
  });
});
