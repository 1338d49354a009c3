// What becomes of an error that a listener of the engine throws, and of the session it was thrown in. The server is a process of its own, which
// survives uncaught errors and tells them.

import { get } from "node:http";
import { type Child, startFixture } from "../harness/child";
import { closeClientAfterTest } from "../harness/cleanup";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { openStream, request } from "../harness/raw-http";
import { frame, openingHandshake, RawWebSocket } from "../harness/raw-websocket";

async function start(
  implementation: Implementation,
  faulty: string,
): Promise<Child & { port: number; clients(): Promise<number> }> {
  const child = startFixture(implementation, "faults.cjs", [faulty]);
  const port = Number(await child.nextLine());
  const clients = async (): Promise<number> => {
    const { body } = await request(port, { path: "/clients" });
    return Number(body.toString());
  };
  return { ...child, port, clients };
}

/** Answers the server's pings until the connection ends. */
function answerPings(peer: RawWebSocket): void {
  const next = async (): Promise<void> => {
    for (;;) {
      const { text } = await peer.nextFrame();
      if (text === "2") {
        peer.send("3");
      }
    }
  };
  next().catch(() => {}); // the end of the connection
}

describeBoth("listener faults", (implementation) => {
  it("what a connection listener throws over polling is an unhandled rejection, and the session lives", async () => {
    const server = await start(implementation, "connection");
    const peer = await PollingPeer.open(server.port);
    expect(await server.nextLine()).toBe("unhandled: connection throws");
    await peer.send("4hello");
    expect(await server.nextLine()).toBe("message hello");
    expect(await server.clients()).toBe(1);
  });

  it("what a connection listener throws over websocket is an unhandled rejection, and the session lives", async () => {
    const server = await start(implementation, "connection");
    const peer = await RawWebSocket.open(server.port);
    expect(await server.nextLine()).toBe("unhandled: connection throws");
    await peer.expectText(/^0/);
    peer.send("4hello");
    expect(await server.nextLine()).toBe("message hello");
    expect(await server.clients()).toBe(1);
  });

  for (const event of ["initial_headers", "headers"]) {
    it(`what a ${event} listener throws at a polling handshake is an unhandled rejection: no session, no answer`, async () => {
      const server = await start(implementation, event);
      let hasAnswer = false;
      const handshake = get(`http://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=polling`);
      handshake.on("response", () => {
        hasAnswer = true;
      });
      handshake.on("error", () => {}); // it is ended after the test
      closeClientAfterTest(() => handshake.destroy());
      expect(await server.nextLine()).toBe(`unhandled: ${event} throws`);
      expect(await server.clients()).toBe(0);
      expect(hasAnswer).toBe(false);
    });

    it(`what a ${event} listener throws at an opening handshake is uncaught, and there is no session`, async () => {
      const server = await start(implementation, event);
      const stream = await openStream(server.port);
      closeClientAfterTest(() => stream.destroy());
      stream.write(openingHandshake());
      expect(await server.nextLine()).toBe(`uncaught: ${event} throws`);
      expect(await server.clients()).toBe(0);
    });
  }

  it("what allowRequest throws is uncaught, and there is no session", async () => {
    const server = await start(implementation, "allowRequest");
    const handshake = get(`http://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=polling`);
    handshake.on("error", () => {}); // it is ended after the test
    closeClientAfterTest(() => handshake.destroy());
    expect(await server.nextLine()).toBe("uncaught: allowRequest throws");
    const stream = await openStream(server.port);
    closeClientAfterTest(() => stream.destroy());
    stream.write(openingHandshake());
    expect(await server.nextLine()).toBe("uncaught: allowRequest throws");
    expect(await server.clients()).toBe(0);
  });

  for (const event of ["packet", "data", "message"]) {
    it(`what a ${event} listener throws over polling is uncaught, and ends the delivery of that body`, async () => {
      const server = await start(implementation, event);
      const peer = await PollingPeer.open(server.port);
      const post = peer.start("POST");
      post.response.catch(() => {}); // the post is ended after the test, if it was not answered
      closeClientAfterTest(() => post.clientRequest.destroy());
      post.send("4fault\x1e4lost");
      expect(await server.nextLine()).toBe(`uncaught: ${event} throws`);
      expect(await server.nextLine()).toBe("close ping timeout");
    });

    it(`a ${event} listener that throws over websocket makes its session deaf`, async () => {
      const server = await start(implementation, event);
      const peer = await RawWebSocket.open(server.port);
      answerPings(peer);
      peer.write(Buffer.concat([frame("4fault"), frame("4lost")]));
      expect(await server.nextLine()).toBe(`uncaught: ${event} throws`);
      expect(await server.nextLine()).toBe("close ping timeout");
    });
  }
});
