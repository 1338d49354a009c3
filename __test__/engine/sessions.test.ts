/**
 * Whole sessions over WebSocket, with the core: each case runs on engine.io, on adopted streams and over the byte bridge, and must leave
 * the same trace of events and frames.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as reference from "engine.io";
import * as ours from "../../lib/engine";
import { within } from "../harness/events";
import { closeFrame, OPCODE, RawWebSocket } from "../harness/raw-websocket";

/** One run of a case on one implementation. */
interface Run {
  engine: any;
  trace: unknown[];
  /** Opens a WebSocket; with a sid as a candidate of that session. */
  open(sid?: string): Promise<RawWebSocket>;
  /** Opens a session over WebSocket and reads the open packet. */
  session(): Promise<{ peer: RawWebSocket; conn: any }>;
  /** Opens a polling session. */
  polling(): Promise<any>;
  /** Records what a poll or a POST of the session is answered with. */
  request(conn: any, body?: string): Promise<string>;
}

type Case = (run: Run) => Promise<void>;

const IMPLEMENTATIONS: [string, (options: object) => any][] = [
  ["engine.io", (options) => new reference.Server(options)],
  ["sio-rs", (options) => new ours.Server(options)],
  ["sio-rs, bridged", (options) => new ours.Server({ ...options, carrier: "bridge" })],
];

function watch(conn: any, trace: unknown[]): void {
  for (const event of ["packet", "data", "message", "heartbeat"]) {
    conn.on(event, (value: unknown) => trace.push([event, value]));
  }
  conn.on("close", (reason: string, description: any) =>
    trace.push(["close", reason, description?.message, description?.type]),
  );
  for (const event of ["upgrading", "upgrade"]) {
    conn.on(event, (transport: any) => trace.push([event, transport.name]));
  }
}

async function play(
  make: (options: object) => any,
  options: object,
  body: Case,
): Promise<unknown[]> {
  const server = createServer();
  const engine = make(options);
  engine.attach(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const trace: unknown[] = [];
  const peers: RawWebSocket[] = [];
  const base = "/engine.io/?EIO=4&transport=";
  const run: Run = {
    engine,
    trace,
    async open(sid) {
      const peer = await RawWebSocket.open(port, {
        path: `${base}websocket${sid === undefined ? "" : `&sid=${sid}`}`,
      });
      peers.push(peer);
      return peer;
    },
    async session() {
      const connection = once(engine, "connection");
      const peer = await run.open();
      const [conn] = await connection;
      watch(conn, trace);
      await peer.expectText(/^0\{/);
      return { peer, conn };
    },
    async polling() {
      const connection = once(engine, "connection");
      await (await fetch(`http://127.0.0.1:${port}${base}polling`)).text();
      const [conn] = await connection;
      conn.transport.closeTimeout = 300; // engine.io keeps the timer of a closed session
      watch(conn, trace);
      return conn;
    },
    async request(conn, content) {
      const url = `http://127.0.0.1:${port}${base}polling&sid=${conn.id}`;
      const init = content === undefined ? {} : { method: "POST", body: content };
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(3000) });
      return `${response.status} ${await response.text()}`;
    },
  };
  try {
    await body(run);
    return trace;
  } finally {
    for (const { stream } of peers) {
      stream.destroy();
    }
    engine.close();
    server.closeAllConnections();
    server.close();
  }
}

function check(name: string, body: Case, options: object = {}): void {
  it(name, async () => {
    const traces: unknown[][] = [];
    for (const [, make] of IMPLEMENTATIONS) {
      traces.push(await play(make, options, body));
    }
    const [expected, ...others] = traces as [unknown[], ...unknown[][]];
    for (const trace of others) {
      expect(trace).toEqual(expected);
    }
    expect(expected).not.toEqual([]);
  });
}

/** Reads the rest of a WebSocket: its frames up to the close frame. */
async function frames(peer: RawWebSocket): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (;;) {
    const { opcode, payload, text } = await peer.nextFrame();
    seen.push(opcode === OPCODE.text ? text : [opcode, payload.toString("hex")]);
    if (opcode === OPCODE.close) {
      return seen;
    }
  }
}

