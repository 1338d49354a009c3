// What a client may write to an open WebSocket session, and what comes of it: the groups of the Autobahn test suite as far
// as they are about frames, as data. `websocket-torture.test.ts` plays them.

import { closeFrame, type FrameShape, frame, OPCODE } from "../harness/raw-websocket";
import { ENOUGH, shown, type Trace } from "../harness/wire-trace";

/** A name, what the client writes, and what comes of it. */
export type Case = [name: string, bytes: Buffer, outcome: Partial<Trace>];

type Message = string | Buffer;

/** The messages are delivered and echoed; then the client closes. */
function echoes(messages: Message[], pongs: Message[] = []): Partial<Trace> {
  const lane = messages.map(shown);
  return {
    delivered: lane,
    echoed: lane,
    pongs: pongs.map(pongShown),
    closed: "transport close",
    closeFrame: ENOUGH,
  };
}

/** The session ends at a violation, after what was right before it. */
function fails(
  code: number,
  text: string,
  delivered: Message[] = [],
  pongs: Message[] = [],
): Partial<Trace> {
  return {
    delivered: delivered.map(shown),
    echoed: [],
    pongs: pongs.map(pongShown),
    closed: `transport error: ${text}`,
    closeFrame: String(code),
  };
}

/** The client's close frame is echoed. */
function closes(frameShown: string, delivered: Message[] = []): Partial<Trace> {
  return {
    delivered: delivered.map(shown),
    echoed: [],
    pongs: [],
    closed: "transport close",
    closeFrame: frameShown,
  };
}

const pongShown = (payload: Message): string => shown(payload.toString("latin1" as never));

const invalid = (what: string): string => `RangeError: Invalid WebSocket frame: ${what}`;
const NOT_UTF_8 = "Error: Invalid WebSocket frame: invalid UTF-8 sequence";
const TOO_LARGE = "RangeError: Max payload size exceeded";

const begins = (payload: Message, opcode: number = OPCODE.text): Buffer =>
  frame(payload, { opcode, isFinal: false });
const goesOn = (payload: Message): Buffer =>
  frame(payload, { opcode: OPCODE.continuation, isFinal: false });
const ends = (payload: Message): Buffer => frame(payload, { opcode: OPCODE.continuation });
const binary = (payload: Message): Buffer => frame(payload, { opcode: OPCODE.binary });
const ping = (payload: Message, shape: FrameShape = {}): Buffer =>
  frame(payload, { opcode: OPCODE.ping, ...shape });
const pong = (payload: Message): Buffer => frame(payload, { opcode: OPCODE.pong });
const all = (...frames: Buffer[]): Buffer => Buffer.concat(frames);

/** `payload` in fragments of `size` bytes. */
export function fragmented(payload: Buffer, size: number, opcode: number = OPCODE.text): Buffer {
  const pieces: Buffer[] = [];
  for (let start = 0; start < payload.length; start += size) {
    const piece = payload.subarray(start, start + size);
    const isFinal = start + size >= payload.length;
    pieces.push(frame(piece, { opcode: start === 0 ? opcode : OPCODE.continuation, isFinal }));
  }
  return Buffer.concat(pieces);
}

/** A frame whose length takes more bytes than it needs. */
function withLongLength(payload: string, lengthBytes: 2 | 8): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt16BE(payload.length, lengthBytes - 2);
  const head = Buffer.from([0x81, 0x80 | (lengthBytes === 2 ? 126 : 127)]);
  return Buffer.concat([head, length, Buffer.alloc(4), Buffer.from(payload)]);
}

const SIZES = [1, 125, 126, 127, 128, 65_535, 65_536];

