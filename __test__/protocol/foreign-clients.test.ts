// Clients in languages that cannot be run here, by what they write on the wire: the case and order of headers, the order of the
// query, base64, zero masks, early and unasked pings. The lines are written by hand after the habits of the HTTP and WebSocket
// libraries that those clients stand on.

import type { Server, Socket } from "socket.io";
import { once, onceValue, within } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { openStream } from "../harness/raw-http";
import { OPCODE, RawWebSocket } from "../harness/raw-websocket";
import { startServer } from "../harness/servers";

const KEY = "x3JJHMbDL1EzLkh9GBhXDw==";
const KEY_ACCEPTED = "HSmrc0sMlYUkAGmm5OPpG2HaGWk=";

/** What a client writes to open a WebSocket. */
interface WebSocketHabit {
  client: string;
  lines(port: number): string[];
  /** What the answer has beyond the usual. */
  answer?: string[];
  /** Whether binary data comes as base64 in text. */
  isBase64?: boolean;
}

const WEBSOCKET_HABITS: WebSocketHabit[] = [
  {
    client: "Java (OkHttp)",
    lines: (port) => [
      "GET /socket.io/?EIO=4&t=Oz7dKQ1&transport=websocket HTTP/1.1",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Extensions: permessage-deflate",
      `Host: 127.0.0.1:${port}`,
      "Accept-Encoding: gzip",
      "User-Agent: okhttp/4.12.0",
    ],
  },
  {
    client: "C++ (WebSocket++)",
    lines: (port) => [
      "GET /socket.io/?EIO=4&transport=websocket&t=1700000000 HTTP/1.1",
      "Connection: Upgrade",
      `Host: 127.0.0.1:${port}`,
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
      "Upgrade: websocket",
      "User-Agent: WebSocket++/0.8.2",
    ],
  },
  {
    client: "Swift (Starscream)",
    lines: (port) => [
      "GET /socket.io/?transport=websocket&EIO=4 HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Origin: http://127.0.0.1:${port}`,
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
    ],
  },
  {
    client: "Swift that asks for base64",
    lines: (port) => [
      "GET /socket.io/?transport=websocket&b64=1&EIO=4 HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
    ],
    isBase64: true,
  },
  {
    client: "Dart (dart:io, all names in lower case, a length on a GET)",
    lines: (port) => [
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
      "user-agent: Dart/3.4 (dart:io)",
      "connection: Upgrade",
      "cache-control: no-cache",
      "accept-encoding: gzip",
      "content-length: 0",
      "sec-websocket-version: 13",
      `host: 127.0.0.1:${port}`,
      "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
      `sec-websocket-key: ${KEY}`,
      "upgrade: websocket",
    ],
  },
  {
    client: ".NET (ClientWebSocket)",
    lines: (port) => [
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${KEY}`,
    ],
  },
  {
    client: "Go (gorilla/websocket)",
    lines: (port) => [
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      "User-Agent: Go-http-client/1.1",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
      "Upgrade: websocket",
    ],
  },
  {
    client: "Arduino (a subprotocol, an opaque origin)",
    lines: (port) => [
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Protocol: arduino",
      "Origin: file://",
      "User-Agent: arduino-WebSocket-Client",
    ],
    answer: ["Sec-WebSocket-Protocol: arduino"],
  },
  {
    client: "one that says WebSocket and lists what it wants of the connection",
    lines: (port) => [
      "GET /socket.io/?transport=websocket&EIO=4&t=a%20b HTTP/1.1",
      `HOST: 127.0.0.1:${port}`,
      "UPGRADE: WebSocket",
      "CONNECTION: keep-alive, Upgrade",
      `SEC-WEBSOCKET-KEY: ${KEY}`,
      "SEC-WEBSOCKET-VERSION: 13",
      "PRAGMA: no-cache",
    ],
  },
];

/** What a client writes to poll: the target of its requests and their headers. */
interface PollingHabit {
  client: string;
  target(sid?: string): string;
  get: string[];
  post: string[];
  /** Whether a body is sent in chunks, without its length. */
  isChunked?: boolean;
  /** Whether the client waits to be told to go on before it sends a body. */
  waits?: boolean;
}

const withSid = (sid?: string) => (sid === undefined ? "" : `&sid=${sid}`);

const POLLING_HABITS: PollingHabit[] = [
  {
    client: "Java (OkHttp)",
    target: (sid) => `/socket.io/?${sid ? `sid=${sid}&` : ""}t=Oz7dKQ2&EIO=4&transport=polling`,
    get: ["Accept: */*", "Connection: Keep-Alive", "Accept-Encoding: gzip"],
    post: ["Accept: */*", "Content-Type: text/plain;charset=UTF-8", "Connection: Keep-Alive"],
  },
  {
    client: "Swift (URLSession, base64)",
    target: (sid) => `/socket.io/?transport=polling&b64=1&EIO=4${withSid(sid)}`,
    get: ["Accept: */*", "Accept-Language: en-GB,en;q=0.9", "Connection: keep-alive"],
    post: ["Accept: */*", "Content-Type: text/plain; charset=UTF-8", "Connection: keep-alive"],
  },
  {
    client: "Dart (dart:io, all names in lower case, a length on a GET)",
    target: (sid) => `/socket.io/?EIO=4&transport=polling&t=1700000000${withSid(sid)}`,
    get: ["user-agent: Dart/3.4 (dart:io)", "accept: */*", "content-length: 0"],
    post: ["user-agent: Dart/3.4 (dart:io)", "content-type: text/plain;charset=UTF-8"],
  },
  {
    client: ".NET (HttpClient, which waits for 100)",
    target: (sid) => `/socket.io/?EIO=4&transport=polling&t=1700000000${withSid(sid)}`,
    get: [],
    post: ["Content-Type: text/plain; charset=utf-8", "Expect: 100-continue"],
    waits: true,
  },
  {
    client: "Go (net/http, in chunks, no type)",
    target: (sid) => `/socket.io/?EIO=4${withSid(sid)}&transport=polling`,
    get: ["User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"],
    post: ["User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"],
    isChunked: true,
  },
  {
    client: "C++ (libcurl, a type of forms)",
    target: (sid) => `/socket.io/?EIO=4&transport=polling${withSid(sid)}`,
    get: ["User-Agent: curl/8.5.0", "Accept: */*"],
    post: [
      "User-Agent: curl/8.5.0",
      "Accept: */*",
      "Content-Type: application/x-www-form-urlencoded",
    ],
  },
];

/** Answers what the clients of these tests ask. */
function answerClients(io: Server): void {
  io.on("connection", (socket) => {
    socket.on("question", (text, bytes, reply) => {
      socket.emit("told", bytes);
      reply(text, Buffer.isBuffer(bytes));
    });
  });
}

describeBoth("clients in other languages", (implementation) => {
  for (const { client, lines, answer = [], isBase64 = false } of WEBSOCKET_HABITS) {
    it(`WebSocket of ${client}`, async () => {
      const { io, port } = await startServer(implementation);
      answerClients(io);
      const connected = onceValue<Socket>(io, "connection");
      const peer = await RawWebSocket.open(port, { lines: lines(port) });
      expect(peer.head.split("\r\n").slice(1)).toEqual(
        expect.arrayContaining([`Sec-WebSocket-Accept: ${KEY_ACCEPTED}`, ...answer]),
      );
      await peer.expectText(/^0\{/);
      // These libraries ping the connection by themselves, before anything else too.
      peer.send("hello", { opcode: OPCODE.ping });
      expect(await peer.nextFrame()).toMatchObject({ opcode: OPCODE.pong, text: "hello" });
      peer.send('40{"token":"€"}');
      await peer.expectText(/^40\{"sid":"[\w-]{20}"\}$/);
      expect((await connected).handshake.auth).toEqual({ token: "€" });

      peer.send('451-0["question","€",{"_placeholder":true,"num":0}]');
      if (isBase64) peer.send("bAP8=");
      else peer.send(Buffer.from([0, 255]), { opcode: OPCODE.binary });
      await peer.expectText('451-["told",{"_placeholder":true,"num":0}]');
      const attachment = await peer.nextFrame();
      expect(attachment).toMatchObject(
        isBase64
          ? { opcode: OPCODE.text, text: "bAP8=" }
          : { opcode: OPCODE.binary, payload: Buffer.from([0, 255]) },
      );
      await peer.expectText('430["€",true]');

      const gone = onceValue(await connected, "disconnect");
      peer.send("41");
      expect(await gone).toBe("client namespace disconnect");
    });
  }

  for (const habit of POLLING_HABITS) {
    it(`polling of ${habit.client}`, async () => {
      const { io, port } = await startServer(implementation);
      answerClients(io);
      const connected = onceValue<Socket>(io, "connection");
      const agent = await PollingAgent.open(port, habit);
      await agent.send('40{"token":"€"}');
      expect(await agent.poll()).toMatch(/^40\{"sid":"[\w-]{20}"\}$/);
      expect((await connected).handshake.auth).toEqual({ token: "€" });
      await agent.send('451-0["question","€",{"_placeholder":true,"num":0}]\x1ebAP8=');
      let payload = await agent.poll();
      if (!payload.includes("430")) payload += `\x1e${await agent.poll()}`;
      expect(payload.split("\x1e")).toEqual([
        '451-["told",{"_placeholder":true,"num":0}]',
        "bAP8=",
        '430["€",true]',
      ]);
      const gone = onceValue(await connected, "disconnect");
      await agent.send("41");
      expect(await gone).toBe("client namespace disconnect");
    });
  }

  it("polling, then the upgrade, of Java (OkHttp)", async () => {
    const { io, port } = await startServer(implementation);
    answerClients(io);
    const connected = onceValue<Socket>(io, "connection");
    const agent = await PollingAgent.open(port, POLLING_HABITS[0]);
    await agent.send("40");
    await agent.poll();
    const [{ lines: opening }] = WEBSOCKET_HABITS;
    const peer = await RawWebSocket.open(port, {
      lines: opening(port).map((line) =>
        line.replace("transport=websocket", `transport=websocket&sid=${agent.sid}`),
      ),
    });
    const lastPoll = agent.poll();
    peer.send("2probe");
    await peer.expectText("3probe");
    expect(await lastPoll).toBe("6");
    const upgraded = once((await connected).conn, "upgrade");
    peer.send("5");
    peer.send('420["question","€",null]');
    await upgraded;
    await peer.expectText('42["told",null]');
    await peer.expectText('430["€",false]');
  });

  it("a zero mask is a mask", async () => {
    const { io, port } = await startServer(implementation);
    answerClients(io);
    const peer = await RawWebSocket.join(port);
    const payload = Buffer.from('420["question","plain",null]');
    peer.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
    await peer.expectText('42["told",null]');
    await peer.expectText('430["plain",false]');
  });

  it("a pong that nobody asked for is taken as a sign of life", async () => {
    const { io, port } = await startServer(implementation);
    answerClients(io);
    const peer = await RawWebSocket.join(port);
    peer.send("3");
    peer.send("3anything");
    peer.send('420["question",1,2]');
    await peer.expectText('42["told",2]');
  });

  it("a ping of the client ends a session of revision 4", async () => {
    const { io, port } = await startServer(implementation);
    const connected = onceValue<Socket>(io, "connection");
    const peer = await RawWebSocket.join(port);
    const gone = once(await connected, "disconnect");
    peer.send("2");
    expect((await gone)[0]).toBe("transport error");
    await peer.expectClose();
  });

  it("a client of revision 3 may ping before anything else", async () => {
    const { io, port } = await startServer(implementation, { allowEIO3: true });
    answerClients(io);
    const path = "/socket.io/?transport=websocket&EIO=3";
    const peer = await RawWebSocket.open(port, { path });
    await peer.expectText(/^0\{/);
    peer.send("2");
    peer.send("2");
    await peer.expectText("40");
    await peer.expectText("3");
    await peer.expectText("3");
    peer.send('420["question","€",null]');
    await peer.expectText('42["told",null]');
    await peer.expectText('430["€",false]');
    // A binary message of revision 3 begins with its type.
    peer.send('451-1["question","€",{"_placeholder":true,"num":0}]');
    peer.send(Buffer.from([4, 0, 255]), { opcode: OPCODE.binary });
    await peer.expectText('451-["told",{"_placeholder":true,"num":0}]');
    expect((await peer.nextFrame()).payload).toEqual(Buffer.from([4, 0, 255]));
    await peer.expectText('431["€",true]');
  });
});

/** Polls over one kept connection, in the bytes of one client's habit. */
class PollingAgent {
  sid = "";
  private unread = "";

  private constructor(
    private readonly stream: Awaited<ReturnType<typeof openStream>>,
    private readonly port: number,
    private readonly habit: PollingHabit,
  ) {
    stream.setEncoding("latin1").on("data", (text: unknown) => {
      this.unread += String(text);
    });
  }

  static async open(port: number, habit: PollingHabit): Promise<PollingAgent> {
    const agent = new PollingAgent(await openStream(port), port, habit);
    const { sid } = JSON.parse((await agent.get()).slice(1));
    agent.sid = sid;
    return agent;
  }

  poll(): Promise<string> {
    return this.get();
  }

  async send(payload: string): Promise<void> {
    const { post, isChunked, waits } = this.habit;
    const body = Buffer.from(payload).toString("latin1");
    const length = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
    this.write(`POST ${this.habit.target(this.sid)} HTTP/1.1`, [...post, length]);
    if (waits) {
      expect(await this.response()).toMatchObject({ status: 100 });
    }
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    this.stream.write(isChunked ? chunks : body, "latin1");
    expect(await this.response()).toEqual({ status: 200, body: "ok" });
  }

  private async get(): Promise<string> {
    const target = this.habit.target(this.sid === "" ? undefined : this.sid);
    this.write(`GET ${target} HTTP/1.1`, this.habit.get);
    const { status, body } = await this.response();
    expect(status).toBe(200);
    return body;
  }

  private write(requestLine: string, headers: string[]): void {
    const lines = [requestLine, `Host: 127.0.0.1:${this.port}`, ...headers];
    this.stream.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  }

  /** The next response; its length is in its head. */
  private async response(): Promise<{ status: number; body: string }> {
    await this.until(() => this.unread.includes("\r\n\r\n"));
    const end = this.unread.indexOf("\r\n\r\n") + 4;
    const head = this.unread.slice(0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    await this.until(() => this.unread.length >= end + length);
    const body = Buffer.from(this.unread.slice(end, end + length), "latin1").toString();
    this.unread = this.unread.slice(end + length);
    return { status: Number(head.split(" ")[1]), body };
  }

  private async until(isThere: () => boolean): Promise<void> {
    const arrived = async (): Promise<void> => {
      while (!isThere()) await once(this.stream, "data");
    };
    await within(arrived(), () => `no answer: ${this.unread}`);
  }
}
