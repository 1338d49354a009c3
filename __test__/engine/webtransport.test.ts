/**
 * What engine.io does worse over WebTransport, and what cannot be seen from outside: sessions that fail end nothing but themselves, and
 * whatever they held is let go. With the real core.
 */
import { Server } from "../../lib/engine";
import { currentLink } from "../../lib/link";
import { closeServerAfterTest } from "../harness/cleanup";
import { eventually, nextTurn, once, within } from "../harness/events";
import { WebTransportPeer } from "../harness/webtransport-peer";

function startEngine(): Server {
  const engine = new Server();
  closeServerAfterTest(() => engine.close());
  return engine;
}

async function open(engine: Server): Promise<{ peer: WebTransportPeer; conn: any }> {
  const connection = once(engine, "connection");
  const peer = WebTransportPeer.connect(engine);
  const [conn] = await connection;
  await peer.nextText();
  return { peer, conn };
}

/** The core holds nothing any more. */
function nothingIsLeft(): Promise<void> {
  return eventually(() => {
    const { sessions, connections } = currentLink().counters();
    return sessions === 0 && connections === 0;
  }, "the core still holds something");
}

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeAll(() => void process.on("unhandledRejection", onUnhandled));
afterAll(() => void process.off("unhandledRejection", onUnhandled));
afterEach(async () => {
  await nextTurn();
  expect(unhandled.splice(0)).toEqual([]);
});

describe("webtransport", () => {
  it("a session that is lost is a transport close", async () => {
    const { peer, conn } = await open(startEngine());
    const closed = once(conn, "close");
    peer.fail();
    expect((await closed)[0]).toBe("transport close");
    await nothingIsLeft();
  });

  it("a session that is lost before its first stream, or its first packet, is let go", async () => {
    const engine = startEngine();
    for (const opensStream of [false, true]) {
      const peer = new WebTransportPeer();
      const served = engine.onWebTransportSession(peer.session);
      if (opensStream) {
        peer.openStream();
        await nextTurn();
      }
      peer.fail();
      await within(served, "the session is still waited for");
    }
    expect(engine.clientsCount).toBe(0);
  });

  it("a stream that ends or is reset before its first packet closes the session", async () => {
    for (const end of ["endStream", "resetStream"] as const) {
      const peer = new WebTransportPeer();
      const served = startEngine().onWebTransportSession(peer.session);
      peer.openStream();
      await nextTurn();
      peer[end]();
      await peer.closedByServer;
      await served;
    }
  });

  it("incoming streams that cannot be read close the session", async () => {
    const peer = new WebTransportPeer();
    peer.session.incomingBidirectionalStreams.getReader();
    await startEngine().onWebTransportSession(peer.session);
    expect(peer.serverCloses).toBe(1);
  });

  it("a session whose close() throws ends all the same", async () => {
    const engine = startEngine();
    const { peer, conn } = await open(engine);
    const close = peer.session.close.bind(peer.session);
    peer.session.close = () => {
      close();
      throw new Error("closed twice");
    };
    const closed = once(conn, "close");
    conn.close();
    await closed;
    await peer.closedByServer;
    await nothingIsLeft();
  });

  it("a session that never says that it is closed is let go", async () => {
    const { peer, conn } = await open(startEngine());
    let closes = 0;
    peer.session.close = () => {
      closes += 1;
    };
    conn.close();
    await eventually(() => closes === 1);
    await nothingIsLeft();
    // The core has let go of it before its last event is read here.
    await eventually(() => conn.transport.readyState === "closed");
  });

  it("what was sent before close() is delivered", async () => {
    const { peer, conn } = await open(startEngine());
    for (let index = 0; index < 50; index += 1) {
      conn.send(`${index}`);
    }
    conn.close();
    for (let index = 0; index < 50; index += 1) {
      expect(await peer.nextText()).toBe(`4${index}`);
    }
    await peer.closedByServer;
  });

  it("a client that sends faster than JavaScript reads is held up, and loses nothing", async () => {
    const { peer, conn } = await open(startEngine());
    const [count, bytes] = [400, 10_000];
    let heard = 0;
    conn.on("message", (data: Buffer) => {
      expect(data.length).toBe(bytes);
      expect(data[0]).toBe(heard % 251);
      heard += 1;
    });
    for (let index = 0; index < count; index += 1) {
      peer.send(Buffer.alloc(bytes, index % 251));
    }
    await eventually(() => heard === count, "messages are missing");
  });

  it("a hundred sessions leave nothing behind", async () => {
    const engine = startEngine();
    const opened = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const peer = WebTransportPeer.connect(engine);
        await peer.nextText();
        return peer;
      }),
    );
    expect(currentLink().counters().sessions).toBe(100);
    for (const [index, peer] of opened.entries()) {
      if (index % 2 === 0) {
        peer.close();
      } else {
        peer.fail();
      }
    }
    await nothingIsLeft();
    await eventually(() => engine.clientsCount === 0);
  });
});