const framing: Case[] = [
  ["no bytes of binary", binary(""), echoes([Buffer.alloc(0)])],
  ["a packet without content", frame("4"), echoes([""])],
  ...SIZES.map((size): Case => {
    const text = "*".repeat(size - 1);
    return [`text of ${size}`, frame(`4${text}`), echoes([text])];
  }),
  ...SIZES.map((size): Case => {
    const bytes = Buffer.alloc(size, 0xfe);
    return [`binary of ${size}`, binary(bytes), echoes([bytes])];
  }),
  ["a length of 1 in 16 bits", withLongLength("4", 2), echoes([""])],
  ["a length of 3 in 64 bits", withLongLength("4ab", 8), echoes(["ab"])],
  ["a key of zeros", Buffer.from("8183000000003461620a", "hex").subarray(0, 9), echoes(["ab"])],
  [
    "no mask, though the body never comes",
    Buffer.from([0x82, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0]),
    fails(1002, invalid("MASK must be set")),
  ],
  ["no mask on a ping", ping("", { isMasked: false }), fails(1002, invalid("MASK must be set"))],
];

const tenPings = Array.from({ length: 10 }, (_, count) => `payload-${count}`);

const pings: Case[] = [
  ["no payload", ping(""), echoes([], [""])],
  ["text", ping("Hello, world!"), echoes([], ["Hello, world!"])],
  ["bytes", ping(Buffer.from([0, 0xff, 0xfe, 0xfd, 0])), echoes([], ["\0\xff\xfe\xfd\0"])],
  ["125 bytes", ping("x".repeat(125)), echoes([], ["x".repeat(125)])],
  ["126 bytes", ping("x".repeat(126)), fails(1002, invalid("invalid payload length 126"))],
  ["ten in a row", all(...tenPings.map((text) => ping(text))), echoes([], tenPings)],
  ["a pong that nobody asked for", pong(""), echoes([])],
  ["a pong with payload, then a ping", all(pong("unasked"), ping("asked")), echoes([], ["asked"])],
  [
    "between the fragments of a message",
    all(begins("4a"), ping("1"), goesOn("b"), ping("2"), ends("c")),
    echoes(["abc"], ["1", "2"]),
  ],
];

const reserved: Case[] = [1, 2, 3, 4, 5, 6, 7].flatMap((bits): Case[] => {
  const text = invalid(bits === 4 ? "RSV1 must be clear" : "RSV2 and RSV3 must be clear");
  const bent = { reserved: bits };
  return [
    [`${bits} on a text`, frame("4small", bent), fails(1002, text)],
    [`${bits} on binary`, frame("small", { opcode: OPCODE.binary, ...bent }), fails(1002, text)],
    [`${bits} on a ping`, ping("small", bent), fails(1002, text)],
    [`${bits} on a close`, frame("", { opcode: OPCODE.close, ...bent }), fails(1002, text)],
    [
      `${bits} after a text and a ping, before a text`,
      all(frame("4a"), ping("p"), frame("4b", bent), frame("4c")),
      fails(1002, text, ["a"], ["p"]),
    ],
    [
      `${bits} on a fragment`,
      all(begins("4a"), frame("b", { opcode: OPCODE.continuation, ...bent })),
      fails(1002, text),
    ],
  ];
});

const opcodes: Case[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode): Case[] => {
  const text = invalid(`invalid opcode ${opcode}`);
  return [
    [`${opcode}, empty`, frame("", { opcode }), fails(1002, text)],
    [`${opcode} with payload`, frame("reserved", { opcode }), fails(1002, text)],
    [
      `${opcode} between others`,
      all(frame("4a"), frame("b", { opcode }), ping("")),
      fails(1002, text, ["a"]),
    ],
  ];
});

