// Requests that are refused: which check fails first, the code and body that the peer sees,
// and what `connection_error` tells the server. Over HTTP and over the opening handshake of a WebSocket.

import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { type BareEngine, startBareEngine } from "../harness/bare-engine";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, headerLines, request } from "../harness/raw-http";
import { type OpeningHandshake, openingHandshake, RawWebSocket } from "../harness/raw-websocket";

const MESSAGES = [
  "Transport unknown",
  "Session ID unknown",
  "Bad handshake method",
  "Bad request",
  "Forbidden",
  "Unsupported protocol version",
];

interface Refusal {
  title: string;
  query: string;
  method?: string;
  headers?: OutgoingHttpHeaders;
  code: number;
  context: Record<string, unknown>;
}

/** Refusals over plain HTTP; each also shows that nothing later was looked at. */
const REFUSALS: Refusal[] = [
  {
    title: "an unknown transport",
    query: "EIO=4&transport=tobi",
    code: 0,
    context: { transport: "tobi" },
  },
  { title: "no transport at all", query: "EIO=4", code: 0, context: { transport: undefined } },
  {
    title: "a transport before EIO",
    query: "transport=abc",
    code: 0,
    context: { transport: "abc" },
  },
  {
    title: "a transport named like an inherited property",
    query: "EIO=4&transport=constructor",
    code: 0,
    context: { transport: "constructor" },
  },
  {
    title: "a transport called __proto__",
    query: "EIO=4&transport=__proto__",
    code: 0,
    context: { transport: "__proto__" },
  },
  {
    title: "webtransport over HTTP",
    query: "EIO=4&transport=webtransport",
    code: 0,
    context: { transport: "webtransport" },
  },
  {
    title: "an unknown sid",
    query: "EIO=4&transport=polling&sid=unknown",
    code: 1,
    context: { sid: "unknown" },
  },
  {
    title: "a sid called __proto__",
    query: "EIO=4&transport=polling&sid=__proto__",
    code: 1,
    context: { sid: "__proto__" },
  },
  {
    title: "a sid called constructor",
    query: "EIO=4&transport=polling&sid=constructor",
    code: 1,
    context: { sid: "constructor" },
  },
  {
    title: "a handshake by POST",
    query: "EIO=4&transport=polling",
    method: "POST",
    code: 2,
    context: { method: "POST" },
  },
  {
    title: "a handshake by OPTIONS",
    query: "EIO=4&transport=polling",
    method: "OPTIONS",
    code: 2,
    context: { method: "OPTIONS" },
  },
  {
    title: "an empty sid is no sid: a POST with it",
    query: "EIO=4&transport=polling&sid=",
    method: "POST",
    code: 2,
    context: { method: "POST" },
  },
  {
    title: "websocket without an upgrade",
    query: "EIO=4&transport=websocket",
    code: 3,
    context: { name: "TRANSPORT_HANDSHAKE_ERROR" },
  },
  { title: "no EIO", query: "transport=polling", code: 5, context: { protocol: 3 } },
  { title: "EIO 3", query: "EIO=3&transport=polling", code: 5, context: { protocol: 3 } },
  {
    title: "an EIO of the future",
    query: "EIO=5&transport=polling",
    code: 5,
    context: { protocol: 3 },
  },
];

async function refusalOf(server: BareEngine, send: () => Promise<unknown>): Promise<any> {
  const refused = once(server.engine, "connection_error");
  await send();
  const [error] = await refused;
  return error;
}

