/**
 * Offers of permessage-deflate get the answer of ws, to the letter: a table of odd ones, and random ones, both under many options.
 *
 * The reference is ws's own server, which is given a request and a stream that keeps what is written.
 */
import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { Server } from "../../lib/engine";
import { deflateOptions, negotiateDeflate } from "../../lib/engine/deflate";
import { KEY, start, upgrade } from "./fixture";
import { RawPeer } from "./raw";

const HEADERS = {
  upgrade: "websocket",
  "sec-websocket-key": KEY,
  "sec-websocket-version": "13",
};

/** What the response says of extensions, or the reason of the refusal. */
function referenceAnswer(options: object, offer: string): string | undefined {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: options });
  let written = "";
  const stream = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  const request = { method: "GET", headers: { ...HEADERS, "sec-websocket-extensions": offer } };
  Object.assign(stream, { setTimeout() {}, setNoDelay() {} });
  server.handleUpgrade(request as unknown as IncomingMessage, stream, Buffer.alloc(0), (ws) =>
    ws.terminate(),
  );
  stream.destroy();
  if (written.startsWith("HTTP/1.1 400 ")) {
    return written.split("\r\n\r\n")[1];
  }
  return /^Sec-WebSocket-Extensions: (.*)\r$/m.exec(written)?.[1];
}

function ourAnswer(options: object, offer: string): string | undefined {
  try {
    return negotiateDeflate(deflateOptions(options) ?? {}, offer)?.header;
  } catch {
    return "Invalid or unacceptable Sec-WebSocket-Extensions header";
  }
}

const OPTIONS: object[] = [
  {},
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
  { serverNoContextTakeover: false },
  { clientNoContextTakeover: false },
  { serverMaxWindowBits: 10 },
  { serverMaxWindowBits: false },
  { serverMaxWindowBits: true, clientMaxWindowBits: true },
  { clientMaxWindowBits: 12 },
  { clientMaxWindowBits: false },
  { serverNoContextTakeover: true, serverMaxWindowBits: 8, clientMaxWindowBits: 8 },
];

const OFFERS = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits",
  "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  "permessage-deflate; client_no_context_takeover;server_max_window_bits=10 ; client_max_window_bits = 9",
  "permessage-deflate; client_no_context_takeover;server_max_window_bits=10 ; client_max_window_bits=9",
  'permessage-deflate; server_max_window_bits="10"',
  'permessage-deflate; server_max_window_bits="1\\0"; client_max_window_bits="\\8"',
  'permessage-deflate; server_max_window_bits="10',
  'permessage-deflate; server_max_window_bits=""',
  'permessage-deflate; server_max_window_bits="1"0',
  'permessage-deflate; server_max_window_bits=1"0"',
  'permessage-deflate; server_max_window_bits="1 0"',
  'permessage-deflate; server_max_window_bits="10\\"',
  'permessage-deflate; server_max_window_bits="10" ;client_max_window_bits',
  'permessage-deflate; "server_max_window_bits"=10',
  "permessage-deflate; server_max_window_bits",
  "permessage-deflate; server_max_window_bits=",
  "permessage-deflate; server_max_window_bits=7",
  "permessage-deflate; server_max_window_bits=8",
  "permessage-deflate; server_max_window_bits=16",
  "permessage-deflate; server_max_window_bits=0xf; client_max_window_bits=1e1",
  "permessage-deflate; server_max_window_bits=010; client_max_window_bits=9.0",
  "permessage-deflate; server_max_window_bits=10.5",
  "permessage-deflate; server_max_window_bits=+10",
  "permessage-deflate; client_max_window_bits=15; client_max_window_bits=15",
  "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
  "permessage-deflate; client_no_context_takeover=true",
  "permessage-deflate; unknown",
  "permessage-deflate; __proto__",
  "permessage-deflate; constructor=1",
  "permessage-deflate; server_no_context_takeover, permessage-deflate",
  "permessage-deflate; server_max_window_bits=9, permessage-deflate; client_max_window_bits",
  "permessage-deflate, permessage-deflate; unknown",
  "permessage-bzip2; unknown; unknown, permessage-deflate",
  "permessage-bzip2",
  "Permessage-Deflate",
  "__proto__",
  "constructor; a=b",
  "",
  " permessage-deflate",
  "permessage-deflate ",
  "permessage-deflate\t;\tclient_max_window_bits\t,\tx",
  "permessage-deflate;",
  "permessage-deflate,",
  ",permessage-deflate",
  ";",
  "permessage-deflate;;client_max_window_bits",
  "permessage deflate",
  "permessage-deflate; a b",
  "permessage-deflate=1",
  "permessage-deflate; client_max_window_bits==8",
  "permessage-deflate; client_max_window_bits=8=8",
  "permessage-d\xe9flate",
];

/** A generator with a seed, so that a failure comes again (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Pieces of which offers are made, most of them in their place. */
const PIECES = [
  "permessage-deflate",
  "permessage-deflate; ",
  "client_max_window_bits",
  "server_max_window_bits",
  "server_no_context_takeover",
  "client_no_context_takeover",
  "; ",
  ";",
  ", ",
  "=",
  "=8",
  "=12",
  "=15",
  '="9"',
  '="1\\1"',
  '"',
  "\\",
  " ",
  "\t",
  "x",
  "\xff",
];

