// When a process with a server ends, and what it still delivers before it does. Each case runs in a process of its own.

import type { Socket as ClientSocket } from "socket.io-client";
import { type Child, startFixture } from "../harness/child";
import { openClient, TRANSPORTS } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { closeFrame, RawWebSocket } from "../harness/raw-websocket";

async function startServerProcess(
  implementation: Implementation,
  behaviour: string,
  options: object = {},
): Promise<Child & { port: number; connect(options?: object): Promise<ClientSocket> }> {
  const child = startFixture(implementation, "server.cjs", [behaviour, JSON.stringify(options)]);
  const port = Number(await child.nextLine());
  const connect = async (options = {}): Promise<ClientSocket> => {
    const client = openClient(`http://127.0.0.1:${port}`, options);
    await once(client, "connect");
    return client;
  };
  return { ...child, port, connect };
}

describeBoth("process exit", (implementation) => {
  for (const scenario of ["unattached", "made with recovery", "not listening"]) {
    it(`a process with a server that is ${scenario} ends by itself`, async () => {
      const { finished } = startFixture(implementation, "one-shot.cjs", [scenario]);
      expect(await finished).toMatchObject({ exitCode: 0, stderr: "" });
    });
  }

  for (const scenario of ["listen and close", "listen and close again"]) {
    it(`${scenario}: the process ends by itself`, async () => {
      const { finished } = startFixture(implementation, "one-shot.cjs", [scenario]);
      expect(await finished).toMatchObject({ exitCode: 0, stdout: "closed\n", stderr: "" });
    });
  }

  it("a process that loads the package a dozen times is left without listeners, and not warned of them", async () => {
    const { finished } = startFixture(implementation, "one-shot.cjs", ["load again and again"]);
    const stdout = "listeners of exit: 0\n";
    expect(await finished).toMatchObject({ exitCode: 0, stdout, stderr: "" });
  });

  for (const behaviour of ["close on demand", "close engine on demand"]) {
    for (const { label, transports } of TRANSPORTS) {
      it(`${behaviour} with a client over ${label}: the process ends, and the client is told`, async () => {
        const { finished, connect } = await startServerProcess(implementation, behaviour);
        const client = await connect({ transports });
        const there = once(client, "disconnect");
        client.emit("close");
        expect(await finished).toMatchObject({ exitCode: 0, stderr: "" });
        expect((await there)[0]).toMatch(/^transport (close|error)$/);
      });
    }
  }

  for (const [scenario, lines] of [
    ["the client closes", ["open", "alive", "transport close"]],
    ["the server closes", ["open", "alive", "closed by the server", "forced close"]],
    ["io closes", ["open", "alive", "closed by the server", "forced close"]],
    ["refused", ["closed by the server"]],
    ["no stream", ["closed by the server"]],
  ] as const) {
    it(`a session of webtransport keeps the process until its end: ${scenario}`, async () => {
      const { finished } = startFixture(implementation, "webtransport.cjs", [scenario]);
      const { stdout, ...rest } = await finished;
      // Which of the two notes of an end is the first is nobody's affair.
      expect(stdout.trim().split("\n").sort()).toEqual([...lines].sort());
      expect(rest).toMatchObject({ exitCode: 0, stderr: "" });
    });
  }

  it("a live websocket keeps the process after its HTTP server was closed, until the client leaves", async () => {
    const { finished, connect, nextLine } = await startServerProcess(
      implementation,
      "close http on demand",
    );
    const client = await connect();
    client.emit("close");
    expect(await nextLine()).toBe("http closed");
    expect(await client.emitWithAck("still there")).toBe("yes");
    client.disconnect();
    expect(await nextLine()).toBe("client namespace disconnect");
    expect(await finished).toMatchObject({ exitCode: 0, stderr: "" });
  });

  it("a live raw websocket that sends nothing keeps the process too", async () => {
    const { finished, port, connect, nextLine } = await startServerProcess(
      implementation,
      "close http on demand",
    );
    const peer = await RawWebSocket.join(port);
    const client = await connect();
    client.emit("close");
    await nextLine();
    client.disconnect();
    await nextLine();
    peer.send('420["still there"]');
    await peer.expectText('430["yes"]');
    peer.write(closeFrame(1000));
    expect(await peer.expectClose()).toBe(1000);
    expect(await finished).toMatchObject({ exitCode: 0, stderr: "" });
  });

  for (const [behaviour, exitCode] of [
    ["emit and exit", 3],
    ["emit and throw", 1],
  ] as const) {
    it(`${behaviour}: what was emitted before is delivered, and the exit code is ${exitCode}`, async () => {
      const { finished, port, connect } = await startServerProcess(implementation, behaviour);
      const peer = await RawWebSocket.join(port);
      const client = await connect();
      const events: unknown[] = [];
      client.onAny((...event) => events.push(event));
      const gone = onceValue(client, "disconnect");
      client.emit("exit");
      await peer.expectText('42["bye all"]');
      await gone;
      expect(events).toEqual([["bye", "to you"]]);
      expect((await finished).exitCode).toBe(exitCode);
    });
  }

  it("SIGTERM ends a process with live connections", async () => {
    const {
      process: child,
      finished,
      connect,
    } = await startServerProcess(implementation, "close on demand");
    const client = await connect();
    const gone = once(client, "disconnect");
    child.kill("SIGTERM");
    expect(await finished).toMatchObject({ exitCode: null, signal: "SIGTERM" });
    await gone;
  });

  it("errors of listeners are uncaught exceptions, and the server goes on", async () => {
    const { connect, nextLine } = await startServerProcess(implementation, "uncaught errors");
    const client = await connect();
    client.emit("throw");
    expect(await nextLine()).toBe("uncaught by a listener");
    expect(await client.emitWithAck("q")).toBe("alive");
    const failing = await connect({ auth: { fail: true } });
    expect(await nextLine()).toBe("uncaught by a connection listener");
    expect(await failing.emitWithAck("q")).toBe("alive");
    client.disconnect();
    expect(await nextLine()).toBe("uncaught by a disconnect listener");
    expect(await failing.emitWithAck("q")).toBe("alive");
  });

  it("a client may send error: without any listener of the name left it is uncaught, and the server goes on", async () => {
    const { connect, nextLine } = await startServerProcess(implementation, "uncaught errors");
    const client = await connect();
    client.emit("remove all listeners");
    client.emit("error", "nobody listens");
    expect(await nextLine()).toMatch(/^uncaught Unhandled error\./);
    const other = await connect();
    expect(await other.emitWithAck("q")).toBe("alive");
  });

  for (const [namespace, told] of [
    ["/throws", "unhandled by a middleware"],
    ["/rejects", "unhandled by an async middleware"],
  ] as const) {
    it(`${told}: the error is an unhandled rejection, and the client waits until connectTimeout`, async () => {
      const { port, nextLine } = await startServerProcess(implementation, "failing middlewares");
      const peer = await RawWebSocket.open(port);
      await peer.expectText(/^0/);
      peer.send(`40${namespace},`);
      expect(await nextLine()).toBe(told);
      expect(await peer.expectClose()).toBeUndefined();
    });
  }

  it("unhandled by a connection listener: for a restored socket the error is an unhandled rejection, and the client is connected", async () => {
    const { port, nextLine } = await startServerProcess(
      implementation,
      "throws for restored sockets",
      { connectionStateRecovery: {} },
    );
    const peer = await RawWebSocket.open(port);
    await peer.expectText(/^0/);
    peer.send("40");
    const { sid, pid } = JSON.parse((await peer.expectText(/^40\{/)).slice(2));
    const [, offset] = JSON.parse((await peer.expectText(/^42\["welcome"/)).slice(2));
    peer.stream.resetAndDestroy();
    expect(await nextLine()).toBe("transport close");
    const again = await RawWebSocket.open(port);
    await again.expectText(/^0/);
    again.send(`40${JSON.stringify({ pid, offset })}`);
    await again.expectText(`40${JSON.stringify({ sid, pid })}`);
    await again.expectText(/^42\["welcome"/);
    expect(await nextLine()).toBe("unhandled by a connection listener");
  });

  it("a throwing listener does not lose the other events of its batch", async () => {
    const { port, nextLine } = await startServerProcess(implementation, "uncaught errors");
    const peer = await RawWebSocket.join(port);
    peer.send('42["throw"]');
    peer.send('420["q"]');
    peer.send('42["throw"]');
    peer.send('421["q"]');
    await peer.expectText('430["alive"]');
    await peer.expectText('431["alive"]');
    expect([await nextLine(), await nextLine()]).toEqual([
      "uncaught by a listener",
      "uncaught by a listener",
    ]);
  });
});