const closed = (conn: any): Promise<unknown> =>
  conn.readyState === "closed" ? Promise.resolve() : within(once(conn, "close"), "close");

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("engine: sessions over WebSocket", () => {
  check("messages both ways", async ({ session, trace }) => {
    const { peer, conn } = await session();
    for (const data of ["a", "", "€", Buffer.from([1, 2]), new Uint16Array([3]), 12]) {
      conn.send(data);
    }
    peer.send("4b");
    peer.send("4");
    peer.send(Buffer.from([4, 5]), { opcode: OPCODE.binary });
    peer.send("bAQI=");
    const last = within(
      new Promise<void>((resolve) =>
        conn.on("message", (data: unknown) => data === "end" && resolve()),
      ),
      "no last message",
    );
    peer.send("4end");
    await last;
    conn.close();
    trace.push(await frames(peer));
  });

  for (const [name, text] of Object.entries({
    "an unknown packet type": "9",
    "an empty packet": "",
    "a ping of a client": "2",
    "a close packet": "1",
    "an open packet": "0",
    "a noop packet": "6",
    "an upgrade packet": "5",
  })) {
    check(`${name} as a text frame`, async ({ session, trace }) => {
      const { peer, conn } = await session();
      conn.removeAllListeners("packet");
      peer.send(text);
      peer.send("4after");
      while (conn.readyState === "open" && trace.length === 0) {
        await turn();
      }
      conn.close();
      trace.push(await frames(peer));
    });
  }

  check(
    "a message over the limit",
    async ({ session, trace }) => {
      const { peer, conn } = await session();
      peer.send(`4${"a".repeat(10)}`);
      await closed(conn);
      trace.push(await frames(peer));
    },
    { maxHttpBufferSize: 10 },
  );

  check("a frame without a mask", async ({ session, trace }) => {
    const { peer, conn } = await session();
    peer.send("4a", { isMasked: false });
    await closed(conn);
    trace.push(await frames(peer));
  });

  check("the client's close frame", async ({ session, trace }) => {
    const { peer, conn } = await session();
    peer.send("4last");
    peer.write(closeFrame(4001, "bye"));
    await closed(conn);
    trace.push(await frames(peer));
  });

  check("the client's end of stream", async ({ session }) => {
    const { peer, conn } = await session();
    peer.send("4last");
    peer.stream.end();
    await closed(conn);
  });

  check("the client's reset", async ({ session }) => {
    const { peer, conn } = await session();
    peer.stream.resetAndDestroy();
    await closed(conn);
  });

  check("req.socket.destroy()", async ({ session }) => {
    const { conn } = await session();
    conn.request.socket.destroy();
    await closed(conn);
  });

  check("transport.socket.terminate()", async ({ session }) => {
    const { conn } = await session();
    conn.transport.socket.terminate();
    await closed(conn);
  });

  check("transport.socket.close()", async ({ session, trace }) => {
    const { peer, conn } = await session();
    conn.transport.socket.close();
    const seen = await frames(peer);
    peer.write(closeFrame());
    await closed(conn); // engine.io waits for the client's close frame, sio-rs does not
    trace.push(seen);
  });

  for (const discard of [false, true]) {
    check(
      `close(${discard}) right after one message, and after several`,
      async ({ session, trace, engine }) => {
        for (const messages of [0, 1, 3]) {
          const { peer, conn } = await session();
          await turn();
          for (let i = 0; i < messages; i++) {
            conn.send(`m${i}`);
          }
          conn.close(discard);
          trace.push(conn.readyState, engine.clientsCount);
          await closed(conn);
          // What discard drops depends on how far the first packets got; the close frame comes in any case.
          const seen = await frames(peer);
          trace.push(discard ? seen.at(-1) : seen);
        }
      },
    );
  }

  check("engine.close() closes with an empty close frame", async ({ session, trace, engine }) => {
    const { peer } = await session();
    engine.close();
    trace.push(engine.clientsCount, Object.keys(engine.clients), await frames(peer));
  });

  check(
    "a client that does not answer pings",
    async ({ session, trace }) => {
      const { peer, conn } = await session();
      await closed(conn);
      trace.push(await frames(peer));
    },
    { pingInterval: 20, pingTimeout: 20 },
  );

  check(
    "heartbeats",
    async ({ session, trace }) => {
      const { peer, conn } = await session();
      for (let i = 0; i < 2; i++) {
        await peer.expectText("2");
        const heartbeat = within(once(conn, "heartbeat"), "heartbeat");
        peer.send("3");
        await heartbeat;
      }
      trace.push(conn.readyState);
    },
    { pingInterval: 20, pingTimeout: 1000 },
  );

  check("the order of watched sends", async ({ session, trace }) => {
    const { conn } = await session();
    await turn();
    for (const event of ["packetCreate", "flush", "drain"]) {
      conn.on(event, (value: any) =>
        trace.push([event, Array.isArray(value) ? value.length : value?.data]),
      );
    }
    conn.transport.on("drain", () => trace.push("transport drain"));
    const sent = new Promise<void>((resolve) => {
      conn.send("a", () => trace.push("sent a"));
      trace.push(conn.transport.writable, conn.writeBuffer.length);
      conn.send("b", () => trace.push("sent b"));
      conn.send("c", () => {
        trace.push("sent c");
        resolve();
      });
      trace.push(conn.writeBuffer.length);
    });
    await sent;
    await turn();
  });
});

