// Random streams of a WebSocket client: right messages in the frames that the sender of npm's `ws` makes of them, and, at
// the end of some streams, something that no client may send.

import { constants } from "node:zlib";
import * as ws from "ws";
import type { Random } from "./random";
import { closeFrame, frame } from "./raw-websocket";
import type { Script } from "./wire-trace";

const TEXTS = ["", "a", "word ", "é€😀", "4", '"', "\u0000"];
/** On both sides of where a header grows, and more than the limit of the test. */
const COUNTS = [0, 1, 2, 20, 60, 125, 126, 127, 300, 1_000];

/** Of close frames, on both sides of each border. */
const CLOSE_CODES = [0, 999, 1000, 1001, 1004, 1005, 1007, 1014, 1015, 2999, 3000, 4999, 5000];

/** Frames as ws makes them, collected. */
class Frames {
  readonly chunks: Buffer[] = [];
  private readonly sender: any;

  constructor(
    random: Random,
    private readonly extensions: string,
  ) {
    const { Sender, PerMessageDeflate, extension } = ws as any;
    const agreed: { [name: string]: unknown } = {};
    if (extensions !== "") {
      const name = PerMessageDeflate.extensionName;
      const zlibDeflateOptions = {
        level: random.below(10),
        memLevel: 1 + random.below(9),
        strategy: random.pick([constants.Z_DEFAULT_STRATEGY, constants.Z_RLE, constants.Z_FIXED]),
      };
      const options = { isServer: false, threshold: 0, zlibDeflateOptions };
      const deflate = new PerMessageDeflate(options);
      deflate.accept(extension.parse(extensions)[name]);
      agreed[name] = deflate;
    }
    const stream = {
      cork() {},
      uncork() {},
      write: (chunk: Buffer, done?: () => void) => {
        this.chunks.push(Buffer.from(chunk));
        done?.();
      },
    };
    const generateMask = (mask: Buffer): void => void random.bytes(4).copy(mask);
    this.sender = new Sender(stream, agreed, generateMask);
  }

  /** Resolves when it was framed; with compression that takes its time. */
  send(data: Buffer, options: { binary: boolean; fin: boolean; compress: boolean }): Promise<void> {
    const compress = options.compress && this.extensions !== "";
    return new Promise((resolve) => {
      this.sender.send(data, { mask: true, ...options, compress }, resolve);
    });
  }

  control(kind: "ping" | "pong", data: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.sender[kind](data, true, resolve);
    });
  }
}

/**
 * A script for a connection that has agreed to `extensions`.
 * Its `echoes` are set if all of it is right, so that what comes back is known to be complete.
 */
export async function randomScript(random: Random, extensions: string): Promise<Script> {
  const frames = new Frames(random, extensions);
  const messages = random.below(6);
  for (let count = 0; count < messages; count += 1) {
    await randomMessage(random, frames);
  }
  const pieces = random.oneIn(3)
    ? undefined
    : Array.from(
        { length: 1 + random.below(6) },
        () => 1 + random.below(random.pick([3, 40, 900])),
      );
  if (random.oneIn(2)) {
    return { bytes: Buffer.concat(frames.chunks), pieces, echoes: messages };
  }
  const bytes = Buffer.concat([...frames.chunks, randomEnd(random, extensions !== "")]);
  // engine.io inflates on threads of its own, and a FIN overtakes what it has not inflated yet.
  return { bytes, pieces, messages, last: ({ stream }) => stream.end() };
}

async function randomMessage(random: Random, frames: Frames): Promise<void> {
  const binary = random.oneIn(2);
  const content = random.oneIn(4)
    ? random.bytes(random.pick(COUNTS))
    : Buffer.from(random.pick(TEXTS).repeat(random.pick(COUNTS)));
  const isText = !binary;
  const message = isText ? Buffer.from(`4${content.toString("utf8")}`) : content;
  const compress = random.oneIn(2);
  const cuts = random.times(3, () => random.below(message.length + 1)).sort((a, b) => a - b);
  const starts = [0, ...cuts];
  for (const [index, start] of starts.entries()) {
    if (random.oneIn(4)) {
      const kind = random.oneIn(3) ? "pong" : "ping";
      await frames.control(kind, random.bytes(random.pick([0, 1, 4, 125])));
    }
    const fin = index === starts.length - 1;
    await frames.send(message.subarray(start, starts[index + 1]), { binary, fin, compress });
  }
}

/** Mostly one violation; a close frame, or part of a frame. Something may follow it. */
function randomEnd(random: Random, isCompressed: boolean): Buffer {
  const opcode = random.pick([0, 1, 2, 8, 9, 10]);
  // RSV1 alone would begin a compressed message.
  const reserved = random.pick(isCompressed ? [1, 2, 3, 5, 6, 7] : [1, 2, 3, 4, 5, 6, 7]);
  const end = random.pick([
    () => closeFrame(random.pick(CLOSE_CODES), random.bytes(random.below(3))),
    () => closeFrame(random.below(65_536), "reason"),
    () => frame(random.bytes(random.below(3)), { opcode, reserved }),
    () => frame("4x", { opcode: random.below(16) }),
    () => frame("4x", { opcode, isFinal: random.oneIn(2) }),
    () => frame("4x", { isMasked: false }),
    () => frame(random.bytes(1 + random.below(200)), { opcode }),
    () => frame("", { opcode, announcedLength: random.pick([126, 5_000, 70_000, 2n ** 53n]) }),
    () => frame("x".repeat(3_000), { opcode }),
    () => random.bytes(random.below(60)),
    () => frame("4cut short").subarray(0, random.below(16)),
  ])();
  return random.oneIn(2) ? Buffer.concat([end, frame("4late"), closeFrame(1000)]) : end;
}
