// What keeps a process with a server alive, and what ends it; what is still delivered when it is ended in the middle of a turn.
// Each case is a process of its own. "Stays" is printed by a timer that keeps nothing alive itself, so it cannot be printed by mistake.

import { selfSignedCertificate } from "../harness/certificate";
import { type Child, startFixture } from "../harness/child";
import { openClient } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { closeFrame, RawWebSocket } from "../harness/raw-websocket";

async function startServerProcess(
  implementation: Implementation,
  options: object = {},
): Promise<Child & { port: number }> {
  const child = startFixture(implementation, "exits.cjs", [JSON.stringify(options)]);
  return { ...child, port: Number(await child.nextLine()) };
}

/** An event packet, as text frames and payloads carry it. */
function event(...content: unknown[]): string {
  return `42${JSON.stringify(content)}`;
}

const ENDED_BY_ITSELF = { exitCode: 0, signal: null, stderr: "" };

describeBoth("what keeps a process", (implementation) => {
  for (const action of ["close http", "unref http", "close io"]) {
    it(`without clients the process ends after: ${action}`, async () => {
      const { finished } = await startServerProcess(implementation, { atOnce: action });
      expect(await finished).toMatchObject(ENDED_BY_ITSELF);
    });
  }

  it("a server that listens keeps the process after engine.close()", async () => {
    const { nextLine, port } = await startServerProcess(implementation, { atOnce: "close engine" });
    expect(await nextLine()).toBe("stays");
    await expect(RawWebSocket.open(port)).rejects.toThrow(/503/);
  });

  it("one idle websocket keeps the process when the HTTP server is unref'd, until it leaves", async () => {
    const { finished, nextLine, port } = await startServerProcess(implementation);
    const peer = await RawWebSocket.join(port);
    peer.send(event("do", "unref http"));
    expect(await nextLine()).toBe("stays");
    peer.write(closeFrame(1000));
    expect(await nextLine()).toBe("transport close");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("one idle polling session keeps the process when the HTTP server is unref'd, until it leaves", async () => {
    const { finished, nextLine, port } = await startServerProcess(implementation);
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "unref http"));
    expect(await nextLine()).toBe("stays");
    await peer.send("1");
    expect(await nextLine()).toBe("transport close");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("a polling session that is gone without a word keeps the process until its heartbeat fails", async () => {
    const { finished, nextLine, port } = await startServerProcess(implementation, {
      server: { pingInterval: 400, pingTimeout: 200 },
      closeTimeout: 50,
    });
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "unref http"));
    expect(await nextLine()).toBe("stays");
    expect(await nextLine()).toBe("ping timeout");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("a waiting poll keeps an HTTP server that was closed, and with it the process", async () => {
    const { finished, nextLine, port } = await startServerProcess(implementation);
    const peer = await PollingPeer.join(port);
    const poll = peer.start("GET");
    poll.send();
    await once(poll.clientRequest, "finish");
    await peer.send(event("do", "close http"));
    expect(await nextLine()).toBe("stays");
    poll.clientRequest.destroy();
    expect(await nextLine()).toBe("forced close");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("closing the HTTP server while no request is open closes polling sessions, and the process ends", async () => {
    const { finished, port } = await startServerProcess(implementation);
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "close http"));
    expect(await finished).toMatchObject({ ...ENDED_BY_ITSELF, stdout: `${port}\nforced close\n` });
  });

  for (const action of ["close io", "close engine, unref http", "disconnect all, unref http"]) {
    it(`a closing handshake that the peer does not answer keeps the process after: ${action}`, async () => {
      const { finished, nextLine, port } = await startServerProcess(implementation);
      const peer = await RawWebSocket.join(port);
      peer.send(event("do", action));
      await peer.expectClose();
      expect(await nextLine()).toMatch(
        /^(server shutting down|forced close|server namespace disconnect)$/,
      );
      expect(await nextLine()).toBe("stays");
      peer.stream.destroy();
      expect(await finished).toMatchObject(ENDED_BY_ITSELF);
    });

    it(`the process ends when the peer answers the closing handshake of: ${action}`, async () => {
      const { finished, port } = await startServerProcess(implementation);
      const peer = await RawWebSocket.join(port);
      peer.send(event("do", action));
      peer.write(closeFrame(await peer.expectClose()));
      expect(await finished).toMatchObject(ENDED_BY_ITSELF);
    });
  }

  it("a websocket that never joins a namespace keeps the process until it leaves", async () => {
    const { finished, nextLine, port } = await startServerProcess(implementation);
    const silent = await RawWebSocket.open(port);
    const peer = await RawWebSocket.join(port);
    peer.send(event("do", "close http"));
    peer.stream.destroy();
    expect(await nextLine()).toBe("transport close");
    expect(await nextLine()).toBe("stays");
    silent.stream.destroy();
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("the candidate of an upgrade keeps the process until its time is over", async () => {
    const { finished, nextLine, port } = await startServerProcess(implementation, {
      server: { upgradeTimeout: 1_000 },
    });
    const peer = await PollingPeer.join(port);
    const candidate = await RawWebSocket.open(port, { path: peer.target("websocket") });
    await peer.send(event("do", "unref http"));
    await peer.send("1");
    expect(await nextLine()).toBe("transport close");
    const kept = await nextLine().catch(() => "ended");
    candidate.stream.destroy();
    expect([kept, await finished]).toEqual(["stays", expect.objectContaining(ENDED_BY_ITSELF)]);
  });

  it("an ack that is waited for keeps the process, though its client is gone", async () => {
    const { finished, nextLine, port, process: child } = await startServerProcess(implementation);
    const peer = await RawWebSocket.join(port);
    peer.send(event("do", "wait for an ack, unref http"));
    await peer.nextFrame();
    peer.stream.destroy();
    expect(await nextLine()).toBe("transport close");
    expect(await nextLine()).toBe("stays");
    child.kill("SIGINT");
    expect(await finished).toMatchObject({ exitCode: null, signal: "SIGINT" });
  });
});

/** Three clients of one process: two WebSockets, and a polling session whose GET waits. */
async function gather(port: number) {
  const first = await RawWebSocket.join(port);
  const second = await RawWebSocket.join(port);
  const polling = await PollingPeer.join(port);
  const poll = polling.start("GET");
  poll.send();
  // The answer to a request that came later tells that the poll has arrived.
  await once(poll.clientRequest, "finish");
  await polling.send("3");
  return { first, second, polling, poll };
}

const GOODBYE = event("bye");

describeBoth("exit in the middle of a turn", (implementation) => {
  for (const goodbye of ["unicast", "broadcast", "room", "volatile"]) {
    it(`process.exit() right after emit delivers on both transports: ${goodbye}`, async () => {
      const { finished, port } = await startServerProcess(implementation);
      const { first, second, poll } = await gather(port);
      first.send(event("say and end", goodbye, "process.exit"));
      await first.expectText(GOODBYE);
      await second.expectText(GOODBYE);
      expect((await poll.response).text).toBe(GOODBYE);
      expect(await finished).toMatchObject({ exitCode: 3, signal: null, stderr: "" });
    });
  }

  it("process.exit() right after an ack delivers it over websocket", async () => {
    const { finished, port } = await startServerProcess(implementation);
    const peer = await RawWebSocket.join(port);
    peer.send('427["answer and exit"]');
    await peer.expectText('437["bye"]');
    expect((await finished).exitCode).toBe(3);
  });

  it("process.exit() right after an ack delivers it over polling", async () => {
    const { finished, port } = await startServerProcess(implementation);
    const { polling, poll } = await gather(port);
    await polling.send('427["answer and exit"]');
    expect((await poll.response).text).toBe('437["bye"]');
    expect((await finished).exitCode).toBe(3);
  });

  for (const end of ["an uncaught error", "an unhandled rejection"]) {
    it(`${end} right after emit: it is delivered, and the exit code is 1`, async () => {
      const { finished, port } = await startServerProcess(implementation);
      const { first, second, poll } = await gather(port);
      first.send(event("say and end", "unicast", end));
      await first.expectText(GOODBYE);
      await second.expectText(GOODBYE);
      expect((await poll.response).text).toBe(GOODBYE);
      expect(await finished).toMatchObject({
        exitCode: 1,
        signal: null,
        stderr: expect.stringContaining("Error: fatal"),
      });
    });
  }

  for (const [title, options] of [
    ["was there before the server", { exitListener: "before" }],
    ["came after the first connection", { exitListener: "after" }],
    [
      "came last, and broadcasts through another adapter",
      { exitListener: "after", adapter: "own" },
    ],
  ] as const) {
    it(`what a listener of "exit" emits is delivered, when it ${title}`, async () => {
      const { finished, port } = await startServerProcess(implementation, options);
      const { first, second, poll } = await gather(port);
      first.send(event("say and end", "nothing", "process.exit"));
      await first.expectText(GOODBYE);
      await second.expectText(GOODBYE);
      expect((await poll.response).text).toBe(GOODBYE);
      expect(await finished).toMatchObject({ exitCode: 3, stderr: "" });
    });
  }

  it("over TLS too what is emitted right before process.exit() is delivered", async () => {
    const { finished, port } = await startServerProcess(implementation, {
      tls: selfSignedCertificate(),
    });
    const client = openClient(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    await once(client, "connect");
    const heard = once(client, "bye");
    client.emit("say and end", "unicast", "process.exit");
    await heard;
    expect((await finished).exitCode).toBe(3);
  });

  it("a process that ends itself with SIGTERM right after emit has delivered to every client", async () => {
    const { finished, port } = await startServerProcess(implementation);
    const { first, second, poll } = await gather(port);
    first.send(event("say and end", "unicast", "SIGTERM to itself"));
    await first.expectText(GOODBYE);
    await second.expectText(GOODBYE);
    expect((await poll.response).text).toBe(GOODBYE);
    expect(await finished).toMatchObject({ exitCode: null, signal: "SIGTERM" });
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`${signal} from outside ends a process with sessions, with that signal`, async () => {
      const { finished, port, process: child } = await startServerProcess(implementation);
      const { first } = await gather(port);
      child.kill(signal);
      expect(await finished).toMatchObject({ exitCode: null, signal, stderr: "" });
      await first.ended();
    });

    it(`a listener of ${signal} that says goodbye and closes the server ends the process with code 0`, async () => {
      const {
        finished,
        port,
        process: child,
      } = await startServerProcess(implementation, { gracefully: signal });
      const client = openClient(`http://127.0.0.1:${port}`);
      await once(client, "connect");
      const there = Promise.all([once(client, "bye"), onceValue(client, "disconnect")]);
      child.kill(signal);
      expect((await there)[1]).toMatch(/^(io server disconnect|transport close)$/);
      expect(await finished).toMatchObject(ENDED_BY_ITSELF);
    });
  }
});
