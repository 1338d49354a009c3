// What `DEBUG` prints: the same talks are held with npm's socket.io and with sio-rs, each in a process of its own, and the lines are compared,
// namespace by namespace. People search logs for these lines, so the texts are socket.io's.

import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { request } from "../harness/raw-http";
import { closeFrame, OPCODE, RawWebSocket } from "../harness/raw-websocket";
import {
  byNamespace,
  isOutput,
  type LoggedServer,
  type LogTalk,
  logOf,
  rawLogOf,
} from "../harness/server-log";

const SOCKET_CLOSED = "engine:socket readyState updated from open to closed";
const WEBSOCKET_CLOSED = "to closed (websocket)";

/** Opens the WebSocket that a session on polling may move to. */
const upgradeOf = (port: number, sid: string): Promise<RawWebSocket> =>
  RawWebSocket.open(port, { path: `/socket.io/?EIO=4&transport=websocket&sid=${sid}` });

/** Sends an event and reads what it is answered with. */
async function ask(peer: RawWebSocket, event: string, answers = 1): Promise<void> {
  peer.send(event);
  for (let n = 0; n < answers; n++) {
    await peer.nextFrame();
  }
}

/** Reads frames up to one that begins so. */
async function read(peer: RawWebSocket, start: string): Promise<void> {
  while (!(await peer.nextFrame()).text.startsWith(start)) {
    // heartbeats
  }
}

