// Frames in the same segment as the upgrade request, cut at every byte between the request, its head and later reads: they
// are read whole and in order. In a direct opening handshake engine.io loses frames that are complete in the head, because
// the session does not exist yet; that they are delivered by sio-rs is tested in engine/head-bytes.test.ts.

import { type Session, startBareEngine } from "../harness/bare-engine";
import { eventually } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { openStream } from "../harness/raw-http";
import { closeFrame, frame, OPCODE, openingHandshake } from "../harness/raw-websocket";
import { write } from "../harness/wire-trace";

/** The end of the 101, and the answer to the probe. */
const PROBED = "\r\n\r\n\u0081\u00063probe";

describeBoth("bytes that come with the upgrade request", (implementation) => {
  it("a candidate's probe, upgrade packet and messages may be cut anywhere", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const fragment = frame("4in ", { isFinal: false });
    const rest = frame("two", { opcode: OPCODE.continuation });
    const frames = Buffer.concat([frame("2probe"), frame("5"), frame("4one"), fragment, rest]);
    for (let cut = 0; cut <= frames.length; cut += 1) {
      const opened = nextSession();
      const polling = await PollingPeer.open(port);
      const session: Session = await opened;
      const messages: unknown[] = [];
      session.on("message", (message: unknown) => messages.push(message));
      const stream = await openStream(port);
      let received = "";
      stream.on("data", (chunk) => {
        received += chunk.toString("latin1");
      });
      const request = openingHandshake({ path: polling.target("websocket") });
      await write(stream, Buffer.concat([request, frames.subarray(0, cut)]));
      await write(stream, frames.subarray(cut));
      await eventually(() => messages.length === 2, `cut at ${cut}`);
      expect([cut, messages, session.transport.name]).toEqual([
        cut,
        ["one", "in two"],
        "websocket",
      ]);
      await eventually(() => received.endsWith(PROBED), `cut at ${cut}`);
      stream.destroy();
    }
  });

  it("the first frame of a direct session may begin in the head at any byte", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const first = frame("4first");
    const frames = Buffer.concat([first, frame("4second"), closeFrame(1000, "done")]);
    for (let cut = 0; cut < first.length; cut += 1) {
      const opened = nextSession();
      const stream = await openStream(port);
      stream.resume();
      await write(stream, Buffer.concat([openingHandshake(), frames.subarray(0, cut)]));
      const session: Session = await opened;
      const log: unknown[] = [];
      session.on("message", (message: unknown) => log.push(message));
      session.on("close", (reason: string) => log.push(reason));
      await write(stream, frames.subarray(cut));
      await eventually(() => session.readyState === "closed", `cut at ${cut}`);
      expect([cut, log]).toEqual([cut, ["first", "second", "transport close"]]);
      stream.destroy();
    }
  });
});