describe("engine: upgrades of sessions", () => {
  check("the whole dance", async ({ polling, open, request, trace }) => {
    const conn = await polling();
    const waiting = request(conn);
    const peer = await open(conn.id);
    peer.send("2probe");
    await peer.expectText("3probe");
    trace.push(await waiting);
    conn.send("meanwhile");
    trace.push(await request(conn, "4posted"));
    const upgraded = within(once(conn, "upgrade"), "upgrade");
    peer.send("5");
    await upgraded;
    await peer.expectText("4meanwhile");
    const heard = within(once(conn, "message"), "message");
    peer.send("4over ws");
    await heard;
    conn.send("over ws");
    await peer.expectText("4over ws");
    trace.push(await request(conn), conn.upgraded, conn.upgrading, conn.transport.name);
    conn.close();
    trace.push(await frames(peer));
  });

  check(
    "a candidate that says something else is closed, the session stays",
    async ({ polling, open, request, trace }) => {
      const conn = await polling();
      const peer = await open(conn.id);
      peer.send("4message");
      trace.push(await frames(peer));
      while (conn.upgrading) {
        await turn();
      }
      conn.send("still polling");
      trace.push(conn.readyState, conn.upgraded, await request(conn));
    },
  );

  check(
    "a candidate that does nothing is closed after upgradeTimeout",
    async ({ polling, open, trace }) => {
      const conn = await polling();
      const peer = await open(conn.id);
      trace.push(await frames(peer));
      while (conn.upgrading) {
        await turn();
      }
      trace.push(conn.readyState);
    },
    { upgradeTimeout: 30 },
  );

  check(
    "a candidate that is lost leaves the session on polling",
    async ({ polling, open, trace }) => {
      const conn = await polling();
      const peer = await open(conn.id);
      trace.push(conn.upgrading);
      peer.stream.destroy();
      while (conn.upgrading) {
        await turn();
      }
      trace.push(conn.readyState, conn.transport.name);
    },
  );

  check("a second candidate is closed, the first goes on", async ({ polling, open, trace }) => {
    const conn = await polling();
    const first = await open(conn.id);
    const second = await open(conn.id);
    trace.push(await frames(second));
    first.send("2probe");
    await first.expectText("3probe");
    first.send("5");
    await within(once(conn, "upgrade"), "upgrade");
    const third = await open(conn.id);
    trace.push(await frames(third), conn.readyState);
  });

  check("a session that closes takes its candidate along", async ({ polling, open, trace }) => {
    const conn = await polling();
    const peer = await open(conn.id);
    const upgrading = within(once(conn, "upgrading"), "upgrading");
    peer.send("2probe");
    await peer.expectText("3probe");
    await upgrading;
    conn.close(true);
    trace.push(await frames(peer), conn.readyState);
  });

  check(
    "a closing session can still be upgraded, and ends then",
    async ({ polling, open, trace }) => {
      const conn = await polling();
      const peer = await open(conn.id);
      conn.close();
      trace.push(conn.readyState);
      peer.send("5");
      const seen = await frames(peer);
      await closed(conn);
      trace.push(seen, conn.upgrading, conn.upgraded);
    },
  );

  check(
    "a WebSocket that comes to a session which is closing carries what was sent before, and ends it then",
    async ({ polling, open, trace }) => {
      const conn = await polling();
      conn.send("goodbye");
      conn.close();
      trace.push(conn.readyState);
      const peer = await open(conn.id);
      const upgrading = within(once(conn, "upgrading"), "upgrading");
      peer.send("2probe");
      await upgrading;
      trace.push(conn.upgrading, conn.readyState);
      peer.send("5");
      const seen = await frames(peer);
      await closed(conn);
      trace.push(seen, conn.upgrading, conn.upgraded);
    },
  );
});
