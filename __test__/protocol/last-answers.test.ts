// What listeners answer to the last messages of a peer that closes, breaks the protocol or half-closes in the same breath: engine.io, which
// reads and listens on one thread, has written the answer before it looks at the end.

import { startBareEngine } from "../harness/bare-engine";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { closeFrame, frame, OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { startServer } from "../harness/servers";

/** How the peer ends: what it sends behind its message, and what becomes of the session. */
interface Ending {
  bytes: Buffer;
  /** It half-closes behind them. */
  isHalfClosed?: boolean;
  /** The server's close frame; null for none. */
  closeCode: number | undefined | null;
  reason: string;
}

const NOTHING = Buffer.alloc(0);
const RESERVED = frame("", { opcode: 3 });

const ENDINGS: Record<string, Ending> = {
  "a close frame": { bytes: closeFrame(4001, "bye"), closeCode: 4001, reason: "transport close" },
  "an empty close frame": { bytes: closeFrame(), closeCode: undefined, reason: "transport close" },
  "a close frame and a FIN": {
    bytes: closeFrame(1000),
    isHalfClosed: true,
    closeCode: 1000,
    reason: "transport close",
  },
  "a frame of no kind": { bytes: RESERVED, closeCode: 1002, reason: "transport error" },
  "text that is not UTF-8": {
    bytes: frame(Buffer.from([0x34, 0xff])),
    closeCode: 1007,
    reason: "transport error",
  },
  "no packet": { bytes: frame("x"), closeCode: undefined, reason: "parse error" },
  "a ping of the server's": { bytes: frame("2"), closeCode: undefined, reason: "transport error" },
  "a FIN": { bytes: NOTHING, isHalfClosed: true, closeCode: null, reason: "transport close" },
};

/** What an event is answered by, and in which turn. */
type Later = (answer: () => void) => void;

const LATER: Record<string, Later> = {
  "in the next tick": (answer) => process.nextTick(answer),
  "after a promise": (answer) => void Promise.resolve().then(answer),
  "after a nextTick in a nextTick": (answer) =>
    process.nextTick(() => process.nextTick(() => answer())),
};

/** Sends one message with the end behind it, and tells of all that comes back. */
async function answered(
  implementation: Implementation,
  ending: Ending,
  answer: (session: any, data: any) => void,
  first: Buffer = frame("4last"),
): Promise<{ texts: string[]; closeCode: number | undefined | null; reason: string }> {
  const server = await startBareEngine(implementation);
  const opened = server.nextSession();
  const peer = await RawWebSocket.open(server.port);
  const session = await opened;
  await peer.expectText(/^0\{/);
  const closed = once(session, "close");
  session.on("message", (data: any) => answer(session, data));
  const bytes = Buffer.concat([first, ending.bytes]);
  if (ending.isHalfClosed) {
    peer.stream.end(bytes);
  } else {
    peer.write(bytes);
  }
  return { ...(await rest(peer)), reason: (await closed)[0] };
}

/** All that the server still says. */
async function rest(
  peer: RawWebSocket,
): Promise<{ texts: string[]; closeCode: number | undefined | null }> {
  const texts: string[] = [];
  let closeCode: number | undefined | null = null;
  for (;;) {
    const received = await peer.nextFrameOrEnd();
    if (received === undefined) {
      return { texts, closeCode };
    }
    const { opcode, payload, text } = received;
    expect(closeCode).toBeNull(); // nothing comes behind a close frame
    if (opcode === OPCODE.close) {
      closeCode = payload.length === 0 ? undefined : payload.readUInt16BE();
      peer.stream.end();
    } else {
      texts.push(text);
    }
  }
}

describeBoth("last answers", (implementation) => {
  for (const [title, ending] of Object.entries(ENDINGS)) {
    const { closeCode, reason } = ending;

    it(`what a message listener answers goes out before the end that came with ${title}`, async () => {
      const seen = await answered(implementation, ending, (session, data) => {
        session.send(`re: ${data}`);
      });
      expect(seen).toEqual({ texts: ["4re: last"], closeCode, reason });
    });
  }

  for (const title of ["a frame of no kind", "a FIN"]) {
    const ending = ENDINGS[title] as Ending;
    const { closeCode, reason } = ending;

    for (const [when, later] of Object.entries(LATER)) {
      // A violation is engine.io's to see in the tick after the next; a promise is later than that.
      if (when === "after a promise" && title !== "a FIN") {
        continue;
      }
      it(`so does what it answers ${when}, before the end that came with ${title}`, async () => {
        const seen = await answered(implementation, ending, (session, data) => {
          later(() => session.send(`re: ${data}`));
        });
        expect(seen).toEqual({ texts: ["4re: last"], closeCode, reason });
      });
    }

    it(`the ack of an event goes out before the end that came with ${title}`, async () => {
      const { io, port } = await startServer(implementation);
      io.on("connection", (socket) => {
        socket.on("last", (data: string, ack: (data: string) => void) => {
          ack(data);
        });
      });
      const peer = await RawWebSocket.join(port);
      const bytes = Buffer.concat([frame('421["last","it"]'), ending.bytes]);
      if (ending.isHalfClosed) {
        peer.stream.end(bytes);
      } else {
        peer.write(bytes);
      }
      expect(await rest(peer)).toEqual({ texts: ['431["it"]'], closeCode });
    });
  }

  for (const title of ["a close frame", "a frame of no kind", "a FIN"]) {
    const ending = ENDINGS[title] as Ending;

    for (const discard of [false, true]) {
      it(`close(${discard || ""}) in the listener comes before ${title} that came with the message`, async () => {
        const seen = await answered(implementation, ending, (session) => {
          session.send("last");
          session.close(discard);
        });
        expect(seen).toEqual({ texts: ["4last"], closeCode: undefined, reason: "forced close" });
      });
    }
  }

  it("an answer that a socket does not take at once goes out whole before the close frame", async () => {
    const long = "x".repeat(8_000_000);
    const { texts, ...end } = await answered(
      implementation,
      ENDINGS["a close frame"] as Ending,
      (session) => session.send(long),
    );
    expect(texts.map((text) => text.length)).toEqual([long.length + 1]);
    expect(end).toEqual({ closeCode: 4001, reason: "transport close" });
  });

  it("what comes behind the end is neither delivered nor answered", async () => {
    const heard: string[] = [];
    const bytes = Buffer.concat([
      frame("x"),
      frame("4more"),
      frame("", { opcode: OPCODE.ping }),
      closeFrame(1000),
    ]);
    const seen = await answered(
      implementation,
      { ...(ENDINGS["no packet"] as Ending), bytes },
      (session, data) => {
        heard.push(data);
        session.send(`re: ${data}`);
      },
    );
    expect(heard).toEqual(["last"]);
    expect(seen).toEqual({ texts: ["4re: last"], closeCode: undefined, reason: "parse error" });
  });

  it("a listener of frames may send some of its own before the close frame is answered", async () => {
    const server = await startBareEngine(implementation);
    const opened = server.nextSession();
    const peer = await RawWebSocket.open(server.port);
    const { transport } = await opened;
    await peer.expectText(/^0\{/);
    transport.socket.on("message", () => transport.socket.ping("hello"));
    peer.write(Buffer.concat([frame("4last"), closeFrame(1000)]));
    const { opcode, text } = await peer.nextFrame();
    expect([opcode, text]).toEqual([OPCODE.ping, "hello"]);
    expect(await peer.expectClose()).toBe(1000);
    peer.stream.end();
    await peer.ended();
  });
});
