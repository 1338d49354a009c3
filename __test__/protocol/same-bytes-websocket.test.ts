// Opening handshakes and what follows them, to the byte: each talk is held with npm's engine.io and with sio-rs/engine, and everything that
// comes back is compared. The key is that of RFC 6455, so the accept value is the same; ids of sessions and the Date are masked.

import { closeFrame, frame, OPCODE, openingHandshake } from "../harness/raw-websocket";
import { type Act, get, hold, request, type Step, type Talk } from "../harness/same-bytes";

type Headers = Record<string, string | undefined>;

const OPEN = "/engine.io/?EIO=4&transport=websocket";
const OPEN_3 = "/engine.io/?EIO=3&transport=websocket";
const POLL = "/engine.io/?EIO=4&transport=polling";

/** The text of an opening handshake. */
const upgrade = (headers: Headers = {}, path = OPEN, method = "GET"): string =>
  openingHandshake({ headers, path, method }).toString("latin1");

/** A direct session: the 101, the open packet, the closing handshake. */
const session = (bytes: string): Step[] => [
  { send: bytes, until: /\{"sid".*\}/ },
  { send: closeFrame(1000), until: "end" },
];

/** An opening handshake that is refused. */
const refused = (bytes: string): Step[] => [{ send: bytes, until: "end" }];

const send =
  (...messages: unknown[]): Act =>
  (conn) => {
    for (const message of messages) {
      conn.send(message);
    }
  };

const offer = (extensions: string): string => upgrade({ "Sec-WebSocket-Extensions": extensions });

const DIRECT: [title: string, bytes: string, shows: string, options?: Talk["options"]][] = [
  ["a handshake", upgrade(), '0{"sid":"SID","upgrades":[],'],
  ["HTTP/1.0", upgrade().replace("HTTP/1.1", "HTTP/1.0"), "101"],
  ["version 8", upgrade({ "Sec-WebSocket-Version": "8" }), "101"],
  ["Upgrade in capitals", upgrade({ Upgrade: "WEBSOCKET" }), "101"],
  ["Connection with more in it", upgrade({ Connection: "keep-alive, Upgrade" }), "101"],
  ["a subprotocol", upgrade({ "Sec-WebSocket-Protocol": "chat" }), "Sec-WebSocket-Protocol: chat"],
  [
    "several subprotocols",
    upgrade({ "Sec-WebSocket-Protocol": "b,a ,\tc" }),
    "Sec-WebSocket-Protocol: b",
  ],
  ["a cookie option, which is polling's alone", upgrade(), "101", { cookie: true }],
  ["cors", upgrade({ Origin: "http://other" }), "Access-Control-Allow-Origin: *", { cors: {} }],
  [
    "cors with a reflected origin",
    upgrade({ Origin: "http://other" }),
    "Access-Control-Allow-Origin: http://other",
    { cors: { origin: true, credentials: true } },
  ],
  ["an initial packet", upgrade(), "101", { initialPacket: "hello" }],
  ["an offer where compression is off", offer("permessage-deflate"), "101"],
  ["revision 3", upgrade({}, OPEN_3), "101", { allowEIO3: true }],
  [
    "an extension that is not known, where compression is on",
    offer("x-other"),
    "101",
    { perMessageDeflate: true },
  ],
];

