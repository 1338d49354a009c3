/**
 * The polling transport, request by request: each case runs on engine.io and on sio-rs, with its core and with a fake that plays it, and
 * must leave the same trace: answers to the byte, events in order.
 */
import { once } from "node:events";
import { gunzipSync, inflateSync } from "node:zlib";
import * as reference from "engine.io";
import * as ours from "../../lib/engine";
import * as inEngine from "../../lib/engine/in-engine";
import { FakeLink } from "./fake-link";
import { type Case, play } from "./polling-run";
import { stable, unchunk } from "./raw";

async function compare(options: object, body: Case, headers = ""): Promise<unknown[]> {
  const expected = await play(new reference.Server(options), body, headers);
  const withFake = new ours.Server(options as ours.ServerOptions);
  FakeLink.under(withFake);
  expect(await play(withFake, body, headers)).toEqual(expected);
  expect(await play(new ours.Server(options as ours.ServerOptions), body, headers)).toEqual(
    expected,
  );
  return expected;
}

function check(name: string, body: Case, options: object = {}, headers = ""): void {
  it(name, async () => {
    await compare(options, body, headers);
  });
}

describe("engine: polling", () => {
  check("the handshake", async () => {});
  check("the handshake with an initial packet", async () => {}, { initialPacket: "hi" });
  check("the handshake with a cookie", async () => {}, {
    cookie: { name: "c", path: "/a", httpOnly: true, sameSite: "strict" },
  });
  check("the handshake of an old browser", async () => {}, {}, "User-Agent: x;MSIE 9\r\n");
  check("the handshake without upgrades", async () => {}, {
    allowUpgrades: false,
    pingInterval: 1234,
    pingTimeout: 567,
    maxHttpBufferSize: 89,
  });
  check(
    "CORS headers",
    async (run) =>
      void (await run.answer(
        "OPTIONS",
        "",
        "Origin: http://a\r\nAccess-Control-Request-Headers: x\r\n",
      )),
    { cors: { origin: "http://a", credentials: true } },
    "Origin: http://b\r\n",
  );

  check("packets of a POST are delivered in order, then it is acknowledged", async (run) => {
    await run.answer("POST", "4a\x1ebAQID\x1e4\x1eb_-8=\x1e3\x1e6\x1e4b");
  });

  check("a POST in chunks", async (run) => {
    const peer = await run.peer();
    peer.write(
      `POST /engine.io/?EIO=4&transport=polling&sid=${run.sid} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n4\xe2\r\n`,
    );
    peer.write("2\r\n\x82\xac\r\n0\r\n\r\n");
    await run.record(peer);
  });

  for (const [name, payload] of Object.entries({
    "an unknown packet type": "4a\x1e9\x1e4b",
    "an empty packet": "4a\x1e\x1e4b",
    "an empty body": "",
    "a byte order mark": "\xef\xbb\xbf4a",
    "a ping": "4a\x1e2\x1e4b",
    "a close packet": "4a\x1e1\x1e4b",
  })) {
    check(`${name} in a POST`, async (run) => void (await run.answer("POST", payload)));
    check(`${name} in a POST while a GET waits`, async (run, conn) => {
      const waiting = await run.parked(conn);
      await run.answer("POST", payload);
      await run.record(waiting);
    });
  }

  check(
    "a body over the limit leaves the session open",
    async (run) => {
      await run.answer("POST", `4${"a".repeat(100)}`);
      await run.answer("POST", `4${"a".repeat(99)}`);
    },
    { maxHttpBufferSize: 100 },
  );

  check(
    "a binary body",
    async (run) =>
      void (await run.answer("POST", "4a", "Content-Type: application/octet-stream\r\n")),
  );

  check("a second GET while one waits", async (run, conn) => {
    const waiting = await run.parked(conn);
    await run.answer("GET");
    await run.record(waiting);
    await run.answer("GET");
  });

  check("a second POST while one arrives", async (run, conn) => {
    const peer = await run.peer();
    peer.write(
      `POST /engine.io/?EIO=4&transport=polling&sid=${run.sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4a`,
    );
    while (!conn.transport.dataReq) {
      await new Promise(setImmediate);
    }
    await run.answer("POST", "4b");
    await run.record(peer);
  });

  it("two POSTs in one segment are delivered in order, and both acknowledged", async () => {
    // engine.io takes the second for an overlap, since it sees the end of the first a tick later.
    const trace = await play(new ours.Server(), async (run) => {
      const peer = await run.peer();
      const post = (body: string, connection: string) =>
        `POST /engine.io/?EIO=4&transport=polling&sid=${run.sid} HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      peer.write(post("4one", "keep-alive") + post("4two", "close"));
      run.trace.push((await peer.untilClosed()).match(/HTTP\/1\.1 \d+|ok/g));
    });
    const messages = trace.filter((entry) => Array.isArray(entry) && entry[0] === "message");
    expect(messages).toEqual([
      ["message", "one"],
      ["message", "two"],
    ]);
    expect(trace).toContainEqual(["HTTP/1.1 200", "ok", "HTTP/1.1 200", "ok"]);
  });

  check("a lost GET", async (run, conn) => {
    const waiting = await run.parked(conn);
    waiting.socket.destroy();
    await once(conn, "close");
  });

  check("a lost POST", async (run, conn) => {
    const peer = await run.peer();
    peer.write(
      `POST /engine.io/?EIO=4&transport=polling&sid=${run.sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4a`,
    );
    while (!conn.transport.dataReq) {
      await new Promise(setImmediate);
    }
    peer.socket.destroy();
    await once(conn, "close");
  });

  for (const method of ["PUT", "HEAD", "OPTIONS"]) {
    check(`${method} leaves the session untouched`, async (run) => {
      await run.answer(method);
      await run.answer("POST", "4a");
    });
  }

  check("another transport, another revision", async (run) => {
    for (const query of [
      "EIO=4&transport=websocket",
      "EIO=3&transport=polling",
      "transport=polling",
    ]) {
      const peer = await run.peer();
      peer.write(
        `GET /engine.io/?${query}&sid=${run.sid} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      await run.record(peer);
    }
  });

  check("packets wait for a GET and leave together", async (run, conn) => {
    conn.send("a");
    conn.send(Buffer.from([1, 2]));
    conn.send(new Uint8Array([0, 3, 4]).subarray(1));
    conn.send(new Uint8Array([5]).buffer);
    for (const data of ["", 0, null, undefined, false, 12, { a: 1 }, "€"]) {
      conn.send(data);
    }
    await run.answer("GET");
  });

  it("a volatile packet that no GET could take leaves no trace on the next one", async () => {
    const engine = new ours.Server();
    FakeLink.under(engine);
    const trace = await play(engine, async (run, conn) => {
      conn[inEngine.stamp](1, false);
      await run.parked(conn);
      run.trace.push(conn.transport.writable);
      conn[inEngine.stamp](1, false);
      run.trace.push(conn.transport.writable);
    });
    expect(trace.slice(1, 3)).toEqual([true, false]);
  });

  check("a close with a GET that waits", async (run, conn) => {
    const waiting = await run.parked(conn);
    conn.close();
    run.trace.push(conn.readyState, run.engine.clientsCount);
    await run.record(waiting);
    await run.answer("GET");
  });

  check("a close without a GET waits for one", async (run, conn) => {
    conn.close();
    run.trace.push(conn.readyState, run.engine.clientsCount);
    await run.answer("POST", "4late");
    await run.answer("GET");
    await run.answer("GET");
  });

  check("a close with nobody to take it ends with the close timeout", async (run, conn) => {
    conn.transport.closeTimeout = 10;
    conn.close();
    run.trace.push(conn.readyState);
    await once(conn, "close");
  });

  check("a close that discards", async (run, conn) => {
    conn.send("lost");
    conn.close(true);
    run.trace.push(conn.readyState);
    await run.answer("GET");
  });

  check("a close that discards while a GET waits", async (run, conn) => {
    const waiting = await run.parked(conn);
    conn.close(true);
    await run.record(waiting);
  });

  check("a close in a message listener: the POST is acknowledged", async (run, conn) => {
    conn.on("message", () => conn.close(true));
    await run.answer("POST", "4a\x1e4b");
  });

  check("engine.close() closes sessions, new ones are still accepted", async (run) => {
    run.trace.push(run.engine.close() === run.engine);
    const peer = await run.peer();
    peer.write(
      "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    await run.record(peer);
  });

  check("the order of a watched send, with and without a GET", async (run, conn) => {
    const watch = (name: string) => conn.on(name, () => run.trace.push(name));
    watch("packetCreate");
    watch("flush");
    watch("drain");
    conn.transport.on("drain", () => run.trace.push("transport drain"));
    const waiting = await run.parked(conn);
    conn.send("a", () => run.trace.push("sent a"));
    run.trace.push(conn.transport.writable, conn.writeBuffer.length);
    conn.send("b", { compress: false }, (transport: any) =>
      run.trace.push("sent b", transport === conn.transport),
    );
    run.trace.push(conn.writeBuffer.length);
    await run.record(waiting);
    await run.answer("GET");
  });

  check("a send that finds no GET waits for it", async (run, conn) => {
    conn.on("drain", () => run.trace.push("drain"));
    conn.send("a", () => run.trace.push("sent a"));
    conn.send("b");
    run.trace.push(conn.transport.writable, conn.writeBuffer.length);
    await run.answer("GET");
    run.trace.push(conn.writeBuffer.length);
  });

  check(
    "writeBuffer can be read in a close listener, and is empty a tick later",
    async (run, conn) => {
      run.trace.push(conn.writeBuffer.length);
      conn.on("close", () => {
        run.trace.push(conn.writeBuffer.length);
        process.nextTick(() => run.trace.push(conn.writeBuffer.length));
      });
      conn.send("a");
      conn.send("b");
      conn.close(true);
      await new Promise(setImmediate);
    },
  );

  check("options.compress becomes a boolean in the caller's object", async (run, conn) => {
    for (const options of [{}, { compress: true }, { compress: false }, { compress: 0 }]) {
      conn.send("a", options);
      run.trace.push(options);
    }
  });

  check("events for the headers of a response", async (run, conn) => {
    for (const name of ["initial_headers", "headers"]) {
      run.engine.on(name, (headers: any, req: any) => {
        run.trace.push([name, { ...headers }, req.method]);
        headers[`x-${name}`] = ["1", "2"];
      });
    }
    conn.send("a");
    await run.answer("GET");
    await run.answer("POST", "4a");
    await run.answer("PUT");
    const peer = await run.peer();
    peer.write(
      "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    const response = await peer.untilClosed();
    run.trace.push(response.replace(/"sid":"[^"]*"/, "").replace(/^Date: .*$/gm, ""));
  });

  it.each([
    ["gzip", "gzip", { threshold: 10 }],
    ["deflate;q=1, gzip;q=0.5", "deflate", { threshold: 10 }],
    ["deflate, gzip", "deflate", { threshold: 10 }],
    ["*", "gzip", { threshold: 10 }],
    ["gzip;q=0, *", "deflate", { threshold: 10 }],
    ["identity, gzip;q=0.1", "gzip", { threshold: 10 }],
    ["br", "none", { threshold: 10 }],
    ["gzip;q=0", "none", { threshold: 10 }],
    ["gzip", "none", { threshold: 10_000 }],
    ["gzip", "none", false],
    ["gzip", "gzip", {}],
    ["gzip", "gzip", true],
  ])(
    "compression: Accept-Encoding %s gives %s with %j",
    async (accepted, encoding, httpCompression) => {
      const text = "a".repeat(1000);
      const body: Case = async (run, conn) => {
        conn.send(text, () => run.trace.push("sent"));
        const peer = await run.send("GET", "", `Accept-Encoding: ${accepted}\r\n`);
        const response = await peer.untilClosed();
        const [head = "", content = ""] = response.split(/\r\n\r\n(.*)/s);
        run.trace.push(stable(head));
        const bytes = Buffer.from(/chunked/.test(head) ? unchunk(content) : content, "latin1");
        const plain =
          encoding === "gzip"
            ? gunzipSync(bytes)
            : encoding === "deflate"
              ? inflateSync(bytes)
              : bytes;
        run.trace.push(plain.toString());
      };
      expect(await compare({ httpCompression }, body)).toContain(`4${text}`);
    },
  );
});
