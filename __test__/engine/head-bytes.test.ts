/**
 * Frames that come with a direct opening handshake, cut at every byte between the request, its head and later reads: they are delivered
 * whole and in order, after `connection`, over both carriers. sio-rs alone: engine.io loses them while it makes the session.
 */
import { type Session, startBareEngine } from "../harness/bare-engine";
import { eventually } from "../harness/events";
import { loadImplementation } from "../harness/implementations";
import { openStream } from "../harness/raw-http";
import { closeFrame, frame, OPCODE, openingHandshake } from "../harness/raw-websocket";
import { write } from "../harness/wire-trace";

const FRAMES = Buffer.concat([
  frame("4first"),
  frame("4in ", { isFinal: false }),
  frame("ping", { opcode: OPCODE.ping }),
  frame("two", { opcode: OPCODE.continuation }),
  closeFrame(1000, "done"),
]);

describe("engine: bytes that come with the opening handshake", () => {
  for (const carrier of ["auto", "bridge"]) {
    for (const generateId of [undefined, async () => `id ${Math.random()}`]) {
      const what = generateId === undefined ? "made at once" : "whose id takes a while";
      test(`all frames of a session ${what} are delivered, with carrier: "${carrier}"`, async () => {
        const options = { carrier } as object;
        const { engine, port } = await startBareEngine(loadImplementation("sio-rs"), options);
        if (generateId !== undefined) {
          (engine as any).generateId = generateId;
        }
        const logs: unknown[][] = [];
        engine.on("connection", (session: Session) => {
          const log: unknown[] = ["connection"];
          logs.push(log);
          session.on("message", (message: unknown) => log.push(message));
          session.on("close", (reason: string) => log.push(reason));
        });
        for (let cut = 0; cut <= FRAMES.length; cut += 1) {
          const stream = await openStream(port);
          await write(stream, Buffer.concat([openingHandshake(), FRAMES.subarray(0, cut)]));
          await write(stream, FRAMES.subarray(cut));
        }
        await eventually(() => logs.filter((log) => log.length === 4).length > FRAMES.length);
        for (const log of logs) {
          expect(log).toEqual(["connection", "first", "in two", "transport close"]);
        }
      });
    }
  }
});
