// Long-polling to the byte: each talk is held with npm's engine.io and with sio-rs/engine, and everything that comes back is compared,
// header names, their order and the framing of bodies included. Ids of sessions and the Date are masked.

import { once } from "../harness/events";
import { type Act, get, hold, request, type Talk } from "../harness/same-bytes";

const OPEN = "/engine.io/?EIO=4&transport=polling";
const OPEN_3 = "/engine.io/?EIO=3&transport=polling";
const POLL = `${OPEN}&sid=SID`;
const POLL_3 = `${OPEN_3}&sid=SID`;
const TEXT = "Content-Type: text/plain;charset=UTF-8";
const CLOSE = "Connection: close";
const LONG = "long enough to be compressed, ".repeat(60);

const open = get(OPEN);
const poll = get(POLL);
const post = (body: string, ...headers: string[]): string =>
  request("POST", POLL, [TEXT, ...headers], body);
const send =
  (...messages: unknown[]): Act =>
  (session) => {
    for (const message of messages) {
      session.send(message);
    }
  };
/** Ids that are the same on both sides, for answers in which nothing can be masked. */
const countedIds = (engine: any): void => {
  let count = 0;
  engine.generateId = () => String(++count).padStart(20, "i");
};

/** A request each, to a server of its own. */
const ALONE: [title: string, bytes: string, shows: string, options?: Talk["options"]][] = [
  ["a handshake", open, '0{"sid":"SID","upgrades":["websocket"]'],
  ["a handshake that closes the connection", get(OPEN, CLOSE), "Connection: close"],
  ["a handshake over HTTP/1.0", request("GET", OPEN, [], undefined, "1.0"), "HTTP/1.1 200"],
  [
    "a handshake over HTTP/1.0 that keeps the connection",
    request("GET", OPEN, ["Connection: keep-alive"], undefined, "1.0"),
    "Connection: keep-alive",
  ],
  [
    "a handshake with all numbers given",
    open,
    '"pingInterval":7000,"pingTimeout":8000,"maxPayload":9000',
    { pingInterval: 7000, pingTimeout: 8000, maxHttpBufferSize: 9000 },
  ],
  [
    "a handshake with no limit",
    open,
    '"maxPayload":null',
    { maxHttpBufferSize: Number.POSITIVE_INFINITY },
  ],
  ["a handshake without upgrades", open, '"upgrades":[]', { allowUpgrades: false }],
  ["a handshake where polling is all there is", open, '"upgrades":[]', { transports: ["polling"] }],
  [
    "a handshake where WebTransport is allowed",
    open,
    '"upgrades":["websocket","webtransport"]',
    { transports: ["polling", "websocket", "webtransport"] },
  ],
  ["a handshake with an initial packet", open, "}\x1e4hello", { initialPacket: "hello" }],
  [
    "a handshake with a binary initial packet",
    open,
    "}\x1ebAQID",
    { initialPacket: Buffer.from([1, 2, 3]) },
  ],
  [
    "a handshake with the default cookie",
    open,
    "Set-Cookie: io=SID; Path=/; HttpOnly; SameSite=Lax",
    { cookie: true },
  ],
  [
    "a handshake with a cookie of one's own",
    open,
    "Set-Cookie: a=SID; Max-Age=60; Domain=x.example",
    {
      cookie: {
        name: "a",
        path: "/p",
        maxAge: 60,
        domain: "x.example",
        httpOnly: false,
        secure: true,
        sameSite: "strict",
        priority: "high",
      } as never,
    },
  ],
  [
    "a handshake with a cookie for every path",
    open,
    "Set-Cookie: a=SID; HttpOnly",
    { cookie: { name: "a", path: false } as never },
  ],
  [
    "a handshake of an old Internet Explorer",
    get(OPEN, "User-Agent: Mozilla/4.0 (compatible;MSIE 8.0)"),
    "X-XSS-Protection: 0",
  ],
  [
    "a handshake of Internet Explorer 11",
    get(OPEN, "User-Agent: Mozilla/5.0 (Windows NT 10.0; Trident/7.0)"),
    "X-XSS-Protection: 0",
  ],
  [
    "a handshake with a fixed origin",
    get(OPEN, "Origin: http://other"),
    "Access-Control-Allow-Origin: http://mine",
    { cors: { origin: "http://mine", credentials: true, exposedHeaders: "X-A" } },
  ],
  [
    "a handshake with any origin",
    get(OPEN, "Origin: http://other"),
    "Access-Control-Allow-Origin: *",
    { cors: {} },
  ],
  [
    "a handshake with a reflected origin",
    get(OPEN, "Origin: http://other"),
    "Access-Control-Allow-Origin: http://other",
    { cors: { origin: true } },
  ],
  [
    "a handshake with an origin that is not listed",
    get(OPEN, "Origin: http://other"),
    "Vary: Origin",
    { cors: { origin: ["http://mine"] } },
  ],
  [
    "a handshake with an origin that matches",
    get(OPEN, "Origin: http://a.mine"),
    "Access-Control-Allow-Origin: http://a.mine",
    { cors: { origin: /mine$/ } },
  ],
  [
    "a handshake with cors and a cookie",
    get(OPEN, "Origin: http://other"),
    "Set-Cookie",
    { cors: { origin: true }, cookie: true },
  ],
  [
    "a preflight",
    request("OPTIONS", OPEN, [
      "Origin: http://other",
      "Access-Control-Request-Method: POST",
      "Access-Control-Request-Headers: x-a",
    ]),
    "HTTP/1.1 204",
    { cors: { origin: true } },
  ],
  [
    "a preflight with everything said",
    request("OPTIONS", OPEN, ["Origin: http://other"]),
    "HTTP/1.1 200",
    {
      cors: {
        origin: "http://mine",
        methods: ["GET"],
        allowedHeaders: ["x-a", "x-b"],
        maxAge: 60,
        optionsSuccessStatus: 200,
      },
    },
  ],
  [
    "a preflight of an unknown transport",
    request("OPTIONS", "/engine.io/?transport=no", ["Origin: http://other"]),
    "HTTP/1.1 204",
    { cors: {} },
  ],
  [
    "a compressed handshake under the threshold",
    get(OPEN, "Accept-Encoding: gzip"),
    "Content-Length",
  ],
  [
    "an unknown transport",
    get("/engine.io/?EIO=4&transport=no"),
    '{"code":0,"message":"Transport unknown"}',
  ],
  ["no transport at all", get("/engine.io/"), '{"code":0,'],
  [
    "a name of Object.prototype as transport",
    get("/engine.io/?EIO=4&transport=constructor"),
    '{"code":0,',
  ],
  [
    "WebTransport over HTTP",
    get("/engine.io/?EIO=4&transport=webtransport"),
    '{"code":0,',
    { transports: ["polling", "webtransport"] },
  ],
  ["an unknown sid", get(`${OPEN}&sid=none`), '{"code":1,"message":"Session ID unknown"}'],
  ["a name of Object.prototype as sid", get(`${OPEN}&sid=__proto__`), '{"code":1,'],
  ["an empty sid", get(`${OPEN}&sid=`), '0{"sid":"SID"'],
  [
    "a POST without sid",
    request("POST", OPEN, [TEXT], "4a"),
    '{"code":2,"message":"Bad handshake method"}',
  ],
  ["an OPTIONS without sid, without cors", request("OPTIONS", OPEN), '{"code":2,'],
  ["a PUT without sid", request("PUT", OPEN, [], ""), '{"code":2,'],
  ["a HEAD without sid", request("HEAD", OPEN, [CLOSE]), "HTTP/1.1 400"],
  [
    "WebSocket over plain HTTP",
    get("/engine.io/?EIO=4&transport=websocket"),
    '{"code":3,"message":"Bad request"}',
  ],
  [
    "a refusal with cors",
    get("/engine.io/?transport=no", "Origin: http://other"),
    "Access-Control-Allow-Origin: *",
    { cors: {} },
  ],
  [
    "a refusal by allowRequest",
    open,
    "HTTP/1.1 403 Forbidden",
    { allowRequest: (_req, callback) => callback("not you ✓", false) },
  ],
  [
    "a refusal by allowRequest without words",
    open,
    '{"code":4,"message":"Forbidden"}',
    { allowRequest: (_req, callback) => callback(null, false) },
  ],
  [
    "a refusal by allowRequest later",
    open,
    '{"code":4,"message":"later"}',
    { allowRequest: (_req, callback) => setImmediate(callback, "later", false) },
  ],
  [
    "allowRequest that accepts with words",
    open,
    "HTTP/1.1 200",
    { allowRequest: (_req, callback) => callback("ignored", true) },
  ],
  [
    "revision 3 where it is not allowed",
    get(OPEN_3),
    '{"code":5,"message":"Unsupported protocol version"}',
  ],
  ["no revision", get("/engine.io/?transport=polling"), '{"code":5,'],
  ["revision 5", get("/engine.io/?EIO=5&transport=polling"), '{"code":5,'],
  ["the last of two revisions", get("/engine.io/?EIO=3&EIO=4&transport=polling"), "HTTP/1.1 200"],
  ["a handshake of revision 3", get(OPEN_3), /\r\n\r\n\d+:0\{/ as never, { allowEIO3: true }],
  [
    "a handshake of revision 3 with an initial packet",
    get(OPEN_3),
    "6:4hello",
    { allowEIO3: true, initialPacket: "hello" },
  ],
  [
    "a handshake of revision 3 with a binary initial packet",
    get(OPEN_3),
    "application/octet-stream",
    { allowEIO3: true, initialPacket: Buffer.from([1, 2]) },
  ],
  [
    "a handshake of revision 3 with b64",
    get(`${OPEN_3}&b64=1`),
    "b4AQI=",
    { allowEIO3: true, initialPacket: Buffer.from([1, 2]) },
  ],
  ["a handshake over JSONP", get(`${OPEN}&j=7`), '___eio[7]("0{'],
  ["a handshake over JSONP with a name that is no number", get(`${OPEN}&j=alert(1)`), "___eio[1]("],
  ["a handshake over JSONP of revision 3", get(`${OPEN_3}&j=0`), "___eio[0](", { allowEIO3: true }],
  [
    "a handshake over JSONP with line separators",
    get(`${OPEN}&j=0`),
    "\\u2028",
    { initialPacket: '\u2028\u2029"\\' },
  ],
  [
    "a handshake with an encoded query",
    get("/engine.io/?E%49O=4&transport=p%6flling&x=%zz+%C3%A9"),
    "HTTP/1.1 200",
  ],
  ["a path below ours", get("/engine.io/deeper/?EIO=4&transport=polling"), "HTTP/1.1 200"],
  [
    "a path of one's own",
    get("/own?EIO=4&transport=polling"),
    "HTTP/1.1 200",
    { path: "/own/", addTrailingSlash: false },
  ],
  ["a request that is no HTTP", "NONSENSE\r\n\r\n", "HTTP/1.1 400 Bad Request"],
];

/** Several requests, one after the other unless they say otherwise. */
const TALKS: Talk[] = [
  {
    title: "polls with text, binary and control characters",
    steps: [
      open,
      send("a", "é\u2028€", Buffer.from([0, 1, 255]), "", "{}"),
      poll,
      send(12, null, { a: 1 }),
      poll,
    ],
    shows: "4a\x1e",
  },
  {
    title: "a poll that waits for what comes",
    steps: [open, { send: poll, until: "held" }, send("late"), { send: "", until: /4late/ }],
    shows: "4late",
  },
  {
    title: "posts of text, binary and several packets",
    steps: [open, post("4a"), post("4a\x1ebAQID\x1e4"), post("4é", "Content-Type: text/html")],
    shows: "\r\n\r\nok",
  },
  {
    title: "a chunked post, and one without any type",
    steps: [
      open,
      `${request("POST", POLL, ["Transfer-Encoding: chunked"])}2\r\n4a\r\n3\r\nbcd\r\n0\r\n\r\n`,
      request("POST", POLL, [], "4b"),
    ],
    shows: "\r\n\r\nok",
  },
  {
    title: "requests cut into pieces",
    steps: [
      {
        send: [
          "GET /engine.io/?EIO=4&tran",
          "sport=polling HT",
          "TP/1.1\r",
          "\nHost: x\r\n\r",
          "\n",
        ],
      },
      {
        send: [
          `POST ${POLL} HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n4`,
          "€".slice(0, 1),
          "ab",
          "c",
        ],
      },
    ],
    shows: "ok",
  },
  {
    title: "two requests in one segment",
    steps: [open, send("a"), { send: poll + post("4b"), until: /ok$/ }],
    shows: "4a",
  },
  {
    title: "a post over the limit, and one of exactly its size",
    options: { maxHttpBufferSize: 5 },
    steps: [open, post("4abcd"), post("4abcde"), post("4abcd")],
    shows: "HTTP/1.1 413",
  },
  {
    title: "a post over the limit whose bytes are more than its characters",
    options: { maxHttpBufferSize: 5 },
    steps: [open, post("4ééé")],
    shows: "HTTP/1.1 413",
  },
  {
    title: "a binary content type",
    steps: [open, request("POST", POLL, ["Content-Type: application/octet-stream"], "4a"), poll],
    shows: "HTTP/1.1 400",
  },
  ...["", "x", "4a\x1ex\x1e4b", "\ufeff4a", "4a\x1e", "9"].map((body) => ({
    title: `a post of ${JSON.stringify(body)}`,
    steps: [open, post(body), get(POLL)],
    shows: '{"code":1,',
  })),
  {
    title: "a post of a ping, which is the server's to send",
    steps: [open, post("2"), poll],
    shows: '{"code":1,',
  },
  {
    title: "a post of packets that mean nothing over polling",
    steps: [open, post("0\x1e5\x1e6\x1e3"), send("on"), poll],
    shows: "4on",
  },
  {
    title: "a close packet while a poll waits",
    steps: [
      open,
      { send: poll, until: "held" },
      { on: "second", send: post("1\x1e4late") },
      { send: "", until: /\r\n\r\n6$/ },
    ],
    shows: "\r\n\r\n6",
  },
  {
    title: "a close packet without a poll",
    steps: [open, post("1"), poll],
    shows: '{"code":1,',
  },
  {
    title: "two polls at a time",
    steps: [
      open,
      { send: poll, until: "held" },
      { on: "second", send: poll },
      { send: "", until: /\r\n\r\n1$/ },
    ],
    shows: "\r\n\r\n1",
  },
  {
    title: "two posts at a time",
    steps: [
      open,
      {
        on: "second",
        send: `POST ${POLL} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4a`,
        until: "held",
      },
      post("4b"),
      { on: "second", send: "", until: "end" },
    ],
    shows: "HTTP/1.1 400",
  },
  {
    title: "an orderly close while a poll waits",
    steps: [
      open,
      { send: poll, until: "held" },
      (session) => session.close(),
      { send: "", until: /\r\n\r\n1$/ },
    ],
    shows: "\r\n\r\n1",
  },
  {
    title: "an orderly close that the next poll is told of",
    steps: [open, (session) => session.close(), poll, poll],
    shows: "6\x1e1",
  },
  {
    title: "an orderly close behind packets",
    steps: [open, (session) => session.send("last").close(), poll],
    shows: "4last",
  },
  {
    title: "a close at once while a poll waits",
    steps: [
      open,
      { send: poll, until: "held" },
      (session) => session.close(true),
      { send: "", until: /\r\n\r\n1$/ },
    ],
    shows: "\r\n\r\n1",
  },
  {
    title: "an orderly close while a post is on its way",
    steps: [
      open,
      {
        on: "second",
        send: `POST ${POLL} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4a`,
        until: "held",
      },
      { send: poll, until: "held" },
      (session) => session.close(),
      { send: "", until: /\r\n\r\n1$/ },
      { on: "second", send: "", until: "end" },
    ],
    shows: "\r\n\r\n1",
  },
  {
    title: "a post that asks whether it may come",
    steps: [
      open,
      {
        send: `${request("POST", POLL, ["Expect: 100-continue"])}`.replace(
          "\r\n\r\n",
          "\r\nContent-Length: 2\r\n\r\n",
        ),
        until: "100 Continue\r\n\r\n",
      },
      "4a",
    ],
    shows: "HTTP/1.1 100 Continue",
  },
  {
    title: "a poll that is answered with a ping, and the pong",
    options: { pingInterval: 40 },
    steps: [
      open,
      { send: poll, until: /\r\n\r\n2$/ },
      post("3"),
      { send: poll, until: /\r\n\r\n2$/ },
    ],
    shows: "\r\n\r\n2",
  },
  {
    title: "a session whose pong does not come",
    options: { pingInterval: 30, pingTimeout: 30 },
    steps: [
      open,
      { send: poll, until: /\r\n\r\n2$/ },
      (session) => session.readyState === "closed" || once(session, "close"),
      poll,
    ],
    shows: '{"code":1,',
  },
  {
    title: "methods that a session does not know",
    steps: [
      open,
      request("PUT", POLL, [], ""),
      request("OPTIONS", POLL),
      request("DELETE", POLL),
      request("HEAD", POLL, [CLOSE]),
    ],
    shows: "HTTP/1.1 500",
  },
  {
    title: "an Origin that Node would refuse, were it not told otherwise",
    http: { insecureHTTPParser: true },
    engine: (engine) => engine.use((_req: any, _res: any, next: any) => next()),
    steps: [
      get(OPEN, "Origin: http://a\x01b"),
      get(OPEN, "Origin: http://a\tb"),
      get(OPEN, "Origin: http://\xe9"),
    ],
    shows: '{"code":3,"message":"Bad request"}',
  },
  {
    title: "another transport than the session's",
    steps: [
      open,
      get("/engine.io/?EIO=4&transport=websocket&sid=SID"),
      poll.replace("EIO=4", "EIO=3"),
    ],
    shows: '{"code":3,',
  },
  {
    title: "header events",
    engine: (engine) => {
      engine.on("initial_headers", (headers: any, req: any) => {
        headers["x-first"] = req._query.transport;
        headers["set-cookie"] = ["a=1", "b=2"];
      });
      engine.on("headers", (headers: any) => {
        headers["X-All"] = Object.keys(headers).join();
      });
    },
    options: { cookie: true },
    steps: [open, post("4a"), send("b"), poll, post("4", "Connection: close")],
    shows: "X-All: Content-Type,Content-Length,cache-control,Set-Cookie,x-first,set-cookie",
  },
  {
    title: "a cookie of a header event, which takes the place of a middleware's",
    engine: (engine) => {
      engine.use((_req: any, res: any, next: any) => {
        res.setHeader("Set-Cookie", ["m=1", "n=2"]);
        next();
      });
      engine.on("headers", (headers: any) => {
        headers["set-cookie"] = "e=3";
      });
    },
    steps: [open, post("4a")],
    shows: "set-cookie: e=3",
  },
  {
    title: "headers of middlewares, in every kind of answer",
    engine: (engine) => {
      engine.use((_req: any, res: any, next: any) => {
        res.setHeader("X-Middleware", "1");
        res.setHeader("Set-Cookie", ["m=1", "n=2"]);
        next();
      });
    },
    options: { cookie: true },
    steps: [open, post("4a"), get(`${OPEN}&sid=no`), request("PUT", POLL, [], ""), send("b"), poll],
    shows: "X-Middleware: 1",
  },
  ...(
    [
      ["an error", (_req, _res, next) => next(new Error("no"))],
      [
        "a throw",
        () => {
          throw new Error("no");
        },
      ],
      [
        "a rejection",
        async () => {
          throw new Error("no");
        },
      ],
      [
        "an answer of its own",
        (_req, res) => {
          res.writeHead(503, { "X-Own": "1" });
          res.end("busy");
        },
      ],
      [
        "an error after its head",
        (_req, res, next) => {
          res.writeHead(402, { "X-Own": "1" });
          next(new Error("no"));
        },
      ],
    ] as [string, (req: any, res: any, next: any) => unknown][]
  ).map(([title, middleware]) => ({
    title: `a middleware with ${title}`,
    engine: (engine: any) => engine.use(middleware),
    steps: [open],
    shows: /HTTP\/1\.1 (?:400|402|503)/,
  })),
  {
    title: "an id that cannot be made",
    engine: (engine) => {
      engine.generateId = () => Promise.reject(new Error("no ids left"));
    },
    steps: [open],
    shows: '{"code":3,"message":"Bad request"}',
  },
  ...[
    "gzip",
    "deflate",
    "deflate, gzip",
    "gzip;q=0.5, deflate;q=0.8",
    "br",
    "*",
    "identity, gzip",
    "gzip;q=0",
    "gzip;q=0, *",
    "GZIP",
    "x-gzip",
    "",
  ].map((accepted) => ({
    title: `a long poll where ${JSON.stringify(accepted)} is accepted`,
    engine: countedIds,
    steps: [open, send(LONG), get(POLL, `Accept-Encoding: ${accepted}`)],
    shows: "HTTP/1.1 200",
  })),
  {
    title: "compression of everything, of nothing, and of what asks for it",
    engine: countedIds,
    options: { httpCompression: true },
    steps: [
      get(OPEN, "Accept-Encoding: gzip"),
      send("a"),
      get(POLL, "Accept-Encoding: gzip"),
      (session) => session.send("b", { compress: false }),
      get(POLL, "Accept-Encoding: gzip"),
      (session) => session.send("c", { compress: false }).send("d"),
      get(POLL, "Accept-Encoding: deflate", CLOSE),
    ],
    shows: "Content-Encoding: gzip",
  },
  {
    title: "compression with options of zlib",
    engine: countedIds,
    options: { httpCompression: { threshold: 10, level: 1, memLevel: 3 } },
    steps: [
      open,
      send("short"),
      get(POLL, "Accept-Encoding: gzip"),
      send(LONG),
      get(POLL, "Accept-Encoding: gzip"),
    ],
    shows: "Content-Encoding: gzip",
  },
  {
    title: "no compression",
    options: { httpCompression: false },
    steps: [open, send(LONG), get(POLL, "Accept-Encoding: gzip")],
    shows: `Content-Length: ${LONG.length + 1}`,
  },
  {
    title: "compression over JSONP",
    engine: countedIds,
    steps: [get(`${OPEN}&j=1`), send(LONG), get(`${POLL}&j=1`, "Accept-Encoding: gzip")],
    shows: "Content-Encoding: gzip",
  },
  {
    title: "compression over HTTP/1.0, which knows no chunks",
    engine: countedIds,
    steps: [open, send(LONG), request("GET", POLL, ["Accept-Encoding: gzip"], undefined, "1.0")],
    shows: "Content-Encoding: gzip",
  },
  {
    title: "JSONP: polls, posts from a form, its end",
    steps: [
      get(`${OPEN}&j=3`),
      send('quote " and \n', Buffer.from([1, 2])),
      get(`${POLL}&j=3`),
      request(
        "POST",
        `${POLL}&j=3`,
        ["Content-Type: application/x-www-form-urlencoded"],
        "d=4one%5Cntwo%1E4%5C%5Cn",
      ),
      request("POST", `${POLL}&j=3`, ["Content-Type: application/x-www-form-urlencoded"], "x=4"),
      (session) => session.close(),
      get(`${POLL}&j=3`),
    ],
    shows: '___eio[3]("6\\u001e1");',
  },
  {
    title: "revision 3: text, binary, pings and the end",
    options: { allowEIO3: true },
    steps: [
      get(OPEN_3),
      send("a", "€é"),
      get(POLL_3),
      send("a", Buffer.from([1, 2, 3]), "€"),
      get(POLL_3),
      request("POST", POLL_3, [TEXT], "6:4hello1:2"),
      get(POLL_3),
      {
        send: [
          `POST ${POLL_3} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n`,
          Buffer.from([0, 2, 0xff, 0x34, 0x61]),
        ],
      },
      { send: get(POLL_3), until: "held" },
      { on: "second", send: request("POST", POLL_3, [TEXT], "1:1") },
      { send: "", until: /1:6$/ },
    ],
    shows: "1:3",
  },
  {
    title: "revision 3 with b64",
    options: { allowEIO3: true },
    steps: [get(`${OPEN_3}&b64=1`), send("4€", Buffer.from([1, 2, 3])), get(`${POLL_3}&b64=1`)],
    shows: "6:b4AQID",
  },
  ...["", "x", "5:4a", "2:4a3:4", "1:21", ":4a"].map((body) => ({
    title: `revision 3: a post of ${JSON.stringify(body)}`,
    options: { allowEIO3: true },
    steps: [get(OPEN_3), request("POST", POLL_3, [TEXT], body), get(POLL_3)],
    shows: "HTTP/1.1",
  })),
  {
    title: "revision 3: a session that is polled as revision 4",
    options: { allowEIO3: true },
    steps: [get(OPEN_3), poll],
    shows: '{"code":3,',
  },
  {
    title: "after the engine's close a handshake is still answered",
    steps: [open, (_session, engine) => engine.close(), poll, open],
    shows: '{"code":1,',
  },
];

const SINGLE = ALONE.map(
  ([title, bytes, shows, options]): Talk => ({ title, options, steps: [bytes], shows }),
);

describe("long-polling has engine.io's bytes", () => {
  test.each([...SINGLE, ...TALKS].map((talk) => [talk.title, talk] as const))(
    "%s",
    async (_title, talk) => {
      const [expected, found] = await Promise.all([hold("socket.io", talk), hold("sio-rs", talk)]);
      const seen = Object.values(expected.answers).join("\n");
      expect(seen).toMatch(
        talk.shows instanceof RegExp ? talk.shows : new RegExp(literal(talk.shows)),
      );
      expect(found).toEqual(expected);
    },
  );
});

function literal(text: string): string {
  return Buffer.from(text)
    .toString("latin1")
    .replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