const fragmentation: Case[] = [
  ["a text of two", all(begins("4frag"), ends("ment")), echoes(["fragment"])],
  ["binary of two", all(begins("a", OPCODE.binary), ends("b")), echoes([Buffer.from("ab")])],
  ["empty ones", all(begins("4"), goesOn(""), goesOn(""), ends("")), echoes([""])],
  ["one full of three", all(begins(""), goesOn("4middle"), ends("")), echoes(["middle"])],
  [
    "two messages, one after the other",
    all(begins("4a"), ends("b"), begins("c", OPCODE.binary), ends("d")),
    echoes(["ab", Buffer.from("cd")]),
  ],
  [
    "a ping in two",
    all(ping("a", { isFinal: false }), ends("b")),
    fails(1002, invalid("FIN must be set")),
  ],
  [
    "a pong in two",
    all(frame("a", { opcode: OPCODE.pong, isFinal: false }), ends("b")),
    fails(1002, invalid("FIN must be set")),
  ],
  [
    "a close frame in two",
    frame("", { opcode: OPCODE.close, isFinal: false }),
    fails(1002, invalid("FIN must be set")),
  ],
  ["the end of nothing", all(ends("a"), frame("4b")), fails(1002, invalid("invalid opcode 0"))],
  ["a part of nothing", all(goesOn("a"), frame("4b")), fails(1002, invalid("invalid opcode 0"))],
  [
    "the end of what has ended",
    all(begins("4a"), ends("b"), ends("c")),
    fails(1002, invalid("invalid opcode 0"), ["ab"]),
  ],
  ["a text inside", all(begins("4a"), frame("4b")), fails(1002, invalid("invalid opcode 1"))],
  ["binary inside", all(begins("4a"), binary("b")), fails(1002, invalid("invalid opcode 2"))],
  [
    "a beginning inside",
    all(begins("4a"), ping("p"), begins("4b")),
    fails(1002, invalid("invalid opcode 1"), [], ["p"]),
  ],
];

const VALID_TEXTS = [
  "Hello-µ@ßöäüàá-UTF-8!!",
  "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
  "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{feff}\u{1fffe}\u{10fffe}",
  "κόσμε 😀",
];

const INVALID_BYTES = {
  "a lonely continuation": "80",
  "many continuations": "80bf80bf80bf",
  "the start of 2 alone": "c220",
  "the start of 3 alone": "e18020",
  "the start of 4 alone": "f1808020",
  "2, cut short": "ce",
  "3, cut short": "e1bd",
  "4, cut short": "f09080",
  fe: "fe",
  ff: "ff",
  "an overlong slash in 2": "c0af",
  "an overlong slash in 3": "e080af",
  "an overlong slash in 4": "f08080af",
  "an overlong 7f": "c1bf",
  "an overlong 7ff": "e09fbf",
  "an overlong ffff": "f08fbfbf",
  "an overlong zero": "c080",
  "the first surrogate": "eda080",
  "the last surrogate": "edbfbf",
  "a pair of surrogates": "eda080edb080",
  "more than 10ffff": "f4908080",
  "a sequence of 5": "f888808080",
  "a sequence of 6": "fc8480808080",
};

const utf8: Case[] = [
  ...VALID_TEXTS.flatMap((text): Case[] => {
    const bytes = Buffer.from(`4${text}`);
    return [
      [`"${text}"`, frame(bytes), echoes([text])],
      [`"${text}" in fragments of 1`, fragmented(bytes, 1), echoes([text])],
      [
        `"${text}" with a ping inside of its last character`,
        all(begins(bytes.subarray(0, -1)), ping(""), ends(bytes.subarray(-1))),
        echoes([text], [""]),
      ],
    ];
  }),
  ...Object.entries(INVALID_BYTES).flatMap(([name, hex]): Case[] => {
    const bytes = Buffer.from(hex, "hex");
    const text = Buffer.concat([Buffer.from("4"), bytes]);
    return [
      [name, all(frame(text), frame("4after")), fails(1007, NOT_UTF_8)],
      [
        `${name}, told at the end of the message`,
        all(begins(text), ping("p"), ends("")),
        fails(1007, NOT_UTF_8, [], ["p"]),
      ],
      [`${name}, in binary`, binary(bytes), echoes([bytes])],
    ];
  }),
];

const LONGEST_REASON = "*".repeat(123);