describe("engine: permessage-deflate negotiation", () => {
  it.each(OPTIONS)("answers the offers of the table as ws does under %j", (options) => {
    for (const offer of OFFERS) {
      expect([offer, ourAnswer(options, offer)]).toEqual([offer, referenceAnswer(options, offer)]);
    }
  });

  it("answers random offers as ws does", () => {
    const below = randomNumbers(7692);
    const answers = new Map<string | undefined, number>();
    for (let round = 0; round < 6_000; round += 1) {
      const options = OPTIONS[below(OPTIONS.length)] as object;
      let offer = below(4) > 0 ? "permessage-deflate" : "";
      for (let count = below(9); count > 0; count -= 1) {
        // A well-formed parameter more often than not, so that more than the first mistake is seen.
        const piece = PIECES[below(PIECES.length)] as string;
        offer += below(3) > 0 ? `; ${PIECES[2 + below(4)]}${PIECES[10 + below(5)]}` : piece;
      }
      const expected = referenceAnswer(options, offer);
      answers.set(expected, (answers.get(expected) ?? 0) + 1);
      expect({ options, offer, answer: ourAnswer(options, offer) }).toEqual({
        options,
        offer,
        answer: expected,
      });
    }
    expect(answers.size).toBeGreaterThan(30);
  });

  it("reads a header of any length in one pass", () => {
    const long = "a".repeat(200_000);
    for (const header of [
      `permessage-deflate; x="${long}`,
      `permessage-deflate; x="${"\\a".repeat(100_000)}`,
      `permessage-deflate${" ".repeat(200_000)}x`,
      `permessage-deflate${"; a".repeat(60_000)}`,
      `${"x,".repeat(100_000)} y`,
    ]) {
      const begin = process.cpuUsage();
      ourAnswer({}, header);
      expect(process.cpuUsage(begin).user).toBeLessThan(500_000); // microseconds
    }
  });

  it("tells the core what was agreed on", () => {
    const parameters = (options: object, offer: string): object | undefined =>
      negotiateDeflate(deflateOptions(options) ?? {}, offer)?.parameters;
    expect(parameters({ threshold: 1024 }, "permessage-deflate; client_max_window_bits")).toEqual({
      threshold: 1024,
      serverWindowBits: 15,
      serverContext: false,
      clientWindowBits: 15,
      clientContext: true,
      level: 6,
      memoryLevel: 8,
      strategy: 0,
      maxCompressors: 10,
    });
    const options = {
      threshold: 0,
      serverNoContextTakeover: false,
      clientNoContextTakeover: true,
      clientMaxWindowBits: 9,
      zlibDeflateOptions: { level: -1, memLevel: 3, strategy: 4, windowBits: 12, chunkSize: 64 },
      concurrencyLimit: 2,
    };
    const offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=11";
    expect(parameters(options, offer)).toEqual({
      threshold: 0,
      serverWindowBits: 11,
      serverContext: true,
      clientWindowBits: 9,
      clientContext: false,
      level: 6,
      memoryLevel: 3,
      strategy: 4,
      maxCompressors: 2,
    });
    const thresholds = [Number.NaN, Number.POSITIVE_INFINITY, -5, 1.5, "7", undefined];
    expect(
      thresholds.map(
        (threshold) => (parameters({ threshold }, "permessage-deflate") as any).threshold,
      ),
    ).toEqual([2 ** 32 - 1, 2 ** 32 - 1, 0, 2, 7, 1024]);
    const limits = [0, Number.POSITIVE_INFINITY, 1000, 3.9];
    expect(
      limits.map(
        (concurrencyLimit) =>
          (parameters({ concurrencyLimit }, "permessage-deflate") as any).maxCompressors,
      ),
    ).toEqual([255, 255, 255, 3]);
  });

  it.each([
    ["serverMaxWindowBits", { serverMaxWindowBits: 7 }],
    ["clientMaxWindowBits", { clientMaxWindowBits: 16 }],
    ["zlibDeflateOptions.level", { zlibDeflateOptions: { level: 10 } }],
    ["zlibDeflateOptions.memLevel", { zlibDeflateOptions: { memLevel: 0 } }],
    ["zlibDeflateOptions.strategy", { zlibDeflateOptions: { strategy: "fast" } }],
    ["zlibInflateOptions.dictionary", { zlibInflateOptions: { dictionary: Buffer.from("a") } }],
  ])("refuses a bad perMessageDeflate.%s by name", (name, perMessageDeflate) => {
    expect(() => new Server({ perMessageDeflate })).toThrow(
      expect.objectContaining({
        code: "SIO_RS_INVALID_OPTION",
        message: expect.stringContaining(`"perMessageDeflate.${name}"`),
      }),
    );
  });

  it("names the extension after the subprotocol and before the headers of the application", async () => {
    const { server, engine, link } = await start({ perMessageDeflate: true });
    engine.on("headers", (headers) => {
      headers["X-Own"] = "1";
    });
    const peer = await RawPeer.connect(server);
    const offers =
      "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    peer.write(upgrade("transport=websocket", offers));
    expect(await peer.until(/\r\n\r\n/)).toMatch(
      /\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\nX-Own: 1\r\n\r\n$/,
    );
    const transport = Object.values(engine.clients)[0]?.transport as any;
    expect(transport.socket.extensions).toBe("permessage-deflate");
    expect(link.streams[0]?.deflate).toMatchObject({ threshold: 1024 });
  });

  it("neither reads nor names extensions while the option is off", async () => {
    const fixture = await start();
    const { conn, peer } = await fixture.open("Sec-WebSocket-Extensions: ;;; ,\r\n");
    expect(peer.received).not.toContain("Extensions");
    expect(conn.transport.socket.extensions).toBe("");
    expect(fixture.link.streams[0]?.deflate).toBeUndefined();
  });
});