const TALKS: Record<string, LogTalk> = {
  "a session on polling": {
    talk: async (server) => {
      const peer = await PollingPeer.join(server.port);
      for (const event of ['420["question",5]', '42["room"]', '42["two"]']) {
        await peer.send(event);
        await peer.poll();
      }
      const poll = peer.poll();
      await server.logged("engine:polling setting request", 6);
      await peer.send('42["broadcast"]');
      await poll;
      await peer.send('42["volatile"]');
      await server.logged("volatile packet is discarded");
      await peer.send("41");
      await peer.send("1");
      await server.logged(SOCKET_CLOSED);
    },
  },
  "an upgrade": {
    talk: async ({ port, logged }) => {
      const peer = await PollingPeer.join(port);
      const candidate = await upgradeOf(port, peer.sid);
      await ask(candidate, "2probe");
      await logged("got probe ping packet");
      await peer.poll();
      candidate.send("5");
      await logged("got upgrade packet");
      await ask(candidate, '420["question",5]');
      await ask(candidate, '42["bye"]');
      candidate.write(closeFrame(1000));
      await logged(SOCKET_CLOSED);
    },
  },
  "an upgrade with packets that wait, and a second one": {
    talk: async ({ port, logged }) => {
      const peer = await PollingPeer.open(port);
      const candidate = await upgradeOf(port, peer.sid);
      await peer.send("40");
      await peer.poll();
      await ask(candidate, "2probe");
      await logged("got probe ping packet");
      await peer.poll();
      await peer.send('42["two"]');
      await ask(candidate, "5", 2);
      const refused = await upgradeOf(port, peer.sid);
      await refused.expectClose();
      for (const packet of ["1", "5", "6", "0", "3"]) {
        candidate.send(packet);
      }
      candidate.send('42["close"]');
      await candidate.expectClose();
      candidate.write(closeFrame(1000));
      await logged("updated from closing to closed (websocket)");
    },
  },
  "upgrades that fail": {
    options: { upgradeTimeout: 300 },
    talk: async ({ port, logged }) => {
      const peer = await PollingPeer.open(port);
      const candidate = await upgradeOf(port, peer.sid);
      await logged("might upgrade");
      const refused = await upgradeOf(port, peer.sid);
      await refused.expectClose();
      await ask(candidate, "2probe");
      await logged("got probe ping packet");
      candidate.write(closeFrame(1000));
      await logged("client did not complete upgrade - transport closed");
      const late = await upgradeOf(port, peer.sid);
      await late.expectClose();
      late.write(closeFrame(1000));
      await logged(WEBSOCKET_CLOSED, 2);
      const rude = await upgradeOf(port, peer.sid);
      await logged("might upgrade", 3);
      rude.send("junk");
      await rude.expectClose();
      rude.write(closeFrame(1000));
      await logged(WEBSOCKET_CLOSED, 3);
    },
  },
  "an upgrade whose session ends": {
    talk: async ({ port, logged }) => {
      const peer = await PollingPeer.join(port);
      const candidate = await upgradeOf(port, peer.sid);
      await ask(candidate, "2probe");
      await logged("got probe ping packet");
      await peer.send("1");
      await candidate.expectClose();
      candidate.write(closeFrame(1000));
      await logged(WEBSOCKET_CLOSED);
    },
  },
  "a session over WebSocket": {
    talk: async ({ port, logged }) => {
      const peer = await RawWebSocket.join(port);
      await ask(peer, '420["question",5]');
      await ask(peer, '42["ask"]');
      peer.send('430["x"]');
      await logged("calling ack 0");
      peer.send('439["x"]');
      await logged("bad ack 9");
      await ask(peer, '42["ask all"]');
      peer.send('431["x"]');
      await logged("calling ack 1");
      await ask(peer, '42["room"]');
      await ask(peer, '42["two"]', 2);
      await ask(peer, '42["broadcast"]');
      await ask(peer, '42["volatile"]');
      await ask(peer, '42["ask in time"]');
      await logged("has timed out after 20 ms");
      peer.send('451-["none",{"_placeholder":true,"num":0}]');
      peer.send(Buffer.from("abc"), { opcode: OPCODE.binary });
      await logged("engine:ws received", 13);
      peer.stream.destroy();
      await logged(WEBSOCKET_CLOSED);
      await logged("closing socket - reason transport close");
    },
  },
  "namespaces that are joined, refused and unknown": {
    talk: async ({ port, logged }) => {
      const peer = await RawWebSocket.join(port);
      await ask(peer, "40/denied,");
      await ask(peer, "40/dynamic-1,");
      await ask(peer, "40/unknown,");
      peer.send("41");
      await logged("got disconnect packet");
      peer.send('42["late"]');
      await peer.expectClose();
      peer.write(closeFrame(1000));
      await logged(WEBSOCKET_CLOSED);
    },
  },
  "a client that is disconnected over WebSocket": {
    talk: async ({ port, logged }) => {
      const peer = await RawWebSocket.join(port);
      peer.send('42["close"]');
      await peer.expectClose();
      peer.write(closeFrame(1000));
      await logged(WEBSOCKET_CLOSED);
    },
  },
  "clients that are disconnected on polling": {
    talk: async (server) => {
      const idle = await PollingPeer.join(server.port);
      await idle.send('42["close"]');
      await idle.poll();
      await idle.poll();
      await server.logged("updated from closing to closed (polling)");
      const polling = await PollingPeer.join(server.port);
      const poll = polling.poll();
      await server.logged("engine:polling setting request", 7);
      await polling.send('42["close"]');
      await poll;
      await polling.poll();
      await server.logged("updated from closing to closed (polling)", 2);
    },
  },
  "clients that join no namespace": {
    options: { connectTimeout: 50 },
    talk: async ({ port, logged }) => {
      const idle = await RawWebSocket.open(port);
      await idle.expectClose();
      idle.write(closeFrame(1000));
      await logged(WEBSOCKET_CLOSED);
    },
  },
  "the heartbeat over WebSocket": {
    options: { pingInterval: 400, pingTimeout: 2_000 },
    talk: async ({ port, logged }) => {
      const peer = await RawWebSocket.join(port);
      await peer.expectText("2");
      await ask(peer, "3");
      await ask(peer, '42["volatile"]');
      peer.send("3");
      await logged("got pong", 2);
      peer.stream.destroy();
      await logged("closing socket - reason transport close");
    },
  },
  "the heartbeat on polling": {
    options: { pingInterval: 400, pingTimeout: 2_000 },
    talk: async (server) => {
      const peer = await PollingPeer.join(server.port);
      await peer.poll();
      await peer.send("3");
      await server.logged("writing ping packet", 2);
      await peer.poll();
      await peer.send("3", "1");
      await server.logged(SOCKET_CLOSED);
    },
  },
  "a heartbeat that is not answered": {
    options: { pingInterval: 50, pingTimeout: 50 },
    talk: async ({ port, logged }) => {
      const peer = await RawWebSocket.open(port);
      await peer.expectClose();
      peer.write(closeFrame(1000));
      await logged(WEBSOCKET_CLOSED);
    },
  },
  "WebSockets that break a protocol": {
    talk: async ({ port, logged }) => {
      const faults = [
        (peer: RawWebSocket) => peer.send("x"),
        (peer: RawWebSocket) => peer.send("2"),
        (peer: RawWebSocket) => peer.send("4x"),
        (peer: RawWebSocket) => peer.write(Buffer.from([0xff, 0xff, 0, 0])),
      ];
      for (const [index, fault] of faults.entries()) {
        const peer = await RawWebSocket.open(port);
        await peer.nextFrame();
        await logged("executing batch send callback", index + 1);
        fault(peer);
        await peer.expectClose();
        peer.write(closeFrame(1000));
        peer.stream.end();
        await logged(WEBSOCKET_CLOSED, index + 1);
      }
    },
  },
  "requests that are refused": {
    talk: async ({ port, logged }) => {
      const send = (query: string, method = "GET") =>
        request(port, {
          method,
          path: `/socket.io/?${query}`,
          body: method === "POST" ? "40" : "",
        });
      await send("EIO=4&transport=pigeon");
      await send("EIO=4&transport=polling&sid=nobody");
      await send("EIO=4&transport=polling", "POST");
      await send("EIO=3&transport=polling");
      await send("EIO=4&transport=websocket");
      const { sid } = await PollingPeer.open(port);
      await send(`EIO=3&transport=polling&sid=${sid}`);
      await send(`EIO=4&transport=websocket&sid=${sid}`);
      await request(port, {
        path: "/socket.io/?EIO=4&transport=polling",
        headers: { origin: "\xff" },
      });
      await logged("incoming connection with id", 2);
      await logged("executing batch send callback", 2);
    },
  },
  "two GETs at once": {
    talk: async (server) => {
      const peer = await PollingPeer.open(server.port);
      const first = peer.get();
      await server.logged("engine:polling setting request", 2);
      await peer.get();
      await first;
      await server.logged("client close with reason transport error");
    },
  },
  "the end of the server": {
    talk: async (server) => {
      const direct = await RawWebSocket.join(server.port);
      const peer = await PollingPeer.join(server.port);
      const poll = peer.poll();
      await server.logged("engine:polling setting request", 3);
      await request(server.port, { path: "/close", headers: { connection: "close" } });
      await poll;
      await direct.expectClose();
      direct.write(closeFrame(1000));
      await server.logged(WEBSOCKET_CLOSED);
      await server.logged("closing webSocketServer", 2);
    },
  },
  "protocol 3": {
    options: { allowEIO3: true },
    talk: async (server) => {
      const direct = await RawWebSocket.open(server.port, {
        path: "/socket.io/?EIO=3&transport=websocket",
      });
      await direct.nextFrame();
      await direct.expectText("40");
      await ask(direct, "2");
      await ask(direct, '420["question",1]');
      direct.write(closeFrame(1000));
      await server.logged(WEBSOCKET_CLOSED);

      const path = "/socket.io/?EIO=3&transport=polling";
      const { text } = await request(server.port, { path });
      const own = `${path}&sid=${/"sid":"([^"]+)"/.exec(text)?.[1]}`;
      await request(server.port, { path: own });
      await request(server.port, { path: own, method: "POST", body: "1:2" });
      await request(server.port, { path: own });
      const poll = request(server.port, { path: own });
      await server.logged("engine:polling setting request", 4);
      await request(server.port, { path: own, method: "POST", body: "1:2" });
      await poll;
      await request(server.port, { path: own, method: "POST", body: "1:1" });
      await server.logged(SOCKET_CLOSED, 2);
    },
  },
  JSONP: {
    talk: async ({ port, logged }) => {
      const path = "/socket.io/?EIO=4&transport=polling&j=0";
      const { text } = await request(port, { path });
      const own = `${path}&sid=${/sid\\":\\"([^\\]+)/.exec(text)?.[1]}`;
      await request(port, { path: own, method: "POST", body: "d=40" });
      await request(port, { path: own });
      await logged("executing batch send callback", 2);
    },
  },
  "the files of the client": {
    options: { serveClient: true },
    talk: async ({ port }) => {
      const { headers } = await request(port, { path: "/socket.io/socket.io.js" });
      await request(port, { path: "/socket.io/socket.io.js.map" });
      const again = { "if-none-match": headers.etag };
      await request(port, { path: "/socket.io/socket.io.js", headers: again });
    },
  },
};

