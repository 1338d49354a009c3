/**
 * Polling in protocol 3 and over JSONP, request by request: each case runs on engine.io and on sio-rs and must leave the same trace, answers
 * to the byte and events in order.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import * as reference from "engine.io";
import * as ours from "../../lib/engine";
import { type Case, play } from "./polling-run";
import { exchange, stable, unchunk } from "./raw";

const V3 = "EIO=3&transport=polling";
const V3_TEXT_ONLY = `${V3}&b64=1`;
const V4_TEXT_ONLY = "EIO=4&transport=polling&b64=1";
const QUERIES = [V3, V3_TEXT_ONLY, V4_TEXT_ONLY];
const JSONP = ["EIO=3&transport=polling&b64=1&j=7", "EIO=4&transport=polling&j=7"];
/** The content type of a binary payload. */
const BYTES = "Content-Type: application/octet-stream\r\n";
const FORM = "Content-Type: application/x-www-form-urlencoded\r\n";

async function compare(query: string, body: Case, options: object = {}): Promise<unknown[]> {
  const all = { allowEIO3: true, ...options };
  const expected = await play(new reference.Server(all), body, "", query);
  expect(await play(new ours.Server(all), body, "", query)).toEqual(expected);
  return expected;
}

function check(name: string, queries: readonly string[], body: Case, options: object = {}): void {
  it.each(queries)(`${name} (%s)`, async (query) => {
    await compare(query, body, options);
  });
}

/** What a server may send, in the order in which it is sent. */
function sendSome(conn: any): void {
  conn.send("a€😀");
  conn.send(Buffer.from([1, 2, 255]));
  conn.send("");
  conn.send(Buffer.alloc(0));
  conn.send(new Uint8Array([0, 3, 4]).subarray(1));
  conn.send(12);
}

