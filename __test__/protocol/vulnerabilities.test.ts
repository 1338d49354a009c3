// Published vulnerabilities of engine.io, socket.io, socket.io-parser and ws on the side of servers, each as the input that did the harm.
// After each of them the server has to serve the next client; an exception would end the process of the tests. Not here, for they are of
// clients alone: CVE-2016-10536 (engine.io-client) and CVE-2024-36751 (parseuri).

import { createServer } from "node:http";
import {
  type BareEngine,
  closePollingSoon,
  type Session,
  startBareEngine,
} from "../harness/bare-engine";
import { eventually, once, within } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, openStream, request } from "../harness/raw-http";
import {
  closeFrame,
  frame,
  OPCODE,
  openingHandshake,
  RawWebSocket,
} from "../harness/raw-websocket";
import { describeRunning, listenOnFreePort, startServer, track } from "../harness/servers";
import { write } from "../harness/wire-trace";

/** A fresh client is heard. Culprits may still be coming in, so it is known by what it says. */
async function expectToServe({ engine, port }: BareEngine): Promise<void> {
  const name = `alive ${Math.random()}`;
  const heard = new Promise<void>((resolve) => {
    engine.on("connection", (session: Session) => {
      session.on("message", (message: unknown) => message === name && resolve());
    });
  });
  const peer = await RawWebSocket.open(port);
  await peer.expectText(/^0\{/);
  peer.send(`4${name}`);
  await within(heard, "a fresh client was not heard");
}

const UPGRADE_PATHS = {
  "a session": "/socket.io/?EIO=4&transport=websocket",
  "no transport for upgrades": "/socket.io/?EIO=4&transport=polling",
};

describeBoth("published vulnerabilities", (implementation) => {
  it("CVE-2020-36048: a body or message over a megabyte is refused by default, whatever it announces", async () => {
    const server = await startBareEngine(implementation);
    const polling = await PollingPeer.open(server.port);
    const { status } = await polling.post(`4${"x".repeat(1_000_000)}`);
    expect(status).toBe(413);
    const peer = await RawWebSocket.open(server.port);
    peer.send("", { announcedLength: 1_000_001 });
    expect(await peer.expectClose()).toBe(1009);
    await expectToServe(server);
  });

  for (const [what, path] of Object.entries(UPGRADE_PATHS)) {
    it(`CVE-2022-21676: broken frames right behind the upgrade request harm nobody, with ${what}`, async () => {
      const server = await startBareEngine(implementation);
      const broken = [
        frame("x", { reserved: 7 }),
        frame("x", { isMasked: false }),
        frame(Buffer.from([0xff])),
        frame("", { opcode: 7 }),
        frame("", { announcedLength: 2n ** 63n }),
        closeFrame(1005),
        Buffer.alloc(500, 0xff),
      ];
      for (const trailing of broken) {
        const stream = await openStream(server.port);
        await write(stream, openingHandshake({ path, trailing }));
        stream.resume();
        stream.end();
      }
      await expectToServe(server);
    });
  }

  it("CVE-2022-41940: a reset while an upgrade is refused harms nobody", async () => {
    const server = await startBareEngine(implementation, {
      allowRequest: (_request: unknown, decide: (text: string, ok: boolean) => void) =>
        void setImmediate(() => decide("no", false)),
      destroyUpgradeTimeout: 20,
    } as never);
    for (const path of [
      "/socket.io/?EIO=4&transport=websocket",
      "/socket.io/?EIO=4&transport=websocket&sid=unknown",
      "/socket.io/?EIO=2&transport=websocket",
      "/elsewhere/",
    ]) {
      for (let count = 0; count < 5; count += 1) {
        const stream = await openStream(server.port);
        await write(stream, openingHandshake({ path, headers: { Upgrade: "h2c" } }));
        stream.resetAndDestroy();
      }
    }
    const { status } = await request(server.port, { path: "/socket.io/?EIO=4&transport=polling" });
    expect(status).toBe(403);
  });

  it("CVE-2023-31125: an upgrade to a transport that does not exist is refused, with a sid and without", async () => {
    const server = await startBareEngine(implementation);
    const polling = await PollingPeer.open(server.port);
    for (const transport of ["abc", "", "websocket2", "constructor", "__proto__", "toString"]) {
      for (const sid of ["", `&sid=${polling.sid}`]) {
        const path = `/socket.io/?EIO=4&transport=${transport}${sid}`;
        const answer = await exchange(server.port, openingHandshake({ path }));
        expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
        expect(answer).toMatch(/Transport unknown$/);
      }
    }
    await expectToServe(server);
  });

  it("CVE-2024-37890: an Upgrade header beyond the number of headers that Node keeps is refused, and harms nobody", async () => {
    const server = await startBareEngine(implementation);
    server.httpServer.maxHeadersCount = 2; // Host and Connection
    const stream = await openStream(server.port);
    const answered = once(stream, "data");
    stream.write(openingHandshake());
    // Node 22 and later refuse it themselves.
    expect(String((await answered)[0])).toMatch(
      /^HTTP\/1\.1 (?:400 Bad Request|431 Request Header Fields Too Large)\r\n/,
    );
    server.httpServer.maxHeadersCount = null;
    await expectToServe(server);
  });

  it("CVE-2021-32640 and its like: long lists of subprotocols and extensions are read in linear time", async () => {
    const httpServer = createServer({ maxHeaderSize: 512 * 1024 });
    const io = track(new implementation.Server(httpServer, { perMessageDeflate: true }));
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const long = 200_000;
    const begin = process.cpuUsage().user;
    for (const headers of [
      { "Sec-WebSocket-Protocol": `a${" ".repeat(long)}b` },
      { "Sec-WebSocket-Protocol": `a${" ,".repeat(long / 2)}b` },
      { "Sec-WebSocket-Protocol": `${"x".repeat(long)}é` },
      { "Sec-WebSocket-Extensions": `permessage-deflate${" ".repeat(long)}x` },
      { "Sec-WebSocket-Extensions": `a; b="${"\\a".repeat(long / 2)}` },
      { "Sec-WebSocket-Extensions": `a${";".repeat(long)}` },
      { Upgrade: `${" \t".repeat(long / 2)}websocket${"x".repeat(100)}` },
      { "Sec-WebSocket-Key": "=".repeat(long) },
    ]) {
      const answer = await exchange(running.port, openingHandshake({ headers }));
      expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    }
    // In quadratic time each of them would take a minute.
    expect(process.cpuUsage().user - begin).toBeLessThan(3e6);
  });

  it("CVE-2026-45736: the echo of a close frame holds what the client sent and no byte more", async () => {
    const { port } = await startBareEngine(implementation);
    for (const payload of [Buffer.alloc(0), Buffer.from([3, 232]), Buffer.from([3, 232, 0x61])]) {
      const peer = await RawWebSocket.open(port);
      await peer.expectText(/^0\{/);
      peer.send(payload, { opcode: OPCODE.close });
      const echo = await peer.nextFrame();
      expect([echo.opcode, echo.payload]).toEqual([OPCODE.close, payload]);
    }
  });

  it("CVE-2026-48779: a message in very many fragments is refused, and little memory is taken before that", async () => {
    const server = await startBareEngine(implementation);
    const peers = await Promise.all(
      Array.from({ length: 10 }, () => RawWebSocket.open(server.port)),
    );
    const before = process.memoryUsage.rss();
    const part = frame("x", { opcode: OPCODE.continuation, isFinal: false });
    const most = Buffer.concat([
      frame("4", { isFinal: false }),
      ...Array.from({ length: 16_383 }, () => part),
    ]);
    for (const peer of peers) {
      await write(peer.stream, most);
      peer.send("all read", { opcode: OPCODE.ping });
    }
    for (const peer of peers) {
      let { opcode } = await peer.nextFrame();
      while (opcode !== OPCODE.pong) {
        ({ opcode } = await peer.nextFrame());
      }
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
    for (const peer of peers) {
      peer.write(part);
      expect(await peer.expectClose()).toBe(1008);
    }
    await expectToServe(server);
  });

  it("CVE-2024-38355: a packet that makes a socket emit error harms nobody, though nobody listens", async () => {
    const running = await startServer(implementation);
    closePollingSoon(running.io.engine);
    for (const packet of ['451-["a",{"_placeholder":true,"num":5}]', "4x", "42{}"]) {
      const peer = await RawWebSocket.join(running.port);
      peer.send(packet);
      peer.send(Buffer.from([1]), { opcode: OPCODE.binary });
      peer.write(closeFrame());
      await peer.ended();
    }
    await eventually(() => running.io.engine.clientsCount === 0);
    await RawWebSocket.join(running.port);
  });

  it("CVE-2017-16031: ids of sockets and sessions cannot be guessed from those before", async () => {
    const { port } = await startServer(implementation);
    const ids: string[] = [];
    for (let count = 0; count < 40; count += 1) {
      const peer = await RawWebSocket.open(port);
      ids.push(JSON.parse((await peer.expectText(/^0\{/)).slice(1)).sid);
      peer.send("40");
      ids.push(JSON.parse((await peer.expectText(/^40\{/)).slice(2)).sid);
      peer.stream.destroy();
    }
    // 15 random bytes: each place of 16 of the 20 characters shows many different values. The rest holds a counter.
    expect(new Set(ids).size).toBe(80);
    for (let place = 0; place < 16; place += 1) {
      expect(new Set(ids.map((id) => id[place])).size).toBeGreaterThan(20);
    }
  });

  it("CVE-2020-28481: without the option cors no other site may read an answer", async () => {
    const { port } = await startServer(implementation);
    for (const method of ["GET", "OPTIONS"] as const) {
      const { headers } = await request(port, {
        method,
        path: "/socket.io/?EIO=4&transport=polling",
        headers: { Origin: "https://evil.example" },
      });
      const allowed = Object.keys(headers).filter((name) => name.startsWith("access-control-"));
      expect(allowed).toEqual([]);
    }
  });

  it("CVE-2020-36049: a packet in very many pieces is put together in linear time", async () => {
    const running = await startServer(implementation);
    closePollingSoon(running.io.engine);
    const heard = new Promise<number>((resolve) => {
      running.io.on("connection", (socket) => {
        socket.on("long", (text: string) => resolve(text.length));
      });
    });
    const peer = await RawWebSocket.join(running.port);
    const begin = process.cpuUsage().user;
    // All that may be a number, a namespace or an id, as long as a message may be.
    const long = "1".repeat(400_000);
    for (const packet of [`2${long}["x"]`, `2/${long},["x"]`, `42["x",${long}]`]) {
      peer.send(`4${packet}`);
    }
    const other = await RawWebSocket.join(running.port);
    other.send(`42["long","${"x".repeat(900_000)}"]`);
    expect(await within(heard, "the packet did not come")).toBe(900_000);
    // In quadratic time each of them would take minutes.
    expect(process.cpuUsage().user - begin).toBeLessThan(3e6);
  });

  it("CVE-2022-2421: a placeholder that names no attachment harms nobody and reaches no listener", async () => {
    const running = await startServer(implementation);
    closePollingSoon(running.io.engine);
    const heard: unknown[] = [];
    running.io.on("connection", (socket) => {
      socket.onAny((...args) => heard.push(args));
      socket.on("error", () => {});
    });
    for (const number of ['"splice"', '"0"', "-1", "1", "1e9", "null", '"__proto__"', "[]"]) {
      const peer = await RawWebSocket.join(running.port);
      peer.send(`451-["hello",{"_placeholder":true,"num":${number}}]`);
      peer.send(Buffer.from([1]), { opcode: OPCODE.binary });
      await peer.expectClose();
      peer.stream.destroy();
    }
    expect(heard).toEqual([]);
    await RawWebSocket.join(running.port);
  });

  it("CVE-2023-32695: an event named like a property of every object harms nobody", async () => {
    const running = await startServer(implementation);
    closePollingSoon(running.io.engine);
    const packets = [
      '42[{"toString":"foo"}]',
      '42["toString"]',
      '42["__proto__"]',
      '42["constructor"]',
      '42["hasOwnProperty",1]',
      '42["newListener"]',
      "42[1]",
      "42[null]",
      "42[[]]",
      "42[]",
      '40{"__proto__":{"admin":true}}',
      "44{}",
      '431["no such acknowledgement"]',
      '43["none"]',
    ];
    for (const packet of packets) {
      const peer = await RawWebSocket.join(running.port);
      peer.send(packet);
      peer.write(closeFrame());
      await peer.ended();
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    await eventually(() => running.io.engine.clientsCount === 0);
    await RawWebSocket.join(running.port);
  });

  it("CVE-2026-33151: a packet that announces very many attachments ends its connection before they come", async () => {
    const running = await startServer(implementation);
    closePollingSoon(running.io.engine);
    for (const count of ["11", "1000000", "99999999999999999999", "1e9", "-1"]) {
      const peer = await RawWebSocket.join(running.port);
      running.io.once("connection", (socket) => socket.on("error", () => {}));
      peer.send(`45${count}-["hello",{"_placeholder":true,"num":0}]`);
      await peer.expectClose();
      peer.stream.destroy();
    }
    await eventually(() => running.io.engine.clientsCount === 0);
    await RawWebSocket.join(running.port);
  });

  it("CVE-2016-10518: the answer to a ping holds what the client sent and no byte more", async () => {
    const { port } = await startBareEngine(implementation);
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0\{/);
    for (const payload of [Buffer.alloc(0), Buffer.from([0]), Buffer.alloc(125, 7)]) {
      peer.send(payload, { opcode: OPCODE.ping });
      const { opcode, payload: echo } = await peer.nextFrame();
      expect([opcode, echo]).toEqual([OPCODE.pong, payload]);
    }
  });

  it("CVE-2016-10542: a message of gigabytes is refused at its header, in one frame and in many", async () => {
    const server = await startBareEngine(implementation);
    for (const announcedLength of [2n ** 28n, 2n ** 32n, 2n ** 53n - 1n]) {
      for (const head of [Buffer.alloc(0), frame("4", { isFinal: false })]) {
        const peer = await RawWebSocket.open(server.port);
        await peer.expectText(/^0\{/);
        const opcode = head.length > 0 ? OPCODE.continuation : OPCODE.text;
        peer.write(Buffer.concat([head, frame("", { opcode, announcedLength })]));
        expect(await peer.expectClose()).toBe(1009);
      }
    }
    await expectToServe(server);
  });

  it("GHSA-5v72-xg48-5rpm: an extension or parameter named like a property of every object harms nobody", async () => {
    const running = await startServer(implementation, { perMessageDeflate: true });
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      for (const offer of [name, `permessage-deflate; ${name}`, `${name}; ${name}=1, ${name}`]) {
        const headers = { "Sec-WebSocket-Extensions": offer };
        const answer = await exchange(
          running.port,
          Buffer.concat([openingHandshake({ headers }), closeFrame()]),
        );
        expect(answer).toMatch(/^HTTP\/1\.1 (101 Switching Protocols|400 Bad Request)\r\n/);
        expect(answer).not.toMatch(/^Sec-WebSocket-Extensions/im);
      }
    }
    await RawWebSocket.join(running.port);
  });
});