/** What the peer of a refused opening handshake reads. */
function upgradeRefusal(text: string): string {
  return (
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\n" +
    `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  );
}

describeBoth("engine refusals", (implementation) => {
  for (const { title, query, method, headers, code, context } of REFUSALS) {
    it(`${title} is code ${code}`, async () => {
      const server = await startBareEngine(implementation);
      const path = `/socket.io/?${query}`;
      let response: Awaited<ReturnType<typeof request>> | undefined;
      const error = await refusalOf(server, async () => {
        response = await request(server.port, { path, method, headers });
      });
      expect(response?.status).toBe(400);
      expect(response?.text).toBe(`{"code":${code},"message":"${MESSAGES[code]}"}`);
      expect(headerLines(response as never)).toEqual([
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
      ]);
      expect([error.code, error.message, error.context]).toEqual([code, MESSAGES[code], context]);
      expect(error.req.url).toBe(path);
      expect(error).not.toBeInstanceOf(Error);
      expect(server.engine.clientsCount).toBe(0);
    });
  }

  it("names of transports that do not exist may be in the list; who asks for one is refused with code 3", async () => {
    const server = await startBareEngine(implementation, {
      transports: ["polling", "flashsocket", "toString"] as never,
    });
    for (const name of ["flashsocket", "toString"]) {
      const error = await refusalOf(server, async () => {
        const path = `/socket.io/?EIO=4&transport=${name}`;
        const response = await request(server.port, { path });
        expect([response.status, response.text]).toEqual([
          400,
          '{"code":3,"message":"Bad request"}',
        ]);
      });
      expect([error.code, error.context.name]).toEqual([3, "TRANSPORT_HANDSHAKE_ERROR"]);
      expect(error.context.error).toBeInstanceOf(TypeError);
    }
    const peer = await PollingPeer.open(server.port);
    expect([peer.sid, server.engine.clientsCount]).toEqual([expect.any(String), 1]);
    const { text } = await request(server.port, { path: "/socket.io/?EIO=4&transport=jsonp" });
    expect(text).toBe('{"code":0,"message":"Transport unknown"}');
  });

  it("of several faults the one that is looked for first is told", async () => {
    const server = await startBareEngine(implementation);
    const { port } = server;
    server.engine.use((incoming: IncomingMessage, _res: unknown, next: () => void) => {
      if (incoming.headers["x-bad-origin"] !== undefined) {
        incoming.headers.origin = "a\u0001b";
      }
      next();
    });
    const socket = await RawWebSocket.open(port);
    const { sid } = JSON.parse((await socket.expectText(/^0/)).slice(1));
    const headers = { "X-Bad-Origin": "1" };
    const told: unknown[] = [];
    for (const [query, message] of [
      ["transport=tobi&sid=none", { headers, method: "POST" }],
      ["transport=polling&sid=none", { headers, method: "POST" }],
      ["transport=polling&sid=none", { method: "POST" }],
      [`EIO=3&transport=polling&sid=${sid}`, { method: "PUT" }],
      [`EIO=3&transport=websocket&sid=${sid}`, { method: "PUT" }],
      ["EIO=3&transport=websocket", { method: "POST" }],
      ["EIO=3&transport=websocket", {}],
    ] as [string, { method?: string; headers?: OutgoingHttpHeaders }][]) {
      const path = `/socket.io/?${query}`;
      const { code, context } = await refusalOf(server, () => request(port, { path, ...message }));
      told.push([code, context.name]);
    }
    expect(told).toEqual([
      [0, undefined],
      [3, "INVALID_ORIGIN"],
      [1, undefined],
      [3, "TRANSPORT_MISMATCH"],
      [3, "PROTOCOL_MISMATCH"],
      [2, undefined],
      [3, "TRANSPORT_HANDSHAKE_ERROR"],
    ]);
  });

  it("allowRequest is asked when nothing else is wrong but the revision, which is looked at behind it", async () => {
    const asked: unknown[] = [];
    let isAllowed = true;
    const { port } = await startBareEngine(implementation, {
      allowRequest: (handshake, callback) => {
        asked.push(handshake.url);
        callback(null, isAllowed);
      },
    });
    for (const [query, method] of [
      ["EIO=4&transport=tobi", "GET"],
      ["EIO=4&transport=polling&sid=none", "GET"],
      ["EIO=4&transport=polling", "POST"],
      ["EIO=4&transport=websocket", "GET"],
    ] as const) {
      expect((await request(port, { path: `/socket.io/?${query}`, method })).status).toBe(400);
    }
    expect(asked).toEqual([]);
    const polling = "/socket.io/?EIO=3&transport=polling";
    const websocket = openingHandshake({ path: "/socket.io/?EIO=3&transport=websocket" });
    expect((await request(port, { path: polling })).text).toContain('"code":5');
    expect(await exchange(port, websocket)).toContain("Unsupported protocol version");
    isAllowed = false;
    expect((await request(port, { path: polling })).text).toContain('"code":4');
    expect(await exchange(port, websocket)).toBe(upgradeRefusal("Forbidden"));
    expect(asked).toHaveLength(4);
  });

  it("a transport that is not offered is code 0", async () => {
    const server = await startBareEngine(implementation, { transports: ["websocket"] });
    const response = await request(server.port, { path: "/socket.io/?EIO=4&transport=polling" });
    expect(response.text).toBe('{"code":0,"message":"Transport unknown"}');
  });

  it("a session that is asked for, or posted to, over another transport is a mismatch", async () => {
    const server = await startBareEngine(implementation);
    const socket = await RawWebSocket.open(server.port);
    const { sid } = JSON.parse((await socket.expectText(/^0/)).slice(1));
    for (const message of [{ method: "GET" }, { method: "POST", body: "4a" }]) {
      const error = await refusalOf(server, async () => {
        const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
        expect((await request(server.port, { path, ...message })).text).toBe(
          '{"code":3,"message":"Bad request"}',
        );
      });
      expect(error.context).toEqual({
        name: "TRANSPORT_MISMATCH",
        transport: "polling",
        previousTransport: "websocket",
      });
    }
  });

  it("a session that is polled with another protocol revision is a mismatch", async () => {
    const server = await startBareEngine(implementation);
    const peer = await PollingPeer.open(server.port);
    const error = await refusalOf(server, async () => {
      const path = `/socket.io/?EIO=3&transport=polling&sid=${peer.sid}`;
      expect((await request(server.port, { path })).text).toBe(
        '{"code":3,"message":"Bad request"}',
      );
    });
    expect(error.context).toEqual({ name: "PROTOCOL_MISMATCH", protocol: 3, previousProtocol: 4 });
    expect(server.engine.clientsCount).toBe(1);
  });

  for (const origin of ["a\u0001b", "a\u007fb", "a\u0100b"]) {
    it(`the Origin ${JSON.stringify(origin)} is a bad request`, async () => {
      const server = await startBareEngine(implementation);
      // Node's own parser lets none of these through, but HTTP/2 and middlewares may.
      server.engine.use((incoming: IncomingMessage, _res: unknown, next: () => void) => {
        incoming.headers.origin = origin;
        next();
      });
      const error = await refusalOf(server, () => new PollingPeer(server.port).handshake());
      expect([error.code, error.context]).toEqual([3, { name: "INVALID_ORIGIN", origin }]);
      expect(error.req.headers.origin).toBeNull();
    });
  }

  for (const method of ["PUT", "DELETE", "OPTIONS"]) {
    it(`${method} to a session is a bare 500, and the session lives`, async () => {
      const server = await startBareEngine(implementation);
      const peer = await PollingPeer.open(server.port);
      const response = await peer.get({ method });
      expect([response.status, response.text]).toEqual([500, ""]);
      await peer.send("4still here");
    });
  }

  it("HEAD is not GET: a bare 500 with a session, code 2 without", async () => {
    const server = await startBareEngine(implementation);
    const peer = await PollingPeer.open(server.port);
    expect((await peer.get({ method: "HEAD" })).status).toBe(500);
    const error = await refusalOf(server, () =>
      new PollingPeer(server.port).get({ method: "HEAD" }),
    );
    expect(error.context).toEqual({ method: "HEAD" });
  });

  const upgrades: (Pick<Refusal, "title" | "code"> & { handshake: OpeningHandshake })[] = [
    {
      title: "an unknown transport",
      handshake: { path: "/socket.io/?EIO=4&transport=tobi" },
      code: 0,
    },
    {
      title: "an unknown sid",
      handshake: { path: "/socket.io/?EIO=4&transport=websocket&sid=unknown" },
      code: 1,
    },
    {
      title: "another method than GET",
      handshake: { method: "POST", headers: { "Content-Length": "0" } },
      code: 2,
    },
  ];
  for (const { title, handshake, code } of upgrades) {
    it(`${title} in an opening handshake is answered 400 with the text of code ${code}, then the end`, async () => {
      const server = await startBareEngine(implementation);
      let answer: unknown;
      const error = await refusalOf(server, async () => {
        answer = await exchange(server.port, openingHandshake(handshake));
      });
      expect(answer).toBe(upgradeRefusal(MESSAGES[code] as string));
      expect(error.code).toBe(code);
    });
  }

  it("an unsupported revision over websocket is told by connection_error and ends the connection", async () => {
    const server = await startBareEngine(implementation);
    let answer = "";
    const error = await refusalOf(server, async () => {
      answer = await exchange(
        server.port,
        openingHandshake({ path: "/socket.io/?EIO=3&transport=websocket" }),
      );
    });
    expect([error.code, error.context]).toEqual([5, { protocol: 3 }]);
    expect(answer).toContain("Unsupported protocol version");
    expect(server.engine.clientsCount).toBe(0);
  });

  it("allowRequest refuses with 403 over HTTP and 400 over websocket, with its own text", async () => {
    const asked: string[] = [];
    const server = await startBareEngine(implementation, {
      allowRequest: (handshake, callback) => {
        asked.push(handshake.url as string);
        callback("not you" as never, false);
      },
    });
    const error = await refusalOf(server, async () => {
      const response = await new PollingPeer(server.port).handshake();
      expect(response.status).toBe(403);
      expect(response.text).toBe('{"code":4,"message":"not you"}');
    });
    expect([error.code, error.message, error.context]).toEqual([
      4,
      "Forbidden",
      { message: "not you" },
    ]);
    expect(await exchange(server.port, openingHandshake())).toBe(upgradeRefusal("not you"));
    expect(asked).toHaveLength(2);
  });

  it('allowRequest without a text refuses with "Forbidden"', async () => {
    const server = await startBareEngine(implementation, {
      allowRequest: (_handshake, callback) => callback(null, false),
    });
    expect((await new PollingPeer(server.port).handshake()).text).toBe(
      '{"code":4,"message":"Forbidden"}',
    );
  });

  it("allowRequest decides with its first call: a second one neither refuses nor opens another session", async () => {
    const decisions = [
      [true, true],
      [false, true],
    ];
    const opened: unknown[] = [];
    const errors: unknown[] = [];
    const { engine, port } = await startBareEngine(implementation, {
      allowRequest: (_handshake, callback) => {
        const [first, second] = decisions.shift() as [boolean, boolean];
        callback(first ? null : "no", first);
        try {
          callback(second ? null : "no", second);
        } catch (error) {
          errors.push(error);
        }
      },
    });
    engine.on("connection", (session: unknown) => opened.push(session));
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0\{/);
    expect([opened.length, errors.length]).toEqual([1, 1]);
    await expect(RawWebSocket.open(port)).rejects.toThrow("not a 101: HTTP/1.1 400 Bad Request");
    expect([opened.length, (engine as any).clientsCount]).toEqual([1, 1]);
  });

  it("allowRequest is asked once per session, and may answer later", async () => {
    let asked = 0;
    const server = await startBareEngine(implementation, {
      allowRequest: (_handshake, callback) => {
        asked += 1;
        setImmediate(() => callback("a text that a success makes meaningless", true));
      },
    });
    const peer = await PollingPeer.open(server.port);
    await peer.send("4x");
    await RawWebSocket.open(server.port, { path: peer.target("websocket") });
    expect(asked).toBe(1);
  });

  it("polluting Object.prototype opens no door", async () => {
    const server = await startBareEngine(implementation);
    const prototype = Object.prototype as Record<string, unknown>;
    Object.defineProperty(prototype, "polluted", {
      value: "x",
      enumerable: true,
      configurable: true,
    });
    try {
      const peer = await PollingPeer.open(server.port);
      await peer.send("4x");
      const path = "/socket.io/?EIO=4&transport=polling&sid=polluted";
      expect((await request(server.port, { path })).text).toContain('"code":1');
    } finally {
      Reflect.deleteProperty(prototype, "polluted");
    }
  });
});
