/** Requests that are refused before any session exists: engine.io and sio-rs must answer them to the same byte. */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import * as reference from "engine.io";
import * as ours from "../../lib/engine";
import { exchange, stable } from "./raw";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

const options = {
  allowRequest: (req: any, decide: (message: string | null, accepted: boolean) => void) => {
    const { answer } = req.headers;
    decide(answer === "no" ? null : answer === "why" ? "not you" : null, answer === undefined);
  },
};

/** What a server says and what it tells its owner. */
async function observe(
  attach: (server: HttpServer, options: any) => any,
  given: object,
  request: string,
) {
  const server = createServer((_req, res) => res.writeHead(404).end());
  const engine = attach(server, { ...options, ...given });
  const errors: unknown[] = [];
  engine.on("connection_error", ({ code, message, context }: any) => {
    errors.push({
      code,
      message,
      context: context && { ...context, error: String(context.error) },
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return { response: stable(await exchange(server, request)), errors };
  } finally {
    engine.close();
    server.close();
  }
}

function get(query: string, headers = "", method = "GET"): string {
  return `${method} /engine.io/?${query} HTTP/1.1\nHost: x\nConnection: close\n${headers}\n`;
}

function upgrade(
  query: string,
  headers = `Sec-WebSocket-Key: ${KEY}\nSec-WebSocket-Version: 13\n`,
  method = "GET",
): string {
  return `${method} /engine.io/?${query} HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n${headers}\n`;
}

const cases: [name: string, request: string, options?: object][] = [
  ["unknown transport", get("EIO=4&transport=tobi")],
  ["no transport at all", get("")],
  ["a transport named as a property of every object", get("EIO=4&transport=constructor")],
  [
    "webtransport, even where it is allowed",
    get("EIO=4&transport=webtransport"),
    { transports: ["polling", "webtransport"] },
  ],
  [
    "a transport that is switched off",
    get("EIO=4&transport=polling"),
    { transports: ["websocket"] },
  ],
  ["unknown sid", get("EIO=4&transport=polling&sid=tobi")],
  ["a sid named as a property of every object", get("EIO=4&transport=polling&sid=__proto__")],
  ["a sid in percent encoding", get("EIO=4&transport=polling&sid=%C3%A9+x")],
  ["handshake by POST", get("EIO=4&transport=polling", "Content-Length: 0\n", "POST")],
  ["handshake by OPTIONS with an empty sid", get("EIO=4&transport=polling&sid=", "", "OPTIONS")],
  ["websocket without an upgrade", get("EIO=4&transport=websocket")],
  ["control character in Origin", get("EIO=4&transport=polling", "Origin: a\x7fb\n")],
  ["forbidden", get("EIO=4&transport=polling", "answer: no\n")],
  ["forbidden with a message", get("EIO=4&transport=polling", "answer: why\n")],
  ["revision 3", get("EIO=3&transport=polling")],
  ["the last of several EIO counts", get("EIO=4&EIO=3&transport=polling")],
  ["another path", "GET /elsewhere HTTP/1.1\nHost: x\nConnection: close\n\n"],
  ["upgrade: unknown transport", upgrade("EIO=4&transport=tobi")],
  ["upgrade: unknown sid", upgrade("EIO=4&transport=websocket&sid=tobi")],
  ["upgrade: handshake by POST", upgrade("EIO=4&transport=websocket", "", "POST")],
  ["upgrade: forbidden", upgrade("EIO=4&transport=websocket", "answer: no\n")],
  ["upgrade: forbidden with a message", upgrade("EIO=4&transport=websocket", "answer: why\n")],
  ["upgrade: no key", upgrade("EIO=4&transport=websocket", "Sec-WebSocket-Version: 13\n")],
  [
    "upgrade: malformed key",
    upgrade("EIO=4&transport=websocket", "Sec-WebSocket-Key: abc\nSec-WebSocket-Version: 13\n"),
  ],
  [
    "upgrade: two keys",
    upgrade(
      "EIO=4&transport=websocket",
      `Sec-WebSocket-Key: ${KEY}\nSec-WebSocket-Key: ${KEY}\nSec-WebSocket-Version: 13\n`,
    ),
  ],
  ["upgrade: no version", upgrade("EIO=4&transport=websocket", `Sec-WebSocket-Key: ${KEY}\n`)],
  [
    "upgrade: version 14",
    upgrade("EIO=4&transport=websocket", `Sec-WebSocket-Key: ${KEY}\nSec-WebSocket-Version: 14\n`),
  ],
  [
    "upgrade: another protocol",
    "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: h2c\n\n",
  ],
  ...['"a"', "a,,b", "a, a", "a b", "a,", ",a"].map((list): [string, string] => [
    `upgrade: subprotocols ${list}`,
    upgrade(
      "EIO=4&transport=websocket",
      `Sec-WebSocket-Key: ${KEY}\nSec-WebSocket-Version: 13\nSec-WebSocket-Protocol: ${list}\n`,
    ),
  ]),
  [
    "upgrade while websockets are switched off",
    upgrade("EIO=4&transport=websocket").replace(
      "Connection: Upgrade",
      "Connection: close, Upgrade",
    ),
    { transports: ["polling"] },
  ],
];

describe("engine: refused requests", () => {
  it.each(cases)("%s", async (_name, request, given = {}) => {
    const expected = await observe(reference.attach as any, given, request);
    expect(expected.response).not.toBe("");
    expect(await observe(ours.attach, given, request)).toEqual(expected);
  });

  it("a middleware that fails answers code 3, on requests and on upgrades", async () => {
    for (const request of [get("EIO=4&transport=polling"), upgrade("EIO=4&transport=websocket")]) {
      const withMiddleware =
        (attach: any, middleware: any) =>
        (server: HttpServer, given: any): any => {
          const engine = attach(server, given);
          engine.use((_req: unknown, res: any, next: () => void) => {
            res.setHeader("x-first", "1");
            next();
          });
          engine.use(middleware);
          return engine;
        };
      for (const middleware of [
        (_req: unknown, _res: unknown, next: (error?: Error) => void) => next(new Error("no")),
        () => {
          throw new Error("no");
        },
        () => Promise.reject(new Error("no")),
      ]) {
        const expected = await observe(withMiddleware(reference.attach, middleware), {}, request);
        expect(await observe(withMiddleware(ours.attach, middleware), {}, request)).toEqual(
          expected,
        );
        expect(expected.errors).toHaveLength(1);
      }
    }
  });

  it("a failing generateId answers code 3", async () => {
    const withIds =
      (attach: any) =>
      (server: HttpServer, given: any): any => {
        const engine = attach(server, given);
        engine.generateId = () => Promise.reject(new Error("no id"));
        return engine;
      };
    const request = get("EIO=4&transport=polling");
    const expected = await observe(withIds(reference.attach), {}, request);
    expect(await observe(withIds(ours.attach), {}, request)).toEqual(expected);
  });

  it("an id that is in use already answers code 3, on requests and on upgrades", async () => {
    const withIds = (server: HttpServer, given: any): any => {
      const engine: any = ours.attach(server, given);
      engine.generateId = () => "same";
      engine.clients.same = { close() {} };
      return engine;
    };
    for (const request of [get("EIO=4&transport=polling"), upgrade("EIO=4&transport=websocket")]) {
      const { response, errors } = await observe(withIds, {}, request);
      expect(response).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n.*Bad request/s);
      expect(errors).toEqual([
        {
          code: 3,
          message: "Bad request",
          context: {
            name: "ID_GENERATION_ERROR",
            error: "Error: the session id is already in use",
          },
        },
      ]);
    }
  });

  it("an upgrade request with revision 3 or without an id is refused before the 101", async () => {
    const seen = await observe(ours.attach, {}, upgrade("EIO=3&transport=websocket"));
    expect(seen.response).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\n.*Unsupported protocol version$/s,
    );
    expect(seen.errors).toEqual([
      {
        code: 5,
        message: "Unsupported protocol version",
        context: { protocol: 3, error: "undefined" },
      },
    ]);
  });
});