const closing: Case[] = [
  ["no code", closeFrame(), closes("empty")],
  ["a code alone", closeFrame(1000), closes("1000")],
  ["a reason", closeFrame(1000, "Hello World!"), closes("1000 Hello World!")],
  ["the longest reason", closeFrame(1000, LONGEST_REASON), closes(`1000 ${LONGEST_REASON}`)],
  [
    "a reason of 124",
    closeFrame(1000, `${LONGEST_REASON}*`),
    fails(1002, invalid("invalid payload length 126")),
  ],
  [
    "one byte",
    frame("\x03", { opcode: OPCODE.close }),
    fails(1002, invalid("invalid payload length 1")),
  ],
  [
    "a reason that is not UTF-8",
    closeFrame(1000, Buffer.from("cebae1bdb9cf83cebcceb5eda080656469746564", "hex")),
    fails(1007, NOT_UTF_8),
  ],
  ["after a text", all(frame("4a"), closeFrame(1000)), closes("1000", ["a"])],
  ["twice", all(closeFrame(1000, "first"), closeFrame(1001, "second")), closes("1000 first")],
  ["before a ping", all(closeFrame(1000), ping("")), closes("1000")],
  ["before a text", all(closeFrame(1000), frame("4late")), closes("1000")],
  ["before nonsense", all(closeFrame(1000), Buffer.alloc(300, 0xff)), closes("1000")],
  ["inside of a message", all(begins("4a"), closeFrame(1000), ends("b")), closes("1000")],
  ...[
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ].map((code): Case => [`code ${code}`, closeFrame(code, "why"), closes(`${code} why`)]),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code): Case => [
      `code ${code}`,
      closeFrame(code),
      fails(1002, invalid(`invalid status code ${code}`)),
    ],
  ),
];

/** socket.io's default for `maxHttpBufferSize`. */
const LIMIT = 1_000_000;
const full = Buffer.alloc(LIMIT, "*");
const fullText = Buffer.from(`4${"*".repeat(LIMIT - 1)}`);

const limits: Case[] = [
  ["binary of the limit", binary(full), echoes([full])],
  ["text of the limit", frame(fullText), echoes([fullText.subarray(1).toString()])],
  ["one over", binary(Buffer.alloc(LIMIT + 1)), fails(1009, TOO_LARGE)],
  ["the limit in fragments of 64", fragmented(full, 64, OPCODE.binary), echoes([full])],
  [
    "one over in fragments of 64",
    all(begins("*", OPCODE.binary), fragmented(full, 64, OPCODE.continuation)),
    fails(1009, TOO_LARGE),
  ],
  [
    "the second fragment is over, and told at its header",
    all(
      begins(full, OPCODE.binary),
      ping("p"),
      frame("", { opcode: OPCODE.continuation, announcedLength: 1 }),
    ),
    fails(1009, TOO_LARGE, [], ["p"]),
  ],
  ["a terabyte", frame("", { announcedLength: 2n ** 40n }), fails(1009, TOO_LARGE)],
  ...[2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n].map(
    (announcedLength): Case => [
      `${announcedLength} bytes`,
      frame("", { announcedLength }),
      fails(1009, "RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1"),
    ],
  ),
  [
    "text of 65,536 in fragments of 1,300",
    fragmented(fullText.subarray(0, 65_536), 1_300),
    echoes(["*".repeat(65_535)]),
  ],
  ["16,384 fragments", all(begins("4"), ...Array(16_382).fill(goesOn("")), ends("")), echoes([""])],
  [
    "16,385 fragments",
    all(begins("4"), ...Array(16_383).fill(goesOn("")), ends("")),
    fails(1008, "RangeError: Too many message fragments"),
  ],
  [
    "a thousand messages",
    all(...Array.from({ length: 1_000 }, (_, count) => frame(`4${count}`))),
    echoes(Array.from({ length: 1_000 }, (_, count) => String(count))),
  ],
];

export const GROUPS = {
  framing,
  pings,
  "reserved bits": reserved,
  opcodes,
  fragmentation,
  "UTF-8": utf8,
  closing,
  limits,
} satisfies { [group: string]: Case[] };
