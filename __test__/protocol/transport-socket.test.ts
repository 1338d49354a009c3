// `conn.transport.socket`: the ws object under a session on a WebSocket, as its users know it.

import type { ServerOptions } from "socket.io";
import { type Session, startBareEngine } from "../harness/bare-engine";
import { collect, deferred, eventually, nextTurn, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { closeFrame, frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";

async function start(implementation: Implementation, options: Partial<ServerOptions> = {}) {
  const server = await startBareEngine(implementation, options);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port, {
    headers: { "Sec-WebSocket-Protocol": "chat, other" },
  });
  await peer.expectText(/^0\{/);
  const session: Session = await opened;
  await eventually(() => session.transport.writable);
  return { ...server, peer, session, socket: session.transport.socket };
}

/** Opens a session on polling and a WebSocket that has sent its probe. */
async function startProbing(implementation: Implementation) {
  const server = await startBareEngine(implementation);
  const opened = server.nextSession();
  const polling = await PollingPeer.open(server.port);
  const session: Session = await opened;
  const upgrading = once(session, "upgrading");
  const peer = await RawWebSocket.open(server.port, { path: polling.target("websocket") });
  peer.send("2probe");
  await peer.expectText("3probe");
  const [candidate] = await upgrading;
  return { ...server, polling, session, peer, candidate };
}

/** The next frames of a peer, as opcode and text. */
async function frames(peer: RawWebSocket, count: number): Promise<[number, string][]> {
  const seen: [number, string][] = [];
  for (let index = 0; index < count; index += 1) {
    const { opcode, text } = await peer.nextFrame();
    seen.push([opcode, text]);
  }
  return seen;
}

/** Resolves when all that was asked of the socket before has been done: its listeners hear what the peer sends from now on. */
async function settled(socket: any, peer: RawWebSocket): Promise<void> {
  socket.ping("settled");
  expect(await frames(peer, 1)).toEqual([[OPCODE.ping, "settled"]]);
}

describeBoth("transport.socket", (implementation) => {
  it("it tells its state, its protocol, its extensions and its stream", async () => {
    const { socket, peer, session } = await start(implementation);
    expect(session.transport.socket).toBe(socket);
    expect([socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED]).toEqual([0, 1, 2, 3]);
    expect([socket.readyState, socket.bufferedAmount, socket.isPaused]).toEqual([1, 0, false]);
    expect([socket.protocol, socket.extensions, socket.binaryType]).toEqual([
      "chat",
      "",
      "nodebuffer",
    ]);
    expect(socket._socket.remotePort).toBe(peer.stream.localPort);
    expect(socket.url).toBeUndefined();
  });

  it("with compression its extensions say so", async () => {
    const server = await startBareEngine(implementation, { perMessageDeflate: true });
    const opened = server.nextSession();
    await RawWebSocket.open(server.port, {
      headers: { "Sec-WebSocket-Extensions": "permessage-deflate" },
    });
    expect((await opened).transport.socket.extensions).toBe("permessage-deflate");
  });

  it("pings and pongs take text, numbers, bytes or nothing, and any of their arguments may be left out", async () => {
    const { socket, peer } = await start(implementation);
    socket.ping();
    socket.ping("text");
    socket.ping(12);
    socket.ping(Buffer.from("buffer"));
    socket.ping(new Uint8Array([97, 98, 99]).subarray(1));
    socket.ping(new Uint8Array([97]).buffer);
    socket.ping("x".repeat(125), false);
    socket.pong("pong");
    socket.pong();
    expect(await frames(peer, 9)).toEqual([
      [OPCODE.ping, ""],
      [OPCODE.ping, "text"],
      [OPCODE.ping, "12"],
      [OPCODE.ping, "buffer"],
      [OPCODE.ping, "bc"],
      [OPCODE.ping, "a"],
      [OPCODE.ping, "x".repeat(125)],
      [OPCODE.pong, "pong"],
      [OPCODE.pong, ""],
    ]);
    const called = deferred();
    const log: string[] = [];
    const note = (name: string) => (error?: Error | null) => {
      log.push(`${name} ${error ?? "sent"}`);
      if (log.length === 4) {
        called.resolve();
      }
    };
    socket.ping(note("a"));
    socket.ping("x", note("b"));
    socket.pong("x", false, note("c"));
    socket.send("4x", note("d"));
    log.push("returned");
    log.shift();
    await called.promise;
    expect(log).toEqual(["a sent", "b sent", "c sent", "d sent"]);
  });

  it("a ping or pong over 125 bytes is thrown back, and nothing is sent", async () => {
    const { socket, peer } = await start(implementation);
    const tooLong = "The data size must not be greater than 125 bytes";
    expect(() => socket.ping("x".repeat(126))).toThrow(new RangeError(tooLong));
    expect(() => socket.pong(Buffer.alloc(126))).toThrow(new RangeError(tooLong));
    expect(() => socket.ping("\u00e9".repeat(63))).toThrow(RangeError);
    expect(() => socket.ping({})).toThrow(/must be of type string/);
    expect(() => socket.send({})).toThrow(/must be of type string/);
    socket.ping("x");
    expect(await frames(peer, 1)).toEqual([[OPCODE.ping, "x"]]);
  });

  it("send puts a message on the wire that the engine knows nothing of", async () => {
    const { socket, session, peer } = await start(implementation);
    const created: unknown[] = [];
    session.on("packetCreate", (packet: unknown) => created.push(packet));
    socket.send("raw");
    socket.send(Buffer.from([1, 2]));
    socket.send(Buffer.from("as text"), { binary: false });
    socket.send("as binary", { binary: true });
    socket.send(7);
    socket.send("");
    socket.send(undefined);
    socket.send("large".repeat(20_000), { compress: false });
    const got = await frames(peer, 8);
    expect(got.slice(0, 7)).toEqual([
      [OPCODE.text, "raw"],
      [OPCODE.binary, "\u0001\u0002"],
      [OPCODE.text, "as text"],
      [OPCODE.binary, "as binary"],
      [OPCODE.text, "7"],
      [OPCODE.text, ""],
      [OPCODE.binary, ""],
    ]);
    expect(got[7]?.[1].length).toBe(100_000);
    expect(created).toEqual([]);
  });

  it("fragments are sent as such, and control frames may come between", async () => {
    const { socket, peer } = await start(implementation);
    socket.send("one", { fin: false });
    socket.ping("between");
    socket.send("two", { fin: false });
    socket.send("three");
    socket.send("next");
    const seen: [number, boolean, string][] = [];
    for (let index = 0; index < 5; index += 1) {
      const { opcode, isFinal, text } = await peer.nextFrame();
      seen.push([opcode, isFinal, text]);
    }
    expect(seen).toEqual([
      [OPCODE.text, false, "one"],
      [OPCODE.ping, true, "between"],
      [OPCODE.continuation, false, "two"],
      [OPCODE.continuation, true, "three"],
      [OPCODE.text, true, "next"],
    ]);
  });

  it("a frame goes out behind the packet that was sent before it, and before the one sent in a later turn", async () => {
    const { socket, session, peer } = await start(implementation);
    session.send("before");
    socket.ping("between");
    await nextTurn();
    session.send("after");
    expect(await frames(peer, 3)).toEqual([
      [OPCODE.text, "4before"],
      [OPCODE.ping, "between"],
      [OPCODE.text, "4after"],
    ]);
  });

  it("pings, pongs and messages of the peer are told in order, messages as bytes", async () => {
    const { socket, session, peer } = await start(implementation);
    const log: unknown[] = [];
    socket.on("ping", (data: Buffer) => log.push(["ping", data]));
    socket.on("pong", (data: Buffer) => log.push(["pong", data]));
    socket.on("message", (data: Buffer, isBinary: boolean) => log.push([data, isBinary]));
    const heard = collect(session, "message", 2);
    await settled(socket, peer);
    peer.write(
      Buffer.concat([
        frame("a", { opcode: OPCODE.ping }),
        frame("b", { opcode: OPCODE.pong }),
        frame("4text"),
        frame(Buffer.from([1, 2]), { opcode: OPCODE.binary }),
      ]),
    );
    expect(await heard).toEqual([["text"], [Buffer.from([1, 2])]]);
    await eventually(() => log.length === 4);
    expect(log).toEqual([
      ["ping", Buffer.from("a")],
      ["pong", Buffer.from("b")],
      [Buffer.from("4text"), false],
      [Buffer.from([1, 2]), true],
    ]);
    expect(await frames(peer, 1)).toEqual([[OPCODE.pong, "a"]]);
  });

  it("a pong answers a ping of the server's", async () => {
    const { socket, peer } = await start(implementation);
    const answered = once(socket, "pong");
    await settled(socket, peer);
    socket.ping("are you there");
    const { opcode, payload } = await peer.nextFrame();
    expect(opcode).toBe(OPCODE.ping);
    peer.write(frame(payload, { opcode: OPCODE.pong }));
    expect((await answered)[0]).toEqual(Buffer.from("are you there"));
  });

  it("binaryType changes what binary messages are given as, and takes known values only", async () => {
    const { socket, session, peer } = await start(implementation);
    socket.binaryType = "fragments";
    socket.binaryType = "unheard of";
    expect(socket.binaryType).toBe("fragments");
    const fragments = once(socket, "message");
    await settled(socket, peer);
    peer.write(frame(Buffer.from([1]), { opcode: OPCODE.binary }));
    expect(await fragments).toEqual([[Buffer.from([1])], true]);
    socket.binaryType = "arraybuffer";
    const buffer = once(socket, "message");
    const message = once(session, "message");
    peer.write(frame(Buffer.from([2]), { opcode: OPCODE.binary }));
    const [data] = await buffer;
    expect(data instanceof ArrayBuffer && [...new Uint8Array(data)]).toEqual([2]);
    expect(Buffer.from((await message)[0])).toEqual(Buffer.from([2]));
  });

  it("close sends the code and the reason, and the session ends with transport close", async () => {
    const { socket, session, peer } = await start(implementation);
    const ended = once(session, "close");
    const closed = once(socket, "close");
    socket.close(4001, "go away");
    expect([socket.readyState, session.readyState]).toEqual([2, "open"]);
    const { opcode, payload } = await peer.nextFrame();
    expect([opcode, payload.readUInt16BE(), payload.toString("utf8", 2)]).toEqual([
      OPCODE.close,
      4001,
      "go away",
    ]);
    peer.write(closeFrame(4002, "bye"));
    peer.stream.end();
    expect((await ended)[0]).toBe("transport close");
    expect(await closed).toEqual([4002, Buffer.from("bye")]);
    expect([socket.readyState, session.readyState]).toEqual([3, "closed"]);
  });

  it("close without a code sends an empty close frame, once", async () => {
    const { socket, peer } = await start(implementation);
    socket.close();
    socket.close(4000);
    expect(await frames(peer, 1)).toEqual([[OPCODE.close, ""]]);
    const closed = once(socket, "close");
    peer.write(closeFrame());
    peer.stream.end();
    expect(await closed).toEqual([1005, Buffer.alloc(0)]);
  });

  it("a close code or reason that may not be sent is thrown back", async () => {
    for (const code of [999, 1004, 1005, 1006, 1015, 2999, 5000, "1000", null]) {
      const { socket } = await start(implementation);
      expect(() => socket.close(code)).toThrow(
        new TypeError("First argument must be a valid error code number"),
      );
    }
    const { socket } = await start(implementation);
    expect(() => socket.close(1000, "x".repeat(124))).toThrow(
      new RangeError("The message must not be greater than 123 bytes"),
    );
  });

  it("the peer's close frame is told with its code and reason, and a stream that just ends as 1006", async () => {
    const first = await start(implementation);
    const closed = once(first.socket, "close");
    await settled(first.socket, first.peer);
    first.peer.write(closeFrame(1001, "leaving"));
    first.peer.stream.end();
    expect(await closed).toEqual([1001, Buffer.from("leaving")]);

    const second = await start(implementation);
    const broken = once(second.socket, "close");
    second.peer.stream.destroy();
    expect(await broken).toEqual([1006, Buffer.alloc(0)]);
  });

  it("a close of the session is answered by the peer with a code that close tells", async () => {
    const { socket, session, peer } = await start(implementation);
    const closed = once(socket, "close");
    session.close();
    expect(socket.readyState).toBe(2);
    expect(await frames(peer, 1)).toEqual([[OPCODE.close, ""]]);
    peer.write(closeFrame(1000));
    peer.stream.end();
    expect(await closed).toEqual([1000, Buffer.alloc(0)]);
  });

  it("terminate drops the stream without a close frame, and the session ends with transport close", async () => {
    const { socket, session, peer } = await start(implementation);
    const ended = once(session, "close");
    const closed = once(socket, "close");
    socket.terminate();
    expect([socket.readyState, socket._socket.destroyed]).toEqual([2, true]);
    expect((await ended)[0]).toBe("transport close");
    expect(await closed).toEqual([1006, Buffer.alloc(0)]);
    await eventually(() => peer.stream.readableEnded || peer.stream.destroyed);
    socket.terminate();
    expect(socket.readyState).toBe(3);
  });

  it("what is sent after the end comes back in the callback, and counts as buffered", async () => {
    const { socket } = await start(implementation);
    socket.close();
    const errors: unknown[] = [];
    const called = deferred();
    const note = (error?: Error): void => {
      errors.push(error?.message);
      if (errors.length === 3) {
        called.resolve();
      }
    };
    socket.send("12345", note);
    socket.ping("12", note);
    socket.pong(note);
    socket.send("no callback");
    expect(errors).toEqual([]);
    await called.promise;
    expect(errors).toEqual(Array(3).fill("WebSocket is not open: readyState 2 (CLOSING)"));
    expect(socket.bufferedAmount).toBeGreaterThanOrEqual(18);
  });

  it("a broken protocol is an error event with the code of ws, after the session's close", async () => {
    const { socket, session, peer } = await start(implementation);
    const log: unknown[] = [];
    session.on("close", (reason: string) => log.push(reason));
    socket.on("error", (error: Error & { code: string }) => {
      log.push([error instanceof RangeError, error.message, error.code]);
    });
    const closed = once(socket, "close");
    peer.write(frame("4x", { isMasked: false }));
    await eventually(() => log.length === 2);
    expect(log).toEqual([
      "transport error",
      [true, "Invalid WebSocket frame: MASK must be set", "WS_ERR_EXPECTED_MASK"],
    ]);
    peer.stream.end();
    expect((await closed)[0]).toBe(1006);
  });

  it("pause stops the reading, resume goes on where it was", async () => {
    const { socket, session, peer } = await start(implementation);
    const heard: string[] = [];
    session.on("message", (text: string) => heard.push(text));
    socket.pause();
    expect(socket.isPaused).toBe(true);
    await settled(socket, peer);
    // The peer's ping is answered only if it is read: nothing comes back while the reading is stopped.
    peer.write(Buffer.concat([frame("4one"), frame("p", { opcode: OPCODE.ping })]));
    session.send("still sent");
    expect(await frames(peer, 1)).toEqual([[OPCODE.text, "4still sent"]]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual([]);
    socket.resume();
    expect(socket.isPaused).toBe(false);
    expect(await frames(peer, 1)).toEqual([[OPCODE.pong, "p"]]);
    await eventually(() => heard.length === 1);
    expect(heard).toEqual(["one"]);
  });

  it("addEventListener gives event objects, and each handler once", async () => {
    const { socket, session, peer } = await start(implementation);
    const log: unknown[] = [];
    const onMessage = (event: any): void => {
      log.push([event.type, event.data, event.target === socket]);
    };
    socket.addEventListener("message", onMessage);
    socket.addEventListener("message", onMessage);
    socket.addEventListener("message", { handleEvent: (event: any) => log.push(event.type) });
    socket.addEventListener("message", (event: any) => log.push(["once", event.data]), {
      once: true,
    });
    socket.addEventListener("ping", () => log.push("never"));
    const first = once(session, "message");
    await settled(socket, peer);
    peer.send("4a");
    await first;
    await eventually(() => log.length === 3);
    expect(log).toEqual([["message", "4a", true], "message", ["once", "4a"]]);
    socket.removeEventListener("message", onMessage);
    const second = once(session, "message");
    peer.write(frame(Buffer.from([1]), { opcode: OPCODE.binary }));
    await second;
    await eventually(() => log.length === 4);
    const closed = new Promise<any>((resolve) => socket.addEventListener("close", resolve));
    await settled(socket, peer);
    peer.write(closeFrame(1001, "leaving"));
    peer.stream.end();
    const { type, code, reason, wasClean } = await closed;
    expect([type, code, reason, wasClean]).toEqual(["close", 1001, "leaving", true]);
  });

  it("onmessage and the like hold one handler each", async () => {
    const { socket, peer } = await start(implementation);
    expect([socket.onmessage, socket.onclose, socket.onerror, socket.onopen]).toEqual(
      Array(4).fill(null),
    );
    const log: string[] = [];
    const second = (event: any): void => void log.push(`second ${event.data}`);
    socket.onmessage = () => log.push("first");
    socket.onmessage = second;
    expect(socket.onmessage).toBe(second);
    await settled(socket, peer);
    peer.send("4a");
    await eventually(() => log.length > 0);
    expect(log).toEqual(["second 4a"]);
    socket.onmessage = null;
    expect(socket.onmessage).toBeNull();
  });

  it("a stream that is still a candidate has it too", async () => {
    const { candidate, peer, session, polling } = await startProbing(implementation);
    const heard = once(candidate.socket, "message");
    const pinged = once(candidate.socket, "ping");
    await settled(candidate.socket, peer);
    peer.write(frame("p", { opcode: OPCODE.ping }));
    expect((await pinged)[0]).toEqual(Buffer.from("p"));
    expect(await frames(peer, 1)).toEqual([[OPCODE.pong, "p"]]);
    const upgraded = once(session, "upgrade");
    const poll = polling.get();
    peer.send("5");
    expect((await heard)[0]).toEqual(Buffer.from("5"));
    await upgraded;
    await poll;
    expect(session.transport).toBe(candidate);
    candidate.socket.send("raw");
    expect(await frames(peer, 1)).toEqual([[OPCODE.text, "raw"]]);
  });

  it("a candidate that is closed leaves its session on polling", async () => {
    const { candidate, peer, session, polling } = await startProbing(implementation);
    candidate.socket.close(4000);
    const { opcode, payload } = await peer.nextFrame();
    expect([opcode, payload.readUInt16BE()]).toEqual([OPCODE.close, 4000]);
    peer.write(closeFrame(4000));
    peer.stream.end();
    await eventually(() => !session.upgrading);
    session.send("still there");
    expect(await polling.poll()).toMatch(/4still there$/);
    expect([session.readyState, session.transport.name]).toEqual(["open", "polling"]);
  });
});