describe("engine: polling in protocol 3", () => {
  check("the handshake", [...QUERIES, ...JSONP], async () => {});
  check("no EIO in the query means protocol 3", ["transport=polling"], async (run, conn) => {
    run.trace.push(conn.protocol, conn.transport.supportsBinary);
    conn.send("a");
    await run.answer("GET");
  });
  check("the handshake with an initial packet", [...QUERIES, ...JSONP], async () => {}, {
    initialPacket: "hé",
  });
  check("the handshake with a binary initial packet", QUERIES, async () => {}, {
    initialPacket: Buffer.from([1]),
  });

  it("is refused when it is not allowed", async () => {
    const refusals = [];
    for (const Server of [reference.Server, ours.Server]) {
      const engine: any = new Server();
      const server = createServer();
      engine.attach(server);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const refused = once(engine, "connection_error");
      const request = `GET /engine.io/?${V3} HTTP/1.1\nHost: x\nConnection: close\n\n`;
      const response = stable(await exchange(server, request));
      const [{ code, message, context }] = await refused;
      refusals.push({ response, code, message, context });
      server.close();
    }
    expect(refusals[1]).toEqual(refusals[0]);
    expect(refusals[1]).toMatchObject({ code: 5, context: { protocol: 3 } });
  });

  check("text leaves as text, with lengths in UTF-16 units", QUERIES, async (run, conn) => {
    conn.send("a€😀");
    conn.send("");
    await run.answer("GET");
  });

  check(
    "one binary message decides how a payload is written",
    [...QUERIES, ...JSONP],
    async (run, conn) => {
      sendSome(conn);
      await run.answer("GET");
      conn.send("text again");
      await run.answer("GET");
    },
  );

  check("a binary message of many digits", QUERIES, async (run, conn) => {
    conn.send(Buffer.alloc(1_234, 7));
    conn.send("a".repeat(321));
    await run.answer("GET");
  });

  check("a waiting GET is answered at once", QUERIES, async (run, conn) => {
    const waiting = await run.parked(conn);
    conn.send(Buffer.from([1]));
    await run.record(waiting);
  });

  it("a binary payload is compressed as text is", async () => {
    const body: Case = async (run, conn) => {
      conn.send(Buffer.alloc(2_000, 7));
      const peer = await run.send("GET", "", "Accept-Encoding: gzip\r\n");
      const response = await peer.untilClosed();
      const [head = "", content = ""] = response.split(/\r\n\r\n(.*)/s);
      run.trace.push(head.replace(/^Date: .*$/m, ""));
      run.trace.push(gunzipSync(Buffer.from(unchunk(content), "latin1")).toString("latin1"));
    };
    // The type and the bytes, after the kind, a length of four digits and its end.
    const payload = `\x01\x02\x00\x00\x01\xff\x04${"\x07".repeat(2_000)}`;
    expect(await compare(V3, body)).toContain(payload);
  });

  for (const [name, payload] of Object.entries({
    "several packets": "2:4a4:4\xe2\x82\xac3:4\xf0\x9f\x98\x806:b4AQID",
    "packets that nobody heeds": "1:61:51:02:b98:b9AQIDBA1:b2:4a",
    "entries of no length": "0:2:4a0:",
    "lengths that only JavaScript takes for numbers": "0x2:4a2e0:4b 2:4c+2:4d-0:2:4e",
    "a length that is missing": ":4a",
    "no length at all": "4a",
    "a length that is no number": "2:4ax:4b",
    "a length below zero": "-2:4a",
    "half a length": "1.5:4a",
    "a length that is too long": "2:4a9:4b",
    "a length that is endless": "Infinity:4a",
    "digits at the end": "2:4a12",
    "an empty packet type": "2:4a1:x2:4b",
    "an empty body": "",
    "a byte order mark": "\xef\xbb\xbf2:4a",
    "a payload of protocol 4": "4a\x1e4b",
    "a ping": "2:4a1:22:4b",
    "a probe": "6:2probe",
    "a binary ping": "2:b22:4b",
    "a pong": "2:4a1:32:4b",
    "a close packet": "2:4a1:12:4b",
    "a close packet before rubbish": "1:1x",
  })) {
    check(`${name} in a POST`, [V3], async (run) => void (await run.answer("POST", payload)));
    check(`${name} in a POST while a GET waits`, [V3], async (run, conn) => {
      const waiting = await run.parked(conn);
      await run.answer("POST", payload);
      conn.close(true);
      await run.record(waiting);
    });
  }

  for (const [name, payload] of Object.entries({
    "text and binary": "\x00\x04\xff4\xe2\x82\xac\x01\x04\xff\x04\x01\x02\x03",
    "base64 in a string": "\x00\x06\xffb4AQID",
    "any byte but zero begins a binary packet": "\x07\x02\xff\x04\x01",
    "an entry that ends too early": "\x01\x09\xff\x04\x01",
    "a length of many digits": `\x01${"\x00".repeat(310)}\x02\xff\x04\x01`,
    "a length of too many digits": `\x01${"\x00".repeat(311)}\x02\xff\x04\x01`,
    "a length without an end": "\x01\x04\x04\x01",
    "nothing but a kind": "\x01",
    "an empty string": "\x00\x02\xff4a\x00\x00\xff",
    "an empty binary packet": "\x01\x00\xff\x00\x02\xff4a",
    "a binary packet of an unknown type": "\x01\x02\xff\x09a\x00\x02\xff4a",
    "bytes that are no UTF-8": "\x00\x02\xff4a\x00\x03\xff4\xff\xff\x00\x02\xff4b",
    "a ping in bytes": "\x01\x01\xff\x02\x00\x02\xff4a",
    "a close packet in bytes": "\x00\x01\xff1\x00\x02\xff4a",
    "no bytes at all": "",
  })) {
    check(`${name} in a binary POST`, [V3], async (run) => {
      await run.answer("POST", payload, BYTES);
    });
  }

  check("a binary POST in protocol 4", [V4_TEXT_ONLY], async (run) => {
    await run.answer("POST", "4a", BYTES);
  });

  check(
    "a binary body over the limit leaves the session open",
    [V3],
    async (run) => {
      await run.answer("POST", `\x01\x09\x09\xff\x04${"a".repeat(98)}`, BYTES);
      await run.answer("POST", `\x01\x09\x06\xff\x04${"a".repeat(95)}`, BYTES);
    },
    { maxHttpBufferSize: 100 },
  );

  check("a ping is answered with the next GET", [V3, ...JSONP.slice(0, 1)], async (run) => {
    const isForm = run.query.includes("j=");
    await run.answer("POST", isForm ? "d=1%3A2" : "1:2", isForm ? FORM : "");
    await run.answer("GET");
  });

  check("a ping takes a GET that waits", [V3], async (run, conn) => {
    const watch = (name: string) =>
      conn.on(name, (value: any) => run.trace.push([name, value?.type ?? value?.[0]?.type]));
    watch("packetCreate");
    watch("flush");
    watch("drain");
    const waiting = await run.parked(conn);
    conn.on("heartbeat", () => run.trace.push(conn.transport.writable));
    await run.answer("POST", "1:2");
    await run.record(waiting);
  });

  check("another protocol than the session's is refused", [V3, V4_TEXT_ONLY], async (run, conn) => {
    const other = conn.protocol === 3 ? "EIO=4" : "EIO=3";
    for (const query of [
      `${other}&transport=polling`,
      "transport=polling",
      "EIO=4&transport=websocket",
    ]) {
      const peer = await run.peer();
      peer.write(
        `POST /engine.io/?${query}&sid=${run.sid} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      await run.record(peer);
    }
  });

  check("a close with a GET that waits", [V3, ...JSONP], async (run, conn) => {
    const waiting = await run.parked(conn);
    conn.close();
    await run.record(waiting);
    await run.answer("GET");
  });

  check("a close behind packets that wait", [V3, ...JSONP], async (run, conn) => {
    conn.send("a");
    conn.close();
    await run.answer("GET");
    await run.answer("GET");
  });

  check("a second GET while one waits", [V3, ...JSONP], async (run, conn) => {
    const waiting = await run.parked(conn);
    await run.answer("GET");
    await run.record(waiting);
  });

  check(
    "a client that is silent for the interval and the timeout",
    [V3],
    async (run, conn) => {
      const waiting = await run.parked(conn);
      await once(conn, "close");
      await run.record(waiting);
    },
    { pingInterval: 60, pingTimeout: 40 },
  );
});

describe("engine: polling over JSONP", () => {
  const [v3, v4] = JSONP as [string, string];

  check(
    "nothing but the digits of j come back",
    ["j=%5b1);alert(2)%2f%2f", "j="].map((j) => `${v4.slice(0, -3)}${j}`),
    async (run, conn) => {
      conn.send("a");
      await run.answer("GET");
    },
  );

  check("what ends a line of JavaScript is escaped", JSONP, async (run, conn) => {
    conn.send('a\u2028b\u2029c"d\\e\nf</script>');
    await run.answer("GET");
  });

  check(
    "binary messages to a client that does not ask for text",
    ["EIO=3&transport=polling&j=0"],
    async (run, conn) => {
      sendSome(conn);
      await run.answer("GET");
    },
  );

  for (const [name, content] of Object.entries({
    "a message": "4a",
    "two characters that look like a line break": "4a\\\\nb",
    "a line break": "4a\\nb",
    "many backslashes": "4a\\\\\\nb\\\\\\\\nc\\d\\",
    "percent signs and plus signs": "4%25+%2B%",
  })) {
    check(`${name} in a form`, [v4], async (run) => {
      await run.answer("POST", `d=${encodeURIComponent(content)}`, FORM);
    });
    check(`${name} in a form of protocol 3`, [v3], async (run) => {
      const { length } = content.replace(/\\n/g, "n");
      await run.answer("POST", `d=${encodeURIComponent(`${length}:${content}`)}`, FORM);
    });
  }

  for (const [name, body] of Object.entries({
    "no field d": "e=4a",
    "an empty body": "",
    "an empty field d": "d=",
    "two fields d": "d=4a&d=4b",
    "a field d that is not escaped": "d=4a b\xe2\x82\xac&e=4c",
  })) {
    check(`${name} in a form`, JSONP, async (run) => void (await run.answer("POST", body, FORM)));
  }

  check("a binary body", JSONP, async (run) => {
    await run.answer("POST", "d=2:4a", BYTES);
  });
});