/** Offers of compression, answered by a server with these options. */
const OFFERS: [offer: string, options?: object][] = [
  ["permessage-deflate"],
  ["permessage-deflate; client_max_window_bits"],
  ["permessage-deflate; client_max_window_bits=10"],
  ["permessage-deflate; server_max_window_bits=10"],
  ["permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
  ["x-other, permessage-deflate"],
  ["permessage-deflate; server_max_window_bits=9, permessage-deflate"],
  ['permessage-deflate; server_max_window_bits="11"'],
  ["permessage-deflate", { clientNoContextTakeover: true }],
  ["permessage-deflate; client_max_window_bits", { clientMaxWindowBits: 11 }],
  ["permessage-deflate; server_max_window_bits=12", { serverMaxWindowBits: 11 }],
];

const REFUSED: [title: string, bytes: string, shows: string, options?: Talk["options"]][] = [
  ["another Upgrade", upgrade({ Upgrade: "h2c" }), "Invalid Upgrade header"],
  [
    "no key",
    upgrade({ "Sec-WebSocket-Key": undefined }),
    "Missing or invalid Sec-WebSocket-Key header",
  ],
  [
    "a short key",
    upgrade({ "Sec-WebSocket-Key": "abc" }),
    "Missing or invalid Sec-WebSocket-Key header",
  ],
  [
    "a key that is no base64",
    upgrade({ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j?Q==" }),
    "Missing or invalid Sec-WebSocket-Key header",
  ],
  ["no version", upgrade({ "Sec-WebSocket-Version": undefined }), "Sec-WebSocket-Version: 13, 8"],
  ["version 7", upgrade({ "Sec-WebSocket-Version": "7" }), "Sec-WebSocket-Version: 13, 8"],
  [
    "a subprotocol twice",
    upgrade({ "Sec-WebSocket-Protocol": "a, a" }),
    "Invalid Sec-WebSocket-Protocol header",
  ],
  [
    "an empty subprotocol",
    upgrade({ "Sec-WebSocket-Protocol": "a,,b" }),
    "Invalid Sec-WebSocket-Protocol header",
  ],
  [
    "a subprotocol that is no token",
    upgrade({ "Sec-WebSocket-Protocol": "a b" }),
    "Invalid Sec-WebSocket-Protocol header",
  ],
  ...[
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; client_max_window_bits=16",
    "permessage-deflate; unknown",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate;",
    "=",
  ].map((extensions): (typeof REFUSED)[number] => [
    `the offer ${extensions}`,
    offer(extensions),
    "Invalid or unacceptable Sec-WebSocket-Extensions header",
    { perMessageDeflate: true },
  ]),
  ["a POST", upgrade({}, OPEN, "POST"), "Bad handshake method"],
  ["an unknown transport", upgrade({}, "/engine.io/?EIO=4&transport=no"), "Transport unknown"],
  ["no transport", upgrade({}, "/engine.io/"), "Transport unknown"],
  [
    "WebTransport",
    upgrade({}, "/engine.io/?EIO=4&transport=webtransport"),
    "Transport unknown",
    { transports: ["polling", "websocket", "webtransport"] },
  ],
  ["an unknown sid", upgrade({}, `${OPEN}&sid=none`), "Session ID unknown"],
  [
    "a refusal by allowRequest",
    upgrade(),
    "not you",
    { allowRequest: (_req, callback) => callback("not you", false) },
  ],
  [
    "a refusal by allowRequest with other letters",
    upgrade(),
    "Content-Length: 4",
    { allowRequest: (_req, callback) => callback("éab", false) },
  ],
  [
    "a refusal with cors",
    upgrade({}, "/engine.io/?transport=no"),
    "Transport unknown",
    { cors: {} },
  ],
];

const MIDDLEWARES: [
  title: string,
  middleware: (req: any, res: any, next: any) => unknown,
  shows: string,
][] = [
  ["that fails", (_req, _res, next) => next(new Error("no")), "HTTP/1.1 400 Bad Request"],
  [
    "that throws",
    () => {
      throw new Error("no");
    },
    "HTTP/1.1 400 Bad Request",
  ],
  [
    "that rejects",
    async () => {
      throw new Error("no");
    },
    "HTTP/1.1 400 Bad Request",
  ],
  ["that ends the response", (_req, res) => res.end("busy"), ""],
];

const TALKS: Talk[] = [
  ...MIDDLEWARES.map(([title, middleware, shows]) => ({
    title: `a middleware ${title}`,
    engine: (engine: any) => engine.use(middleware),
    steps: refused(upgrade()),
    shows,
  })),
  {
    title: "headers of middlewares and of header events, in their order",
    engine: (engine) => {
      engine.use((_req: any, res: any, next: any) => {
        res.setHeader("X-First", "1");
        res.setHeader("Set-Cookie", "m=1");
        res.setHeader("X-Gone", "1");
        res.removeHeader("X-Gone");
        res.setHeader("X-Seen", String(res.getHeader("X-First")));
        const { writeHead } = res;
        res.writeHead = (...args: unknown[]) => {
          res.setHeader("X-Late", "2");
          return writeHead.apply(res, args);
        };
        setImmediate(next);
      });
      engine.on("initial_headers", (headers: any) => {
        headers["set-cookie"] = "i=1";
      });
      engine.on("headers", (headers: any) => {
        headers["X-Number"] = 3;
        headers["X-First"] += ", again";
      });
    },
    steps: session(upgrade()),
    shows: "X-First: 1, again",
  },
  {
    title: "a handshake in pieces",
    steps: [
      {
        send: ["GET ", upgrade().slice(4, 60), upgrade().slice(60, -3), upgrade().slice(-3)],
        until: /\{"sid".*\}/,
      },
      { send: closeFrame(1000), until: "end" },
    ],
    shows: "101",
  },
  {
    title: "messages both ways, a ping, and the end",
    engine: (engine) => {
      engine.on("connection", (conn: any) => conn.on("message", (data: any) => conn.send(data)));
    },
    steps: [
      { send: upgrade(), until: /\{"sid".*\}/ },
      { send: frame("4hello"), until: /4hello/ },
      { send: frame(Buffer.from([1, 2, 3]), { opcode: OPCODE.binary }), until: "\x01\x02\x03" },
      { send: frame("are you there", { opcode: OPCODE.ping }), until: /there/ },
      send("x".repeat(200), "y".repeat(70_000), "€"),
      { send: "", until: /4\xe2\x82\xac/ },
      { send: closeFrame(1001, "bye"), until: "end" },
    ],
    shows: "\x88\x05\x03\xe9bye",
  },
  {
    title: "b64: binary messages as text",
    steps: [
      { send: upgrade({}, `${OPEN}&b64=1`), until: /\{"sid".*\}/ },
      send(Buffer.from([1, 2, 3])),
      { send: "", until: /bAQID/ },
      { send: closeFrame(1000), until: "end" },
    ],
    shows: "bAQID",
  },
  {
    title: "the server's close",
    steps: [
      { send: upgrade(), until: /\{"sid".*\}/ },
      (conn) => conn.close(),
      { send: "", until: "\x88\x00" },
      { send: closeFrame(), until: "end" },
    ],
    shows: "\x88\x00",
  },
  ...(
    [
      ["an unmasked frame", frame("4a", { isMasked: false })],
      ["a reserved bit", frame("4a", { reserved: 4 })],
      ["an opcode that is reserved", frame("4a", { opcode: 3 })],
      ["text that is no UTF-8", frame(Buffer.from([0x34, 0xff]))],
      ["a message over the limit", frame(`4${"a".repeat(100)}`)],
      ["a close code that is reserved", closeFrame(1006)],
      ["a packet that is none", frame("x")],
      ["a ping of a client of revision 4", frame("2")],
    ] as [string, Buffer][]
  ).map(([title, bytes]) => ({
    title,
    options: { maxHttpBufferSize: 50 },
    steps: [
      { send: upgrade(), until: /\{"sid".*\}/ },
      { send: bytes, until: "\x88" },
      { send: closeFrame(), until: "end" as const },
    ],
    shows: "\x88",
  })),
  {
    title: "an upgrade of a session, and what is polled after it",
    steps: [
      get(POLL),
      { on: "ws", send: upgrade({}, `${OPEN}&sid=SID`), until: /\r\n\r\n$/ },
      { on: "ws", send: frame("2probe"), until: /3probe$/ },
      { on: "ws", send: frame("5"), until: /^$/ },
      (conn) =>
        new Promise((resolve) => (conn.upgraded ? resolve(0) : conn.once("upgrade", resolve))),
      send("over"),
      { on: "ws", send: "", until: /4over/ },
      get(`${POLL}&sid=SID`),
      { on: "late", send: upgrade({}, `${OPEN}&sid=SID`), until: "\x88\x00" },
      { on: "late", send: closeFrame(), until: "end" },
      { on: "ws", send: closeFrame(1000), until: "end" },
    ],
    shows: "3probe",
  },
  {
    title: "a poll that waits while a candidate probes",
    steps: [
      get(POLL),
      { send: get(`${POLL}&sid=SID`), until: "held" },
      { on: "ws", send: upgrade({}, `${OPEN}&sid=SID`), until: /\r\n\r\n$/ },
      { on: "ws", send: frame("2probe"), until: /3probe$/ },
      { send: "", until: /\r\n\r\n6$/ },
      { on: "ws", send: closeFrame(1000), until: "end" },
      send("still polling"),
      get(`${POLL}&sid=SID`),
    ],
    shows: "4still polling",
  },
  {
    title: "a poll that waits at the switch",
    steps: [
      get(POLL),
      { send: get(`${POLL}&sid=SID`), until: "held" },
      { on: "ws", send: upgrade({}, `${OPEN}&sid=SID`), until: /\r\n\r\n$/ },
      { on: "ws", send: frame("5"), until: "" },
      { send: "", until: /\r\n\r\n1$/ },
      { on: "ws", send: closeFrame(1000), until: "end" },
    ],
    shows: "\r\n\r\n1",
  },
  {
    title: "a candidate that does something else",
    steps: [
      get(POLL),
      { on: "ws", send: upgrade({}, `${OPEN}&sid=SID`), until: /\r\n\r\n$/ },
      { on: "ws", send: frame("4a"), until: "\x88\x00" },
      { on: "ws", send: closeFrame(), until: "end" },
      send("still polling"),
      get(`${POLL}&sid=SID`),
    ],
    shows: "4still polling",
  },
  {
    title: "a candidate that takes too long",
    options: { upgradeTimeout: 40 },
    steps: [
      get(POLL),
      { on: "ws", send: upgrade({}, `${OPEN}&sid=SID`), until: "\x88\x00" },
      { on: "ws", send: closeFrame(), until: "end" },
      send("still polling"),
      get(`${POLL}&sid=SID`),
    ],
    shows: "4still polling",
  },
  {
    title: "pings of the server, and what happens when no pong comes",
    options: { pingInterval: 40, pingTimeout: 60 },
    steps: [
      { send: upgrade(), until: "\x81\x012" },
      { send: frame("3"), until: "\x81\x012" },
      { send: "", until: "\x88\x00" },
      { send: closeFrame(), until: "end" },
    ],
    shows: "\x81\x012",
  },
  {
    title: "a ping of a client of revision 3",
    options: { allowEIO3: true },
    steps: [
      { send: upgrade({}, OPEN_3), until: /\{"sid".*\}/ },
      { send: frame("2hello"), until: "\x81\x01" },
      { send: closeFrame(1000), until: "end" },
    ],
    shows: "\x81\x013",
  },
  {
    title: "header events of an upgrade",
    engine: (engine) => {
      engine.on("initial_headers", (headers: any) => {
        headers["X-Initial"] = "1";
      });
      engine.on("headers", (headers: any) => {
        headers["X-All"] = "1";
      });
    },
    steps: [
      get(POLL),
      { on: "ws", send: upgrade({}, `${OPEN}&sid=SID`), until: /\r\n\r\n$/ },
      { on: "ws", send: closeFrame(1000), until: "end" },
    ],
    shows: "X-All: 1",
  },
  {
    title: "an upgrade with a sid that is no GET",
    steps: [get(POLL), { on: "ws", send: upgrade({}, `${OPEN}&sid=SID`, "PUT"), until: "end" }],
    shows: "HTTP/1.1 405 Method Not Allowed",
  },
  {
    title: "an upgrade of another revision",
    steps: [get(POLL), { on: "ws", send: upgrade({}, `${OPEN_3}&sid=SID`), until: "end" }],
    shows: "Bad request",
  },
  {
    title: "polling over an upgrade",
    steps: [
      { send: upgrade({}, POLL), until: "\x88\x00" },
      { send: closeFrame(), until: "end" },
    ],
    shows: "101",
  },
  {
    title: "an upgrade request where WebSocket is not offered",
    options: { transports: ["polling"] },
    steps: [upgrade(), request("GET", "/engine.io/?transport=websocket", ["Connection: close"])],
    shows: '{"code":0,',
  },
  {
    title: "a foreign upgrade that nobody answers",
    options: { destroyUpgradeTimeout: 30 },
    steps: refused(upgrade({}, "/foreign")),
    shows: "",
  },
  {
    title: "upgrades after the engine's close",
    steps: [
      get(POLL),
      (_session, engine) => engine.close(),
      { on: "ws", send: upgrade(), until: "end" },
    ],
    shows: "HTTP/1.1 503 Service Unavailable",
  },
];

const SINGLE: Talk[] = [
  ...DIRECT.map(([title, bytes, shows, options]) => ({
    title: `101: ${title}`,
    options,
    steps: session(bytes),
    shows,
  })),
  // Polling over an upgrade gets nothing but the 101 and a close frame, so what is compressed does not matter here.
  ...OFFERS.flatMap(([extensions, options]) =>
    [{ serverNoContextTakeover: true }, { serverNoContextTakeover: false }].map((takeover) => ({
      title: `101: the offer ${extensions} with ${JSON.stringify({ ...options, ...takeover })}`,
      options: { perMessageDeflate: { ...options, ...takeover } },
      steps: [
        { send: upgrade({ "Sec-WebSocket-Extensions": extensions }, POLL), until: "\x88\x00" },
        { send: closeFrame(), until: "end" },
      ],
      shows: "Sec-WebSocket-Extensions",
    })),
  ),
  ...REFUSED.map(([title, bytes, shows, options]) => ({
    title: `refused: ${title}`,
    options,
    steps: refused(bytes),
    shows,
  })),
];

describe("WebSocket has engine.io's bytes", () => {
  test.each([...SINGLE, ...TALKS].map((talk) => [talk.title, talk] as const))(
    "%s",
    async (_title, talk) => {
      const [expected, found] = await Promise.all([hold("socket.io", talk), hold("sio-rs", talk)]);
      expect(Object.values(expected.answers).join("\n")).toContain(talk.shows);
      expect(found).toEqual(expected);
    },
  );
});
