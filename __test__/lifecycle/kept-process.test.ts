// What keeps a process with a server alive, and what lets it end. Each case is a process of its own. "stays" is printed by a timer that
// keeps nothing alive itself, so a process that could end would not print it.

import { startListening } from "../harness/child";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer, SEPARATOR } from "../harness/polling-peer";
import { closeFrame, RawWebSocket } from "../harness/raw-websocket";

/** An event packet, as text frames and payloads carry it. */
function event(...content: unknown[]): string {
  return `42${JSON.stringify(content)}`;
}

/** Short, but longer than a peer takes to join and to say what it wants. */
const HEARTBEAT = { pingInterval: 600, pingTimeout: 300 };

const ENDED_BY_ITSELF = { exitCode: 0, signal: null, stderr: "" };

describeBoth("what keeps a process", (implementation) => {
  for (const action of ["close http", "unref http", "close io"]) {
    it(`without clients the process ends after: ${action}`, async () => {
      const { finished } = await startListening(implementation, "exits.cjs", { atOnce: action });
      expect(await finished).toMatchObject(ENDED_BY_ITSELF);
    });
  }

  it("a server that listens keeps the process after engine.close()", async () => {
    const { nextLine, port } = await startListening(implementation, "exits.cjs", {
      atOnce: "close engine",
    });
    expect(await nextLine()).toBe("stays");
    await expect(RawWebSocket.open(port)).rejects.toThrow(/503/);
  });

  it("one idle websocket keeps the process when the HTTP server is unref'd, until it leaves", async () => {
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs");
    const peer = await RawWebSocket.join(port);
    peer.send(event("do", "unref http"));
    expect(await nextLine()).toBe("stays");
    peer.write(closeFrame(1000));
    expect(await nextLine()).toBe("transport close");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("one idle polling session keeps the process when the HTTP server is unref'd, until it leaves", async () => {
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs");
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "unref http"));
    expect(await nextLine()).toBe("stays");
    await peer.send("1");
    expect(await nextLine()).toBe("transport close");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("a polling session that is gone without a word keeps the process until its heartbeat fails", async () => {
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs", {
      server: HEARTBEAT,
      closeTimeout: 50,
    });
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "unref http"));
    expect(await nextLine()).toBe("stays");
    expect(await nextLine()).toBe("ping timeout");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("the goodbye to a polling session keeps the process until its client comes for it", async () => {
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs");
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "disconnect all, unref http"));
    expect(await nextLine()).toBe("server namespace disconnect");
    expect(await nextLine()).toBe("stays");
    expect(await peer.poll()).toBe("41");
    expect(await peer.poll()).toBe(`6${SEPARATOR}1`);
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("the goodbye to a polling session that nobody comes for keeps the process for its closeTimeout", async () => {
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs", {
      closeTimeout: 500,
    });
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "close sessions, unref http"));
    expect(await nextLine()).toBe("stays");
    expect(await nextLine()).toBe("forced close");
    expect(await finished).toMatchObject(ENDED_BY_ITSELF);
  });

  it("after a polling session has timed out its closeTimeout still keeps the process", async () => {
    const { nextLine, port } = await startListening(implementation, "exits.cjs", {
      server: HEARTBEAT,
      closeTimeout: 1_000,
      asks: "again",
    });
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "unref http"));
    expect(await nextLine()).toBe("stays");
    expect(await nextLine()).toBe("ping timeout");
    expect(await nextLine()).toBe("stays");
  });

  it("a waiting poll keeps an HTTP server that was closed, and with it the process", async () => {
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs");
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
    const { finished, port } = await startListening(implementation, "exits.cjs");
    const peer = await PollingPeer.join(port);
    await peer.send(event("do", "close http"));
    expect(await finished).toMatchObject({ ...ENDED_BY_ITSELF, stdout: `${port}\nforced close\n` });
  });

  for (const action of ["close io", "close engine, unref http", "disconnect all, unref http"]) {
    it(`a closing handshake that the peer does not answer keeps the process after: ${action}`, async () => {
      const { finished, nextLine, port } = await startListening(implementation, "exits.cjs");
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
      const { finished, port } = await startListening(implementation, "exits.cjs");
      const peer = await RawWebSocket.join(port);
      peer.send(event("do", action));
      peer.write(closeFrame(await peer.expectClose()));
      expect(await finished).toMatchObject(ENDED_BY_ITSELF);
    });
  }

  it("a websocket that never joins a namespace keeps the process until it leaves", async () => {
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs", {
      asks: "at the end",
    });
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
    const { finished, nextLine, port } = await startListening(implementation, "exits.cjs", {
      server: { upgradeTimeout: 1_000 },
      asks: "at the end",
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
    const {
      finished,
      nextLine,
      port,
      process: child,
    } = await startListening(implementation, "exits.cjs", { asks: "at the end" });
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