describe("DEBUG prints socket.io's lines", () => {
  test.each(Object.entries(TALKS))("of %s", async (_title, talk) => {
    const [expected, found] = await Promise.all([logOf("socket.io", talk), logOf("sio-rs", talk)]);
    expect(expected.length).toBeGreaterThan(5);
    expect(byNamespace(found)).toEqual(byNamespace(expected));
  });

  test("in one order over all namespaces while one thing happens at a time", async () => {
    const isOwn = (line: string): boolean => !isOutput(line);
    for (const title of [
      "a session over WebSocket",
      "an upgrade",
      "the heartbeat over WebSocket",
    ]) {
      const talk = TALKS[title] as LogTalk;
      const [expected, found] = await Promise.all([
        logOf("socket.io", talk),
        logOf("sio-rs", talk),
      ]);
      expect(found.filter(isOwn)).toEqual(expected.filter(isOwn));
    }
  });
});

describeBoth("debug log", ({ name }) => {
  /** A client that is greeted, pinged and heard. */
  const talk = async ({ port }: LoggedServer): Promise<void> => {
    const peer = await RawWebSocket.join(port);
    await peer.expectText("2");
    peer.send("3");
    peer.send('420["question",5]');
    await read(peer, "430");
  };
  const options = { pingInterval: 500, pingTimeout: 5_000 };

  it("nothing is printed without DEBUG", async () => {
    expect(await rawLogOf(name, { namespaces: "", options, talk })).toBe("");
  });

  it("one namespace can be asked for", async () => {
    const lines = await logOf(name, { namespaces: "engine:ws", options, talk });
    expect(lines).toEqual(
      ['"40"', '"3"', '"420["question",5]"'].map((it) => `engine:ws received ${it}`),
    );
  });

  it("a namespace with a minus is left out, and a star stands for anything", async () => {
    const namespaces = "*:socket,socket.io-p*,-socket.io:*";
    const streams = byNamespace(await logOf(name, { namespaces, options, talk }));
    expect(Object.keys(streams).sort()).toEqual([
      "engine:socket",
      "engine:socket output",
      "socket.io-parser",
    ]);
  });

  it("lines have colours and dates as the variables of the debug package say", async () => {
    const namespaces = "engine:ws";
    const plain = { DEBUG_HIDE_DATE: "" };
    const dated = await rawLogOf(name, { namespaces, options, talk, env: plain });
    expect(dated).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z engine:ws received "40"\n/);
    const coloured = await rawLogOf(name, {
      namespaces,
      options,
      talk,
      env: { DEBUG_COLORS: "1" },
    });
    expect(coloured.replaceAll("\u001b[", "<")).toMatch(
      /^ {2}<3\d(?:;5;\d+)?;1mengine:ws <0mreceived "40"/,
    );
  });

  it("what is switched on while the process runs is printed for sessions that are open, and not once it is off again", async () => {
    const lines = await logOf(name, {
      namespaces: "",
      options: { pingInterval: 1_000, pingTimeout: 5_000 },
      talk: async ({ port, order, logged }) => {
        const peer = await RawWebSocket.join(port);
        const polling = await PollingPeer.join(port);
        await order("/log");
        await polling.send('42["room"]');
        await order("/mark");
        peer.send("3");
        await logged('engine:ws received "3"');
        await logged("writing ping packet");
        peer.send('42["broadcast"]');
        await logged('sending packet "message" (2["to all",3])', 2);
        await order("/quiet");
        peer.send("3");
        peer.send('420["question",5]');
        await read(peer, "430");
      },
    });
    expect(lines).toEqual(expect.arrayContaining(["engine:socket got pong"]));
    expect(lines.filter((line) => line.includes("question"))).toEqual([]);
  });

  it("a packet with attachments is flushed before them", async () => {
    const lines = await logOf(name, {
      namespaces: "engine:socket",
      talk: async ({ port }) => {
        const peer = await RawWebSocket.join(port);
        peer.send('451-["binary",{"_placeholder":true,"num":0}]');
        peer.send(Buffer.from("abc"), { opcode: OPCODE.binary });
        await peer.nextFrame();
        await peer.nextFrame();
        await ask(peer, '420["question",5]');
      },
    });
    const first = lines.findIndex((line) => line.includes("(51-"));
    const last = lines
      .slice(first)
      .filter((line) => !isOutput(line))
      .slice(0, 4);
    expect(last.map((line) => line.split(" ")[1])).toEqual([
      "sending",
      "flushing",
      "sending",
      "flushing",
    ]);
  });

  /** The log of a session on polling that sends what is no packet, while no GET of it waits. */
  const logOfFault = (): Promise<string[]> =>
    logOf(name, {
      talk: async ({ port, logged }) => {
        const peer = await PollingPeer.open(port);
        await peer.send("x");
        await logged("client close with reason parse error");
      },
    });

  it("a polling transport that fails while no GET waits is kept for the next one", async () => {
    const line = "engine:polling transport not writable - buffering orderly close";
    expect(await logOfFault()).toContain(line);
  });

  it("a POST whose packets end the session is aborted", async () => {
    expect(await logOfFault()).toContain("engine:polling aborting ongoing data request");
  });
});
