// What a process still delivers when it is ended in the middle of a turn of its event loop, and the code that it ends with.

import { selfSignedCertificate } from "../harness/certificate";
import { startListening } from "../harness/child";
import { openClient } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";

/** An event packet, as text frames and payloads carry it. */
function event(...content: unknown[]): string {
  return `42${JSON.stringify(content)}`;
}

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
      const { finished, port } = await startListening(implementation, "exits.cjs");
      const { first, second, poll } = await gather(port);
      first.send(event("say and end", goodbye, "process.exit"));
      await first.expectText(GOODBYE);
      await second.expectText(GOODBYE);
      expect((await poll.response).text).toBe(GOODBYE);
      expect(await finished).toMatchObject({ exitCode: 3, signal: null, stderr: "" });
    });
  }

  it("process.exit() right after an ack delivers it over websocket", async () => {
    const { finished, port } = await startListening(implementation, "exits.cjs");
    const peer = await RawWebSocket.join(port);
    peer.send('427["answer and exit"]');
    await peer.expectText('437["bye"]');
    expect((await finished).exitCode).toBe(3);
  });

  it("process.exit() right after an ack delivers it over polling", async () => {
    const { finished, port } = await startListening(implementation, "exits.cjs");
    const { polling, poll } = await gather(port);
    await polling.send('427["answer and exit"]');
    expect((await poll.response).text).toBe('437["bye"]');
    expect((await finished).exitCode).toBe(3);
  });

  for (const end of ["an uncaught error", "an unhandled rejection"]) {
    it(`${end} right after emit: it is delivered, and the exit code is 1`, async () => {
      const { finished, port } = await startListening(implementation, "exits.cjs");
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
      const { finished, port } = await startListening(implementation, "exits.cjs", options);
      const { first, second, poll } = await gather(port);
      first.send(event("say and end", "nothing", "process.exit"));
      await first.expectText(GOODBYE);
      await second.expectText(GOODBYE);
      expect((await poll.response).text).toBe(GOODBYE);
      expect(await finished).toMatchObject({ exitCode: 3, stderr: "" });
    });
  }

  it("over TLS too what is emitted right before process.exit() is delivered", async () => {
    const { finished, port } = await startListening(implementation, "exits.cjs", {
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
    const { finished, port } = await startListening(implementation, "exits.cjs");
    const { first, second, poll } = await gather(port);
    first.send(event("say and end", "unicast", "SIGTERM to itself"));
    await first.expectText(GOODBYE);
    await second.expectText(GOODBYE);
    expect((await poll.response).text).toBe(GOODBYE);
    expect(await finished).toMatchObject({ exitCode: null, signal: "SIGTERM" });
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`${signal} from outside ends a process with sessions, with that signal`, async () => {
      const { finished, port, process: child } = await startListening(implementation, "exits.cjs");
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
      } = await startListening(implementation, "exits.cjs", { gracefully: signal });
      const client = openClient(`http://127.0.0.1:${port}`);
      await once(client, "connect");
      const there = Promise.all([once(client, "bye"), onceValue(client, "disconnect")]);
      child.kill(signal);
      expect((await there)[1]).toMatch(/^(io server disconnect|transport close)$/);
      expect(await finished).toMatchObject({ exitCode: 0, signal: null, stderr: "" });
    });
  }
});
