// The same raw upgrade requests to npm's engine.io and to sio-rs: the bytes of the answers are equal. Requests with several
// faults tell the order of the checks; odd lists of subprotocols and extensions tell how they are read.

import { startBareEngine } from "../harness/bare-engine";
import { eventually } from "../harness/events";
import { loadImplementation } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { openStream } from "../harness/raw-http";
import { openingHandshake } from "../harness/raw-websocket";

type Headers = Record<string, string | undefined>;

/** Faults in the order in which they are found. */
const FAULTS: [string, Headers][] = [
  ["another upgrade", { Upgrade: "h2c" }],
  ["no key", { "Sec-WebSocket-Key": undefined }],
  ["a key that is too short", { "Sec-WebSocket-Key": "c2hvcnQ=" }],
  ["version 7", { "Sec-WebSocket-Version": "7" }],
  ["an empty subprotocol", { "Sec-WebSocket-Protocol": "a,,b" }],
  ["an unknown parameter", { "Sec-WebSocket-Extensions": "permessage-deflate; x" }],
];

const ACCEPTED_OR_NOT: [string, Headers][] = [
  ["nothing odd", {}],
  ["Upgrade: WebSocket", { Upgrade: "WebSocket" }],
  ["Upgrade: websocket, h2c", { Upgrade: "websocket, h2c" }],
  ["Connection: keep-alive, Upgrade", { Connection: "keep-alive, Upgrade" }],
  ["no Host", { Host: undefined }],
  ["version 8", { "Sec-WebSocket-Version": "8" }],
  ["version 13, 8", { "Sec-WebSocket-Version": "13, 8" }],
  ["version 013", { "Sec-WebSocket-Version": "013" }],
  ["version +13", { "Sec-WebSocket-Version": "+13" }],
  ["a key in the alphabet of URLs", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j-_==" }],
  ["a key with spaces around", { "Sec-WebSocket-Key": "  dGhlIHNhbXBsZSBub25jZQ==  " }],
  ...[
    "chat",
    "chat, superchat",
    "chat,superchat",
    "chat , superchat",
    " chat ",
    "chat,",
    ",chat",
    "a, a",
    "a;b",
    'a"b',
    "a b",
    "a\tb",
    "",
    "é",
    "!#$%&'*+-.^_`|~09azAZ",
  ].map((list): [string, Headers] => [
    `subprotocols "${list}"`,
    { "Sec-WebSocket-Protocol": list },
  ]),
  ...[
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    'permessage-deflate; server_max_window_bits="10"',
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=7, permessage-deflate",
    "permessage-deflate; client_no_context_takeover, x-other; a=b",
    "x-other",
    "permessage-deflate;",
    "permessage-deflate,",
    ",",
    "",
  ].map((offer): [string, Headers] => [
    `extensions "${offer}"`,
    { "Sec-WebSocket-Extensions": offer },
  ]),
];

/** A 101 has no body. */
const isWhole = (answer: string): boolean =>
  answer.startsWith("HTTP/1.1 101 ") && answer.includes("\r\n\r\n");

/** The answer up to the end of its head, or all of it when the connection is ended. */
async function answerTo(port: number, bytes: Buffer): Promise<string> {
  const stream = await openStream(port);
  let answer = "";
  let hasEnded = false;
  stream.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  stream.on("close", () => {
    hasEnded = true;
  });
  stream.write(bytes);
  await eventually(() => hasEnded || isWhole(answer), "no answer came");
  stream.destroy();
  return answer.startsWith("HTTP/1.1 101") ? (answer.split("\r\n\r\n")[0] as string) : answer;
}

const compared = process.env.COMPAT_ONLY === "socket.io" ? test.skip : test;

describe("answers to opening handshakes", () => {
  const start = async (perMessageDeflate: boolean) => {
    const options = { perMessageDeflate } as object;
    const ours = await startBareEngine(loadImplementation("sio-rs"), options);
    const theirs = await startBareEngine(loadImplementation("socket.io"), options);
    return { ours, theirs };
  };

  for (const perMessageDeflate of [false, true]) {
    const what = perMessageDeflate ? "with compression" : "without compression";
    compared(`the bytes are those of engine.io for requests of every kind, ${what}`, async () => {
      const { ours, theirs } = await start(perMessageDeflate);
      for (const [name, headers] of [...ACCEPTED_OR_NOT, ...FAULTS]) {
        const request = openingHandshake({ headers });
        const expected = await answerTo(theirs.port, request);
        expect([name, await answerTo(ours.port, request)]).toEqual([name, expected]);
      }
    });
  }

  compared("of two faults the same one is told as by engine.io", async () => {
    const { ours, theirs } = await start(true);
    const told = new Set<string>();
    for (const [index, [first, firstHeaders]] of FAULTS.entries()) {
      for (const [second, secondHeaders] of FAULTS.slice(index + 1)) {
        const request = openingHandshake({ headers: { ...secondHeaders, ...firstHeaders } });
        const expected = await answerTo(theirs.port, request);
        expect([first, second, await answerTo(ours.port, request)]).toEqual([
          first,
          second,
          expected,
        ]);
        told.add(expected.split("\r\n\r\n")[1] as string);
      }
    }
    expect(told.size).toBe(4);
  });

  compared(
    "other methods with a sid are answered as by engine.io, before any other fault",
    async () => {
      const { ours, theirs } = await start(false);
      for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
        const answers = [];
        for (const { port } of [theirs, ours]) {
          const polling = await PollingPeer.open(port);
          const path = polling.target("websocket");
          const headers = { Upgrade: "h2c", "Sec-WebSocket-Key": undefined };
          answers.push(await answerTo(port, openingHandshake({ path, method, headers })));
        }
        expect([method, answers[1]]).toEqual([method, answers[0]]);
      }
    },
  );

  compared("a lower-case method is Node's to refuse", async () => {
    const { ours, theirs } = await start(false);
    const request = openingHandshake({ method: "get" });
    expect(await answerTo(ours.port, request)).toBe(await answerTo(theirs.port, request));
  });
});
